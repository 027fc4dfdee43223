//! `StreamOpener`: opens byte streams of the application in place of sockets.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::deadline::Deadline;
use super::socket::{OwnStream, Socket};
use crate::error::{IoFault, Stage, TransportError};

/// Opens a byte stream of the application for each attempt to connect: a QUIC stream, a serial port, a
/// pipe in a test.
///
/// The stream stands in place of name resolution, proxy and socket; TLS and WebSocket of the options go
/// above it. It has to deliver bytes reliably and in order, and its end has to be seen by the reader.
/// Bytes in its buffers have to leave with `poll_flush`.
///
/// After a pause of the process, the client looks for unread bytes of a socket before time-outs count.
/// A stream of the application can't be asked: there, time-outs count as soon as reading is pending.
///
/// ```
/// use dunlin_client::transport::StreamOpener;
/// use tokio::net::TcpStream;
///
/// let opener = StreamOpener::new(|| TcpStream::connect("localhost:1883"));
/// ```
#[derive(Clone)]
pub struct StreamOpener(Arc<dyn Fn() -> Opening + Send + Sync>);

type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn OwnStream>>> + Send>>;

impl StreamOpener {
    /// Opener that calls `open` for each attempt. Its time is limited by
    /// [`TransportOptions::timeout`](super::TransportOptions::timeout); the future is dropped then.
    pub fn new<F, T, S>(open: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move || {
            let opening = open();
            Box::pin(async move {
                let stream: Box<dyn OwnStream> = Box::new(opening.await?);
                Ok(stream)
            })
        }))
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// [`TransportError::Io`] with the error of the application, [`TransportError::TimedOut`] in the
    /// stage [`Stage::Stream`].
    pub(super) async fn open(&self, deadline: Deadline) -> Result<Socket, TransportError> {
        match deadline.run((self.0)()).await {
            Some(Ok(stream)) => Ok(Socket::Own(stream)),
            Some(Err(error)) => Err(TransportError::Io(IoFault::from(&error))),
            None => Err(deadline.passed(Stage::Stream, Vec::new())),
        }
    }

    /// True if both call the same function of one opener.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for StreamOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamOpener(..)")
    }
}
