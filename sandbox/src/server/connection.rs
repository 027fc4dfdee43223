//! One client's connection: which packet is expected when, and which deadline is next.

use core::mem;
use core::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf as _, BytesMut};
use dunlin_codec::{
    ConnAck, ConnAckProperties, DecodeError, DecodeErrorKind, DecodeOptions, Disconnect,
    DisconnectProperties, Leniency, Packet, PacketType, ReasonCode, Sender,
};
use tokio::sync::Notify;

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::event::Event;
use crate::fault::Fault;
use crate::server::close_reason::{CloseReason, legal_code};
use crate::server::connect::{self, Pending};
use crate::server::hub::Hub;
use crate::server::limits::{HANDSHAKE_TIMEOUT, MAX_CONNECT_SIZE, SILENT_TIMEOUT, WORK_PER_TURN};
use crate::server::open::Open;
use crate::server::other_version::OtherVersion;
use crate::server::output::Output;
use crate::server::settings::Settings;

/// Who is at the other end of the socket.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The server name of the TLS handshake.
    pub(crate) server_name: Option<String>,
}

/// One connection, from the end of the TLS handshake on.
///
/// `handle_*` says what happened, `poll_*` asks what to do next; [`Self::output`] holds what is to
/// be sent.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: Arc<Settings>,
    peer: Peer,
    /// Notified when another connection has something for this one.
    wake: Arc<Notify>,
    state: State,
    pub(crate) output: Output,
}

#[derive(Debug)]
enum State {
    AwaitingConnect {
        until: Instant,
    },
    Authorizing(Box<Pending>),
    Open(Box<Open>),
    /// A fault: the client is left alone with what it got.
    Silent {
        until: Instant,
    },
    Closed,
}

impl Connection {
    pub(crate) fn new(
        settings: Arc<Settings>,
        peer: Peer,
        wake: Arc<Notify>,
        now: Instant,
    ) -> Self {
        let state = State::AwaitingConnect {
            until: now + HANDSHAKE_TIMEOUT,
        };
        Self {
            settings,
            peer,
            wake,
            state,
            output: Output::default(),
        }
    }

    /// Whether more input can be handled now. While it can't, no more should be read from the
    /// socket than shows that the client has gone.
    pub(crate) fn wants_input(&self) -> bool {
        let expects_packets = match &self.state {
            State::AwaitingConnect { .. } | State::Silent { .. } => true,
            State::Open(open) => !open.is_throttled(),
            State::Authorizing(_) | State::Closed => false,
        };
        expects_packets && !self.output.is_full()
    }

    /// Whether this connection stopped only to give the others their turn: then it should have
    /// another one at once.
    pub(crate) const fn has_more_work(&self) -> bool {
        self.output.close.is_none() && self.output.work >= WORK_PER_TURN
    }

    /// Whether the client is about to be disconnected for its silence: then what lies in the socket
    /// must be read first.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        matches!(&self.state, State::Open(open) if open.is_silent(now))
    }

    /// Whether the client has yet to be let in.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(
            self.state,
            State::AwaitingConnect { .. } | State::Authorizing(_)
        )
    }

    /// Takes whole packets off the front of `input`: all of them, or as many as one turn may have.
    pub(crate) fn handle_input(&mut self, input: &mut BytesMut, hub: &mut Hub, now: Instant) {
        self.output.work = 0;
        if let State::Open(open) = &mut self.state {
            open.refill(now);
        }
        while self.wants_input() && !self.has_more_work() {
            if matches!(self.state, State::Silent { .. }) {
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
            input.advance(handled);
            if let Err(end) = outcome {
                self.end(&end, hub, now);
            }
        }
    }

    /// The authorizers have decided about the credentials of [`Self::poll_authorization`].
    pub(crate) fn handle_authorization(
        &mut self,
        verdict: Result<Grant, Refusal>,
        hub: &mut Hub,
        now: Instant,
    ) {
        let outcome = match mem::replace(&mut self.state, State::Closed) {
            State::Authorizing(mut pending) => {
                match pending.handle_verdict(verdict, &self.settings, &mut self.output, hub, now) {
                    Ok(grant) => {
                        let open = pending.open(
                            grant,
                            &self.settings,
                            &self.wake,
                            &mut self.output,
                            hub,
                            now,
                        );
                        self.state = State::Open(Box::new(open));
                        Ok(())
                    }
                    Err(end) => {
                        self.state = State::Authorizing(pending);
                        Err(end)
                    }
                }
            }
            State::Open(mut open) => {
                let outcome = open.handle_refresh(verdict, &mut self.output, now);
                self.state = State::Open(open);
                outcome
            }
            other => {
                self.state = other;
                Ok(())
            }
        };
        if let Err(end) = outcome {
            self.end(&end, hub, now);
        }
    }

    /// The deadline of [`Self::poll_timeout`] has passed.
    pub(crate) fn handle_timeout(&mut self, hub: &mut Hub, now: Instant) {
        let outcome = match &mut self.state {
            State::AwaitingConnect { until } if *until <= now => Err(CloseReason::told(
                ReasonCode::ProtocolError,
                "no CONNECT came within 10 seconds",
            )),
            State::Silent { until } if *until <= now => Err(CloseReason::Dropped),
            State::Open(open) => open.handle_timeout(now),
            State::AwaitingConnect { .. }
            | State::Silent { .. }
            | State::Authorizing(_)
            | State::Closed => Ok(()),
        };
        if let Err(end) = outcome {
            self.end(&end, hub, now);
        }
    }

    /// The socket is gone.
    pub(crate) fn handle_lost(&mut self, hub: &mut Hub, now: Instant) {
        self.end(&CloseReason::Lost, hub, now);
    }

    /// Others wait to be let in, and this client has had its time.
    pub(crate) fn handle_eviction(&mut self, hub: &mut Hub, now: Instant) {
        if self.is_pending() {
            self.end(
                &CloseReason::told(ReasonCode::ServerBusy, "too many clients wait to be let in"),
                hub,
                now,
            );
        }
    }

    /// The sandbox stops.
    pub(crate) fn handle_shutdown(&mut self, hub: &mut Hub, now: Instant) {
        let (code, reason) = match self.state {
            State::Open(_) => (ReasonCode::ServerShuttingDown, "the sandbox stops"),
            _ => (ReasonCode::ServerUnavailable, "the sandbox stops"),
        };
        self.end(&CloseReason::told(code, reason), hub, now);
    }

    /// Moves messages that wait for this client into the output, as many as there is room for.
    pub(crate) fn poll_deliveries(&mut self, hub: &mut Hub, now: Instant) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        if let Err(end) = open.deliver(&mut self.output, hub, now) {
            self.end(&end, hub, now);
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

    /// What the buffers of this connection take, so that all of them together stay within bounds.
    pub(crate) fn report(&self, buffered: usize, hub: &mut Hub, now: Instant) {
        if let State::Open(open) = &self.state {
            hub.charge_buffers(
                open.attached.connection,
                buffered + open.credentials_size,
                &self.wake,
                now,
            );
        }
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::AwaitingConnect { until } | State::Silent { until } => Some(*until),
            State::Open(open) => Some(open.next_deadline()),
            State::Authorizing(_) | State::Closed => None,
        }
    }

    fn decode_options(&self) -> DecodeOptions {
        let most = self.settings.rules().maximum_packet_size;
        let max_packet_size = if self.is_pending() {
            most.min(MAX_CONNECT_SIZE)
        } else {
            most
        };
        DecodeOptions {
            max_packet_size,
            ..DECODE_OPTIONS
        }
    }

    /// How the connection ends over bytes that are no packet of MQTT 5.
    fn undecodable(&self, error: DecodeError, input: &[u8]) -> CloseReason {
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
        now: Instant,
    ) -> Result<(), CloseReason> {
        match &mut self.state {
            State::AwaitingConnect { .. } => match packet {
                Packet::Connect(connect) => {
                    let weight = hub.weight();
                    let pending = Pending::new(
                        connect,
                        &self.peer,
                        &self.settings,
                        &weight,
                        &mut self.output,
                        now,
                    )?;
                    // From here on a refusal names the client in the log.
                    self.state = State::Authorizing(Box::new(pending));
                    connect::check(connect, self.settings.rules(), hub)?;
                    self.apply_connect_faults(now)
                }
                // [MQTT-3.1.0-1]
                _ => Err(CloseReason::told(
                    ReasonCode::ProtocolError,
                    "the first packet must be CONNECT",
                )),
            },
            State::Open(open) => open.handle_packet(packet, length, &mut self.output, hub, now),
            State::Authorizing(_) | State::Silent { .. } | State::Closed => Ok(()),
        }
    }

    fn apply_connect_faults(&mut self, now: Instant) -> Result<(), CloseReason> {
        let faults = &self.settings.faults;
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

    fn end(&mut self, end: &CloseReason, hub: &mut Hub, now: Instant) {
        let state = mem::replace(&mut self.state, State::Closed);
        match state {
            State::AwaitingConnect { .. } => {
                self.refuse(end);
                let event = Event::Rejected {
                    peer: self.peer.address,
                    reason: end.log_reason(),
                };
                self.output.log(event);
            }
            State::Authorizing(pending) => {
                self.refuse(end);
                self.output.log(pending.refused(end, now));
            }
            State::Open(open) => {
                if let Some((reason_code, reason)) = end.wire_reason() {
                    let reason_code = legal_code(reason_code, PacketType::Disconnect);
                    self.output.send_explained(reason, |reason_string| {
                        let properties = DisconnectProperties {
                            reason_string,
                            ..DisconnectProperties::default()
                        };
                        Packet::Disconnect(Disconnect {
                            reason_code,
                            properties,
                        })
                    });
                }
                open.end(end, &mut self.output, hub, now);
            }
            State::Silent { .. } | State::Closed => {}
        }
        self.output.close.get_or_insert_with(|| end.close());
    }

    fn refuse(&mut self, end: &CloseReason) {
        if let CloseReason::OtherVersion(other) = end {
            return self.output.bytes.extend_from_slice(other.connack());
        }
        let Some((reason_code, reason)) = end.wire_reason() else {
            return;
        };
        let reason_code = legal_code(reason_code, PacketType::ConnAck);
        self.output.send_explained(reason, |reason_string| {
            let properties = ConnAckProperties {
                reason_string,
                ..ConnAckProperties::default()
            };
            // [MQTT-3.2.2-6]
            Packet::ConnAck(ConnAck {
                session_present: false,
                reason_code,
                properties,
            })
        });
    }
}

const DECODE_OPTIONS: DecodeOptions = DecodeOptions {
    max_packet_size: MAX_CONNECT_SIZE,
    sender: Sender::Client,
    leniency: Leniency {
        dup_at_qos_0: false,
        session_present_on_refusal: false,
    },
};

/// A CONNACK with its reserved flags set. [MQTT-3.2.2-1]
const MALFORMED_CONNACK: [u8; 5] = [0x20, 0x03, 0xFE, 0x00, 0x00];
