//! Answer to a client over WebSocket that the authorizers refuse.

use crate::setting::setting;

/// Answer to a client over WebSocket that is refused. AWS documents none. Parses from `connack`,
/// `close` and `403`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WebSocketRefusal {
    /// The upgrade succeeds, and the CONNACK has the reason code, as over TLS.
    #[default]
    ConnAck,
    /// The upgrade succeeds, and the connection is closed without a CONNACK.
    Close,
    /// The upgrade is refused with 403, as AWS does it for SigV4, where the request alone can be
    /// judged: the authorizer that it names, and a token that it has with its signature. With a
    /// token the Lambda is asked before the upgrade, by an event without `mqtt`, and again after
    /// CONNECT. Other refusals are in the CONNACK.
    Forbidden,
}

setting!(WebSocketRefusal {
    ConnAck => "connack",
    Close => "close",
    Forbidden => "403",
});
