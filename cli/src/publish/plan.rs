//! `PublishPlan`: the messages of `dunlin pub`, checked before anything is sent.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use dunlin_client::{OutboundAliases, QoS};

use super::template::Values;
use crate::args::{PublishArgs, Sources};
use crate::config::{ConnectionConfig, Faults, check_topic};
use crate::diagnosis::{Diagnosis, Try};
use crate::message::OutgoingMessage;
use crate::payload::{PayloadEncoding, read_payload};
use crate::terminal::Console;

/// Messages of one run.
pub(super) struct PublishPlan {
    pub(super) connection: ConnectionConfig,
    /// Topic, QoS and properties of every message, without a payload; an empty topic for JSON lines
    /// that bring their own.
    pub(super) message: OutgoingMessage,
    pub(super) typed: TypedFlags,
    pub(super) source: Source,
    /// Form of the lines of standard input.
    encoding: PayloadEncoding,
    pub(super) template: bool,
    /// Number of messages with the same payload.
    pub(super) repeat: u64,
    /// Time between the starts of two messages.
    pub(super) interval: Option<Duration>,
    /// Number of unacknowledged messages at a time.
    pub(super) in_flight: usize,
    /// File with the messages that the server hasn't acknowledged.
    pub(super) store: Option<PathBuf>,
}

/// Flags that replace what a JSON line says even where they have the default value.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypedFlags {
    pub(super) qos: bool,
}

/// Source of the payloads.
pub(super) enum Source {
    /// One payload, from flags, a file or standard input.
    Payload(Bytes),
    /// Each line of standard input.
    Lines,
    /// Each JSON line of standard input.
    JsonLines,
    /// None: only messages that are in the store.
    Stored,
}

impl PublishPlan {
    /// Checks the flags and reads the files that they name.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent.
    pub(super) fn new(
        mut typed: PublishArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // Mistakes that can be found without reading a file are told together.
        let mut faults = Faults::default();
        let is_drain = typed.store.is_some() && typed.topic.is_none() && !has_source(&typed);
        if !is_drain {
            faults.collect(check_source(&typed));
        }
        faults.collect(check_store(&mut typed, sources));
        if typed.connection.reliability.reconnect.0 == Some(0) && typed.store.is_some() {
            console.warning("with --reconnect 0 the store is no queue: one failure ends the run");
        }
        let has_alias = typed.message.topic_alias.is_some();
        let is_patient = typed.store.is_some();
        let mut connection =
            ConnectionConfig::new(typed.connection, "pub", faults, sources, console)?;
        if has_alias {
            connection.client.connect.outbound_aliases = OutboundAliases::Manual;
        }
        if is_patient {
            connection.wait_for_server();
        }

        // Then the payload, which may come from a file or from standard input.
        let encoding = PayloadEncoding::of(&typed.payload);
        let source = if is_drain {
            Source::Stored
        } else if typed.lines {
            Source::Lines
        } else if typed.json_lines {
            Source::JsonLines
        } else {
            Source::Payload(read_payload(typed.payload)?.into())
        };
        if connection.http.is_some() && typed.message.qos == QoS::ExactlyOnce {
            return Err(Diagnosis::usage(
                "--qos 2 has no meaning over HTTP: AWS IoT takes 0 and 1",
            ));
        }
        let plan = Self {
            connection,
            message: OutgoingMessage::new(typed.topic.unwrap_or_default(), typed.message),
            typed: TypedFlags {
                qos: sources.on_command_line("qos"),
            },
            source,
            encoding,
            template: typed.template,
            repeat: typed.repeat.unwrap_or(1),
            interval: typed.interval,
            in_flight: typed.in_flight.into(),
            store: typed.store,
        };
        // A message that can't be sent is found before there is a connection.
        plan.packets()?;
        Ok(plan)
    }

    /// PUBLISH of the first message; none for messages that come from standard input.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a message that can't be sent.
    pub(super) fn packets(&self) -> Result<Vec<Vec<u8>>, Diagnosis> {
        let message = self.first_message()?;
        message.iter().map(OutgoingMessage::encode).collect()
    }

    /// First message; `None` for messages that come from standard input.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a template that can't be filled.
    pub(super) fn first_message(&self) -> Result<Option<OutgoingMessage>, Diagnosis> {
        let Source::Payload(payload) = &self.source else {
            return Ok(None);
        };
        let message = OutgoingMessage {
            payload: payload.clone(),
            ..self.message.clone()
        };
        match self.template {
            true => Values::new(1).fill(message).map(Some),
            false => Ok(Some(message)),
        }
    }

    /// Message of a line of standard input.
    ///
    /// # Errors
    /// Text about a line that isn't in the form of `--hex` or `--base64`.
    pub(super) fn message_of_line(&self, line: Vec<u8>) -> Result<OutgoingMessage, String> {
        Ok(OutgoingMessage {
            payload: self.encoding.decode(line)?.into(),
            ..self.message.clone()
        })
    }
}

fn has_source(typed: &PublishArgs) -> bool {
    typed.payload.has_source() || typed.lines || typed.json_lines
}

/// Checks topic, source and the flags that only go with one payload.
fn check_source(typed: &PublishArgs) -> Result<(), Diagnosis> {
    let mut missing = Vec::new();
    if typed.topic.is_none() && !typed.json_lines {
        missing.push("--topic");
    }
    if !has_source(typed) {
        missing.push("--message (or another source: -f, -s, -l, -n, --json-lines)");
    }
    if !missing.is_empty() {
        return Err(Diagnosis {
            try_: vec![Try::command(
                "dunlin pub -H mqtt://localhost -t lamp/7 -m on",
            )],
            ..Diagnosis::usage(format!("missing: {}", missing.join(", ")))
        });
    }
    if let Some(topic) = typed.topic.as_deref().filter(|_| !typed.template) {
        check_topic("--topic", topic)?;
    }
    if typed.repeat.is_some() && (typed.lines || typed.json_lines) {
        return Err(Diagnosis::usage(
            "--repeat repeats one payload; each line of standard input is sent once",
        ));
    }
    let encoding = PayloadEncoding::of(&typed.payload);
    if encoding != PayloadEncoding::Text && typed.payload.message.is_empty() && !typed.lines {
        return Err(Diagnosis::usage(
            "--hex and --base64 say how --message or --lines is written; files are sent as they are",
        ));
    }
    Ok(())
}

/// Checks the flags that `--store` needs, and gives the session a day to be continued.
fn check_store(typed: &mut PublishArgs, sources: &Sources) -> Result<(), Diagnosis> {
    if typed.store.is_none() {
        return Ok(());
    }
    if typed.message.qos == QoS::AtMostOnce && sources.on_command_line("qos") {
        return Err(Diagnosis::usage(
            "--store keeps messages of QoS 1 and 2 only; --qos 0 would lose them",
        ));
    }
    if typed.message.qos == QoS::AtMostOnce {
        typed.message.qos = QoS::AtLeastOnce;
    }
    if typed.connection.session.client_id.is_none() {
        return Err(Diagnosis::usage(
            "--store also needs --client-id, by which the next run continues the session",
        ));
    }
    typed
        .connection
        .session
        .session_expiry
        .get_or_insert(STORED_SESSION);
    Ok(())
}

/// Session Expiry Interval of a run with a store, in seconds, unless the user sets one.
const STORED_SESSION: u32 = 24 * 60 * 60;
