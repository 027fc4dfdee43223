//! I/O of one network connection: bytes that arrived, output and deadlines of one wake-up are
//! handled together.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::engine::CloseCause;
use crate::error::{PeerAddress, TransportError};
use crate::event::Event;
use crate::runtime::clock::{self, now};
use crate::runtime::connection_phase::{CLOSING_TIME, ConnectionPhase};
use crate::runtime::deadline_timer::DeadlineTimer;
use crate::runtime::lifecycle::StopProgress;
use crate::runtime::observer::PacketObserver;
use crate::runtime::read_buffer::ReadBuffer;
use crate::runtime::shared::Shared;
use crate::runtime::state::{ClientState, StalledDriver};
use crate::runtime::write_buffer::{WriteBuffer, WriteTimeout};
use crate::transport::Transport;

/// Bytes that are read before the task yields: a stream then holds little more than one read brings
/// while somebody reads it, and what is sent in answer leaves together with the acknowledgements.
const READ_PER_TURN: usize = 16 * 1024;
/// Bytes that may be read after a deadline has passed and before time-outs are handled: more than
/// the system keeps for a socket, so that a server that sends without end delays no time-out.
const MAX_READ_OVERDUE: usize = 8 << 20;
/// Time for which unused buffers are kept.
const KEEP_BUFFERS: Duration = Duration::from_secs(1);

/// One network connection of a client.
pub(crate) struct Connection {
    transport: Transport,
    peer: PeerAddress,
    phase: ConnectionPhase,
    read: ReadBuffer,
    write: WriteBuffer,
    /// True if the engine has output that waits until changes are persisted.
    waits_for_store: bool,
    /// Bytes that were read since a deadline passed whose time-outs wait for what is in the socket.
    read_overdue: usize,
    /// Observer of the packets; `None` if nobody wants to see them.
    observer: Option<Box<PacketObserver>>,
    timer: DeadlineTimer,
    /// Time at which unused buffers are released; `None` while there is nothing to release.
    release_buffers_at: Option<Instant>,
}

/// Interest of the engine in the connection.
struct Interest {
    /// The connection should be closed.
    close: bool,
    /// Bytes should be read.
    read: bool,
    /// The engine has more output than was taken.
    has_more_output: bool,
    /// Time at which to ask again.
    deadline: Option<Instant>,
    /// A deadline has passed, and its time-outs wait until nothing is left to read.
    is_overdue: bool,
}

/// Result of one round of a connection.
enum Round {
    /// The connection has ended.
    Ended(CloseCause),
    /// Something was done; the next round follows at once.
    Progress { is_drained: bool },
    /// The task yields first, so that the runtime looks at the socket.
    Yield,
    /// There is nothing to do before the next wake-up.
    Idle,
}

impl Connection {
    pub(crate) fn new(transport: Transport, peer: PeerAddress) -> Self {
        Self {
            transport,
            peer,
            phase: ConnectionPhase::Open,
            read: ReadBuffer::new(BytesMut::new()),
            write: WriteBuffer::new(BytesMut::new()),
            waits_for_store: false,
            read_overdue: 0,
            observer: None,
            timer: DeadlineTimer::default(),
            release_buffers_at: None,
        }
    }

    /// Moves bytes until the connection ends, and closes the transport. Returns the cause of the
    /// end.
    pub(crate) async fn run(&mut self, shared: &Shared) -> CloseCause {
        self.observer = PacketObserver::new(shared.lock(|state| state.observer.clone()));
        self.write.timeout = shared.lock(|state| state.engine.options().ack_timeout);
        let cause = poll_fn(|cx| self.poll(cx, shared)).await;
        if !self.phase.is_broken() && self.write.output.is_empty() {
            // Boxed, so that it takes no memory while the connection lasts.
            let closed = Box::pin(tokio::time::timeout(CLOSING_TIME, self.close()));
            let _: Result<_, _> = closed.await;
        }
        cause
    }

    /// Size of the output that was taken from the engine and not written, in bytes.
    pub(crate) fn unwritten(&self) -> usize {
        match self.phase.broken_off() {
            Some(broken) => broken.unwritten,
            None => self.write.output.len(),
        }
    }

    /// Runs rounds until there is nothing to do; ready when the connection has ended.
    ///
    /// After a pause of the process or of its runtime, the answers of that time are in the socket:
    /// they are read before any deadline has consequences.
    fn poll(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<CloseCause> {
        let (mut read, mut was_drained) = (0, false);
        loop {
            match self.poll_round(cx, shared, was_drained, &mut read) {
                Round::Ended(cause) => return Poll::Ready(cause),
                Round::Progress { is_drained } => was_drained = is_drained,
                Round::Yield => {
                    // Wakes the task once the runtime has polled for I/O.
                    let _: Poll<()> = pin!(tokio::task::yield_now()).poll(cx);
                    return Poll::Pending;
                }
                Round::Idle => return Poll::Pending,
            }
        }
    }

    /// Asks the engine, writes, checks deadlines and reads, each once. `was_drained`: nothing was
    /// left to read in the last round. `read` counts the bytes of this turn.
    fn poll_round(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        was_drained: bool,
        read: &mut usize,
    ) -> Round {
        // Tell the engine the time, and take its output.
        let now = now();
        let may_time_out = was_drained || self.read_overdue >= MAX_READ_OVERDUE;
        let mut events = Vec::new();
        let interest = shared.lock(|state| self.ask(state, cx, now, may_time_out, &mut events));
        shared.emit_all(events);

        // Write. A connection that closes ends once all is written, or its time is over.
        let is_written = self.poll_write(cx).is_ready() && !self.waits_for_store;
        if interest.close
            && (is_written && !interest.has_more_output || self.phase.is_closing_over(now))
        {
            return Round::Ended(CloseCause::Eof);
        }

        // Check deadlines. They count once nothing is left to read.
        let may_time_out = may_time_out || !interest.read;
        let mut is_overdue = interest.is_overdue;
        if let Some(broken) = self.phase.broken_off()
            && broken.deadline <= now
        {
            if may_time_out {
                return Round::Ended(broken.cause.clone());
            }
            is_overdue = true;
        }
        match self.write.check_timeout(now) {
            WriteTimeout::NotDue => {}
            WriteTimeout::RetryAfterYield => return Round::Yield,
            WriteTimeout::TimedOut if may_time_out => {
                return Round::Ended(CloseCause::WriteTimeout {
                    after: self.write.timeout,
                });
            }
            WriteTimeout::TimedOut => is_overdue = true,
        }
        if !is_overdue {
            self.read_overdue = 0;
        }

        // Read.
        let mut round = Round::Idle;
        if interest.read {
            round = self.poll_read(cx, shared, now, is_overdue, read);
        }
        if !matches!(round, Round::Idle) {
            return round;
        }

        // Nothing to read: go on if there is more to write, or wait for the next deadline.
        if is_written && interest.has_more_output {
            return Round::Progress {
                is_drained: was_drained,
            };
        }
        self.release_buffers(shared, now);
        if self.poll_deadline(cx, interest.deadline) {
            return Round::Progress {
                is_drained: was_drained,
            };
        }
        Round::Idle
    }

    /// Tells the engine the time, handles its deadlines, and takes its output if all earlier output
    /// is written: output for a slow server stays where the limits of the queue count it.
    ///
    /// Deadlines that have passed are handled only if `may_time_out`, or if nothing is to be read.
    fn ask(
        &mut self,
        state: &mut ClientState,
        cx: &Context<'_>,
        now: Instant,
        may_time_out: bool,
        events: &mut Vec<Event>,
    ) -> Interest {
        state.watch_as_driver(cx);

        // Before CONNACK no PUBLISH can arrive, so reading is never paused.
        let reads = !(state.router.pauses_reading() && state.engine.is_connected());
        state
            .engine
            .set_listening(reads && !self.waits_for_store, now);

        // Handle deadlines.
        let may_time_out = may_time_out || !(reads && state.engine.read_interest());
        let mut is_overdue = state.engine.poll_timeout().is_some_and(|due| due <= now);
        if is_overdue && may_time_out {
            state.engine.handle_timeout(now);
            is_overdue = false;
        }
        state.handle_deadline(now);
        // Streams end now, before others are opened for the same filters.
        state.deliver(events);

        // Take output.
        let is_stalled = !self.write.output.is_empty();
        if self.write.output.is_empty() && !self.phase.is_broken() {
            state.transmit(&mut self.write.output, now);
            self.waits_for_store = self.write.output.is_empty() && state.engine.has_output();
            state
                .engine
                .set_listening(reads && !self.waits_for_store, now);
        } else if !self.write.output.is_empty() {
            state.engine.limit_unsent(now);
        }
        if state.engine.declines_messages() && state.router.has_drained() {
            state.engine.received().leave_declined();
        }

        // Disconnect if the client is to stop.
        let stop = state.stop_progress(now);
        if stop.is_over() && (may_time_out || stop == StopProgress::Idle) {
            state.disconnect();
        } else {
            is_overdue |= stop.is_over();
        }
        let close = state.engine.should_close();
        if close {
            self.begin_closing(state, now);
        }

        let deadlines = [
            state.engine.poll_timeout(),
            state.deadline(),
            stop.deadline(),
            self.phase.closing_deadline(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        state.stalled = is_stalled.then_some(StalledDriver { wakes_at: deadline });
        Interest {
            close,
            // A server that is stuck because nobody reads wouldn't take our DISCONNECT either.
            read: close || reads && state.engine.read_interest(),
            has_more_output: !self.phase.is_broken() && state.engine.has_output(),
            deadline,
            is_overdue: is_overdue && !close,
        }
    }

    /// Starts the time for closing.
    fn begin_closing(&mut self, state: &ClientState, now: Instant) {
        if !self.phase.is_open() {
            return;
        }
        // After a failure of the store, output that the engine still has never leaves.
        let has_store_failed = state.store.as_ref().is_some_and(|store| store.has_failed());
        let nothing_leaves = self.write.output.is_empty() && has_store_failed;
        let has_output = !self.write.output.is_empty() || state.engine.has_output();
        self.phase = if nothing_leaves {
            ConnectionPhase::closed(now)
        } else {
            ConnectionPhase::closing(now, has_output)
        };
    }

    /// Writes; ready when nothing is left, or nothing can be written any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let observer = self.observer.as_deref_mut();
        self.write
            .poll_write(&mut self.transport, observer, cx)
            .map(|written| {
                if let Err(error) = written {
                    self.break_off(&error);
                }
            })
    }

    /// Stops writing. A DISCONNECT that gives the reason may still arrive.
    fn break_off(&mut self, error: &io::Error) {
        let cause = self.cause_of(error);
        self.phase = ConnectionPhase::broken(cause, self.write.discard(), now());
    }

    /// Reads once and hands the bytes to the engine. `is_overdue`: a deadline has passed that waits
    /// until nothing is left to read.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        now: Instant,
        is_overdue: bool,
        read: &mut usize,
    ) -> Round {
        match self.read.poll_read(&mut self.transport, cx) {
            Poll::Ready(Ok(0)) => Round::Ended(match self.phase.broken_off() {
                Some(broken) => broken.cause.clone(),
                None => CloseCause::Eof,
            }),
            Poll::Ready(Ok(bytes)) => {
                self.handle_input(shared, now);
                *read += bytes;
                if is_overdue {
                    self.read_overdue += bytes;
                }
                // Other tasks of this thread get their turn, however fast the server sends.
                if *read >= READ_PER_TURN {
                    return Round::Yield;
                }
                Round::Progress { is_drained: false }
            }
            Poll::Ready(Err(error)) => Round::Ended(self.cause_of(&error)),
            // The runtime may not have heard yet of what arrived during a pause. Bytes that bring
            // nothing, such as pings of WebSocket without end, count as well, or they would delay
            // the time-outs for ever.
            Poll::Pending if is_overdue && self.transport.has_unread() => {
                self.read_overdue += READ_PER_TURN;
                Round::Yield
            }
            Poll::Pending if is_overdue => Round::Progress { is_drained: true },
            Poll::Pending => Round::Idle,
        }
    }

    /// Hands the bytes that were read to the engine.
    fn handle_input(&mut self, shared: &Shared, now: Instant) {
        // All packets of one read are handled under one lock, and their messages delivered before
        // the next read.
        let detaches = self.read.takes_turn_to_detach();
        let input = &mut self.read.input;
        if let Some(observer) = &self.observer {
            // The round may have written before it has read: its own time is too early.
            observer.handle_read(input, clock::now());
        }
        let mut events = Vec::new();
        shared.lock(|state| {
            state.engine.handle_input(input, now);
            state.deliver(&mut events);
            if detaches {
                state.router.detach_messages();
            }
            if state.engine.should_close() {
                // The engine handles no further input.
                input.clear();
            }
        });
        shared.emit_all(events);
    }

    /// Releases buffers that weren't used for a while: an idle connection has none, and a busy one
    /// starts with new ones now and then.
    fn release_buffers(&mut self, shared: &Shared, now: Instant) {
        match self.release_buffers_at {
            Some(at) if at <= now => {
                self.release_buffers_at = None;
                self.read.release_spare();
                self.write.release_spare();
                self.transport.release_spare();
                shared.lock(ClientState::give_back_memory);
            }
            None if self.read.has_spare()
                || self.write.has_spare()
                || self.transport.has_spare() =>
            {
                self.release_buffers_at = now.checked_add(KEEP_BUFFERS);
            }
            Some(_) | None => {}
        }
    }

    /// True if a deadline has passed: `deadline` or one of the connection itself.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> bool {
        let broken = self.phase.broken_off().map(|broken| broken.deadline);
        let deadlines = [
            deadline,
            broken,
            self.write.deadline(),
            self.release_buffers_at,
        ];
        self.timer.poll(cx, deadlines.into_iter().flatten().min())
    }

    fn cause_of(&self, error: &io::Error) -> CloseCause {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => CloseCause::Eof,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted => CloseCause::Reset,
            _ => CloseCause::Transport(TransportError::from_io(error, &self.peer)),
        }
    }

    /// Shuts the transport down. After a DISCONNECT, waits until the server closes its side: a
    /// socket that is closed with unread bytes is reset, and a reset may overtake the DISCONNECT.
    async fn close(&mut self) {
        // `close_notify` and FIN first, so that the server sees the end. Then read until its own
        // end: closing a socket with unread bytes makes TCP send a reset, which may overtake
        // DISCONNECT.
        if self.transport.shutdown().await.is_err() {
            return;
        }
        let sends_disconnect = self.phase.sends_disconnect();
        let input = &mut self.read.input;
        while sends_disconnect && matches!(self.transport.read_buf(input).await, Ok(1..)) {
            input.clear();
        }
    }
}
