//! `WebSocketStream`: reads and writes the bytes of MQTT in the frames of a WebSocket connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::coding::{CloseCode, Control};

use super::decoder::FrameDecoder;
use super::encoder::FrameEncoder;
use crate::error::{FrameFault, WebSocketError};

/// Bytes of MQTT in the frames of a WebSocket connection.
///
/// Each write becomes one binary frame of up to 256 KiB, which counts as written at once and may
/// wait until a flush. Pings are answered while reading, writing and flushing. A Close frame is an
/// error of [`WebSocketError::Closed`] once, and the end of the stream after that; if this side closes
/// first, it is the end of the stream alone. Shutting down sends a Close frame.
#[derive(Debug)]
pub(in crate::transport) struct WebSocketStream<S> {
    stream: S,
    decoder: FrameDecoder,
    encoder: FrameEncoder,
    /// Bytes that came with the answer of the handshake.
    received: Vec<u8>,
    /// True if a Close frame is among the output, after which nothing is sent.
    sent_close: bool,
}

impl<S> WebSocketStream<S> {
    /// `received`: bytes that came with the answer of the handshake.
    pub(super) fn new(stream: S, received: Vec<u8>) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::new(),
            encoder: FrameEncoder::default(),
            received,
            sent_close: false,
        }
    }

    /// Stream below the frames.
    pub(in crate::transport) const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// True if bytes wait that came with the answer of the handshake.
    pub(in crate::transport) const fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    /// Number of bytes that count as written and wait in the buffer.
    pub(in crate::transport) const fn unsent(&self) -> usize {
        self.encoder.len()
    }

    /// True if there is memory that isn't used.
    pub(in crate::transport) const fn has_spare(&self) -> bool {
        self.encoder.has_spare()
    }

    /// Releases memory that isn't used.
    pub(in crate::transport) fn release_spare(&mut self) {
        self.encoder.release_spare();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Reads once into `buffer`, frames included.
    fn poll_read_raw(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let taken = self.received.len().min(buffer.remaining());
        buffer.put_slice(self.received.get(..taken).unwrap_or_default());
        self.received.drain(..taken);
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Adds the answers to a ping and to a Close frame to the output. While earlier output waits, a
    /// ping waits as well, so that a flood of them takes no memory.
    fn push_answers(&mut self) {
        if self.sent_close || self.encoder.len() > 0 {
            return;
        }
        if let Some(ping) = self.decoder.take_ping() {
            self.encoder.push_control(Control::Pong, ping.as_bytes());
        }
    }

    /// Sends what waits, as far as possible now. An error is that of the next write.
    fn send_answers(&mut self, cx: &mut Context<'_>) {
        if self.decoder.has_ping() || self.encoder.len() > 0 {
            self.push_answers();
            let _: Poll<io::Result<()>> = self.encoder.poll_flush(&mut self.stream, cx);
        }
    }

    /// Adds a Close frame, unless there was one.
    fn push_close(&mut self, code: CloseCode) {
        if !std::mem::replace(&mut self.sent_close, true) {
            self.encoder
                .push_control(Control::Close, &u16::from(code).to_be_bytes());
        }
    }

    /// Error that ends the stream; `None` at the end of a connection that this side closed, and once
    /// the error was returned.
    fn take_end(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        let end = self.decoder.take_end()?;
        let closed_first = self.sent_close;
        // The server is told the fault, or gets its own code back (RFC 6455, section 5.5.1).
        let code = match &end {
            WebSocketError::Closed(reason) => reason
                .code
                .map(CloseCode::from)
                .filter(|code| code.is_allowed())
                .unwrap_or(CloseCode::Normal),
            WebSocketError::Frame(FrameFault::Text) => CloseCode::Unsupported,
            _ => CloseCode::Protocol,
        };
        self.push_close(code);
        let _: Poll<io::Result<()>> = self.encoder.poll_flush(&mut self.stream, cx);
        let is_expected = closed_first && matches!(end, WebSocketError::Closed(_));
        (!is_expected).then(|| io::Error::other(end))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        loop {
            this.send_answers(cx);
            if this.decoder.has_ended() {
                return Poll::Ready(this.take_end(cx).map_or(Ok(()), Err));
            }
            // Frames are read into the caller's buffer and decoded there.
            ready!(this.poll_read_raw(cx, buffer))?;
            let raw = buffer.filled_mut().get_mut(before..).unwrap_or_default();
            if raw.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let kept = this.decoder.decode(raw);
            buffer.set_filled(before + kept);
            // Headers and control frames alone aren't the end of the stream: read on.
            if kept > 0 {
                this.send_answers(cx);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // Nothing follows a Close frame (RFC 6455, section 5.5.1).
        if this.sent_close {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        // One frame at a time bounds the memory.
        ready!(this.encoder.poll_write(&mut this.stream, cx))?;
        this.push_answers();
        let taken = this.encoder.push_binary(slices);
        // The frame counts as written; if it can't leave now, the next call or a flush goes on.
        if let Poll::Ready(Err(error)) = this.encoder.poll_write(&mut this.stream, cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.push_answers();
        this.encoder.poll_flush(&mut this.stream, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.push_close(CloseCode::Normal);
        ready!(this.encoder.poll_flush(&mut this.stream, cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
