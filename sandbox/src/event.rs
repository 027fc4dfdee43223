//! Events of a sandbox: one for each decision, without secrets.

mod text;

use core::net::SocketAddr;
use std::time::{Duration, SystemTime};

use dunlin_codec::{QoS, ReasonCode};

use crate::authorizer::ParameterSource;
use crate::policy::Decision;

/// One line of the log. `Display` writes it with its time of day in UTC; `{:#}` adds the colours of
/// a terminal to the decision: green where it allows, red where it refuses.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogLine {
    /// Time of the event.
    pub at: SystemTime,
    /// The event.
    pub event: Event,
}

/// Something that the sandbox decided, or that happened in it.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use dunlin_sandbox::{Event, EventLog, LogLine, Outcome, SandboxOptions};
///
/// // Collects the filters that the policy denies, for a test to look at.
/// let denied = Arc::new(Mutex::new(Vec::new()));
/// let collected = Arc::clone(&denied);
/// let log = EventLog::new(move |line: &LogLine| {
///     if let Event::Subscribe { filter, outcome: Outcome::Refused { .. }, .. } = &line.event {
///         collected.lock().unwrap().push(filter.clone());
///     }
/// });
/// let options = SandboxOptions { log, ..SandboxOptions::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection that came to nothing before MQTT began.
    Rejected {
        /// Address of the client.
        peer: SocketAddr,
        /// Reason, in a sentence.
        reason: String,
    },
    /// Something about a connection that goes on, and that AWS IoT Core might not take.
    Note {
        /// Address of the client.
        peer: SocketAddr,
        /// Text, in a sentence.
        text: String,
    },
    /// A CONNECT.
    Connect {
        /// Client id of the CONNECT.
        client_id: String,
        /// Transport of the connection.
        transport: Transport,
        /// Authorizer that decided; `None` if none was found.
        authorizer: Option<String>,
        /// Place in which a client over WebSocket names the authorizer; `None` if it names none, and
        /// for MQTT over TLS or TCP, where the user name is the only place.
        named_in: Option<ParameterSource>,
        /// Summary of the policy and the decision that allows the connection, or the refusal.
        outcome: Outcome<(String, Decision)>,
        /// From CONNECT to CONNACK.
        took: Duration,
    },
    /// The authorizer was asked again about a connected client.
    Refresh {
        /// Client id.
        client_id: String,
        /// Summary of the new policy and its decision, or the refusal that ends the connection.
        outcome: Outcome<(String, Decision)>,
    },
    /// Line of output of the Lambda of an authorizer, or of the message of its error.
    Lambda {
        /// Name of the authorizer.
        authorizer: String,
        /// Text of the line. If the Lambda prints a secret of a client, it is here, as in CloudWatch.
        text: String,
    },
    /// One subscription of a SUBSCRIBE.
    Subscribe {
        /// Client id.
        client_id: String,
        /// Topic or filter.
        filter: String,
        /// QoS granted and the decision that allowed it, or the refusal.
        outcome: Outcome<(QoS, Decision)>,
    },
    /// One filter of an UNSUBSCRIBE.
    Unsubscribe {
        /// Client id.
        client_id: String,
        /// Topic or filter.
        filter: String,
    },
    /// A PUBLISH of a client, or its will.
    Publish {
        /// The message is the client's will.
        is_will: bool,
        /// Client id.
        client_id: String,
        /// Topic or filter.
        topic: String,
        /// Number of subscribers that get it and the decision that allowed it, or the refusal.
        outcome: Outcome<(usize, Decision)>,
    },
    /// A message that an HTTP request publishes.
    HttpPublish {
        /// Address of the client.
        peer: SocketAddr,
        /// Authorizer that decided, or id of the access key that signed.
        caller: String,
        /// Topic.
        topic: String,
        /// HTTP status of the answer.
        status: u16,
        /// Number of subscribers that get it and the decision that allowed it, or the refusal.
        outcome: Outcome<(usize, Decision)>,
    },
    /// A message on its way to a subscriber.
    Receive {
        /// Client id.
        client_id: String,
        /// Topic or filter.
        topic: String,
        /// Decision that allowed it, or the reason why it wasn't delivered.
        outcome: Outcome<Decision>,
    },
    /// Messages that were accepted and that a subscriber won't get.
    Dropped {
        /// The subscriber.
        client_id: String,
        /// Their topic.
        topic: String,
        /// Number of messages since the last event about them.
        count: usize,
        /// Reason, in a sentence.
        reason: String,
    },
    /// A limit that holds a connection back without refusing anything.
    Limited {
        /// Client id.
        client_id: String,
        /// Limit, in a sentence.
        limit: String,
    },
    /// The end of a connection that had a CONNACK.
    Disconnect {
        /// Client id.
        client_id: String,
        /// Reason, in a sentence.
        reason: String,
    },
}

/// Transport of an MQTT connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// MQTT over TLS.
    Tls,
    /// MQTT over TCP.
    Tcp,
    /// MQTT over WebSocket and TLS.
    SecureWebSocket,
    /// MQTT over WebSocket.
    WebSocket,
}

impl Transport {
    /// Scheme of its URLs: `mqtts`, `mqtt`, `wss` or `ws`.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Tls => "mqtts",
            Self::Tcp => "mqtt",
            Self::SecureWebSocket => "wss",
            Self::WebSocket => "ws",
        }
    }

    /// `true` for MQTT over WebSocket, with or without TLS.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::SecureWebSocket | Self::WebSocket)
    }
}

/// Allowed, with what there is to know about it; or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The request was allowed.
    Allowed(T),
    /// The request was refused.
    Refused {
        /// Reason code that the client got; `None` if it got none.
        reason_code: Option<ReasonCode>,
        /// Reason, in a sentence.
        reason: String,
        /// The decision of the policy, where it was asked.
        decision: Option<Box<Decision>>,
    },
}

impl<T> Outcome<T> {
    /// Returns whether the request was allowed.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Returns the details of an allowed request.
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
    /// Returns the decision of the policy; `None` if it wasn't asked.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            // Each kind of event keeps its decision beside other details.
            Self::Connect { outcome, .. } | Self::Refresh { outcome, .. } => {
                outcome.decision(|(_, by)| by)
            }
            Self::Subscribe { outcome, .. } => outcome.decision(|(_, by)| by),
            Self::Publish { outcome, .. } | Self::HttpPublish { outcome, .. } => {
                outcome.decision(|(_, by)| by)
            }
            Self::Receive { outcome, .. } => outcome.decision(|by| by),
            // No policy was evaluated: nothing was decided, or it was decided without one.
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
