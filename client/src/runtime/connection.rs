//! One network connection: everything that one wake-up brings is read, answered and written
//! together.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, BytesMut};
use dunlin_codec::FixedHeader;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::engine::CloseCause;
use crate::event::Event;
use crate::runtime::clock::now;
use crate::runtime::deadline_timer::Alarm;
use crate::runtime::observer::Watch;
use crate::runtime::shared::Shared;
use crate::runtime::state::State;
use crate::transport::{Transport, TransportError};

/// The first read asks for this much: enough for most CONNACKs, and little to hold for thousands
/// that only connect.
const FIRST_READ: usize = 128;
/// Where a read was filled the next one asks for more, and at least for this much.
const SMALLEST_READ: usize = 2 * 1024;
const LARGEST_READ: usize = 64 * 1024;
/// After so much the application gets its turn: a stream holds little more than one read brings
/// while somebody listens, and what is sent in answer leaves together with the acknowledgements.
const TURN: usize = 16 * 1024;
/// After so many bytes small messages that still wait get buffers of their own: a waiting message
/// keeps all that was read with it in memory.
const DETACH_AFTER: usize = 4 << 20;
/// How long the server gets to take what was sent last, and to close its side.
const CLOSING_TIME: Duration = Duration::from_secs(1);
/// Bytes that may be read between the moment when a deadline passes and the time-outs: more than
/// the system keeps for a socket, so that a server that sends without end doesn't hold time-outs
/// up.
const MOST_OVERDUE: usize = 8 << 20;
/// How long buffers are kept for the next packet.
const IDLE: Duration = Duration::from_secs(1);
/// How long to listen for a DISCONNECT that explains why nothing can be written any more.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(crate) struct Link {
    transport: Transport,
    peer: SocketAddr,
    input: BytesMut,
    output: BytesMut,
    read_size: usize,
    /// Bytes read since small messages last got buffers of their own.
    read_since_detached: usize,
    needs_flush: bool,
    /// Rare, and large.
    broken: Option<Box<Broken>>,
    /// Whether what is to be written next isn't kept yet.
    holds: bool,
    /// How long the transport may take no output, and when that is over while it doesn't.
    write_timeout: Duration,
    write_deadline: Option<Instant>,
    /// Whether writing was tried again after `write_deadline`.
    has_tried_again: bool,
    /// Until when what is left may be written.
    closing_until: Option<Instant>,
    /// Whether the last that the server hears is our DISCONNECT.
    says_farewell: bool,
    /// Bytes that were read since a deadline passed whose time-outs wait for what is in the
    /// socket.
    overdue: usize,
    /// `None` without an observer.
    watch: Option<Box<Watch>>,
    alarm: Alarm,
    /// When to give up buffers that nothing has used for a while.
    tidy_at: Option<Instant>,
}

/// Nothing can be written any more.
struct Broken {
    cause: CloseCause,
    /// How long to read on.
    until: Instant,
    /// What is left of the output.
    unwritten: usize,
}

/// What the engine wants of the link.
struct Wishes {
    close: bool,
    read: bool,
    /// There is more to write than fits in one go.
    more: bool,
    timeout: Option<Instant>,
    /// A deadline has passed, and its time-outs wait until nothing is left to read.
    is_due: bool,
}

impl Link {
    pub(crate) fn new(transport: Transport, peer: SocketAddr) -> Self {
        Self {
            transport,
            peer,
            input: BytesMut::new(),
            output: BytesMut::new(),
            read_size: FIRST_READ,
            read_since_detached: 0,
            needs_flush: false,
            broken: None,
            holds: false,
            write_timeout: Duration::MAX,
            write_deadline: None,
            has_tried_again: false,
            closing_until: None,
            says_farewell: false,
            overdue: 0,
            watch: None,
            alarm: Alarm::default(),
            tidy_at: None,
        }
    }

    /// Moves bytes until one side has had enough, then closes.
    pub(crate) async fn run(&mut self, shared: &Shared) -> CloseCause {
        self.watch = Watch::new(shared.drive(|state| state.observer.clone()));
        self.write_timeout = shared.drive(|state| state.engine.options().ack_timeout);
        let cause = poll_fn(|cx| self.poll(cx, shared)).await;
        if self.broken.is_none() && self.output.is_empty() {
            // On the heap, so that it takes no memory while the connection lasts.
            let closed = Box::pin(tokio::time::timeout(CLOSING_TIME, self.close()));
            let _: Result<_, _> = closed.await;
        }
        cause
    }

    /// After a pause of the process, or of its runtime, the answers of that time are in the socket:
    /// they are read before any deadline has consequences.
    fn poll(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<CloseCause> {
        let (mut taken, mut is_drained) = (0, false);
        loop {
            let now = now();
            let mut events = Vec::new();
            let may_time_out = is_drained || self.overdue >= MOST_OVERDUE;
            let wishes = shared.drive(|state| self.ask(state, cx, now, may_time_out, &mut events));
            events.into_iter().for_each(|event| shared.tell(event));
            let written = self.poll_write(cx).is_ready() && !self.holds;
            if wishes.close && (written && !wishes.more || self.is_over(now)) {
                return Poll::Ready(CloseCause::Eof);
            }
            let mut is_due = wishes.is_due;
            if let Some(broken) = self.broken.as_ref().filter(|broken| broken.until <= now) {
                if may_time_out || !wishes.read {
                    return Poll::Ready(broken.cause.clone());
                }
                is_due = true;
            }
            if self.write_deadline.is_some_and(|deadline| deadline <= now) {
                if !self.has_tried_again {
                    // The runtime may not have heard yet of what was taken during a pause.
                    self.has_tried_again = true;
                    let _: Poll<()> = pin!(tokio::task::yield_now()).poll(cx);
                    return Poll::Pending;
                }
                if may_time_out || !wishes.read {
                    return Poll::Ready(CloseCause::WriteTimeout {
                        after: self.write_timeout,
                    });
                }
                is_due = true;
            }
            if !is_due {
                self.overdue = 0;
            }
            let mut progress = written && wishes.more;
            if wishes.read {
                match self.poll_read(cx) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(self.end()),
                    Poll::Ready(Ok(read)) => {
                        self.hand_over(shared, now, read);
                        taken += read;
                        if is_due {
                            self.overdue += read;
                        }
                        if taken >= TURN {
                            let _: Poll<()> = pin!(tokio::task::yield_now()).poll(cx);
                            return Poll::Pending;
                        }
                        (progress, is_drained) = (true, false);
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(self.cause_of(&error)),
                    // The runtime may not have heard yet of what came during a pause.
                    Poll::Pending if is_due && self.transport.has_unread() => {
                        let _: Poll<()> = pin!(tokio::task::yield_now()).poll(cx);
                        return Poll::Pending;
                    }
                    Poll::Pending if is_due => (progress, is_drained) = (true, true),
                    Poll::Pending => {}
                }
            }
            if !progress {
                self.tidy(shared, now);
            }
            progress |= self.poll_alarm(cx, wishes.timeout);
            if !progress {
                return Poll::Pending;
            }
        }
    }

    /// Lets the engine know of the time and of a wish to stop, and takes its output when there is
    /// none left to write: what a slow server hasn't taken stays where the queue's limits count
    /// it. Deadlines that have passed count only if it `may_time_out`, or if nothing is to be
    /// read.
    fn ask(
        &mut self,
        state: &mut State,
        cx: &Context<'_>,
        now: Instant,
        may_time_out: bool,
        events: &mut Vec<Event>,
    ) -> Wishes {
        state.watch_as_driver(cx);
        // Until CONNACK there is nothing to hold up.
        let reading = !(state.router.is_holding_up() && state.engine.is_connected());
        state.engine.set_listening(reading && !self.holds, now);
        let may_time_out = may_time_out || !(reading && state.engine.read_interest());
        let mut is_due = state.engine.poll_timeout().is_some_and(|due| due <= now);
        if is_due && may_time_out {
            state.engine.handle_timeout(now);
            is_due = false;
        }
        state.handle_deadline(now);
        // At once: streams end before anything new is opened under their filters.
        state.deliver(events);
        if self.output.is_empty() && self.broken.is_none() {
            state.transmit(&mut self.output, now);
            self.holds = self.output.is_empty() && state.engine.has_output();
            state.engine.set_listening(reading && !self.holds, now);
        } else if !self.output.is_empty() {
            state.engine.limit_unsent(now);
        }
        if state.engine.declines_messages() && state.router.has_drained() {
            state.engine.leave_declined();
        }
        let stop = state.stop_by(now);
        if stop.is_over && (stop.has_nothing || may_time_out) {
            state.disconnect();
        } else {
            is_due |= stop.is_over;
        }
        let close = state.engine.should_close();
        if close && self.closing_until.is_none() {
            // What the engine still has can't be kept, so it never leaves.
            let is_barred =
                self.output.is_empty() && state.kept.as_ref().is_some_and(|kept| kept.has_failed());
            self.closing_until = Some(if is_barred { now } else { now + CLOSING_TIME });
            self.says_farewell =
                !is_barred && (!self.output.is_empty() || state.engine.has_output());
        }
        Wishes {
            close,
            // A server that is stuck because nobody reads wouldn't take our DISCONNECT either.
            read: close || reading && state.engine.read_interest(),
            more: self.broken.is_none() && state.engine.has_output(),
            timeout: state
                .engine
                .poll_timeout()
                .into_iter()
                .chain(state.deadline())
                .chain(stop.until)
                .chain(self.closing_until)
                .min(),
            is_due: is_due && !close,
        }
    }

    /// Whether the time for closing is over.
    fn is_over(&self, now: Instant) -> bool {
        self.closing_until.is_some_and(|until| until <= now)
    }

    /// The server has closed its side.
    fn end(&self) -> CloseCause {
        self.broken
            .as_ref()
            .map_or(CloseCause::Eof, |broken| broken.cause.clone())
    }

    /// How much of what the engine gave last the transport hasn't taken.
    pub(crate) fn unwritten(&self) -> usize {
        self.broken
            .as_ref()
            .map_or(self.output.len(), |broken| broken.unwritten)
    }

    /// Writes and flushes; ready when nothing is left, or nothing can be written any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.output.len();
        let written = self.poll_write_all(cx);
        if written.is_ready() || self.output.len() < before {
            (self.write_deadline, self.has_tried_again) = (None, false);
        }
        if written.is_pending() && self.write_deadline.is_none() {
            self.write_deadline = now().checked_add(self.write_timeout);
        }
        written
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.output.is_empty() {
            match ready!(Pin::new(&mut self.transport).poll_write(cx, &self.output)) {
                Ok(0) => self.break_off(&io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    if let Some(watch) = &mut self.watch {
                        watch.wrote(self.output.get(..written).unwrap_or_default(), now());
                    }
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
        let (cause, until) = (self.cause_of(error), now() + LAST_WORDS);
        self.broken = Some(Box::new(Broken {
            cause,
            until,
            unwritten: self.output.len(),
        }));
        self.output.clear();
        self.needs_flush = false;
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let size = self.make_space();
        let read =
            ready!(pin!(self.transport.read_buf(&mut (&mut self.input).limit(size))).poll(cx))?;
        if read >= self.read_size {
            self.read_size = (self.read_size * 2).clamp(SMALLEST_READ, LARGEST_READ);
        }
        Poll::Ready(Ok(read))
    }

    /// Makes space for the next read, and returns its size. A large packet of which a quarter has
    /// come gets a buffer of its own size: until then the buffer doubles, so nobody gets memory
    /// by announcing a packet.
    fn make_space(&mut self) -> usize {
        let spare = self.input.capacity() - self.input.len();
        if spare < self.read_size
            && self.input.len() >= LARGEST_READ
            && let Ok(Some(header)) = FixedHeader::peek(&self.input, u32::MAX)
            && let Some(missing) = header
                .packet_len()
                .checked_sub(self.input.len())
                .filter(|missing| *missing > 0)
        {
            if spare >= missing {
                return missing.min(self.read_size);
            }
            if self.input.len() >= header.packet_len() / 4 {
                let mut whole = BytesMut::with_capacity(header.packet_len());
                whole.extend_from_slice(&self.input);
                self.input = whole;
                return missing.min(self.read_size);
            }
        }
        // Messages that wait keep the buffer that they were read into. The next read goes behind them
        // while a quarter of its size is free there: otherwise each small read would hold a buffer
        // of its own.
        let fits = spare >= self.read_size / 4;
        if spare < self.read_size && fits && !self.input.try_reclaim(self.read_size) {
            return spare;
        }
        self.input.reserve(self.read_size);
        self.read_size
    }

    fn hand_over(&mut self, shared: &Shared, now: Instant, read: usize) {
        self.read_since_detached += read;
        let detaches = self.read_since_detached >= DETACH_AFTER;
        if let Some(watch) = &self.watch {
            watch.read(&self.input, now);
        }
        let mut events = Vec::new();
        shared.drive(|state| {
            state.engine.handle_input(&mut self.input, now);
            state.deliver(&mut events);
            if detaches {
                state.router.detach_messages();
            }
            if state.engine.should_close() {
                // Nobody will look at the rest.
                self.input.clear();
            }
        });
        if detaches {
            self.read_since_detached = 0;
        }
        events.into_iter().for_each(|event| shared.tell(event));
    }

    /// An idle connection holds no buffers: they are given back a while after they were needed, and
    /// once in a while when there is much to do.
    fn tidy(&mut self, shared: &Shared, now: Instant) {
        match self.tidy_at {
            Some(at) if at <= now => {
                self.tidy_at = None;
                self.read_size = FIRST_READ;
                give_back(&mut self.input);
                give_back(&mut self.output);
                shared.drive(State::give_back_memory);
            }
            None if has_spare(&self.input) || has_spare(&self.output) => {
                self.tidy_at = now.checked_add(IDLE);
            }
            _ => {}
        }
    }

    /// Whether the time has come for something.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> bool {
        let until = self.broken.as_ref().map(|broken| broken.until);
        let due = due.into_iter().chain(until).chain(self.write_deadline);
        self.alarm.poll(cx, due.chain(self.tidy_at).min())
    }

    fn cause_of(&self, error: &io::Error) -> CloseCause {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => CloseCause::Eof,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted => CloseCause::Reset,
            _ => CloseCause::Transport(TransportError::from_io(error, self.peer)),
        }
    }

    async fn close(&mut self) {
        if self.transport.shutdown().await.is_err() {
            return;
        }
        // A socket that is closed with unread bytes is reset, and a reset may overtake our
        // DISCONNECT.
        while self.says_farewell
            && matches!(self.transport.read_buf(&mut self.input).await, Ok(1..))
        {
            self.input.clear();
        }
    }
}

fn has_spare(buffer: &BytesMut) -> bool {
    buffer.capacity() > buffer.len()
}

/// What is left of a packet keeps its bytes, and no room beside them.
fn give_back(buffer: &mut BytesMut) {
    if has_spare(buffer) {
        *buffer = BytesMut::from(&buffer[..]);
    }
}
