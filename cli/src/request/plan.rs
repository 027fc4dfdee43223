//! `RequestPlan`: the request and its connection, checked before anything is sent.

use dunlin_client::ReceivedMessage;

use crate::args::{RequestArgs, Sources, pairs};
use crate::config::{ConnectionConfig, Faults, check_topic};
use crate::diagnosis::{Diagnosis, Try};
use crate::message::OutgoingMessage;
use crate::payload::read_payload;
use crate::terminal::Console;

/// Request, and the number of responses to wait for.
pub(super) struct RequestPlan {
    pub(super) connection: ConnectionConfig,
    /// Message with Response Topic and Correlation Data.
    pub(super) request: OutgoingMessage,
    pub(super) count: u64,
}

impl RequestPlan {
    /// Checks the flags and reads the files that they name.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent.
    pub(super) fn new(
        typed: RequestArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // Mistakes that can be found without reading a file are told together.
        let mut faults = Faults::default();
        faults.collect(check_topic("--topic", &typed.topic));
        if let Some(topic) = &typed.response_topic {
            faults.collect(check_topic("--response-topic", topic));
        }
        if !typed.payload.has_source() {
            faults.collect::<()>(Err(no_payload()));
        }
        let connection =
            ConnectionConfig::new(typed.connection, "request", faults, sources, console)?;

        // A topic of this client alone, unless the user names one.
        let client_id = &connection.client.connect.client_id;
        let response_topic = typed
            .response_topic
            .unwrap_or_else(|| format!("{RESPONSES}{}", client_id.replace(['+', '#', '/'], "-")));
        let correlation = match typed.correlation {
            Some(data) => data.0,
            None => format!("{:016x}", fastrand::u64(..)).into_bytes(),
        };
        let request = OutgoingMessage {
            topic: typed.topic,
            payload: read_payload(typed.payload)?.into(),
            qos: typed.qos,
            payload_format: typed.payload_format.map(Into::into),
            expiry: typed.expiry,
            content_type: typed.content_type,
            response_topic: Some(response_topic),
            correlation: Some(correlation),
            user_properties: pairs(typed.user_property),
            ..OutgoingMessage::default()
        };
        // A request that can't be sent is found before there is a connection.
        request.encode()?;
        Ok(Self {
            connection,
            request,
            count: typed.count,
        })
    }

    pub(super) fn response_topic(&self) -> &str {
        self.request.response_topic.as_deref().unwrap_or_default()
    }

    /// True if `message` has the Correlation Data of the request (§4.10).
    pub(super) fn is_response(&self, message: &ReceivedMessage) -> bool {
        let correlation = message.properties().correlation_data;
        correlation.map(|data| data.as_bytes()) == self.request.correlation.as_deref()
    }
}

fn no_payload() -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(
            "dunlin request -H mqtt://localhost -t lamp/7/get -m state",
        )],
        ..Diagnosis::usage("missing: --message (or another source: -f, -s, -n, --size)")
    }
}

/// Start of the topic for responses.
const RESPONSES: &str = "dunlin/responses/";
