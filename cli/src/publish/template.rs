//! Placeholders of `--template`: `{{count}}`, `{{uuid}}`, `{{now}}` and `{{random 1 100}}`.

use std::time::SystemTime;

use crate::diagnosis::{Diagnosis, quoted};
use crate::message::OutgoingMessage;

/// Values of one message; `{{uuid}}` and `{{random}}` are new for each placeholder.
pub(super) struct Values {
    count: u64,
    now: String,
}

impl Values {
    /// Values of message number `count`, from 1.
    pub(super) fn new(count: u64) -> Self {
        Self {
            count,
            now: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        }
    }

    /// Replaces the placeholders in topic and payload.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for an unknown placeholder.
    pub(super) fn fill(&self, mut message: OutgoingMessage) -> Result<OutgoingMessage, Diagnosis> {
        let topic = self.replace(message.topic.as_bytes())?;
        message.topic = String::from_utf8_lossy(&topic).into_owned();
        message.payload = self.replace(&message.payload)?.into();
        Ok(message)
    }

    fn replace(&self, text: &[u8]) -> Result<Vec<u8>, Diagnosis> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = find(rest, b"{{") {
            let (before, behind) = rest.split_at_checked(start).unwrap_or((rest, &[]));
            out.extend_from_slice(before);
            let inner = behind.get(2..).unwrap_or_default();
            // A brace that opens has to be closed, so that a slip isn't sent.
            let Some(end) = find(inner, b"}}") else {
                return Err(Diagnosis::usage("--template: \"{{\" without \"}}\""));
            };
            let name = inner.get(..end).unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            out.extend_from_slice(self.value(name.trim())?.as_bytes());
            rest = inner.get(end + 2..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        Ok(out)
    }

    fn value(&self, placeholder: &str) -> Result<String, Diagnosis> {
        // The name, and for a random number its limits.
        let words: Vec<&str> = placeholder.split_whitespace().collect();
        match words.as_slice() {
            ["count"] => Ok(self.count.to_string()),
            ["now"] => Ok(self.now.clone()),
            ["uuid"] => Ok(uuid(fastrand::u128(..))),
            ["random", from, to] => match (from.parse::<i64>(), to.parse::<i64>()) {
                (Ok(from), Ok(to)) if from <= to => Ok(fastrand::i64(from..=to).to_string()),
                _ => Err(Diagnosis::usage(format!(
                    "--template: {{{{random FROM TO}}}} needs two whole numbers in order, not {}",
                    quoted(placeholder)
                ))),
            },
            _ => Err(Diagnosis::usage(format!(
                "--template: unknown placeholder {}; there are {{{{count}}}}, {{{{uuid}}}}, \
                 {{{{now}}}} and {{{{random 1 100}}}}",
                quoted(placeholder)
            ))),
        }
    }
}

/// Random bits as a UUID of version 4 (RFC 9562, section 5.4).
fn uuid(random: u128) -> String {
    let bits = random & !(0xf000 << 64) & !(0xc000 << 48) | (0x4000 << 64) | (0x8000 << 48);
    let digits = format!("{bits:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

/// Position of the first `pattern` in `text`.
fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len())
        .position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let values = Values {
            count: 7,
            now: "2026-11-30T09:00:00.000Z".to_owned(),
        };
        match values.replace(text.as_bytes()) {
            Ok(bytes) => Ok(String::from_utf8(bytes).unwrap()),
            Err(diagnosis) => Err(diagnosis.headline.into()),
        }
    }

    #[test]
    fn placeholders_are_replaced_and_all_else_stays() {
        assert_eq!(
            filled("{{count}}: { } {{ now }}").unwrap(),
            "7: { } 2026-11-30T09:00:00.000Z"
        );
        assert_eq!(filled("{{random 5 5}}").unwrap(), "5");
        let number: i64 = filled("{{random -3 4}}").unwrap().parse().unwrap();
        assert!((-3..=4).contains(&number));
    }

    #[test]
    fn a_uuid_has_version_and_variant() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_ne!(filled("{{uuid}}"), filled("{{uuid}}"));
    }

    #[test]
    fn an_unknown_placeholder_is_refused() {
        for text in ["{{", "{{cuont}}", "{{random}}", "{{random 9 1}}", "{{}}"] {
            assert!(
                filled(text).unwrap_err().starts_with("--template: "),
                "{text}"
            );
        }
    }
}
