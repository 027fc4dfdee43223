//! The client's side of a connection: an engine, driven as the tokio driver does it, every packet
//! of it checked.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use dunlin_client::codec::{
    Connect, DecodeOptions, Delivery, ErrorScope, FixedHeader, Packet, PacketBuf, ReasonCode,
    Sender,
};
use dunlin_client::engine::{CloseCause, Engine, Session};
use dunlin_client::{ConnectOptions, ConnectionError, EndCause};

use super::checks::{WaitingAcks, Wire};
use super::network::{End, Network};
use super::server::serial_of;
use super::store_model::StoreModel;
use super::transcript::Transcript;
use super::violation::{Checked, Violation, ensure};

/// A client without sockets and clock.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) wire: Wire,
    /// Acknowledgements of received messages that wait for earlier ones.
    pub(super) acks: WaitingAcks,
    /// Bytes read that aren't a whole packet yet.
    input: BytesMut,
    /// Output of the engine that the network hasn't taken yet.
    output: BytesMut,
    /// The same streams again, for the checks.
    checked_input: BytesMut,
    checked_output: BytesMut,
    /// Serials of messages written since the last look, for [`Deliveries`](super::checks::Deliveries).
    pub(super) written: Vec<usize>,
    /// An acknowledgement was read, or SUBSCRIBE or UNSUBSCRIBE was written, since this flag was
    /// last taken.
    pub(super) progresses: bool,
    /// Receive Maximum of the last CONNECT.
    pub(super) receive_maximum: usize,
    /// Since when the application declines messages on this connection; `None` if it doesn't.
    declining_since: Option<Instant>,
    /// The largest Receive Maximum that the next CONNECT may have because messages were declined.
    largest_window: Option<usize>,
    /// The reason code of DISCONNECT, once this connection has sent it.
    disconnected_with: Option<ReasonCode>,
    last_sent: Instant,
    /// Store of the session, should the process end.
    pub(super) store: StoreModel,
}

impl Driver {
    pub(super) fn new(options: ConnectOptions, now: Instant) -> Self {
        let mut engine = Engine::new(options);
        engine.recorder().start();
        Self {
            engine,
            store: StoreModel::new(now),
            wire: Wire::new(true),
            acks: WaitingAcks::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            checked_input: BytesMut::new(),
            checked_output: BytesMut::new(),
            written: Vec::new(),
            progresses: false,
            receive_maximum: 0,
            declining_since: None,
            largest_window: None,
            disconnected_with: None,
            last_sent: now,
        }
    }

    /// Discards output that isn't written yet: the connection is gone.
    pub(super) fn discard_output(&mut self) {
        self.checked_output.clear();
        let lost = std::mem::take(&mut self.output);
        self.engine.handle_unwritten(lost.len());
    }

    /// Another engine goes on with the session of this one.
    pub(super) fn move_session(
        &mut self,
        options: ConnectOptions,
        session: Session,
        now: Instant,
    ) -> Checked {
        self.engine = Engine::with_session(options, session);
        self.largest_window = None;
        self.acks.move_session();
        self.check_persisted(now)
    }

    /// Checks that the store holds the whole session.
    pub(super) fn check_persisted(&mut self, now: Instant) -> Checked {
        self.store.check(&mut self.engine, now)
    }

    /// The process ends, and another one finds what was kept.
    pub(super) fn restart_from_store(
        &mut self,
        options: ConnectOptions,
        now: Instant,
        transcript: &mut Transcript,
    ) -> Checked {
        // What was kept as sent may have been written.
        self.engine.poll_transmit(&mut self.output, now);
        let written = std::mem::take(&mut self.output);
        self.check_output(&written, transcript)?;
        match self.store.restore(now)? {
            Some(session) => self.move_session(options, session, now)?,
            None => {
                self.engine = Engine::new(options);
                self.largest_window = None;
                self.acks.move_session();
                self.engine.recorder().start();
            }
        }
        Ok(())
    }

    /// Writes down what has changed.
    pub(super) fn persist(&mut self, now: Instant) {
        self.store.persist(&mut self.engine, now);
    }

    /// A transport is open.
    pub(super) fn opens(&mut self, now: Instant) -> Checked {
        for buffer in [
            &mut self.input,
            &mut self.output,
            &mut self.checked_input,
            &mut self.checked_output,
        ] {
            buffer.clear();
        }
        self.wire.opens();
        self.acks.opens();
        self.last_sent = now;
        (self.declining_since, self.disconnected_with) = (None, None);
        self.engine
            .open(now)
            .map_err(|error| Violation::new("what is said in CONNECT can be said", error))
    }

    /// Writes up to `most` bytes, and takes the engine's output whenever the last one is written;
    /// whether there were any.
    pub(super) fn writes(
        &mut self,
        network: &mut Network,
        most: usize,
        now: Instant,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        let mut written = 0;
        loop {
            if self.output.is_empty() && self.take_output(now) {
                self.last_sent = now;
            }
            let before = self.output.clone();
            let some = network.up.write(&mut self.output, most - written);
            self.check_output(before.get(..some).unwrap_or_default(), transcript)?;
            written += some;
            if some == 0 {
                if !self.output.is_empty() {
                    self.engine.limit_unsent(now);
                }
                return Ok(written > 0);
            }
        }
    }

    /// Takes the engine's output once the store has it; returns `true` if there was any.
    fn take_output(&mut self, now: Instant) -> bool {
        self.store.has_staged(&mut self.engine, now)
            && self.engine.poll_transmit(&mut self.output, now)
    }

    /// Checks the packets that were just written.
    fn check_output(&mut self, written: &[u8], transcript: &mut Transcript) -> Checked {
        self.checked_output.extend_from_slice(written);
        while let Some(packet) = take(&mut self.checked_output, Sender::Client)? {
            transcript.say(format_args!("client sends {}", packet.packet()));
            self.wire.sends(&packet)?;
            match packet.packet() {
                Packet::Publish(publish) => self.written.extend(serial_of(publish.payload)),
                Packet::Subscribe(_) | Packet::Unsubscribe(_) => self.progresses = true,
                Packet::Connect(connect) => self.check_window(&connect.read())?,
                Packet::Disconnect(disconnect) => {
                    self.disconnected_with = Some(disconnect.reason_code);
                }
                _ => {}
            }
        }
        ensure(
            self.checked_output.is_empty() || !self.output.is_empty(),
            "output is whole packets",
            || format!("{:?}", self.checked_output),
        )
    }

    /// Reads up to `most` bytes if the engine wants any; whether there were any.
    pub(super) fn reads(
        &mut self,
        network: &mut Network,
        most: usize,
        now: Instant,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        if !self.engine.read_interest() {
            return Ok(false);
        }
        if network.down.read(&mut self.input, most) == 0 {
            return Ok(false);
        }
        let before = self.input.clone();
        self.engine.handle_input(&mut self.input, now);
        // What follows an end isn't looked at, and isn't judged.
        let taken = before.len().saturating_sub(self.input.len());
        self.checked_input
            .extend_from_slice(before.get(..taken).unwrap_or_default());
        loop {
            if let Some((delivery, len)) = faulty_message(&self.checked_input) {
                transcript.say(format_args!("client reads a faulty message: {delivery:?}"));
                self.checked_input.advance(len);
                self.wire.receives_faulty(delivery);
                self.acks.receives(delivery, true);
                continue;
            }
            let Some(packet) = take(&mut self.checked_input, Sender::Server)? else {
                break;
            };
            transcript.say(format_args!("client reads {}", packet.packet()));
            self.wire.receives(&packet);
            if let Packet::Publish(publish) = packet.packet() {
                self.acks.receives(publish.delivery, false);
            }
            self.progresses |= matches!(
                packet.packet(),
                Packet::PubAck(_)
                    | Packet::PubRec(_)
                    | Packet::PubComp(_)
                    | Packet::SubAck(_)
                    | Packet::UnsubAck(_)
            );
        }
        Ok(true)
    }

    /// Lets time pass and handles each timeout when it is due; returns `true` if there was one.
    pub(super) fn waits(
        &mut self,
        now: &mut Instant,
        duration: Duration,
        network: Option<&mut Network>,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        let until = *now + duration;
        let mut some = false;
        let mut network = network;
        let mut most = MOST_TIMEOUTS;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            *now = due.max(*now);
            transcript.say(format_args!("client's time has come"));
            self.engine.handle_timeout(*now);
            some = true;
            most -= 1;
            ensure(most > 0, "time goes by between timeouts", || {
                format!("{due:?} again and again")
            })?;
            let again = self.engine.poll_timeout();
            ensure(
                again.is_none_or(|again| again > *now) || self.engine.has_output(),
                "a timeout that was handled is over",
                || format!("{again:?}"),
            )?;
            if let Some(network) = &mut network {
                self.writes(network, usize::MAX, *now, transcript)?;
            }
        }
        *now = until;
        Ok(some)
    }

    /// [MQTT-3.1.2-20]: at least one packet in every keep alive.
    pub(super) fn check_keep_alive(&self, keep_alive: u16, now: Instant) -> Checked {
        let silence = now.saturating_duration_since(self.last_sent);
        let fine = keep_alive == 0
            || !self.engine.is_connected()
            || !self.output.is_empty()
            || self.store.is_late
            || silence <= Duration::from_secs(keep_alive.into());
        ensure(fine, "[MQTT-3.1.2-20] a packet in every keep alive", || {
            format!("none in {silence:?} of {keep_alive} s")
        })
    }

    /// Notes that the application declines messages on this connection: the next one gets a smaller
    /// Receive Maximum.
    pub(super) fn expects_smaller_window(&mut self, now: Instant) {
        if self.engine.declines_messages() && self.declining_since.is_none() {
            self.declining_since = Some(now);
            self.largest_window = Some((self.wire.unacknowledged() / 2).max(1));
        }
    }

    /// A connection on which messages were declined lasts one second more at the most.
    pub(super) fn check_declining(&self, now: Instant) -> Checked {
        let Some(since) = self.declining_since else {
            return Ok(());
        };
        let lasted = now.saturating_duration_since(since);
        ensure(
            lasted < Duration::from_secs(1) || !self.engine.is_connected(),
            "a connection that declines messages ends within a second",
            || format!("{lasted:?}"),
        )
    }

    fn check_window(&mut self, connect: &Connect<'_>) -> Checked {
        let announced = connect.properties.receive_maximum;
        let announced = announced.map_or(65_535, |maximum| usize::from(maximum.get()));
        self.receive_maximum = announced;
        let largest = self.largest_window.take();
        ensure(
            largest.is_none_or(|largest| announced <= largest),
            "after messages were declined, Receive Maximum is half of what was unacknowledged",
            || format!("{announced} of {largest:?}"),
        )
    }

    /// Cause for closing the connection, if there is one: the engine wants to close, or the network
    /// has.
    pub(super) fn close_cause(&self, network: &Network) -> Option<CloseCause> {
        if self.engine.should_close() {
            return (self.output.is_empty() && !self.engine.has_output())
                .then_some(CloseCause::Eof);
        }
        match network.down.end() {
            End::None => None,
            End::Closed => Some(CloseCause::Eof),
            End::Cut => Some(CloseCause::Reset),
        }
    }

    /// The transport is closed.
    pub(super) fn closes(
        &mut self,
        cause: CloseCause,
        now: Instant,
        transcript: &mut Transcript,
    ) -> Checked<EndCause> {
        // If not, the network ended it, and nothing more was sent.
        let has_left = self.engine.should_close() && !self.has_output();
        self.discard_output();
        self.engine.set_now(now);
        let ended = self.engine.handle_closed(cause);
        transcript.say(format_args!("client's connection ended: {ended:?}"));

        let lacks_memory = matches!(
            &ended,
            EndCause::Connection(cause) if matches!(**cause, ConnectionError::MemoryBudget { .. })
        );
        if lacks_memory {
            ensure(
                !has_left || self.disconnected_with == Some(ReasonCode::QuotaExceeded),
                "a client without memory disconnects with 0x97",
                || format!("{:?}", self.disconnected_with),
            )?;
        } else {
            // Another end lets the window grow again.
            self.largest_window = None;
        }
        Ok(ended)
    }

    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty() || self.engine.has_output()
    }
}

/// Timeouts in one step of a run: far more than the longest one brings, at a keep alive of 5 s.
const MOST_TIMEOUTS: usize = 10_000;

/// The delivery and the length of a message at the front of `seen` that is wrong in itself, and
/// nothing else.
fn faulty_message(seen: &[u8]) -> Option<(Delivery, usize)> {
    let options = DecodeOptions::any_size().with_sender(Sender::Server);
    let ErrorScope::Message(message) = Packet::decode_with(seen, &options).err()?.scope else {
        return None;
    };
    let header = FixedHeader::peek(seen, u32::MAX).ok()??;
    Some((message.delivery, header.packet_len()))
}

fn take(seen: &mut BytesMut, sender: Sender) -> Checked<Option<PacketBuf>> {
    let options = DecodeOptions::any_size().with_sender(sender);
    PacketBuf::take(seen, &options).map_err(|error| {
        Violation::new(
            "what both sides send are packets",
            format_args!("{error}: {:02x?}", &seen[..]),
        )
    })
}
