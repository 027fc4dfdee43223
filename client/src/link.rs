//! One network connection: everything that one wake-up brings is read, answered and written together.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Sleep;

use crate::driver::now;
use crate::engine::CloseCause;
use crate::shared::{Shared, State};
use crate::transport::{Transport, TransportError};

/// The first read asks for this much; reads that are filled ask for more.
const SMALLEST_READ: usize = 2 * 1024;
const LARGEST_READ: usize = 64 * 1024;
/// How long the server gets to take what was sent last, and to close its side.
const CLOSING_TIME: Duration = Duration::from_secs(1);
/// How long to listen for a DISCONNECT that explains why nothing can be written any more.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(crate) struct Link {
    transport: Transport,
    peer: SocketAddr,
    input: BytesMut,
    output: BytesMut,
    read_size: usize,
    needs_flush: bool,
    /// Why nothing can be written any more, and until when to read on.
    broken: Option<(CloseCause, Instant)>,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
}

impl Link {
    pub(crate) fn new(transport: Transport, peer: SocketAddr) -> Self {
        Self {
            transport,
            peer,
            input: BytesMut::new(),
            output: BytesMut::new(),
            read_size: SMALLEST_READ,
            needs_flush: false,
            broken: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: None,
        }
    }

    /// Moves bytes until one side has had enough, then closes.
    pub(crate) async fn run(mut self, shared: &Shared) -> CloseCause {
        let cause = poll_fn(|cx| self.poll(cx, shared)).await;
        if self.broken.is_none() {
            // A socket that is closed with unread bytes is reset, and a reset may overtake our DISCONNECT.
            let _: Result<_, _> = tokio::time::timeout(CLOSING_TIME, self.close()).await;
        }
        cause
    }

    fn poll(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<CloseCause> {
        loop {
            let now = now();
            let (close, timeout) = shared.with(|state| {
                state.watch_as_driver(cx);
                heed_stop(state, now);
                if state.engine.poll_timeout().is_some_and(|due| due <= now) {
                    state.engine.handle_timeout(now);
                }
                if self.broken.is_none() {
                    state.engine.poll_transmit(&mut self.output, now);
                }
                let flush_until = state.stop.and_then(|stop| stop.flush_until).filter(|_| !state.engine.should_close());
                (state.engine.should_close(), state.engine.poll_timeout().into_iter().chain(flush_until).min())
            });
            let written = self.poll_write(cx).is_ready();
            if close && written {
                return Poll::Ready(CloseCause::Eof);
            }
            if let Some((cause, until)) = &self.broken
                && *until <= now
            {
                return Poll::Ready(cause.clone());
            }
            let mut progress = false;
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(self.broken.take().map_or(CloseCause::Eof, |(cause, _)| cause)),
                Poll::Ready(Ok(_)) => {
                    self.hand_over(shared, now);
                    progress = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(self.cause_of(&error)),
                Poll::Pending => {}
            }
            progress |= self.poll_timer(cx, timeout);
            if !progress {
                return Poll::Pending;
            }
        }
    }

    /// Writes and flushes; ready when nothing is left, or nothing can be written any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.output.is_empty() {
            match ready!(Pin::new(&mut self.transport).poll_write(cx, &self.output)) {
                Ok(0) => self.break_off(&io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.output.advance(written);
                    self.needs_flush = true;
                }
                Err(error) => self.break_off(&error),
            }
        }
        if self.needs_flush {
            match ready!(Pin::new(&mut self.transport).poll_flush(cx)) {
                Ok(()) => self.needs_flush = false,
                Err(error) => self.break_off(&error),
            }
        }
        Poll::Ready(())
    }

    /// Nothing can be written any more, but the reason may still be on its way to us.
    fn break_off(&mut self, error: &io::Error) {
        self.output.clear();
        self.needs_flush = false;
        self.broken = Some((self.cause_of(error), now() + LAST_WORDS));
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.read_size);
        let read = ready!(pin!(self.transport.read_buf(&mut self.input)).poll(cx))?;
        if read >= self.read_size {
            self.read_size = (self.read_size * 2).min(LARGEST_READ);
        }
        Poll::Ready(Ok(read))
    }

    fn hand_over(&mut self, shared: &Shared, now: Instant) {
        let mut events = Vec::new();
        shared.with(|state| {
            state.engine.handle_input(&mut self.input, now);
            state.deliver(&mut events);
        });
        events.into_iter().for_each(|event| shared.tell(event));
    }

    /// Whether the time has come.
    fn poll_timer(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> bool {
        let until = self.broken.as_ref().map(|(_, until)| *until);
        let Some(due) = due.into_iter().chain(until).min() else { return false };
        if self.timer_at != Some(due) {
            self.timer_at = Some(due);
            self.timer.as_mut().reset(due.into());
        }
        let fired = self.timer.as_mut().poll(cx).is_ready();
        if fired {
            self.timer_at = None;
        }
        fired
    }

    fn cause_of(&self, error: &io::Error) -> CloseCause {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => CloseCause::Eof,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                CloseCause::Reset
            }
            _ => CloseCause::Transport(TransportError::from_io(error, self.peer)),
        }
    }

    async fn close(&mut self) {
        if self.transport.shutdown().await.is_err() {
            return;
        }
        while matches!(self.transport.read_buf(&mut self.input).await, Ok(1..)) {
            self.input.clear();
        }
    }
}

/// A wish to stop: requests get their time, then DISCONNECT is said.
fn heed_stop(state: &mut State, now: Instant) {
    let Some(stop) = &mut state.stop else { return };
    let until = *stop.flush_until.get_or_insert(now + stop.flush_for);
    if state.engine.is_connected() && (state.engine.is_idle() || until <= now) {
        state.engine.disconnect();
    }
}
