//! `LoadKind`: the verbs of `dunlin bench` that put load on a server.

/// Kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoadKind {
    Connect,
    Pub,
    Sub,
    Pubsub,
    Request,
    Fleet,
}

impl LoadKind {
    /// Name of the verb, on the command line and in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Pub => "pub",
            Self::Sub => "sub",
            Self::Pubsub => "pubsub",
            Self::Request => "request",
            Self::Fleet => "fleet",
        }
    }

    /// True if the clients publish.
    pub(super) const fn publishes(self) -> bool {
        matches!(self, Self::Pub | Self::Pubsub | Self::Request | Self::Fleet)
    }

    /// True if PUBACK and PUBCOMP are counted.
    pub(super) const fn counts_acknowledgements(self) -> bool {
        matches!(self, Self::Pub | Self::Pubsub | Self::Fleet)
    }

    /// True if received messages are counted.
    pub(super) const fn counts_received(self) -> bool {
        matches!(self, Self::Sub | Self::Pubsub | Self::Request)
    }

    /// True if the messages that are received are those that this run publishes.
    pub(super) const fn receives_its_own(self) -> bool {
        matches!(self, Self::Pubsub | Self::Request)
    }
}
