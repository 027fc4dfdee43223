//! Facts about a client that are known before its first packet.

use core::net::SocketAddr;

/// Other end of a socket.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Server name (SNI) of the TLS handshake; `None` without one, or without TLS.
    pub(crate) server_name: Option<String>,
}

/// Random identifiers of a connection, chosen by the owner of the socket.
#[derive(Debug, Clone)]
pub(crate) struct RandomIds {
    /// `connectionMetadata.id` of the event that the Lambda gets.
    pub(crate) connection: String,
    /// Client id after `$GEN/`, for a CONNECT without one.
    pub(crate) client: String,
}
