//! `LocalTime`: the time of a message in this computer's time zone, for `-F`.

use jiff::ZonedDateTime;
use jiff::fmt::strtime;

/// Time at which a message is printed.
#[derive(Debug)]
pub(super) struct LocalTime(ZonedDateTime);

impl LocalTime {
    pub(super) fn now() -> Self {
        Self(ZonedDateTime::now())
    }

    /// Text of `%X` of strftime(3), where X is `conversion`; `%X` itself for one that isn't known, as
    /// in glibc. Names are in English.
    pub(super) fn conversion(&self, conversion: char) -> String {
        // Those that depend on the locale, as in the C locale.
        let format = match conversion {
            'c' => "%a %b %e %H:%M:%S %Y".to_owned(),
            'x' => "%m/%d/%y".to_owned(),
            'X' => "%H:%M:%S".to_owned(),
            'r' => "%I:%M:%S %p".to_owned(),
            other if KNOWN.contains(other) => format!("%{other}"),
            other => return format!("%{other}"),
        };
        strtime::format(&format, &self.0).unwrap_or(format)
    }

    /// Nanoseconds of the second, with nine digits.
    pub(super) fn nanoseconds(&self) -> String {
        format!("{:09}", self.0.subsec_nanosecond())
    }

    /// `2026-11-30T10:08:09+0000`
    pub(super) fn iso_8601(&self) -> String {
        strtime::format("%Y-%m-%dT%H:%M:%S%z", &self.0).unwrap_or_default()
    }

    /// `2026-11-30T10:08:09.713556+0000`
    pub(super) fn iso_8601_with_microseconds(&self) -> String {
        strtime::format("%Y-%m-%dT%H:%M:%S.%6f%z", &self.0).unwrap_or_default()
    }

    /// Seconds since 1970 with nine decimals.
    pub(super) fn unix(&self) -> String {
        let seconds = self.0.timestamp().as_second();
        format!("{seconds}.{}", self.nanoseconds())
    }
}

/// Conversions of strftime(3) that don't depend on the locale, or only by names.
const KNOWN: &str = "aAbBCdDeFgGhHIjklmMnpPRsStTuUVwWyYzZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_those_of_the_c_locale() {
        let time: ZonedDateTime = "2026-11-30T10:08:09.713556233+00:00[UTC]".parse().unwrap();
        let time = LocalTime(time);
        for (conversion, text) in [
            ('c', "Mon Nov 30 10:08:09 2026"),
            ('x', "11/30/26"),
            ('X', "10:08:09"),
            ('r', "10:08:09 AM"),
            ('T', "10:08:09"),
            ('P', "am"),
            ('s', "1796033289"),
            ('n', "\n"),
            ('E', "%E"),
            ('q', "%q"),
        ] {
            assert_eq!(time.conversion(conversion), text, "{conversion}");
        }
        assert_eq!(time.nanoseconds(), "713556233");
        assert_eq!(time.unix(), "1796033289.713556233");
        assert_eq!(time.iso_8601(), "2026-11-30T10:08:09+0000");
        assert_eq!(
            time.iso_8601_with_microseconds(),
            "2026-11-30T10:08:09.713556+0000"
        );
    }
}
