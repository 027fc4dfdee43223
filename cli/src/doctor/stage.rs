//! `Stage`: the stages of a check, in their order, and their outcomes.

use dunlin_client::transport::TransportOptions;

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
    /// Upgrade to WebSocket.
    WebSocket,
    /// HTTP request, and an answer of any status.
    Http,
    /// CONNECT, and the limits in CONNACK.
    Connect,
    /// SUBSCRIBE to the topic.
    Subscribe,
    /// PUBLISH to the topic; over HTTP the status of the answer.
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
    const ALL: [Self; 12] = [
        Self::Flags,
        Self::Dns,
        Self::Tcp,
        Self::Proxy,
        Self::Tls,
        Self::WebSocket,
        Self::Http,
        Self::Connect,
        Self::Subscribe,
        Self::Publish,
        Self::Receive,
        Self::Ping,
    ];

    /// Stages that need a topic.
    pub(super) const OF_TOPIC: [Self; 3] = [Self::Subscribe, Self::Publish, Self::Receive];

    /// Stages of a connection, in order: those that its options leave out aren't among them.
    pub(super) fn of(context: &RunContext, transport: &TransportOptions) -> Vec<Self> {
        let has_proxy = context.proxy.is_some();
        Self::ALL
            .into_iter()
            .filter(|stage| match stage {
                // A given address and a Unix domain socket need no name; that of a proxy is
                // always resolved.
                Self::Dns => {
                    let is_unix = transport.unix_socket.is_some();
                    has_proxy || (transport.connect_to.is_none() && !is_unix)
                }
                Self::Proxy => has_proxy,
                Self::Tls => context.choices.is_tls,
                Self::WebSocket => transport.websocket.is_some(),
                Self::Http => context.choices.is_http,
                Self::Flags | Self::Tcp | Self::Publish => true,
                // A request has no connection of MQTT.
                Self::Connect | Self::Subscribe | Self::Receive | Self::Ping => {
                    !context.choices.is_http
                }
            })
            .collect()
    }

    /// Stages of a connection whose flags can't be used: a proxy, WebSocket and HTTP are left out, because
    /// nobody knows whether the connection has them.
    pub(super) fn of_unknown() -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|stage| !matches!(stage, Self::Proxy | Self::WebSocket | Self::Http))
            .collect()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
            Self::Http => "http",
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
