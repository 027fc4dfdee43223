//! MQTT over WebSocket (RFC 6455): the handshake, and frames around the bytes of MQTT.
//!
//! The rules of headers and handshake are those of `tungstenite`. Its connection isn't used: it
//! returns whole messages, so that a large packet over a slow network would look like silence to
//! the keep alive, and it keeps a buffer per connection. Here payload goes straight into the
//! caller's buffer as it arrives, whatever the size of its frame.

mod decoder;
mod encoder;
mod handshake;
mod options;
mod redaction;
mod stream;

use tokio::io::{AsyncRead, AsyncWrite};

pub use self::options::{HttpHeader, WebSocketOptions};
pub(super) use self::stream::WebSocketStream;
use super::deadline::Deadline;
use crate::error::{PeerAddress, Stage, TransportError, WebSocketError};

/// Server that a WebSocket connection is opened to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    /// Host name or IP address, without brackets.
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// True for `wss`, whose default port is 443; that of `ws` is 80.
    pub(super) is_tls: bool,
    pub(super) peer: &'a PeerAddress,
}

/// Opens a WebSocket connection over `stream`.
///
/// # Errors
/// [`TransportError::WebSocket`] if the server doesn't accept it, [`TransportError::TimedOut`] in the
/// stage [`Stage::WebSocket`] if it doesn't answer in time.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    options: &WebSocketOptions,
    server: Server<'_>,
    deadline: Deadline,
) -> Result<WebSocketStream<S>, TransportError> {
    let Server { peer, .. } = server;
    let failed = |error: WebSocketError| {
        let error = Box::new(error);
        let peer = peer.clone();
        TransportError::WebSocket { peer, error }
    };
    match deadline
        .run(handshake::run(&mut stream, options, server))
        .await
    {
        // Bytes after the answer are the first frames.
        Some(Ok(received)) => Ok(WebSocketStream::new(stream, received)),
        // A TLS alert that arrives in place of the answer has errors of its own.
        Some(Err(handshake::Failure::Io(error))) => match TransportError::from_io(&error, peer) {
            TransportError::Io(fault) => Err(failed(WebSocketError::Io(fault))),
            error => Err(error),
        },
        Some(Err(handshake::Failure::WebSocket(error))) => Err(failed(error)),
        None => Err(deadline.passed(Stage::WebSocket, peer.socket_addr().into_iter().collect())),
    }
}
