//! Facts about a client that are known before its first packet.

use core::net::SocketAddr;
use std::sync::Arc;

use crate::authorizer::{RequestHead, TlsFacts};
use crate::event::Transport;

/// Other end of a socket.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Address of this end; `None` if the system doesn't tell it.
    pub(crate) local_address: Option<SocketAddr>,
    /// Facts of the TLS handshake; `None` without TLS.
    pub(crate) tls: Option<TlsFacts>,
    /// Request that opened the WebSocket; `None` for MQTT over TLS or TCP.
    pub(crate) http: Option<Arc<RequestHead>>,
    /// Id of the access key that signed the request (SigV4); `None` if it isn't signed.
    pub(crate) signed_by: Option<Arc<str>>,
}

impl Peer {
    /// Transport of the client, for the log.
    pub(crate) const fn transport(&self) -> Transport {
        match (self.tls.is_some(), self.http.is_some()) {
            (true, false) => Transport::Tls,
            (false, false) => Transport::Tcp,
            (true, true) => Transport::SecureWebSocket,
            (false, true) => Transport::WebSocket,
        }
    }
}

/// Random identifiers of a connection, chosen by the owner of the socket.
#[derive(Debug, Clone)]
pub(crate) struct RandomIds {
    /// `connectionMetadata.id` of the event that the Lambda gets.
    pub(crate) connection: String,
    /// Client id after `$GEN/`, for a CONNECT without one.
    pub(crate) client: String,
}
