//! The driver of one connection: it owns the socket and the clock, and decides nothing.

use core::future::{Future, pending, poll_fn, ready};
use core::pin::Pin;
use core::task::Poll;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use crate::authorizer::{Grant, Refusal};
use crate::event::Event;
use crate::net::clock::{instant, now};
use crate::net::handshake_slots::HandshakeSlot;
use crate::net::other_protocol::OtherProtocol;
use crate::net::shared::Shared;
use crate::net::transport::Transport;
use crate::net::websocket::WebSocketEnd;
use crate::server::{Close, Connection, Peer, RandomIds};
use crate::uuid;

/// Serves one client until its connection is over.
pub(crate) async fn serve(
    stream: impl Transport,
    peer: Peer,
    slot: HandshakeSlot,
    shared: Arc<Shared>,
) {
    let (reader, writer) = tokio::io::split(stream);
    let wake = Arc::new(Notify::new());
    let ids = RandomIds {
        connection: uuid::random(),
        client: uuid::random(),
    };
    let settings = Arc::clone(&shared.settings);
    let connection = Connection::new(settings, peer, ids, Arc::clone(&wake), instant());
    let input = BytesMut::with_capacity(READ_SIZE);
    let socket = Socket {
        reader,
        writer,
        input,
        connection,
        wake,
        shared,
        authorization: None,
        write_at: None,
        is_flushed: true,
        slot: Some(slot),
    };
    socket.run().await;
}

struct Socket<T> {
    reader: ReadHalf<T>,
    writer: WriteHalf<T>,
    input: BytesMut,
    connection: Connection,
    wake: Arc<Notify>,
    shared: Arc<Shared>,
    /// The authorizers are being asked.
    authorization: Option<Pin<Box<dyn Future<Output = Authorization> + Send>>>,
    /// Set while there is something to send: now, or later where a fault delays it.
    write_at: Option<Instant>,
    is_flushed: bool,
    /// Slot until the CONNACK.
    slot: Option<HandshakeSlot>,
}

type Authorization = Result<Grant, Refusal>;

/// Reason for which the task was woken.
enum WakeReason {
    Read(io::Result<usize>),
    Written(io::Result<()>),
    Decided(Authorization),
    Stopping,
    /// Another client took the slot.
    Evicted,
    /// There is something from another connection, or more than one turn's work.
    Called,
    /// A deadline.
    Woken,
}

impl<T: Transport> Socket<T> {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut in_turn = None;
        loop {
            // Handle what there is, send, then sleep until something happens.
            self.turn();
            drop(in_turn.take());
            // The turn may have ended the connection: what is in the output is still sent.
            if let Some(close) = self.connection.output.close {
                return self.close(close).await;
            }
            let happened = self.next().await;
            if matches!(happened, WakeReason::Called) {
                // Those with messages to deliver queue up here and not before the runtime's
                // workers, where whoever connects, asks or pings would have to wait
                // after all of them.
                in_turn = shared.delivery_turns.acquire().await.ok();
            }
            self.handle(happened);
            if self.connection.is_silent(instant()) {
                self.read_what_is_there().await;
            }
        }
    }

    /// Reads what the client has sent already, without waiting for more: this process may have been
    /// paused for longer than the client may be silent.
    async fn read_what_is_there(&mut self) {
        while self.connection.wants_input() && self.input.len() < LARGE_BUFFER {
            self.input.reserve(READ_SIZE);
            let read = tokio::select! {
                biased;
                read = self.reader.read_buf(&mut self.input) => read,
                () = ready(()) => return,
            };
            match read {
                Ok(0) | Err(_) => return self.handle(WakeReason::Read(read)),
                Ok(_) => {
                    self.connection
                        .handle_input(&mut self.input, &mut self.shared.hub(), now());
                }
            }
        }
    }

    /// Everything that one wake-up brings is handled under one lock.
    fn turn(&mut self) {
        let now = now();
        {
            let hub = &mut self.shared.hub();
            // Input first: what has come is no silence.
            self.connection.handle_input(&mut self.input, hub, now);
            if self
                .connection
                .poll_timeout()
                .is_some_and(|at| at <= now.instant)
            {
                self.connection.handle_timeout(hub, now);
            }
            self.connection.poll_deliveries(hub, now);
            let buffered = self.input.capacity() + self.connection.output.bytes.capacity();
            self.connection.report_buffers(buffered, hub, now.instant);
        }
        // With its CONNACK a client has no handshake any more.
        if !self.connection.is_pending() {
            self.slot = None;
        }
        // After unlocking: the callback of the log may take its time.
        for event in self.connection.output.events.drain(..) {
            self.shared.emit(event);
        }
        if let Some(credentials) = self.connection.poll_authorization() {
            // The CONNECT is here: from now on the queue of the authorizer says how many may wait.
            self.slot = None;
            let shared = Arc::clone(&self.shared);
            self.authorization = Some(Box::pin(async move {
                shared
                    .authorizers
                    .authorize(&credentials, &shared.log)
                    .await
            }));
        }
        if self.has_output() {
            let delay = self.shared.settings.faults.delay().unwrap_or_default();
            // The delay counts from the first byte that waits: later bytes don't extend it.
            self.write_at.get_or_insert(now.instant + delay);
        }
    }

    async fn next(&mut self) -> WakeReason {
        // An authorization that is there counts, even if the client has closed its side by now.
        if let Some(authorization) = decided_already(&mut self.authorization).await {
            return WakeReason::Decided(authorization);
        }
        // What has come is handled first, or there would be no bound to it.
        let more = self.connection.has_more_work();
        // While the authorizers are asked, nothing is handled; reading a little shows whether the
        // client is still there.
        let watches = self.connection.is_pending()
            && self.authorization.is_some()
            && self.input.len() < READ_SIZE;
        let wants_input = (self.connection.wants_input() || watches) && !more;
        let writes = self.write_at.is_some_and(|at| at <= instant());
        // A delayed write is a deadline like those of the connection.
        let deadline = [
            self.connection.poll_timeout(),
            self.write_at.filter(|_| !writes),
        ];
        let deadline = deadline.into_iter().flatten().min();
        let output = &mut self.connection.output.bytes;
        // Memory of a large packet is given back while the connection is idle.
        shrink(&mut self.input);
        shrink(output);
        if wants_input {
            self.input.reserve(READ_SIZE);
        }
        tokio::select! {
            read = self.reader.read_buf(&mut self.input), if wants_input => WakeReason::Read(read),
            written = write(&mut self.writer, output, &mut self.is_flushed), if writes => WakeReason::Written(written),
            authorization = decided(&mut self.authorization) => WakeReason::Decided(authorization),
            () = self.shared.stopping() => WakeReason::Stopping,
            () = self.wake.notified() => WakeReason::Called,
            () = evicted(&mut self.slot) => WakeReason::Evicted,
            () = yield_now(), if more => WakeReason::Called,
            () = at(deadline) => WakeReason::Woken,
        }
    }

    fn handle(&mut self, happened: WakeReason) {
        // The lock is taken where there is something to decide: most of what happens is for the
        // next turn.
        match happened {
            WakeReason::Read(Err(error)) if WebSocketEnd::of(&error).is_some() => {
                if let Some(end) = WebSocketEnd::of(&error) {
                    let hub = &mut self.shared.hub();
                    self.connection.handle_websocket_end(
                        end.to_string(),
                        end.is_close(),
                        hub,
                        now(),
                    );
                }
            }
            WakeReason::Read(Ok(0) | Err(_)) | WakeReason::Written(Err(_)) => {
                self.connection.handle_lost(&mut self.shared.hub(), now());
            }
            WakeReason::Decided(authorization) => {
                self.authorization = None;
                self.connection
                    .handle_authorization(authorization, &mut self.shared.hub(), now());
            }
            WakeReason::Stopping => self
                .connection
                .handle_shutdown(&mut self.shared.hub(), now()),
            WakeReason::Evicted => {
                self.slot = None;
                self.connection
                    .handle_eviction(&mut self.shared.hub(), now());
            }
            WakeReason::Read(Ok(_))
                if self.authorization.is_none() && self.connection.is_pending() =>
            {
                self.refuse_other_protocol();
            }
            WakeReason::Written(Ok(())) if !self.has_output() => self.write_at = None,
            WakeReason::Read(Ok(_))
            | WakeReason::Written(Ok(()))
            | WakeReason::Called
            | WakeReason::Woken => {}
        }
    }

    /// Closes the connection of a client that speaks TLS or HTTP: it is answered as for any malformed
    /// packet, and the log says what it speaks.
    fn refuse_other_protocol(&mut self) {
        let Some(other) = OtherProtocol::instead_of_mqtt(&self.input) else {
            return;
        };
        let hub = &mut self.shared.hub();
        let now = now();
        self.connection.handle_input(&mut self.input, hub, now);
        // Too few bytes for MQTT to be sure: the client is ended all the same.
        if self.connection.output.close.is_none() {
            // Its bytes could be the beginning of a long packet.
            self.input.clear();
            self.connection.handle_lost(hub, now);
        }
        for event in &mut self.connection.output.events {
            if let Event::Rejected { reason, .. } = event {
                *reason = other.to_string();
            }
        }
    }

    fn has_output(&self) -> bool {
        !self.connection.output.bytes.is_empty() || !self.is_flushed
    }

    async fn close(mut self, close: Close) {
        let mut stream = self.reader.unsplit(self.writer);
        match close {
            Close::Reset => {
                // With nothing left to linger for, closing resets.
                let _ = stream.tcp().set_zero_linger();
            }
            Close::Gracefully => {
                if self.write_at.is_some() {
                    at(self.write_at).await;
                }
                let output = &mut self.connection.output.bytes;
                let _ = timeout(LINGER, finish(&mut stream, output)).await;
            }
        }
    }
}

/// Cancel safe: what was written has left `output`, and the rest is still there.
async fn write(
    writer: &mut WriteHalf<impl Transport>,
    output: &mut BytesMut,
    is_flushed: &mut bool,
) -> io::Result<()> {
    if output.is_empty() {
        writer.flush().await?;
        *is_flushed = true;
        return Ok(());
    }
    *is_flushed = false;
    match writer.write_buf(output).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(()),
    }
}

/// Writes the rest and reads until the peer closes, too: closing with unread input resets the
/// connection, and the peer could lose the last packet.
async fn finish(stream: &mut impl Transport, output: &mut BytesMut) -> io::Result<()> {
    // A WebSocket that the client has closed takes no more, and its closing handshake still ends.
    let _ = stream.write_all_buf(output).await;
    linger(stream).await
}

/// Shuts a connection down and reads until the peer closes.
pub(crate) async fn linger(stream: &mut impl Transport) -> io::Result<()> {
    stream.shutdown().await?;
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn decided(
    authorization: &mut Option<Pin<Box<dyn Future<Output = Authorization> + Send>>>,
) -> Authorization {
    match authorization {
        Some(authorization) => authorization.await,
        None => pending().await,
    }
}

/// Authorization that is there without waiting; `None` otherwise.
async fn decided_already(
    authorization: &mut Option<Pin<Box<dyn Future<Output = Authorization> + Send>>>,
) -> Option<Authorization> {
    let authorization = authorization.as_mut()?;
    poll_fn(|context| match authorization.as_mut().poll(context) {
        Poll::Ready(authorization) => Poll::Ready(Some(authorization)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn evicted(slot: &mut Option<HandshakeSlot>) {
    match slot {
        Some(slot) => slot.evicted().await,
        None => pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// One large packet shouldn't keep its memory for as long as the connection lives.
fn shrink(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > LARGE_BUFFER {
        *buffer = BytesMut::new();
    }
}

const READ_SIZE: usize = 4 * 1024;
const LARGE_BUFFER: usize = 32 * 1024;
/// For sending what is left, and for the peer to close too.
const LINGER: Duration = Duration::from_secs(2);
