//! Conversion of socket errors into [`TransportError`].

use std::io;

use crate::error::{IoFault, PeerAddress, TlsError, TransportError, WebSocketError};

impl TransportError {
    /// Error of reading from or writing to an open connection. It may be a TLS alert: under TLS 1.3
    /// the server checks the client certificate when the handshake is done for the client. Or it is
    /// the end of a WebSocket connection.
    pub fn from_io(error: &io::Error, peer: &PeerAddress) -> Self {
        let source = error.get_ref().map(|source| source.downcast_ref());
        if let Some(Some(error)) = source {
            let error: &WebSocketError = error;
            let error = Box::new(error.clone());
            let peer = peer.clone();
            return Self::WebSocket { peer, error };
        }
        match TlsError::from_io(error) {
            Some(error) => Self::Tls {
                peer: peer.clone(),
                error,
            },
            None => Self::Io(IoFault::from(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_that_is_no_tls_alert_is_an_error_of_the_socket() {
        let peer = PeerAddress::Ip("127.0.0.1:1".parse().unwrap());
        let eof = io::Error::new(io::ErrorKind::UnexpectedEof, "eof");

        let error = TransportError::from_io(&eof, &peer);

        assert_eq!(
            error,
            TransportError::Io(IoFault {
                kind: io::ErrorKind::UnexpectedEof,
                os_code: None
            })
        );
    }
}
