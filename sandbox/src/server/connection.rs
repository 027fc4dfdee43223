//! One client's connection: the packets that are expected in each state, and the next deadline.

use core::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf as _, BytesMut};
use dunlin_codec::{DecodeError, DecodeErrorKind, DecodeOptions, Packet, Sender};
use tokio::sync::Notify;

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::event::Event;
use crate::fault::Fault;
use crate::server::close_reason::CloseReason;
use crate::server::connect::Pending;
use crate::server::connect_check::check_connect;
use crate::server::hub::Hub;
use crate::server::limits::{HANDSHAKE_TIMEOUT, MAX_CONNECT_SIZE, SILENT_TIMEOUT, WORK_PER_TURN};
use crate::server::open::Open;
use crate::server::other_version::OtherVersion;
use crate::server::output::Output;
use crate::server::peer::{Peer, RandomIds};
use crate::server::settings::Settings;
use crate::server::timestamp::Timestamp;
use crate::server::turn::Turn;

/// One connection, from the end of the TLS handshake on.
///
/// The owner of the socket calls `handle_*` when something has happened and `poll_*` for what to do
/// next; [`Self::output`] holds what is to be sent.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: Arc<Settings>,
    peer: Peer,
    ids: RandomIds,
    /// Notified when another connection has something for this one.
    wake: Arc<Notify>,
    state: State,
    pub(crate) output: Output,
}

/// State of a connection, with the data of that state.
#[derive(Debug)]
enum State {
    AwaitingConnect {
        until: Instant,
    },
    Authorizing(Box<Pending>),
    Open(Box<Open>),
    /// A fault on demand: the client gets no answer any more.
    Silent {
        until: Instant,
    },
    Closed,
}

impl Connection {
    pub(crate) fn new(
        settings: Arc<Settings>,
        peer: Peer,
        ids: RandomIds,
        wake: Arc<Notify>,
        now: Instant,
    ) -> Self {
        let state = State::AwaitingConnect {
            until: now + HANDSHAKE_TIMEOUT,
        };
        Self {
            settings,
            peer,
            ids,
            wake,
            state,
            output: Output::default(),
        }
    }

    /// `true` if more input can be handled now. Otherwise the owner of the socket reads no more than
    /// it needs to notice that the client has gone.
    pub(crate) fn wants_input(&self) -> bool {
        let expects_packets = match &self.state {
            State::AwaitingConnect { .. } | State::Silent { .. } => true,
            // Over its rate a connection isn't read: TCP then slows the client down.
            State::Open(open) => !open.is_throttled(),
            State::Authorizing(_) | State::Closed => false,
        };
        expects_packets && !self.output.is_full()
    }

    /// `true` if this connection stopped only to let others work: it should go on soon.
    pub(crate) const fn has_more_work(&self) -> bool {
        self.output.close.is_none() && self.output.work >= WORK_PER_TURN
    }

    /// `true` if the client is about to be disconnected for its silence: then the socket must be
    /// read first.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        matches!(&self.state, State::Open(open) if open.is_silent(now))
    }

    /// `true` until the client has its CONNACK.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(
            self.state,
            State::AwaitingConnect { .. } | State::Authorizing(_)
        )
    }

    /// Takes whole packets off the front of `input`: all of them, or as many as one turn may handle.
    pub(crate) fn handle_input(&mut self, input: &mut BytesMut, hub: &mut Hub, now: Timestamp) {
        self.output.work = 0;
        if let State::Open(open) = &mut self.state {
            // A pause that is over must be ended before `wants_input` is asked.
            open.throttle.refill(now.instant);
        }
        while self.wants_input() && !self.has_more_work() {
            if matches!(self.state, State::Silent { .. }) {
                // Read and thrown away, so that the client isn't held up.
                return input.clear();
            }
            let (handled, outcome) = match Packet::decode_with(input, &self.decode_options()) {
                Ok(None) => return,
                Ok(Some((packet, length))) => {
                    self.output.work += 1;
                    (length, self.handle_packet(&packet, length, hub, now))
                }
                Err(error) => (input.len(), Err(self.undecodable(error, input))),
            };
            // Bytes that aren't a packet are discarded as a whole: after them no boundary is
            // known.
            input.advance(handled);
            if let Err(reason) = outcome {
                self.close(&reason, hub, now);
            }
        }
    }

    /// Handles the authorizers' answer about the credentials of [`Self::poll_authorization`].
    pub(crate) fn handle_authorization(
        &mut self,
        answer: Result<Grant, Refusal>,
        hub: &mut Hub,
        now: Timestamp,
    ) {
        let turn = &mut Turn::new(hub, &mut self.output, now);
        let (state, outcome) = match mem::replace(&mut self.state, State::Closed) {
            State::Authorizing(mut pending) => {
                match pending.handle_authorization(answer, &self.settings, turn) {
                    Ok(grant) => {
                        let open = pending.open(grant, &self.settings, &self.wake, turn);
                        (State::Open(Box::new(open)), Ok(()))
                    }
                    // The log line of the refusal needs what is known of the client.
                    Err(reason) => (State::Authorizing(pending), Err(reason)),
                }
            }
            State::Open(mut open) => {
                // The answer to a refresh of the policy.
                let outcome = open.handle_refresh(answer, turn);
                (State::Open(open), outcome)
            }
            other => (other, Ok(())),
        };
        self.state = state;
        if let Err(reason) = outcome {
            self.close(&reason, hub, now);
        }
    }

    /// Handles the deadline of [`Self::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, hub: &mut Hub, now: Timestamp) {
        let outcome = match &mut self.state {
            State::AwaitingConnect { until } if *until <= now.instant => Err(
                CloseReason::ProtocolError("no CONNECT came within 10 seconds"),
            ),
            State::Silent { until } if *until <= now.instant => Err(CloseReason::Dropped),
            State::Open(open) => open.handle_timeout(now.instant),
            State::AwaitingConnect { .. }
            | State::Silent { .. }
            | State::Authorizing(_)
            | State::Closed => Ok(()),
        };
        if let Err(reason) = outcome {
            self.close(&reason, hub, now);
        }
    }

    /// Handles the end of the socket.
    pub(crate) fn handle_lost(&mut self, hub: &mut Hub, now: Timestamp) {
        self.close(&CloseReason::Lost, hub, now);
    }

    /// Handles the end of a WebSocket for this reason. `is_close` is true for a close frame of the
    /// client, which counts as its DISCONNECT at AWS IoT Core.
    pub(crate) fn handle_websocket_end(
        &mut self,
        reason: String,
        is_close: bool,
        hub: &mut Hub,
        now: Timestamp,
    ) {
        let publishes_will = !(is_close && self.settings.rules().close_frame_is_disconnect);
        let reason = CloseReason::WebSocket {
            reason,
            publishes_will,
        };
        self.close(&reason, hub, now);
    }

    /// Gives up a client that has no CONNACK yet, for others that wait for theirs.
    pub(crate) fn handle_eviction(&mut self, hub: &mut Hub, now: Timestamp) {
        if self.is_pending() {
            self.close(&CloseReason::Busy, hub, now);
        }
    }

    /// Handles the end of the sandbox.
    pub(crate) fn handle_shutdown(&mut self, hub: &mut Hub, now: Timestamp) {
        let is_connected = matches!(self.state, State::Open(_));
        self.close(&CloseReason::Shutdown { is_connected }, hub, now);
    }

    /// Moves waiting messages into the output, as many as it takes.
    pub(crate) fn poll_deliveries(&mut self, hub: &mut Hub, now: Timestamp) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        let turn = &mut Turn::new(hub, &mut self.output, now);
        if let Err(reason) = open.deliver(turn) {
            self.close(&reason, hub, now);
        }
    }

    /// Credentials that the authorizers must decide about; each is given out once.
    pub(crate) fn poll_authorization(&mut self) -> Option<Credentials> {
        match &mut self.state {
            State::Authorizing(pending) => pending.poll_credentials(),
            State::Open(open) => open.poll_credentials(),
            State::AwaitingConnect { .. } | State::Silent { .. } | State::Closed => None,
        }
    }

    /// Reports the capacity of this connection's buffers, which all connections share a bound of.
    pub(crate) fn report_buffers(&self, buffered: usize, hub: &mut Hub, now: Instant) {
        if let State::Open(open) = &self.state {
            let bytes = buffered + open.credentials_size;
            hub.charge_buffers(open.attached.connection, bytes, &self.wake, now);
        }
    }

    /// Time of the next call of [`Self::handle_timeout`]; `None` for no deadline.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::AwaitingConnect { until } | State::Silent { until } => Some(*until),
            State::Open(open) => Some(open.next_deadline()),
            State::Authorizing(_) | State::Closed => None,
        }
    }

    fn decode_options(&self) -> DecodeOptions {
        let most = self.settings.rules().maximum_packet_size;
        // Before it is authorized, a client gets little memory.
        let max_packet_size = if self.is_pending() {
            most.min(MAX_CONNECT_SIZE)
        } else {
            most
        };
        DECODE_OPTIONS.with_max_packet_size(max_packet_size)
    }

    /// End of the connection for bytes that are no packet of MQTT 5.
    fn undecodable(&self, error: DecodeError, input: &[u8]) -> CloseReason {
        // Only the first packet may be a CONNECT of another version.
        let is_other_version = matches!(self.state, State::AwaitingConnect { .. })
            && error.kind == DecodeErrorKind::UnsupportedVersion;
        let other = OtherVersion::read(input).filter(|_| is_other_version);
        other.map_or_else(|| error.into(), CloseReason::OtherVersion)
    }

    fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        length: usize,
        hub: &mut Hub,
        now: Timestamp,
    ) -> Result<(), CloseReason> {
        let turn = &mut Turn::new(hub, &mut self.output, now);
        match &mut self.state {
            State::AwaitingConnect { .. } => {
                let Packet::Connect(connect) = packet else {
                    // [MQTT-3.1.0-1]
                    return Err(CloseReason::ProtocolError(
                        "the first packet must be CONNECT",
                    ));
                };
                let connect = &connect.read();
                let (peer, ids, settings) = (&self.peer, &self.ids, &self.settings);
                let pending = Pending::new(connect, peer, ids, settings, turn)?;
                // From here on a refusal names the client in the log.
                self.state = State::Authorizing(Box::new(pending));
                check_connect(connect, self.settings.rules(), hub)?;
                self.apply_connect_faults(now.instant)
            }
            State::Open(open) => open.handle_packet(packet, length, turn),
            State::Authorizing(_) | State::Silent { .. } | State::Closed => Ok(()),
        }
    }

    /// Applies the faults on demand that a CONNECT provokes.
    fn apply_connect_faults(&mut self, now: Instant) -> Result<(), CloseReason> {
        let faults = &self.settings.faults;
        // Of several faults one happens: no answer, then a refusal, a broken CONNACK, silence.
        if faults.has(&Fault::DropOnConnect) || faults.has(&Fault::NoAlpn) {
            return Err(CloseReason::Dropped);
        }
        if let Some((reason_code, reason)) = faults.connack() {
            return Err(CloseReason::Fault {
                reason_code,
                reason_string: reason.map(Into::into),
            });
        }
        if faults.has(&Fault::Malformed) {
            self.output.bytes.extend_from_slice(&MALFORMED_CONNACK);
        }
        if faults.has(&Fault::Malformed) || faults.has(&Fault::Silent) {
            self.state = State::Silent {
                until: now + SILENT_TIMEOUT,
            };
        }
        Ok(())
    }

    /// Ends the connection: sends its last packet, writes the log line, and leaves the socket to be
    /// closed by its owner.
    fn close(&mut self, reason: &CloseReason, hub: &mut Hub, now: Timestamp) {
        // The state is taken, so that nothing ends twice.
        match mem::replace(&mut self.state, State::Closed) {
            State::AwaitingConnect { .. } => {
                reason.send_connack(&mut self.output);
                let event = Event::Rejected {
                    peer: self.peer.address,
                    reason: reason.log_reason(),
                };
                self.output.log(event);
            }
            State::Authorizing(pending) => {
                reason.send_connack(&mut self.output);
                self.output.log(pending.refused(reason, now.instant));
            }
            State::Open(open) => {
                reason.send_disconnect(&mut self.output);
                open.close(reason, &mut Turn::new(hub, &mut self.output, now));
            }
            State::Silent { .. } | State::Closed => {}
        }
        // The first reason counts; output that was queued before is sent unless it says otherwise.
        self.output.close.get_or_insert_with(|| reason.close());
    }
}

const DECODE_OPTIONS: DecodeOptions = DecodeOptions::new()
    .with_max_packet_size(MAX_CONNECT_SIZE)
    .with_sender(Sender::Client);

/// A CONNACK with its reserved flags set. [MQTT-3.2.2-1]
const MALFORMED_CONNACK: [u8; 5] = [0x20, 0x03, 0xFE, 0x00, 0x00];
