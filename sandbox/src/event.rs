//! What a sandbox tells about its decisions: one event each, one line each, and never a secret.

use core::fmt;
use core::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dunlin_codec::{Escaped, QoS, ReasonCode};

use crate::policy::Decision;

/// One line of the log. `Display` writes it with its time of day in UTC; `{:#}` adds the colours of
/// a terminal to the decision: green where it allows, red where it refuses.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogLine {
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}

/// Something that the sandbox decided, or that happened in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection that came to nothing before MQTT began.
    Rejected {
        /// Who.
        peer: SocketAddr,
        /// Why.
        reason: String,
    },
    /// Something about a connection that goes on, and that AWS IoT Core might not take.
    Note {
        /// Who.
        peer: SocketAddr,
        /// What, in a sentence.
        text: String,
    },
    /// A CONNECT.
    Connect {
        /// Who, as far as it said so.
        client_id: String,
        /// Who decided, where one was found.
        authorizer: Option<String>,
        /// What the policy allows in short and which statement lets it connect, or why not.
        outcome: Outcome<(String, Decision)>,
        /// From CONNECT to CONNACK.
        took: Duration,
    },
    /// The authorizer was asked again about a connected client.
    Refresh {
        /// Who.
        client_id: String,
        /// What the policy allows now in short and which statement does, or why the connection
        /// ends.
        outcome: Outcome<(String, Decision)>,
    },
    /// What the Lambda of an authorizer said while it ran: a line of its standard error, the
    /// message of its error.
    Lambda {
        /// Whose Lambda.
        authorizer: String,
        /// What it said. It may be a secret of a client, as in CloudWatch, where the Lambda prints
        /// one.
        text: String,
    },
    /// One subscription of a SUBSCRIBE.
    Subscribe {
        /// Who.
        client_id: String,
        /// On what.
        filter: String,
        /// The QoS granted and which statement allowed it, or why not.
        outcome: Outcome<(QoS, Decision)>,
    },
    /// One filter of an UNSUBSCRIBE.
    Unsubscribe {
        /// Who.
        client_id: String,
        /// On what.
        filter: String,
    },
    /// A PUBLISH of a client, or its will.
    Publish {
        /// It is the will.
        is_will: bool,
        /// Who.
        client_id: String,
        /// On what.
        topic: String,
        /// How many receivers it has and which statement allowed it, or why not.
        outcome: Outcome<(usize, Decision)>,
    },
    /// A message on its way to a subscriber.
    Receive {
        /// Who.
        client_id: String,
        /// On what.
        topic: String,
        /// Which statement allowed it, or why it wasn't delivered.
        outcome: Outcome<Decision>,
    },
    /// Messages that were accepted and that a subscriber won't get.
    Dropped {
        /// The subscriber.
        client_id: String,
        /// Their topic.
        topic: String,
        /// How many there were since the last line about them.
        count: usize,
        /// Why, in a sentence.
        reason: String,
    },
    /// A limit that holds a connection back without refusing anything.
    Limited {
        /// Who.
        client_id: String,
        /// Which.
        limit: String,
    },
    /// The end of a connection that had a CONNACK.
    Disconnect {
        /// Who.
        client_id: String,
        /// Why.
        reason: String,
    },
}

/// Allowed, with what there is to know about it; or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It went on.
    Allowed(T),
    /// It didn't.
    Refused {
        /// What the client was told; `None` where nothing can be told.
        reason_code: Option<ReasonCode>,
        /// Why, in a sentence.
        reason: String,
        /// The decision of the policy, where it was asked.
        decision: Option<Box<Decision>>,
    },
}

impl<T> Outcome<T> {
    /// Whether it went on.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// What there is to know where it went on.
    pub const fn allowed(&self) -> Option<&T> {
        match self {
            Self::Allowed(allowed) => Some(allowed),
            Self::Refused { .. } => None,
        }
    }

    fn decision<'a>(
        &'a self,
        of_allowed: impl FnOnce(&'a T) -> &'a Decision,
    ) -> Option<&'a Decision> {
        match self {
            Self::Allowed(allowed) => Some(of_allowed(allowed)),
            Self::Refused { decision, .. } => decision.as_deref(),
        }
    }
}

impl Event {
    /// What the policy decided, where it was asked.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Connect { outcome, .. } | Self::Refresh { outcome, .. } => {
                outcome.decision(|(_, by)| by)
            }
            Self::Subscribe { outcome, .. } => outcome.decision(|(_, by)| by),
            Self::Publish { outcome, .. } => outcome.decision(|(_, by)| by),
            Self::Receive { outcome, .. } => outcome.decision(|by| by),
            Self::Rejected { .. }
            | Self::Note { .. }
            | Self::Lambda { .. }
            | Self::Unsubscribe { .. }
            | Self::Dropped { .. }
            | Self::Limited { .. }
            | Self::Disconnect { .. } => None,
        }
    }
}

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
        for reason in decision.map(Decision::explanation).unwrap_or_default() {
            let reason = Shown(&reason).to_string();
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
            Self::Note { peer, text } => write!(f, "note      {peer}  {}", Shown(text)),
            Self::Connect {
                client_id,
                authorizer,
                outcome,
                took,
            } => {
                write!(f, "connect   {}  ", Shown(client_id))?;
                if let Some(authorizer) = authorizer {
                    write!(f, "{} ", Shown(authorizer))?;
                }
                verdict(f, outcome)?;
                write!(f, "  {} ms", took.as_millis())
            }
            Self::Refresh { client_id, outcome } => {
                write!(f, "refresh   {}  ", Shown(client_id))?;
                verdict(f, outcome)
            }
            Self::Lambda { authorizer, text } => {
                // Whole: it is the developer's own, and bounded where it is read. Lines of a log
                // often have tabs.
                write!(
                    f,
                    "lambda    {}  {}",
                    Shown(authorizer),
                    Escaped(&text.replace('\t', "  "))
                )
            }
            Self::Subscribe {
                client_id,
                filter,
                outcome,
            } => {
                write!(f, "subscribe {}  {}  ", Shown(client_id), Shown(filter))?;
                match outcome {
                    Outcome::Allowed((qos, _)) => {
                        fmt::Display::fmt(&DecisionMark::Allow, f)?;
                        write!(f, ", granted QoS {}", qos.level())
                    }
                    refused @ Outcome::Refused { .. } => refusal(f, refused),
                }
            }
            Self::Unsubscribe { client_id, filter } => {
                write!(f, "unsubscribe {}  {}", Shown(client_id), Shown(filter))
            }
            Self::Publish {
                is_will,
                client_id,
                topic,
                outcome,
            } => {
                let word = if *is_will { "will     " } else { "publish  " };
                write!(f, "{word} {}  {}  ", Shown(client_id), Shown(topic))?;
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
                    refused @ Outcome::Refused { .. } => refusal(f, refused),
                }
            }
            Self::Receive {
                client_id,
                topic,
                outcome,
            } => {
                write!(f, "receive   {}  {}  ", Shown(client_id), Shown(topic))?;
                match outcome {
                    Outcome::Allowed(_) => {
                        fmt::Display::fmt(&DecisionMark::Allow, f)?;
                        f.write_str(", delivered")
                    }
                    refused @ Outcome::Refused { .. } => refusal(f, refused),
                }
            }
            Self::Dropped {
                client_id,
                topic,
                count,
                reason,
            } => {
                let messages = if *count == 1 { "message" } else { "messages" };
                let (client_id, topic) = (Shown(client_id), Shown(topic));
                write!(
                    f,
                    "dropped   {client_id}  {topic}  {count} {messages} ({reason})"
                )
            }
            Self::Limited { client_id, limit } => {
                write!(f, "limited   {}  {}", Shown(client_id), Shown(limit))
            }
            Self::Disconnect { client_id, reason } => {
                write!(f, "disconnect {}  {}", Shown(client_id), Shown(reason))
            }
        }
    }
}

fn verdict(f: &mut fmt::Formatter<'_>, outcome: &Outcome<(String, Decision)>) -> fmt::Result {
    match outcome {
        Outcome::Allowed((policy, _)) => {
            fmt::Display::fmt(&DecisionMark::Allow, f)?;
            write!(f, " (policy: {})", Shown(policy))
        }
        refused @ Outcome::Refused { .. } => refusal(f, refused),
    }
}

fn refusal<T>(f: &mut fmt::Formatter<'_>, outcome: &Outcome<T>) -> fmt::Result {
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
        if f.alternate() {
            write!(f, "{colour}{text}{NO_COLOUR}")
        } else {
            f.write_str(text)
        }
    }
}

/// Text of a client, on one line and of a bounded length, whatever it holds.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cut(self.0, MAX_SHOWN, f)
    }
}

/// Why something was refused: all faults of an answer are told, however many there are.
struct Reason<'a>(&'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cut(self.0, MAX_REASON, f)
    }
}

/// Writes at most so many characters, escaped.
fn cut(text: &str, most: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match text.char_indices().nth(most) {
        Some((end, _)) => write!(f, "{}..", Escaped(text.get(..end).unwrap_or_default())),
        None => write!(f, "{}", Escaped(text)),
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
/// As wide as the time of day.
const INDENT: &str = "\n         ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::StatementRef;

    fn connect(outcome: Outcome<(String, Decision)>) -> Event {
        Event::Connect {
            client_id: "mqtt5-sample-1a2b".into(),
            authorizer: Some("DemoUnsigned".into()),
            outcome,
            took: Duration::from_millis(3),
        }
    }

    #[test]
    fn a_line_says_when_who_what_and_why() {
        let by = StatementRef {
            document: 1,
            statement: 3,
            sid: None,
            resource: "client/mqtt5-sample-*".into(),
        };
        let event = connect(Outcome::Allowed((
            "connect as mqtt5-sample-*".into(),
            Decision::Allowed(by.clone()),
        )));
        assert_eq!(event.decision(), Some(&Decision::Allowed(by)));
        let line = LogLine {
            at: UNIX_EPOCH + Duration::from_secs(22 * 3600 + 15 * 60 + 34),
            event,
        };
        assert_eq!(
            line.to_string(),
            "22:15:34 connect   mqtt5-sample-1a2b  DemoUnsigned → allow (policy: connect as mqtt5-sample-*)  3 ms"
        );
        let refused = Outcome::Refused {
            reason_code: Some(ReasonCode::NotAuthorized),
            reason: "no".into(),
            decision: None,
        };
        assert_eq!(
            connect(refused).to_string(),
            "connect   mqtt5-sample-1a2b  DemoUnsigned → refuse 0x87 (no)  3 ms"
        );
    }

    #[test]
    fn the_decision_is_in_colour_and_no_text_of_a_client_or_a_lambda() {
        let refused = || Outcome::Refused {
            reason_code: Some(ReasonCode::NotAuthorized),
            reason: "→ allow".into(),
            decision: None,
        };
        let event = Event::Receive {
            client_id: "→ allow".into(),
            topic: "→ refuse".into(),
            outcome: refused(),
        };
        let line = LogLine {
            at: UNIX_EPOCH,
            event,
        };
        assert_eq!(
            format!("{line:#}"),
            "00:00:00 receive   → allow  → refuse  \u{1b}[31m→ refuse\u{1b}[0m 0x87 (→ allow)"
        );
        assert_eq!(line.explained_in_colour(), format!("{line:#}"));
        let by = StatementRef {
            document: 1,
            statement: 1,
            sid: None,
            resource: "client/*".into(),
        };
        let allowed = connect(Outcome::Allowed(("all".into(), Decision::Allowed(by))));
        assert!(format!("{allowed:#}").contains("\u{1b}[32m→ allow\u{1b}[0m (policy: all)"));
        let printed = Event::Lambda {
            authorizer: "A".into(),
            text: "→ allow → refuse".into(),
        };
        assert_eq!(format!("{printed:#}"), printed.to_string());
    }

    #[test]
    fn an_explained_line_says_which_statement_decided() {
        let by = StatementRef {
            document: 1,
            statement: 2,
            sid: None,
            resource: "topic/a".into(),
        };
        let event = Event::Receive {
            client_id: "lamp".into(),
            topic: "a".into(),
            outcome: Outcome::Allowed(Decision::Allowed(by)),
        };
        let line = LogLine {
            at: UNIX_EPOCH,
            event,
        };
        assert_eq!(
            line.explained(),
            "00:00:00 receive   lamp  a  → allow, delivered\n         allowed by policy document 1, statement 2 (topic/a)"
        );
    }

    #[test]
    fn what_a_client_sent_stays_on_one_line() {
        let client_id = "a\nb\u{202e}c\u{2028}d\u{1b}[2J".into();
        let event = Event::Unsubscribe {
            client_id,
            filter: "x".repeat(10_000),
        };
        let line = event.to_string();
        assert!(
            line.starts_with("unsubscribe a\\nb\\u{202e}c\\u{2028}d\\u{1b}[2J  x"),
            "{line}"
        );
        assert!(line.ends_with("x..") && line.len() < 350);
        let text = "x".repeat(65_536);
        let printed = Event::Lambda {
            authorizer: "A".into(),
            text: format!("a\t{text}\u{1b}[2J"),
        };
        assert_eq!(
            printed.to_string(),
            format!("lambda    A  a  {text}\\u{{1b}}[2J")
        );
    }
}
