//! `Stage`: the stages of a check, in their order, and their outcomes.

use crate::diagnosis::RunContext;

/// Stage of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Flags, environment and files, checked before anything is sent.
    Flags,
    /// Resolution of the host name.
    Dns,
    /// TCP connection to the server, or to the proxy.
    Tcp,
    /// Tunnel through the proxy.
    Proxy,
    /// TLS handshake.
    Tls,
    /// CONNECT, and the limits in CONNACK.
    Connect,
    /// SUBSCRIBE to the topic.
    Subscribe,
    /// PUBLISH to the topic.
    Publish,
    /// The published message comes back.
    Receive,
    /// PINGREQ and PINGRESP.
    Ping,
}

/// Outcome of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Passed,
    /// Passed, with something that may be the cause of a later failure.
    Warned,
    Failed,
    Skipped,
}

impl Stage {
    /// All stages, in order.
    const ALL: [Self; 10] = [
        Self::Flags,
        Self::Dns,
        Self::Tcp,
        Self::Proxy,
        Self::Tls,
        Self::Connect,
        Self::Subscribe,
        Self::Publish,
        Self::Receive,
        Self::Ping,
    ];

    /// Stages that need a topic.
    pub(super) const OF_TOPIC: [Self; 3] = [Self::Subscribe, Self::Publish, Self::Receive];

    /// Stages of a connection, in order: those that its options leave out aren't among them.
    /// `resolves` is false if an address was given in place of the host's.
    pub(super) fn of(context: &RunContext, resolves: bool) -> Vec<Self> {
        let has_proxy = context.proxy.is_some();
        Self::ALL
            .into_iter()
            .filter(|stage| match stage {
                // The name of a proxy is always resolved.
                Self::Dns => resolves || has_proxy,
                Self::Proxy => has_proxy,
                Self::Tls => context.choices.is_tls,
                _ => true,
            })
            .collect()
    }

    /// Stages of a connection whose flags can't be used: whether it has a proxy isn't known.
    pub(super) fn of_unknown() -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|stage| *stage != Self::Proxy)
            .collect()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Connect => "connect",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Receive => "receive",
            Self::Ping => "ping",
        }
    }
}

impl Status {
    /// Mark at the beginning of a line.
    pub(super) fn mark(self) -> char {
        match self {
            Self::Passed => '✔',
            Self::Warned => '!',
            Self::Failed => '✖',
            Self::Skipped => '–',
        }
    }

    /// Word of JSON lines.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}
