//! `RequestPlan`: the request and its connection, checked before anything is sent.

use dunlin_client::{Connected, ReceivedMessage};
use dunlin_codec::{SubscriptionOptions, TopicName};

use crate::args::{RequestArgs, Sources, pairs};
use crate::config::{ConnectionConfig, Faults, check_topic};
use crate::diagnosis::{Diagnosis, Try};
use crate::message::{OutgoingMessage, encode_subscribe};
use crate::payload::read_payload;
use crate::terminal::Console;

/// Request, and the number of responses to wait for.
pub(super) struct RequestPlan {
    pub(super) connection: ConnectionConfig,
    /// Message with Response Topic and Correlation Data.
    pub(super) request: OutgoingMessage,
    /// True if the user named the Response Topic.
    is_topic_given: bool,
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
        let is_topic_given = typed.response_topic.is_some();
        let response_topic = typed
            .response_topic
            .unwrap_or_else(|| own_topic(&connection.client.connect.client_id));
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
            is_topic_given,
            count: typed.count,
        })
    }

    /// SUBSCRIBE to the Response Topic, and the request.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a topic or a message that can't be sent.
    pub(super) fn packets(&self) -> Result<Vec<Vec<u8>>, Diagnosis> {
        let options = SubscriptionOptions {
            qos: self.request.qos,
            ..SubscriptionOptions::default()
        };
        let filters = [(self.response_topic().to_owned(), options)];
        Ok(vec![
            encode_subscribe(&filters, None)?,
            self.request.encode()?,
        ])
    }

    /// Replaces the Response Topic by one below the server's Response Information, for which
    /// `--request-response-info` asks (§4.10.1), or by one of the client identifier that the server
    /// has assigned. A topic of the user stays.
    pub(super) fn choose_response_topic(&mut self, connected: &Connected) {
        if self.is_topic_given {
            return;
        }
        // The form of Response Information is free: it may not make a valid topic.
        let of_server = connected
            .response_information
            .as_deref()
            .map(|information| format!("{}/responses", information.trim_end_matches('/')))
            .filter(|topic| TopicName::new(topic).is_ok());
        self.request.response_topic =
            Some(of_server.unwrap_or_else(|| own_topic(&connected.client_id)));
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

/// Topic of this client alone, without the characters that mean something in a topic.
fn own_topic(client_id: &str) -> String {
    format!("{RESPONSES}{}", client_id.replace(['+', '#', '/'], "-"))
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
