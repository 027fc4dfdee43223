//! Packets as text for people: a summary, then the bytes field by field, with the error at its byte.

use std::fmt::{self, Display, Formatter, Write as _};

use dunlin_codec::Escaped;

use super::fields::{self, Field, NOT_PARSED};
use super::verdict::{Fault, Verdict};

/// Text about one packet, or about bytes that are none.
pub(super) struct PacketPage<'p, 'a> {
    pub(super) bytes: &'p [u8],
    pub(super) verdict: &'p Verdict<'a>,
    /// True with `--show-secrets`.
    pub(super) bare: bool,
}

impl Display for PacketPage<'_, '_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A summary first: the packet as one line, or the fault.
        let fault = match self.verdict {
            Ok(packet) => {
                writeln!(f, "{packet}")?;
                None
            }
            Err(fault) => {
                writeln!(f, "{}", Escaped(&fault.message))?;
                fault
                    .offset
                    .and_then(|offset| usize::try_from(offset).ok())
                    .map(|offset| (offset, fault))
            }
        };
        // Then each field with its bytes.
        for field in fields::of_packet(self.bytes) {
            self.field(&field, fault, f)?;
        }
        // A fault after the last byte has no row of its own.
        match fault {
            Some((offset, fault)) if offset >= self.bytes.len() => point(offset, 0, fault, f),
            _ => Ok(()),
        }
    }
}

impl PacketPage<'_, '_> {
    /// Packet as one line, with its secrets if they are shown, or its fault.
    pub(super) fn summary(&self) -> String {
        match self.verdict {
            Ok(packet) => {
                let mut text = packet.to_string();
                let secrets = fields::of_packet(self.bytes);
                for field in secrets.iter().filter(|field| self.bare && field.secret > 0) {
                    let _ = write!(text, ", {} {}", field.name, self.meaning(field));
                }
                text
            }
            Err(fault) => Escaped(&fault.message).to_string(),
        }
    }

    /// Bytes as hexadecimal digits, with asterisks for secret ones.
    pub(super) fn digits(&self) -> String {
        let mut text = String::with_capacity(3 * self.bytes.len());
        for field in fields::of_packet(self.bytes) {
            let open = if self.bare {
                field.len
            } else {
                field.len - field.secret
            };
            let bytes = self.bytes.get(field.at..).unwrap_or_default();
            for (index, byte) in bytes.iter().take(field.len).enumerate() {
                if index < open {
                    let _ = write!(text, "{byte:02x} ");
                } else {
                    text.push_str("** ");
                }
            }
        }
        text
    }

    /// Writes the rows of a field, with an arrow under the byte at fault.
    fn field(
        &self,
        field: &Field,
        fault: Option<(usize, &Fault)>,
        f: &mut Formatter<'_>,
    ) -> fmt::Result {
        // The secret part of a field is at its end.
        let hidden = if self.bare { 0 } else { field.secret };
        let open = field.len - hidden;
        let bytes = self.bytes.get(field.at..).unwrap_or_default();
        let rows = field.len.div_ceil(ROW);
        for row in 0..rows {
            let from = row * ROW;
            // The middle of a long field is left out, unless the fault is there.
            let holds = |offset: usize| {
                (from..field.len.min(from + ROW)).contains(&offset.wrapping_sub(field.at))
            };
            let faulty = fault.filter(|(offset, _)| holds(*offset));
            if row >= MOST_ROWS && row + 1 < rows && faulty.is_none() {
                if row == MOST_ROWS {
                    writeln!(f, "{:>6}  ..", "")?;
                }
                continue;
            }
            // Digits of the row; asterisks stand for secret bytes.
            let digits: Vec<String> = (from..field.len.min(from + ROW))
                .zip(bytes.get(from..).unwrap_or_default())
                .map(|(index, byte)| {
                    if index < open {
                        format!("{byte:02x}")
                    } else {
                        "**".to_owned()
                    }
                })
                .collect();
            // Name and meaning stand in the first row of a field.
            let (name, meaning) = if row == 0 {
                (field.name, self.meaning(field))
            } else {
                ("", String::new())
            };
            let line = format!(
                "{:>6}  {:<width$}  {name:<25}  {meaning}",
                field.at + from,
                digits.join(" "),
                width = WIDTH
            );
            writeln!(f, "{}", line.trim_end())?;
            if let Some((offset, fault)) = faulty {
                point(offset, offset - field.at - from, fault, f)?;
            }
        }
        Ok(())
    }

    /// Meaning of a field; with `--show-secrets` the secret itself.
    fn meaning(&self, field: &Field) -> String {
        if !self.bare || field.secret == 0 || field.name == NOT_PARSED {
            return field.meaning.clone();
        }
        fields::shown(field.content(self.bytes))
    }
}

/// Writes an arrow under a byte of a row, with the kind of the fault.
fn point(offset: usize, column: usize, fault: &Fault, f: &mut Formatter<'_>) -> fmt::Result {
    let field = fault
        .field
        .map(|field| format!(", {field}"))
        .unwrap_or_default();
    writeln!(
        f,
        "{:>6}  {:indent$}^^ {} at byte {offset}{field}",
        "",
        "",
        fault.kind,
        indent = 3 * column
    )
}

/// Number of bytes in a row, and the columns that they take.
const ROW: usize = 8;
const WIDTH: usize = 3 * ROW - 1;
/// Number of rows of a field that are shown before its last one.
const MOST_ROWS: usize = 16;

#[cfg(test)]
mod tests {
    use dunlin_codec::DecodeOptions;

    use super::super::{hex, verdict};
    use super::*;

    fn page(text: &str, bare: bool) -> String {
        let bytes = hex::decode(text.as_bytes()).unwrap();
        let (verdict, _) = verdict::of_front(&bytes, &DecodeOptions::default());
        PacketPage {
            bytes: &bytes,
            verdict: &verdict,
            bare,
        }
        .to_string()
    }

    #[test]
    fn each_row_has_offset_bytes_field_and_meaning() {
        assert_eq!(
            page("3004000161006f", false).lines().next(),
            Some("PUBLISH QoS 0 \"a\" 0 bytes")
        );
        assert_eq!(
            page("300400016100", false),
            "\
PUBLISH QoS 0 \"a\" 0 bytes
     0  30                       packet_type                PUBLISH, QoS 0
     1  04                       remaining_length           4
     2  00 01 61                 topic                      \"a\"
     5  00                       property_length            0
"
        );
    }

    #[test]
    fn an_error_shows_its_byte() {
        assert_eq!(
            page("3006000161022300", false),
            "\
malformed packet: the Topic Alias is cut off at byte 8
     0  30                       packet_type                PUBLISH, QoS 0
     1  06                       remaining_length           6
     2  00 01 61                 topic                      \"a\"
     5  02                       property_length            2
     6  23 00                    not_parsed
        ^^ malformed at byte 8, topic_alias
"
        );
        let inside = page("82060001000001610c", false);
        assert!(inside.contains("subscription_options"), "{inside}");
    }

    #[test]
    fn a_password_is_shown_only_when_asked_for() {
        let connect = "101700044d5154540540003c000001610007632d31322d3334";
        let (redacted, bare) = (page(connect, false), page(connect, true));
        assert!(
            redacted.contains("00 07 ** ** ** ** ** **") && !redacted.contains("c-12"),
            "{redacted}"
        );
        assert!(
            bare.contains("00 07 63 2d") && bare.contains("c-12-34"),
            "{bare}"
        );
    }
}
