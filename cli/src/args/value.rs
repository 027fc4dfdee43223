//! Parsers for the values of flags: durations, rates, numbers and names.

use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_client::QoS;
use dunlin_client::aws::SentIn;
use dunlin_codec::{PayloadFormat, SubscriptionIdentifier, TopicAlias};

/// Number of messages that the sample publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Endless,
    Exactly(u32),
}

/// ALPN protocol to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alpn {
    None,
    Name(String),
}

/// Lowest version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TlsMinimum {
    /// TLS 1.2 or 1.3
    #[value(name = "1.2")]
    V1_2,
    /// TLS 1.3
    #[value(name = "1.3")]
    V1_3,
}

/// Transport that a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TransportArg {
    /// MQTT over TCP, without TLS
    Tcp,
    /// MQTT over TLS
    Tls,
    /// MQTT over WebSocket, without TLS
    Ws,
    /// MQTT over WebSocket and TLS
    Wss,
    /// HTTPS requests, which publish messages without a connection of MQTT (pub, doctor)
    #[value(name = "http", alias = "https")]
    Https,
    /// The same without TLS: only the URL http:// asks for it
    #[value(skip)]
    Http,
}

/// Part of a WebSocket connection that carries the parameters of a custom authorizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SentInArg {
    /// In the user name of CONNECT
    #[default]
    Connect,
    /// In headers of the request
    Headers,
    /// In the query of the URL
    Query,
}

impl TransportArg {
    /// True for HTTP requests, with or without TLS.
    pub(crate) const fn is_http(self) -> bool {
        matches!(self, Self::Https | Self::Http)
    }
}

impl From<SentInArg> for SentIn {
    fn from(typed: SentInArg) -> Self {
        match typed {
            SentInArg::Connect => Self::UserName,
            SentInArg::Headers => Self::Headers,
            SentInArg::Query => Self::Query,
        }
    }
}

/// Number of attempts after the first one; `None` means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts(pub(crate) Option<u32>);

/// Percent-encoding of the custom authorizer's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encode {
    /// The signature as the Python SDK does; in the others only what would break the query
    #[default]
    Auto,
    /// Every reserved character
    Always,
    /// Send the values as they are
    Never,
}

/// Name and value of a user property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserProperty {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// User properties as the client takes them: pairs of name and value, in order.
pub(crate) fn pairs(typed: Vec<UserProperty>) -> Vec<(String, String)> {
    typed
        .into_iter()
        .map(|property| (property.name, property.value))
        .collect()
}

/// Bytes that were written as text, `hex:DIGITS` or `base64:TEXT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binary(pub(crate) Vec<u8>);

/// Payload Format Indicator (§3.3.2.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PayloadFormatArg {
    /// UTF-8 text
    #[value(alias = "1")]
    Utf8,
    /// Bytes without a format
    #[value(alias = "0")]
    Bytes,
}

impl From<PayloadFormatArg> for PayloadFormat {
    fn from(typed: PayloadFormatArg) -> Self {
        match typed {
            PayloadFormatArg::Utf8 => Self::Utf8,
            PayloadFormatArg::Bytes => Self::Unspecified,
        }
    }
}

/// QoS: 0, 1 or 2.
pub(crate) fn qos(text: &str) -> Result<QoS, &'static str> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err("0, 1 or 2 is needed"),
    }
}

/// User property `NAME=VALUE`; the name ends at the first `=`.
pub(crate) fn user_property(text: &str) -> Result<UserProperty, &'static str> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is needed")?;
    Ok(UserProperty {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

/// Topic alias of 1 to 65,535.
pub(crate) fn topic_alias(text: &str) -> Result<TopicAlias, &'static str> {
    text.parse()
        .ok()
        .and_then(TopicAlias::new)
        .ok_or("a number from 1 to 65535 is needed")
}

/// Subscription Identifier of 1 to 268,435,455.
pub(crate) fn subscription_identifier(text: &str) -> Result<SubscriptionIdentifier, &'static str> {
    text.parse()
        .ok()
        .and_then(SubscriptionIdentifier::new)
        .ok_or("a number from 1 to 268435455 is needed")
}

/// Bytes written as `hex:DIGITS`, as `base64:TEXT`, or as the text itself.
pub(crate) fn binary(text: &str) -> Result<Binary, &'static str> {
    let bytes = if let Some(digits) = text.strip_prefix("hex:") {
        hex(digits)?
    } else if let Some(encoded) = text.strip_prefix("base64:") {
        base64(encoded)?
    } else {
        text.as_bytes().to_vec()
    };
    Ok(Binary(bytes))
}

/// Bytes of hexadecimal digits, in pairs; blanks between them are allowed.
pub(crate) fn hex(digits: &str) -> Result<Vec<u8>, &'static str> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_digit(16).ok_or("not hexadecimal"))
        .collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("an odd number of hexadecimal digits");
    }
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).unwrap_or_default();
    Ok(pairs.iter().map(byte).collect())
}

/// Bytes of Base64 with the standard alphabet and padding.
pub(crate) fn base64(text: &str) -> Result<Vec<u8>, &'static str> {
    STANDARD.decode(text.trim()).map_err(|_| "not Base64")
}

/// Whole seconds of an expiry or a delay: a duration below 4,294,967,295 s, or `never`, which is that
/// number (§3.1.2.11.2).
pub(crate) fn expiry(text: &str) -> Result<u32, &'static str> {
    if matches!(text, "never" | "-1") {
        return Ok(u32::MAX);
    }
    // A bare number may be longer than a year.
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let duration = duration(text)?;
    if duration.subsec_nanos() > 0 {
        return Err("whole seconds are needed");
    }
    u32::try_from(duration.as_secs()).map_err(|_| OUT_OF_RANGE)
}

/// Duration of 0 to one year, as `30s`, `1500ms` or `1m 30s`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    // A bare number is seconds, as in the Python scripts; `inf` and `NaN` parse as numbers and are
    // out of range.
    let duration = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| OUT_OF_RANGE),
        Err(_) => {
            humantime::parse_duration(text).map_err(|_| "not a duration such as 30s, 1500ms or 2m")
        }
    }?;
    // The clock can't represent every point in time.
    if duration > LONGEST {
        Err(OUT_OF_RANGE)
    } else {
        Ok(duration)
    }
}

/// Duration above zero.
pub(crate) fn timeout(text: &str) -> Result<Duration, &'static str> {
    match duration(text)? {
        // A wait of no time could never succeed. A pause of no time is fine: see `duration`.
        Duration::ZERO => Err("it would be over before it began"),
        timeout => Ok(timeout),
    }
}

/// Messages a second, 0.001 to 10,000,000.
pub(crate) fn rate(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        // The comparison refuses NaN as well.
        .filter(|rate| (0.001..=10_000_000.0).contains(rate))
        .ok_or("a number from 0.001 to 10000000 is needed")
}

/// Number of messages: at least one.
pub(crate) fn messages(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or("a whole number of at least 1 is needed")
}

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(0) => Ok(Self::Endless),
            Ok(n) => Ok(Self::Exactly(n)),
            Err(_) => Err("a whole number is needed: 0 (until stopped), 1, 2, .."),
        }
    }
}

impl FromStr for Alpn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            // The length of a protocol name is one byte (RFC 7301, section 3.1).
            name if (1..=255).contains(&name.len()) => Ok(Self::Name(name.to_owned())),
            _ => Err("a protocol name has 1 to 255 bytes"),
        }
    }
}

/// Number of attempts after the first one, or `inf`.
pub(crate) fn attempts(text: &str) -> Result<Attempts, &'static str> {
    match text {
        "inf" => Ok(Attempts(None)),
        times => times
            .parse()
            .map(|times| Attempts(Some(times)))
            .map_err(|_| "a number or inf is needed"),
    }
}

const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const OUT_OF_RANGE: &str = "a duration is not negative and a year at most";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("0.2"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in [
            "-1",
            "soon",
            "",
            "inf",
            "NaN",
            "1e19",
            "366d",
            "584542046090years",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pause_may_be_nothing_and_a_timeout_may_not() {
        for none in ["0", "0s", "0ms"] {
            assert_eq!(duration(none), Ok(Duration::ZERO));
            assert!(timeout(none).is_err(), "{none}");
        }
        assert_eq!(timeout("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn counts_are_whole_and_zero_means_until_stopped() {
        assert_eq!("0".parse(), Ok(Count::Endless));
        assert_eq!("7".parse(), Ok(Count::Exactly(7)));
        for wrong in ["-1", "1.5", "five", ""] {
            assert!(wrong.parse::<Count>().is_err(), "{wrong}");
        }
    }
}
