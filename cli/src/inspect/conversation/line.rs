//! Lines about a conversation, for people and as JSON.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use dunlin_client::Direction;
use dunlin_codec::{Escaped, EscapedJson};
use serde::Serialize;

use super::{Protocol, RuleBreach, SeenPacket};
use crate::args::{PacketForm, PacketPrint};
use crate::inspect::{packet_text, words};

/// Form of the lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineForm {
    /// True for JSON objects.
    pub(crate) is_json: bool,
    pub(crate) packets: PacketForm,
    /// True if passwords and tokens are shown as they are, where packets are shown byte by byte.
    pub(crate) shows_secrets: bool,
}

/// Line about one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConversationLine<'a> {
    /// Time since 1970-01-01 in UTC.
    pub(crate) at: Duration,
    /// Number of the connection.
    pub(crate) connection: u32,
    pub(crate) content: LineContent<'a>,
}

/// Content of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LineContent<'a> {
    /// The connection begins, with the addresses of client and server.
    Opened { client: &'a str, server: &'a str },
    /// A packet; its breaches have lines of their own, or stand in the JSON object.
    Packet(&'a SeenPacket<'a>),
    /// The protocol isn't MQTT 5.
    Protocol(Protocol),
    /// Event of the connection, in words.
    Note(&'a str),
    /// The connection has ended.
    Closed,
}

impl ConversationLine<'_> {
    /// Text of one or more lines, each with a line break at its end. No text of others steers a
    /// terminal.
    pub(crate) fn text(&self, form: LineForm) -> String {
        if form.is_json {
            return self.json();
        }
        let start = format!("{}  {}", time_of_day(self.at), self.connection);
        match self.content {
            LineContent::Opened { client, server } => {
                format!("{start}    opened: {client} to {server}\n")
            }
            LineContent::Closed => format!("{start}    closed\n"),
            LineContent::Note(text) => format!("{start}    {}\n", Escaped(text)),
            LineContent::Protocol(protocol) => format!("{start}    {}\n", about(protocol)),
            LineContent::Packet(seen) => packet(&start, seen, form),
        }
    }

    /// JSON object and a line break.
    fn json(&self) -> String {
        let event = match self.content {
            LineContent::Opened { client, server } => EventJson::Opened { client, server },
            LineContent::Closed => EventJson::Closed,
            LineContent::Note(text) => EventJson::Note { text },
            LineContent::Protocol(protocol) => EventJson::Note {
                text: about(protocol),
            },
            LineContent::Packet(seen) => EventJson::Packet {
                from: from(seen.direction),
                r#type: words::packet_type(seen.bytes).map(|packet_type| packet_type.name()),
                len: seen.len,
                text: &seen.summary,
                answers: seen.answered.as_ref().map(|answered| AnswersJson {
                    request: &answered.request,
                    ms: millis(answered.after),
                }),
                breaches: seen.breaches.iter().map(BreachJson::new).collect(),
            },
        };
        let line = LineJson {
            v: 1,
            ts: humantime::format_rfc3339_micros(UNIX_EPOCH + self.at.min(LATEST)).to_string(),
            connection: self.connection,
            event,
        };
        let text = serde_json::to_string(&line).unwrap_or_default();
        format!("{}\n", EscapedJson(text))
    }
}

/// Lines of a packet: itself, the request that it answers, and the rules that it breaks.
fn packet(start: &str, seen: &SeenPacket<'_>, form: LineForm) -> String {
    let is_sent = seen.direction == Direction::Sent;
    let arrow = if is_sent { "->" } else { "<-" };
    // The codec's summaries are escaped by themselves; those of older versions aren't.
    let mut text = format!("{start} {arrow} {}", Escaped(&seen.summary));
    if let Some(answered) = &seen.answered {
        let _ = write!(
            text,
            " ({:.1} ms after {})",
            millis(answered.after),
            answered.request
        );
    }
    text.push('\n');
    let side = if is_sent { "client" } else { "server" };
    for breach in &seen.breaches {
        let statement = breach.statement.map(|id| format!(" [{id}]"));
        let _ = writeln!(
            text,
            "{start} !! the {side} breaks a rule: {}{}",
            Escaped(&breach.message),
            statement.unwrap_or_default()
        );
    }
    // The bytes follow, unless a line is enough.
    if form.packets != PacketForm::Summary {
        let print = PacketPrint {
            form: form.packets,
            shows_secrets: form.shows_secrets,
        };
        let _ = writeln!(text, "{}", packet_text(seen.bytes, is_sent, print));
    }
    text
}

/// Sentence about a protocol other than MQTT 5.
fn about(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Older("MQTT 3.1") => {
            "the client speaks MQTT 3.1: its packets are named and not checked"
        }
        Protocol::Older(_) => "the client speaks MQTT 3.1.1: its packets are named and not checked",
        Protocol::Tls => "this is TLS: its content can't be read",
        Protocol::Other => "this is not MQTT",
        Protocol::Unknown | Protocol::Mqtt5 => "MQTT 5",
    }
}

/// Time of day in the zone of this computer, with microseconds.
fn time_of_day(at: Duration) -> String {
    let at = jiff::Timestamp::try_from(UNIX_EPOCH + at.min(LATEST)).unwrap_or_default();
    at.to_zoned_datetime(jiff::tz::TimeZone::system())
        .strftime("%H:%M:%S.%6f")
        .to_string()
}

/// Milliseconds, with microseconds after the point.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

pub(crate) fn from(direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => "client",
        Direction::Received => "server",
    }
}

/// Latest time that calendars are sure to have: the year 9000.
const LATEST: Duration = Duration::from_secs(221_845_392_000);

#[derive(Serialize)]
struct LineJson<'a> {
    v: u8,
    ts: String,
    connection: u32,
    #[serde(flatten)]
    event: EventJson<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventJson<'a> {
    Opened {
        client: &'a str,
        server: &'a str,
    },
    Packet {
        from: &'static str,
        r#type: Option<&'static str>,
        len: usize,
        text: &'a str,
        answers: Option<AnswersJson<'a>>,
        breaches: Vec<BreachJson<'a>>,
    },
    Note {
        text: &'a str,
    },
    Closed,
}

#[derive(Serialize)]
struct AnswersJson<'a> {
    request: &'a str,
    ms: f64,
}

#[derive(Serialize)]
struct BreachJson<'a> {
    statement: Option<&'static str>,
    message: &'a str,
}

impl<'a> BreachJson<'a> {
    fn new(breach: &'a RuleBreach) -> Self {
        Self {
            statement: breach.statement,
            message: &breach.message,
        }
    }
}
