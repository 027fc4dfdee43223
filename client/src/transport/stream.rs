//! `Transport`: open connection, plain or encrypted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::socket::{RecordedStream, Socket};
#[cfg(feature = "websocket")]
use super::websocket::WebSocketStream;

/// Open connection.
///
/// Written bytes may stay in a buffer of TLS or WebSocket until they are flushed: flush before
/// waiting for an answer. Shutting down sends a Close frame of WebSocket, `close_notify` of TLS, then
/// FIN of TCP; dropping only closes.
#[derive(Debug)]
pub struct Transport(Stream);

#[derive(Debug)]
enum Stream {
    Plain(Socket),
    /// Boxed: it is twenty times as big.
    Tls(Box<TlsStream<RecordedStream>>),
    /// Frames over one of the others.
    #[cfg(feature = "websocket")]
    WebSocket(Box<WebSocketStream<Transport>>),
}

impl Transport {
    pub(super) fn plain(stream: Socket) -> Self {
        Self(Stream::Plain(stream))
    }

    pub(super) fn tls(stream: TlsStream<RecordedStream>) -> Self {
        Self(Stream::Tls(Box::new(stream)))
    }

    #[cfg(feature = "websocket")]
    pub(super) fn websocket(stream: WebSocketStream<Self>) -> Self {
        Self(Stream::WebSocket(Box::new(stream)))
    }

    /// Number of bytes that count as written and wait in a buffer of WebSocket.
    pub(crate) const fn unsent(&self) -> usize {
        match &self.0 {
            Stream::Plain(_) | Stream::Tls(_) => 0,
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => stream.unsent(),
        }
    }

    /// True if there is memory that isn't used.
    pub(crate) const fn has_spare(&self) -> bool {
        match &self.0 {
            Stream::Plain(_) | Stream::Tls(_) => false,
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => stream.has_spare(),
        }
    }

    /// Releases memory that isn't used.
    pub(crate) fn release_spare(&mut self) {
        match &mut self.0 {
            Stream::Plain(_) | Stream::Tls(_) => {}
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => stream.release_spare(),
        }
    }

    /// True if the system has bytes for this socket, or knows of its end. The runtime may hear of
    /// it later.
    pub(crate) fn has_unread(&self) -> bool {
        // The socket itself is asked, below TLS: encrypted bytes count as unread, whatever they
        // hold.
        match &self.0 {
            Stream::Plain(socket) => socket.has_unread(),
            Stream::Tls(stream) => stream.get_ref().0.has_unread(),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => stream.has_received() || stream.get_ref().has_unread(),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(feature = "websocket")]
            Stream::WebSocket(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
