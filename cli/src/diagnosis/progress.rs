//! `Operation` and `Progress`: the request that failed, and the counts of the run until then.

use crate::diagnosis::Id;

/// Request of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Subscribe,
    Publish,
    Unsubscribe,
}

/// Counts of the run at the time of the failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress<'a> {
    pub(crate) topic: &'a str,
    /// Messages that were sent, at least for the first time.
    pub(crate) sent: u64,
    /// Messages with a PUBACK.
    pub(crate) acknowledged: u64,
    /// Messages of this run that came back.
    pub(crate) received: u64,
}

impl Operation {
    pub(crate) fn packet(self) -> &'static str {
        match self {
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
            Self::Unsubscribe => "UNSUBSCRIBE",
        }
    }

    /// Packet that answers the request.
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Self::Subscribe => "SUBACK",
            Self::Publish => "PUBACK",
            Self::Unsubscribe => "UNSUBACK",
        }
    }

    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe to",
            Self::Publish => "publish to",
            Self::Unsubscribe => "unsubscribe from",
        }
    }

    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Subscribe | Self::Unsubscribe => "iot:Subscribe",
            Self::Publish => "iot:Publish",
        }
    }

    /// Kind of resource in a policy; mixing up the two kinds is the most common mistake.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Subscribe | Self::Unsubscribe => "topicfilter",
            Self::Publish => "topic",
        }
    }

    pub(super) fn denied(self) -> Id {
        match self {
            Self::Subscribe | Self::Unsubscribe => Id::SubDenied,
            Self::Publish => Id::PubDenied,
        }
    }

    pub(super) fn dropped(self) -> Id {
        match self {
            Self::Subscribe | Self::Unsubscribe => Id::SubDropped,
            Self::Publish => Id::PubDropped,
        }
    }
}

impl Progress<'_> {
    /// Evidence for an error of this operation.
    pub(super) fn line(&self, operation: Operation) -> String {
        match operation {
            Operation::Subscribe if self.sent == 0 => {
                "connected and authenticated; 0 of 1 subscriptions granted; nothing was published"
                    .into()
            }
            _ => format!(
                "published {}, acknowledged {}, received {}",
                self.sent, self.acknowledged, self.received
            ),
        }
    }
}
