//! `Socket`: connection below TLS to the server: TCP, a Unix domain socket, a stream of the
//! application, or TLS to a proxy.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::client::TlsStream;

/// Byte stream of the application.
pub(super) trait OwnStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> OwnStream for S {}

impl fmt::Debug for dyn OwnStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnStream(..)")
    }
}

/// Connection below TLS to the server.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// Stream of the application.
    Own(Box<dyn OwnStream>),
    /// TLS to an HTTP proxy, which has opened its tunnel. Boxed: it is much bigger.
    ProxyTls(Box<TlsStream<RecordedStream>>),
}

/// Calls the same method of whatever the socket is.
macro_rules! delegate {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            #[cfg(unix)]
            Socket::Unix($stream) => $call,
            Socket::Own($stream) => $call,
            Socket::ProxyTls($stream) => $call,
        }
    };
}

impl Socket {
    /// True if the system has bytes for this socket, or knows of its end.
    pub(super) fn has_unread(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Self::Unix(stream) => SockRef::from(stream),
            // Nothing is known of a stream of the application but what reading it says.
            Self::Own(_) => return false,
            Self::ProxyTls(stream) => return stream.get_ref().0.has_unread(),
        };
        // An error (`WouldBlock`) means that nothing is there. `Ok(0)` is the end of the stream,
        // which is worth a read, too.
        socket.peek(&mut [MaybeUninit::uninit()]).is_ok()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut *self, stream => Pin::new(stream).poll_shutdown(context))
    }
}

/// Socket that keeps the first bytes read from it, so that a server that doesn't speak TLS can be
/// named.
#[derive(Debug)]
pub(super) struct RecordedStream {
    stream: Socket,
    first: [u8; Self::KEPT],
    len: usize,
}

impl RecordedStream {
    /// Number of bytes that are kept.
    const KEPT: usize = 16;

    pub(super) fn new(stream: Socket) -> Self {
        Self {
            stream,
            first: [0; Self::KEPT],
            len: 0,
        }
    }

    /// See [`Socket::has_unread`].
    pub(super) fn has_unread(&self) -> bool {
        self.stream.has_unread()
    }

    /// First bytes that were read, 16 at most.
    pub(super) fn received(&self) -> &[u8] {
        self.first.get(..self.len).unwrap_or_default()
    }

    /// Keeps the beginning of what was read.
    #[cold]
    fn keep(&mut self, read: &[u8]) {
        // `zip` ends with the shorter one, so bytes beyond the sixteenth are left out.
        for (slot, byte) in self.first.iter_mut().skip(self.len).zip(read) {
            *slot = *byte;
            self.len += 1;
        }
    }
}

impl AsyncRead for RecordedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The caller's buffer may hold bytes of earlier reads; only what this read adds is
        // recorded.
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.len < Self::KEPT {
            self.keep(buffer.filled().get(before..).unwrap_or_default());
        }
        outcome
    }
}

impl AsyncWrite for RecordedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
