//! MQTT over WebSocket, as bytes: an `AsyncRead` and `AsyncWrite` over binary messages.
//!
//! MQTT packets may begin and end anywhere in the messages [MQTT-6.0.0-2]. Each write becomes one
//! message, of at most 64 KiB. The library answers pings, checks that frames are masked, and bounds
//! their size.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use bytes::{Buf as _, Bytes};
use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::net::transport::Transport;

/// WebSocket of one client.
#[derive(Debug)]
pub(crate) struct WebSocket<T> {
    stream: WebSocketStream<T>,
    /// Rest of the last message.
    unread: Bytes,
    /// Close frame that [`AsyncWrite::poll_shutdown`] sends; `None` once it was queued, or if the
    /// client has sent one, which the library answers.
    close: Option<CloseCode>,
    /// After [`AsyncWrite::poll_shutdown`], reads discard bytes of TCP or TLS until their end.
    is_shut_down: bool,
}

/// Reason for which a WebSocket ended while MQTT had not. It is the source of the error of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WebSocketEnd {
    /// Close frame of the client: its code, if it has one, and its text.
    Closed { code: Option<u16>, text: String },
    /// Text message, which MQTT forbids. [MQTT-6.0.0-1]
    Text,
    /// Frame that breaks RFC 6455.
    Violation(String),
    /// Message that is larger than the limit.
    TooLarge { size: usize, maximum: usize },
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Takes over a connection after its upgrade. `read` are bytes that came with the request, and
    /// `max_message_size` bounds the payload of a message.
    pub(crate) async fn new(stream: T, read: Vec<u8>, max_message_size: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            // Each message is written at once; the limit bounds pongs for a client that doesn't read.
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_MESSAGE + CONTROL_FRAMES)
            .max_message_size(Some(max_message_size))
            .max_frame_size(Some(max_message_size));
        Self {
            stream: WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config))
                .await,
            unread: Bytes::new(),
            close: Some(CloseCode::Normal),
            is_shut_down: false,
        }
    }

    /// Error of a read, and the close code that the client gets.
    fn ends(&mut self, end: WebSocketEnd) -> io::Error {
        self.close = match &end {
            WebSocketEnd::Closed { .. } => None,
            WebSocketEnd::Text => Some(CloseCode::Unsupported),
            WebSocketEnd::Violation(_) => Some(CloseCode::Protocol),
            WebSocketEnd::TooLarge { .. } => Some(CloseCode::Size),
        };
        io::Error::new(io::ErrorKind::ConnectionAborted, end)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.is_shut_down {
            let mut discarded = [0; 512];
            let mut discarded = ReadBuf::new(&mut discarded);
            ready!(Pin::new(this.stream.get_mut()).poll_read(context, &mut discarded))?;
            if discarded.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        // Messages without payload are skipped: a read of nothing would be the end.
        while this.unread.is_empty() {
            let message = match ready!(Pin::new(&mut this.stream).poll_next(context)) {
                // TCP has ended, or the closing handshake is complete.
                None => return Poll::Ready(Ok(())),
                Some(Ok(message)) => message,
                Some(Err(Error::Io(error))) => return Poll::Ready(Err(error)),
                // A client that vanishes without a close frame is a lost connection, no violation.
                Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(this.ends(violation(&error)))),
            };
            match message {
                Message::Binary(payload) => this.unread = payload,
                Message::Text(_) => return Poll::Ready(Err(this.ends(WebSocketEnd::Text))),
                Message::Close(frame) => return Poll::Ready(Err(this.ends(closed(frame)))),
                // The library has queued the pong, and sends it with the next read or write.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        // As many bytes as fit; the rest is for the next read.
        let count = this.unread.len().min(buffer.remaining());
        buffer.put_slice(this.unread.get(..count).unwrap_or_default());
        this.unread.advance(count);
        if this.unread.is_empty() {
            // An empty slice would keep the memory of its message.
            this.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // The last message has been written first, so that at most one waits.
        ready!(Pin::new(&mut this.stream).poll_ready(context)).map_err(into_io)?;
        let count = bytes.len().min(MAX_MESSAGE);
        let payload = Bytes::copy_from_slice(bytes.get(..count).unwrap_or_default());
        let sent = Pin::new(&mut this.stream).start_send(Message::Binary(payload));
        Poll::Ready(sent.map(|()| count).map_err(into_io))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &mut self.get_mut().stream;
        Pin::new(stream).poll_flush(context).map_err(into_io)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The close frame, once, after everything that was written. Errors don't count: the client
        // may have closed already, and TCP is shut down in any case.
        if this.close.is_some() && ready!(Pin::new(&mut this.stream).poll_ready(context)).is_ok() {
            let frame = this.close.take().map(|code| CloseFrame {
                code,
                reason: "".into(),
            });
            let _ = Pin::new(&mut this.stream).start_send(Message::Close(frame));
        }
        let _ = ready!(Pin::new(&mut this.stream).poll_flush(context));
        this.is_shut_down = true;
        Pin::new(this.stream.get_mut()).poll_shutdown(context)
    }
}

impl<T: Transport> Transport for WebSocket<T> {
    fn tcp(&self) -> &TcpStream {
        self.stream.get_ref().tcp()
    }
}

impl WebSocketEnd {
    /// Reason of the end in an error of a read; `None` for an error of TCP or TLS.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// `true` for a close frame of the client.
    pub(crate) const fn is_close(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

impl fmt::Display for WebSocketEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code, text } => {
                f.write_str("the client closed the WebSocket without a DISCONNECT")?;
                match code {
                    Some(code) => write!(f, ": {code} {text:?}"),
                    None => Ok(()),
                }
            }
            Self::Text => f.write_str(
                "the client sent a text message over WebSocket; MQTT is sent in binary ones (closed with 1003)",
            ),
            Self::Violation(error) => {
                write!(f, "a frame breaks WebSocket: {error} (closed with 1002)")
            }
            Self::TooLarge { size, maximum } => write!(
                f,
                "a WebSocket message of {size} bytes; at most {maximum} are taken (closed with 1009)"
            ),
        }
    }
}

impl core::error::Error for WebSocketEnd {}

fn violation(error: &Error) -> WebSocketEnd {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            WebSocketEnd::TooLarge {
                size: *size,
                maximum: *max_size,
            }
        }
        error => WebSocketEnd::Violation(error.to_string()),
    }
}

fn closed(frame: Option<CloseFrame>) -> WebSocketEnd {
    WebSocketEnd::Closed {
        code: frame.as_ref().map(|frame| frame.code.into()),
        text: frame.map_or_else(String::new, |frame| frame.reason.as_str().into()),
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::new(io::ErrorKind::BrokenPipe, error),
    }
}

/// Bytes that are read at a time: most packets are small, and each connection has such a buffer.
const READ_BUFFER: usize = 4 * 1024;
/// Payload of the largest message that is sent: as much as a connection's output has before no more
/// is written to it.
const MAX_MESSAGE: usize = 64 * 1024;
/// Space for the header of a message, a pong and a close frame.
const CONTROL_FRAMES: usize = 1024;
