//! Spellings of the faults in `--fault` and in the config file.

use core::fmt;
use core::str::FromStr;
use std::time::Duration;

use dunlin_codec::{PacketType, ReasonCode, Sender, Utf8String, needs_escape};

use crate::fault::{CertificateFault, Fault, FaultError, ValueProblem};

impl Fault {
    /// Spellings of all faults; `T` is a time such as `500ms`.
    pub fn spellings() -> impl Iterator<Item = &'static str> {
        // One table for parsing, writing and help, so that the three can't differ.
        let plain = PLAIN.iter().map(|(spelling, _)| *spelling);
        plain.chain(WITH_VALUE.iter().map(|row| row.spelling))
    }
}

/// The faults that are one word.
const PLAIN: [(&str, Fault); 13] = [
    (
        "cert=unknown-ca",
        Fault::Certificate(CertificateFault::UnknownCa),
    ),
    (
        "cert=wrong-host",
        Fault::Certificate(CertificateFault::WrongHost),
    ),
    (
        "cert=expired",
        Fault::Certificate(CertificateFault::Expired),
    ),
    ("cert=notyet", Fault::Certificate(CertificateFault::NotYet)),
    ("no-alpn", Fault::NoAlpn),
    ("drop-on-connect", Fault::DropOnConnect),
    ("drop-on-subscribe", Fault::DropOnSubscribe),
    ("drop-on-publish", Fault::DropOnPublish),
    ("no-pingresp", Fault::NoPingResp),
    ("silent", Fault::Silent),
    ("no-puback", Fault::NoPubAck),
    ("no-deliver", Fault::NoDeliver),
    ("malformed", Fault::Malformed),
];

/// A fault that carries a value.
struct WithValue {
    prefix: &'static str,
    spelling: &'static str,
    parse: fn(&str) -> Result<Fault, ValueProblem>,
}

const WITH_VALUE: [WithValue; 7] = [
    WithValue {
        prefix: "connack=",
        spelling: "connack=0x87[:reason]",
        parse: connack,
    },
    WithValue {
        prefix: "suback=",
        spelling: "suback=0x87",
        parse: |code| refusal(code, PacketType::SubAck).map(Fault::SubAck),
    },
    WithValue {
        prefix: "puback=",
        spelling: "puback=0x87",
        parse: |code| refusal(code, PacketType::PubAck).map(Fault::PubAck),
    },
    WithValue {
        prefix: "disconnect=",
        spelling: "disconnect=0x8b@T",
        parse: disconnect,
    },
    WithValue {
        prefix: "reset@",
        spelling: "reset@T",
        parse: |after| {
            Ok(Fault::Reset {
                after: time(after)?,
            })
        },
    },
    WithValue {
        prefix: "proxy=",
        spelling: "proxy=407",
        parse: proxy,
    },
    WithValue {
        prefix: "delay=",
        spelling: "delay=T",
        parse: |delay| time(delay).map(Fault::Delay),
    },
];

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        // Whole words first, then prefixes with a value.
        if let Some((_, fault)) = PLAIN.iter().find(|(spelling, _)| *spelling == text) {
            return Ok(fault.clone());
        }
        let row = WITH_VALUE
            .iter()
            .find_map(|row| Some((row, text.strip_prefix(row.prefix)?)));
        let (row, value) = row.ok_or_else(|| FaultError::Unknown(text.into()))?;
        // A value that is wrong is answered with the spelling of its fault, not with the whole
        // list.
        (row.parse)(value).map_err(|problem| FaultError::Value {
            fault: text.into(),
            problem,
            spelling: row.spelling,
        })
    }
}

fn connack(value: &str) -> Result<Fault, ValueProblem> {
    // The reason may contain colons: only the first one separates.
    let (code, reason) = value
        .split_once(':')
        .map_or((value, None), |(code, reason)| (code, Some(reason)));
    let reason_code = refusal(code, PacketType::ConnAck)?;
    // Control characters would reach the terminal of a client that shows the reason.
    let is_valid =
        |reason: &str| Utf8String::new(reason).is_ok() && !reason.chars().any(needs_escape);
    if reason.is_some_and(|reason| !is_valid(reason)) {
        return Err(ValueProblem::NoReasonString);
    }
    Ok(Fault::ConnAck {
        reason_code,
        reason_string: reason.map(Into::into),
    })
}

fn disconnect(value: &str) -> Result<Fault, ValueProblem> {
    let (code, after) = value.split_once('@').ok_or(ValueProblem::NoTime)?;
    let reason_code = reason_code(code)?;
    let packet = PacketType::Disconnect;
    // Any code that a server may send in DISCONNECT, so 0x00 and other successes, too.
    if !reason_code.is_legal_in(packet, Sender::Server) {
        return Err(ValueProblem::Illegal {
            reason_code,
            packet,
        });
    }
    Ok(Fault::Disconnect {
        reason_code,
        after: time(after)?,
    })
}

fn proxy(value: &str) -> Result<Fault, ValueProblem> {
    let status = value
        .parse()
        .ok()
        .filter(|status| (400..600).contains(status));
    status.map(Fault::Proxy).ok_or(ValueProblem::NoStatus)
}

/// A code that refuses, and that a server may send in this packet.
fn refusal(code: &str, packet: PacketType) -> Result<ReasonCode, ValueProblem> {
    let reason_code = reason_code(code)?;
    // Below 0x80 a code grants the request, and isn't a refusal (§2.4).
    if !reason_code.is_error() || !reason_code.is_legal_in(packet, Sender::Server) {
        return Err(ValueProblem::Illegal {
            reason_code,
            packet,
        });
    }
    Ok(reason_code)
}

fn reason_code(text: &str) -> Result<ReasonCode, ValueProblem> {
    // Hexadecimal with 0x as in the standard, decimal without.
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let code = hex.map_or_else(|| text.parse(), |digits| u8::from_str_radix(digits, 16));
    code.ok()
        .and_then(ReasonCode::from_code)
        .ok_or(ValueProblem::NoReasonCode)
}

fn time(text: &str) -> Result<Duration, ValueProblem> {
    let time = humantime::parse_duration(text).map_err(|_| ValueProblem::NoTime)?;
    // The clock can't be asked for just any time to come.
    if time > LONGEST_TIME {
        Err(ValueProblem::NoTime)
    } else {
        Ok(time)
    }
}

const LONGEST_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |code: &ReasonCode| format!("0x{:02x}", code.code());
        // humantime writes "1s 500ms"; a flag has no spaces.
        let time = |duration: &Duration| {
            humantime::format_duration(*duration)
                .to_string()
                .replace(' ', "")
        };
        match self {
            Self::ConnAck {
                reason_code,
                reason_string: None,
            } => write!(f, "connack={}", hex(reason_code)),
            Self::ConnAck {
                reason_code,
                reason_string: Some(reason),
            } => {
                write!(f, "connack={}:{reason}", hex(reason_code))
            }
            Self::SubAck(code) => write!(f, "suback={}", hex(code)),
            Self::PubAck(code) => write!(f, "puback={}", hex(code)),
            Self::Disconnect { reason_code, after } => {
                write!(f, "disconnect={}@{}", hex(reason_code), time(after))
            }
            Self::Reset { after } => write!(f, "reset@{}", time(after)),
            Self::Proxy(status) => write!(f, "proxy={status}"),
            Self::Delay(delay) => write!(f, "delay={}", time(delay)),
            // A fault that is one word is written as the table has it.
            plain => {
                let row = PLAIN.iter().find(|(_, fault)| fault == plain);
                f.write_str(row.map_or("", |(spelling, _)| spelling))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_parses_and_is_written_the_same() {
        for spelling in Fault::spellings() {
            // Placeholders of the help text become values.
            let text = spelling
                .replace("[:reason]", ":why not")
                .replace('T', "1s500ms");
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_fault_is_answered_with_the_list() {
        let error = "no-such".parse::<Fault>().unwrap_err().to_string();
        assert!(
            error.starts_with("unknown fault \"no-such\"; the faults are: cert=unknown-ca, "),
            "{error}"
        );
        assert!(error.ends_with("delay=T"), "{error}");
    }

    #[test]
    fn a_reason_that_a_terminal_would_obey_is_refused() {
        // An escape sequence, a line feed, a mark that turns the direction of text, and NUL.
        for reason in ["a\u{1b}[2J", "a\nb", "\u{202e}a", "a\0"] {
            let error = format!("connack=0x87:{reason}").parse::<Fault>();
            assert!(
                matches!(
                    error,
                    Err(FaultError::Value {
                        problem: ValueProblem::NoReasonString,
                        ..
                    })
                ),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_code_that_may_not_stand_in_that_packet_is_refused() {
        for text in [
            // Each code is valid in another packet, or from a client only; 0x00, 0x01 and 0x10
            // refuse nothing.
            "connack=0x00",
            "connack=0x8b",
            "suback=0x01",
            "suback=0x81",
            "puback=0x10",
            "puback=0x82",
            "disconnect=0x04@1s",
            "disconnect=0x84@1s",
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            let FaultError::Value {
                problem: ValueProblem::Illegal { .. },
                ..
            } = error
            else {
                panic!("{text}: {error}");
            };
        }
    }

    #[test]
    fn a_code_is_hexadecimal_or_decimal() {
        assert_eq!("suback=135".parse::<Fault>(), "suback=0x87".parse());
        for text in [
            // Empty, without digits, a number that is no reason code, too large, and no number.
            "suback=",
            "suback=0x",
            "suback=0x03",
            "suback=256",
            "suback=no",
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{text}: that is no reason code; write it as suback=0x87")
            );
        }
    }

    #[test]
    fn a_proxy_refuses_with_an_error_of_http() {
        // Empty, a success, beyond HTTP, and no number.
        for text in ["proxy=", "proxy=200", "proxy=600", "proxy=x"] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{text}: a proxy refuses with 400 to 599; write it as proxy=407")
            );
        }
    }

    #[test]
    fn a_time_needs_its_unit_and_has_an_end() {
        for text in [
            // Without a unit, empty, above a day, unreadable, too large for the clock, and a
            // DISCONNECT without a time.
            "delay=5",
            "delay=",
            "delay=25h",
            "reset@x",
            "reset@584542046090years",
            "disconnect=0x8b",
            "disconnect=0x8b@",
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(
                matches!(
                    error,
                    FaultError::Value {
                        problem: ValueProblem::NoTime,
                        ..
                    }
                ),
                "{text}"
            );
        }
    }
}
