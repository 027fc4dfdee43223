//! `Transcript`: standard output of the sample, line for line as the Python scripts print it.

use std::fmt::Write as _;
use std::io::{self, Write};

use dunlin_codec::{Escaped, PacketType, ReasonCode};

/// Writer of the sample's lines.
///
/// All methods return the error of the inner writer: the reader has closed the pipe, or the disk is
/// full.
#[derive(Debug)]
pub(crate) struct Transcript<W> {
    out: W,
    is_muted: bool,
}

/// Script whose lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unsigned,
    Signed,
}

impl<W: Write> Transcript<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            is_muted: false,
        }
    }

    pub(crate) fn banner(&mut self, kind: Kind) -> io::Result<()> {
        let kind = match kind {
            Kind::Unsigned => "Unsigned",
            Kind::Signed => "Signed",
        };
        self.print(&format!(
            "\n==== Starting MQTT5 Custom Auth {kind} PubSub Sample ====\n\n==== Creating MQTT5 Client ====\n"
        ))
    }

    pub(crate) fn starting(&mut self) -> io::Result<()> {
        self.print("\n==== Starting client ====\n")
    }

    pub(crate) fn attempt(&mut self, host: &str, client_id: &str) -> io::Result<()> {
        // No space before the client id: the scripts have none, and other people's scripts read
        // this.
        let (host, client_id) = (Escaped(host), Escaped(client_id));
        self.print(&format!(
            "Lifecycle Connection Attempt\nConnecting to endpoint: '{host}' with client ID'{client_id}'\n"
        ))
    }

    pub(crate) fn connected(&mut self, code: ReasonCode) -> io::Result<()> {
        self.print(&format!(
            "Lifecycle Connection Success with reason code:{}\n",
            Repr(PacketType::ConnAck, code)
        ))
    }

    /// Prints a failed attempt; `exception` has the form `NAME: message`.
    pub(crate) fn connection_failure(&mut self, exception: &str) -> io::Result<()> {
        self.print(&format!(
            "Lifecycle Connection Failure with exception:{}\n",
            Escaped(exception)
        ))
    }

    pub(crate) fn subscribing(&mut self, topic: &str) -> io::Result<()> {
        self.print(&format!(
            "\n==== Subscribing to topic '{}' ====\n",
            Escaped(topic)
        ))
    }

    pub(crate) fn suback(&mut self, code: ReasonCode) -> io::Result<()> {
        self.print(&format!(
            "Suback received with reason code:[{}]\n",
            Repr(PacketType::SubAck, code)
        ))
    }

    /// Prints the number of messages; `None` stands for a run until stopped.
    pub(crate) fn sending(&mut self, count: Option<u32>) -> io::Result<()> {
        match count {
            Some(count) => self.print(&format!("\n==== Sending {count} message(s) ====\n\n")),
            None => self.print("\n==== Sending messages until program killed ====\n\n"),
        }
    }

    pub(crate) fn publishing(&mut self, topic: &str, payload: &str) -> io::Result<()> {
        self.print(&format!(
            "Publishing message to topic '{}': {}\n",
            Escaped(topic),
            shown(payload)
        ))
    }

    pub(crate) fn puback(&mut self, code: ReasonCode) -> io::Result<()> {
        self.print(&format!(
            "PubAck received with {}\n",
            Repr(PacketType::PubAck, code)
        ))
    }

    pub(crate) fn received(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        let (topic, payload) = (Escaped(topic), printable(payload));
        self.print(&format!(
            "\n==== Received message from topic '{topic}': {payload} ====\n\n"
        ))
    }

    pub(crate) fn total(&mut self, received: u64) -> io::Result<()> {
        self.print(&format!("{received} message(s) received.\n"))
    }

    pub(crate) fn unsubscribing(&mut self, topic: &str) -> io::Result<()> {
        self.print(&format!(
            "\n==== Unsubscribing from topic '{}' ====\n",
            Escaped(topic)
        ))
    }

    pub(crate) fn unsuback(&mut self, code: ReasonCode) -> io::Result<()> {
        self.print(&format!(
            "Unsubscribed with [{}]\n",
            Repr(PacketType::UnsubAck, code)
        ))
    }

    pub(crate) fn stopping(&mut self) -> io::Result<()> {
        self.print("\n==== Stopping Client ====\n")
    }

    /// Prints the end of a connection with the code of the server's DISCONNECT; `None` if there was
    /// none.
    pub(crate) fn disconnected(&mut self, code: Option<ReasonCode>) -> io::Result<()> {
        match code {
            Some(code) => self.print(&format!(
                "Lifecycle Disconnected with reason code:{}\n",
                code.code()
            )),
            None => self.print("Lifecycle Disconnected with reason code:None\n"),
        }
    }

    pub(crate) fn stopped(&mut self) -> io::Result<()> {
        self.print("Lifecycle Stopped\n\n==== Client Stopped! ====\n")
    }

    /// Stops writing, because the output can't be written any more.
    pub(crate) fn mute(&mut self) {
        self.is_muted = true;
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        if self.is_muted {
            // A muted transcript reports success, so that the end goes on.
            return Ok(());
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

/// Reason code as Python prints a member of an enumeration: `<PubackReasonCode.SUCCESS: 0>`.
struct Repr(PacketType, ReasonCode);

impl std::fmt::Display for Repr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(packet, code) = self;
        let class = match packet {
            PacketType::ConnAck => "Connect",
            PacketType::SubAck => "Suback",
            PacketType::UnsubAck => "Unsuback",
            _ => "Puback",
        };
        // Names of the Python SDK, which differ from those of the standard in two cases.
        let name = match (packet, code.code()) {
            (PacketType::SubAck, 0) => "GRANTED_QOS_0".into(),
            (_, 0x86) => "BAD_USERNAME_OR_PASSWORD".into(),
            _ => code.name().to_uppercase().replace([' ', '-'], "_"),
        };
        write!(f, "<{class}ReasonCode.{name}: {}>", code.code())
    }
}

/// Text of a payload, escaped except for tabs and line breaks, which the scripts print as well.
fn shown(payload: &str) -> String {
    let mut out = String::new();
    for part in payload.split_inclusive(['\t', '\n']) {
        // The separator at the end of a part is printed as it is.
        let text = part.trim_end_matches(['\t', '\n']);
        let _ = write!(
            out,
            "{}{}",
            Escaped(text),
            part.get(text.len()..).unwrap_or_default()
        );
    }
    out
}

/// Payload as text; bytes that aren't UTF-8 are printed as `\xNN`.
fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&shown(chunk.valid()));
        // Bytes that aren't UTF-8 are shown by their value.
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(play: impl FnOnce(&mut Transcript<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        play(&mut Transcript::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_run_of_one_message_reads_as_the_python_sample_does() {
        let text = printed(|t| {
            t.banner(Kind::Unsigned)?;
            t.starting()?;
            t.attempt("localhost", "mqtt5-sample-0a1b2c3d")?;
            t.connected(ReasonCode::Success)?;
            t.subscribing("test/topic")?;
            t.suback(ReasonCode::GrantedQoS1)?;
            t.sending(Some(1))?;
            t.publishing("test/topic", "Hello from mqtt5 sample [1]")?;
            t.puback(ReasonCode::Success)?;
            t.received("test/topic", b"Hello from mqtt5 sample [1]")?;
            t.total(1)?;
            t.unsubscribing("test/topic")?;
            t.unsuback(ReasonCode::Success)?;
            t.stopping()?;
            t.disconnected(None)?;
            t.stopped()
        });
        assert_eq!(
            text,
            "
==== Starting MQTT5 Custom Auth Unsigned PubSub Sample ====

==== Creating MQTT5 Client ====

==== Starting client ====
Lifecycle Connection Attempt
Connecting to endpoint: 'localhost' with client ID'mqtt5-sample-0a1b2c3d'
Lifecycle Connection Success with reason code:<ConnectReasonCode.SUCCESS: 0>

==== Subscribing to topic 'test/topic' ====
Suback received with reason code:[<SubackReasonCode.GRANTED_QOS_1: 1>]

==== Sending 1 message(s) ====

Publishing message to topic 'test/topic': Hello from mqtt5 sample [1]
PubAck received with <PubackReasonCode.SUCCESS: 0>

==== Received message from topic 'test/topic': Hello from mqtt5 sample [1] ====

1 message(s) received.

==== Unsubscribing from topic 'test/topic' ====
Unsubscribed with [<UnsubackReasonCode.SUCCESS: 0>]

==== Stopping Client ====
Lifecycle Disconnected with reason code:None
Lifecycle Stopped

==== Client Stopped! ====
"
        );
    }

    #[test]
    fn other_codes_carry_the_names_that_the_python_enums_have() {
        let repr = |packet, code| Repr(packet, code).to_string();
        assert_eq!(
            repr(PacketType::SubAck, ReasonCode::Success),
            "<SubackReasonCode.GRANTED_QOS_0: 0>"
        );
        assert_eq!(
            repr(PacketType::SubAck, ReasonCode::NotAuthorized),
            "<SubackReasonCode.NOT_AUTHORIZED: 135>"
        );
        assert_eq!(
            repr(PacketType::PubAck, ReasonCode::NoMatchingSubscribers),
            "<PubackReasonCode.NO_MATCHING_SUBSCRIBERS: 16>"
        );
        assert_eq!(
            repr(PacketType::ConnAck, ReasonCode::BadUserNameOrPassword),
            "<ConnectReasonCode.BAD_USERNAME_OR_PASSWORD: 134>"
        );
        assert_eq!(
            printed(|t| t.disconnected(Some(ReasonCode::NotAuthorized))),
            "Lifecycle Disconnected with reason code:135\n"
        );
    }

    #[test]
    fn the_endless_run_and_the_signed_one_have_their_own_lines() {
        assert!(
            printed(|t| t.sending(None))
                .contains("==== Sending messages until program killed ====")
        );
        assert!(printed(|t| t.banner(Kind::Signed)).contains("Custom Auth Signed PubSub Sample"));
    }

    #[test]
    fn a_binary_payload_is_shown_without_steering_the_terminal() {
        assert_eq!(
            printable(b"\xff\x00ok\x1b[2J\t \xc3\xa9\n"),
            "\\xff\\u{0}ok\\u{1b}[2J\t \u{e9}\n"
        );
    }
}
