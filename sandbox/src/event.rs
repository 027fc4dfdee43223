//! What a sandbox tells about its decisions: one event each, one line each, and never a secret.

mod text;

use core::net::SocketAddr;
use std::time::{Duration, SystemTime};

use dunlin_codec::{QoS, ReasonCode};

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
