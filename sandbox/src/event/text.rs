//! Text of the log: one line for each event.

use core::fmt;
use std::time::UNIX_EPOCH;

use dunlin_codec::{Escaped, Excerpt, ReasonCode};

use crate::event::{Event, LogLine, Outcome};
use crate::policy::Decision;

impl LogLine {
    /// The line, and below it, indented, what explains the policy's decision and isn't said in it
    /// already.
    #[must_use]
    pub fn explained(&self) -> String {
        self.explain(self.to_string())
    }

    /// The text of [`explained`](Self::explained) with the colours of a terminal.
    #[must_use]
    pub fn explained_in_colour(&self) -> String {
        self.explain(format!("{self:#}"))
    }

    fn explain(&self, mut text: String) -> String {
        let decision = self.event.decision();
        // The first line of an explanation is often part of the log line already.
        for reason in decision.map(Decision::explanation).unwrap_or_default() {
            let reason = Short(&reason).to_string();
            if !text.contains(&reason) {
                text.push_str(INDENT);
                text.push_str(&reason);
            }
        }
        text
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The time of day in UTC; a log of tests needs no date.
        let seconds = self
            .at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            % (24 * 60 * 60);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{hours:02}:{minutes:02}:{:02} ", seconds % 60)?;
        // With the flags of this line: `#` is for colours.
        fmt::Display::fmt(&self.event, f)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { peer, reason } => write!(f, "rejected  {peer}  {}", Escaped(reason)),
            Self::Note { peer, text } => write!(f, "note      {peer}  {}", Short(text)),
            Self::Connect {
                client_id,
                transport,
                authorizer,
                named_in,
                outcome,
                took,
            } => {
                // Each line begins with a word of ten columns, so that the client ids are below
                // each other.
                write!(f, "connect   {}  ", Short(client_id))?;
                if transport.is_websocket() {
                    write!(f, "{}  ", transport.scheme())?;
                }
                if let Some(authorizer) = authorizer {
                    write!(f, "{} ", Short(authorizer))?;
                }
                if let Some(place) = named_in {
                    write!(f, "(named in the {place}) ")?;
                }
                write_decision(f, outcome)?;
                write!(f, "  {} ms", took.as_millis())
            }
            Self::Refresh { client_id, outcome } => {
                write!(f, "refresh   {}  ", Short(client_id))?;
                write_decision(f, outcome)
            }
            Self::Lambda { authorizer, text } => {
                // Whole: it is the developer's own, and bounded where it is read. Lines of a log
                // often have tabs.
                write!(
                    f,
                    "lambda    {}  {}",
                    Short(authorizer),
                    Escaped(&text.replace('\t', "  "))
                )
            }
            Self::Subscribe {
                client_id,
                filter,
                outcome,
            } => {
                write!(f, "subscribe {}  {}  ", Short(client_id), Short(filter))?;
                match outcome {
                    Outcome::Allowed((qos, _)) => {
                        fmt::Display::fmt(&DecisionMark::Allow, f)?;
                        write!(f, ", granted QoS {}", qos.level())
                    }
                    refused @ Outcome::Refused { .. } => write_refusal(f, refused),
                }
            }
            Self::Unsubscribe { client_id, filter } => {
                write!(f, "unsubscribe {}  {}", Short(client_id), Short(filter))
            }
            Self::Publish {
                is_will,
                client_id,
                topic,
                outcome,
            } => {
                // A will is published by the server, so the line says where it comes from.
                let word = if *is_will { "will     " } else { "publish  " };
                write!(f, "{word} {}  {}  ", Short(client_id), Short(topic))?;
                write_publish(f, outcome)
            }
            Self::HttpPublish {
                peer,
                caller,
                topic,
                status,
                outcome,
            } => {
                // Like a PUBLISH of MQTT; the address stands in for the client id.
                write!(
                    f,
                    "publish   {peer}  {}  http {} ",
                    Short(topic),
                    Short(caller)
                )?;
                write_publish(f, outcome)?;
                write!(f, " ({status})")
            }
            Self::Receive {
                client_id,
                topic,
                outcome,
            } => {
                write!(f, "receive   {}  {}  ", Short(client_id), Short(topic))?;
                match outcome {
                    Outcome::Allowed(_) => {
                        fmt::Display::fmt(&DecisionMark::Allow, f)?;
                        f.write_str(", delivered")
                    }
                    refused @ Outcome::Refused { .. } => write_refusal(f, refused),
                }
            }
            Self::Dropped {
                client_id,
                topic,
                count,
                reason,
            } => {
                // Losses are counted, and not logged one by one: a full queue may lose thousands.
                let messages = if *count == 1 { "message" } else { "messages" };
                let (client_id, topic) = (Short(client_id), Short(topic));
                write!(
                    f,
                    "dropped   {client_id}  {topic}  {count} {messages} ({reason})"
                )
            }
            Self::Limited { client_id, limit } => {
                write!(f, "limited   {}  {}", Short(client_id), Short(limit))
            }
            Self::Disconnect { client_id, reason } => {
                write!(f, "disconnect {}  {}", Short(client_id), Short(reason))
            }
        }
    }
}

fn write_publish(f: &mut fmt::Formatter<'_>, outcome: &Outcome<(usize, Decision)>) -> fmt::Result {
    match outcome {
        Outcome::Allowed((receivers, _)) => {
            let word = if *receivers == 1 {
                "subscriber"
            } else {
                "subscribers"
            };
            fmt::Display::fmt(&DecisionMark::Allow, f)?;
            write!(f, ", to {receivers} {word}")
        }
        refused @ Outcome::Refused { .. } => write_refusal(f, refused),
    }
}

fn write_decision(
    f: &mut fmt::Formatter<'_>,
    outcome: &Outcome<(String, Decision)>,
) -> fmt::Result {
    match outcome {
        Outcome::Allowed((policy, _)) => {
            fmt::Display::fmt(&DecisionMark::Allow, f)?;
            write!(f, " (policy: {})", Short(policy))
        }
        refused @ Outcome::Refused { .. } => write_refusal(f, refused),
    }
}

fn write_refusal<T>(f: &mut fmt::Formatter<'_>, outcome: &Outcome<T>) -> fmt::Result {
    match outcome {
        Outcome::Allowed(_) => Ok(()),
        Outcome::Refused {
            reason_code,
            reason,
            ..
        } => {
            fmt::Display::fmt(&DecisionMark::Refuse, f)?;
            write!(f, "{} ({})", Code(*reason_code), Reason(reason))
        }
    }
}

/// The decision as every line writes it that has one: in colour with `{:#}`.
#[derive(Clone, Copy)]
enum DecisionMark {
    Allow,
    Refuse,
}

impl fmt::Display for DecisionMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, colour) = match self {
            Self::Allow => (ALLOW, GREEN),
            Self::Refuse => (REFUSE, RED),
        };
        // Only the decision has colour, so no text of a client can pass for one.
        if f.alternate() {
            write!(f, "{colour}{text}{NO_COLOUR}")
        } else {
            f.write_str(text)
        }
    }
}

/// Text of a client: at most 256 characters, escaped.
struct Short<'a>(&'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Excerpt::new(self.0, MAX_SHOWN).fmt(f)
    }
}

/// Reason of a refusal: all faults of an answer are shown, up to 4,096 characters.
struct Reason<'a>(&'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Excerpt::new(self.0, MAX_REASON).fmt(f)
    }
}

struct Code(Option<ReasonCode>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |code| write!(f, " 0x{:02X}", code.code()))
    }
}

/// Decision in every line that allows something. A line has at most one of the two.
const ALLOW: &str = "→ allow";
/// Decision in every line that refuses something.
const REFUSE: &str = "→ refuse";
/// Sequences of ECMA-48 (SGR): the colours of a terminal.
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const NO_COLOUR: &str = "\u{1b}[0m";
const MAX_SHOWN: usize = 256;
const MAX_REASON: usize = 4096;
/// Indent as wide as the time of day.
const INDENT: &str = "\n         ";

#[cfg(test)]
mod tests;
