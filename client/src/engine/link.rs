//! The life of one network connection: opened, accepted, kept alive, ended.

use std::time::{Duration, Instant};

use dunlin_codec::{Disconnect, Packet, PacketType, ReasonCode};

use crate::disconnect::Farewell;
use crate::engine::auth::Exchange;
use crate::engine::open::Alive;
use crate::engine::{Engine, State};
use crate::error::{ConnectError, ConnectionError, Violation};
use crate::options::{CleanStart, OptionsError};
#[cfg(feature = "tokio")]
use crate::transport::TransportError;

/// Why a transport closed, as far as the transport knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// The server closed it, or this side did when it was told to.
    Eof,
    /// The server reset it.
    Reset,
    /// The transport took no output for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout), or whatever
    /// time the driver gives it: this side closed it.
    WriteTimeout {
        /// How long no byte was taken.
        after: Duration,
    },
    /// It failed.
    #[cfg(feature = "tokio")]
    Transport(TransportError),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Before the server had accepted it.
    Attempt(ConnectError),
    /// After that.
    Connection(ConnectionError),
}

impl Engine {
    /// A transport is open: CONNECT goes into the output.
    ///
    /// # Errors
    /// The options can't be said in a CONNECT; nothing was done.
    pub fn open(&mut self, now: Instant) -> Result<(), ConnectError> {
        self.pass_time(now);
        let client_id = self.client_id().to_owned();
        // Sessions belong to client identifiers.
        let other = self
            .session
            .client_id()
            .is_some_and(|established| established != client_id);
        let clean_start = other
            || self.session.is_given_up
            || match self.options.clean_start {
                CleanStart::Always => true,
                CleanStart::First => !self.session.established,
                CleanStart::Never => false,
            };
        self.clear_output();
        let (exchange, data) = self
            .options
            .authentication
            .as_ref()
            .map(Exchange::begin)
            .transpose()?
            .unzip();
        let data = data.flatten();
        let data = data.as_ref().map(|data| data.expose().as_slice());
        let configured = self.options.receive_maximum;
        self.announced_receive_maximum = self.receive_maximum();
        if self.reduced_receive_maximum.is_some() {
            self.options.receive_maximum = Some(self.announced_receive_maximum);
        }
        let encoded = self
            .options
            .encode(clean_start, &client_id, data, &mut self.output);
        self.options.receive_maximum = configured;
        encoded?;
        self.counts().packets_sent += 1;
        let in_doubt = std::mem::replace(&mut self.session.unanswered, true);
        self.state = State::Connecting {
            clean_start,
            since: now,
            exchange,
            in_doubt,
        };
        Ok(())
    }

    /// What DISCONNECT will say, instead of what the options said.
    ///
    /// # Errors
    /// As [`ConnectOptions::check`](crate::ConnectOptions::check) has for a farewell. Nothing was
    /// changed.
    pub fn set_farewell(&mut self, farewell: Farewell) -> Result<(), OptionsError> {
        farewell.check(self.options.session_expiry_interval)?;
        self.options.farewell = farewell;
        Ok(())
    }

    /// Sends DISCONNECT, with the options' [`Farewell`], behind everything that is in the output,
    /// and nothing more. [MQTT-3.14.4-1]
    pub fn disconnect(&mut self) {
        match &self.state {
            State::Open(connection) => {
                let farewell = self.options.farewell.clone();
                let fits = |packet: &Disconnect<'_>| {
                    let size = Packet::Disconnect(*packet).encoded_len();
                    size.is_ok_and(|size| connection.check_size(size).is_ok())
                };
                // Texts that don't fit are left out [MQTT-3.14.2-3] [MQTT-3.14.2-4], then the rest.
                // [MQTT-3.2.2-15]
                let user_properties = farewell.user_properties().unwrap_or_default();
                let packet = farewell
                    .to_packet(&user_properties)
                    .ok()
                    .filter(fits)
                    .or_else(|| Some(farewell.without_texts()).filter(fits))
                    .unwrap_or_default();
                self.send_packet(&Packet::Disconnect(packet));
                self.close(Ended::Connection(ConnectionError::Requested));
            }
            State::Connecting { .. } => self.close(Ended::Attempt(ConnectError::Stopped)),
            State::Disconnected | State::Closing { .. } => {}
        }
    }

    /// As [`disconnect`](Self::disconnect), and the server forgets the session, unless the options'
    /// [`Farewell::session_expiry_interval`] says otherwise. For a client whose session nobody goes
    /// on with.
    pub fn disconnect_ending_session(&mut self) {
        let outlives = self
            .options
            .session_expiry_interval
            .is_some_and(|seconds| seconds > 0);
        if outlives {
            self.options
                .farewell
                .session_expiry_interval
                .get_or_insert(0);
        }
        self.disconnect();
    }

    /// The connection is at its end: what is in the output may still leave.
    pub(super) fn close(&mut self, ended: Ended) {
        let unsent = match std::mem::replace(&mut self.state, State::Disconnected) {
            State::Open(connection) => self.session.left(connection),
            State::Connecting { .. } | State::Disconnected | State::Closing { .. } => Vec::new(),
        };
        self.state = State::Closing { ended, unsent };
    }

    /// Whether the transport is to be closed once the output is written.
    #[must_use]
    pub const fn should_close(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// Whether everything that was accepted has its outcome.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.session.operations.all_settled()
    }

    /// Whether everything that was accepted has its outcome and is on the wire.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.session.operations.all_settled() && self.output.is_empty()
    }

    /// The transport is closed. Requests stay for the next connection; what was left of the output
    /// is forgotten.
    pub fn handle_closed(&mut self, cause: CloseCause) -> Ended {
        self.clear_output();
        self.session.inbound.disconnected();
        self.abandon_reauthentication();
        let (ended, unsent) = match std::mem::replace(&mut self.state, State::Disconnected) {
            State::Closing { ended, unsent } => (ended, unsent),
            State::Open(connection) => {
                let ended = Ended::Connection(match cause {
                    CloseCause::Eof => ConnectionError::Closed,
                    #[cfg(feature = "tokio")]
                    CloseCause::Transport(error) => ConnectionError::Transport(error),
                    CloseCause::Reset => ConnectionError::Reset,
                    CloseCause::WriteTimeout { after } => ConnectionError::WriteTimeout { after },
                });
                (ended, self.session.left(connection))
            }
            State::Connecting { .. } | State::Disconnected => {
                let ended = Ended::Attempt(match cause {
                    CloseCause::Eof => ConnectError::Closed { reset: false },
                    CloseCause::Reset => ConnectError::Closed { reset: true },
                    CloseCause::WriteTimeout { after } => ConnectError::ConnAckTimeout { after },
                    #[cfg(feature = "tokio")]
                    CloseCause::Transport(error) => ConnectError::Transport(error),
                });
                (ended, Vec::new())
            }
        };
        if matches!(&ended, Ended::Connection(cause) if !matches!(cause, ConnectionError::MemoryBudget { .. }))
        {
            self.grow_receive_maximum();
        }
        if let Some(limit) = self
            .options
            .poison_guard
            .filter(|_| ended.may_be_over_a_message())
        {
            self.session.suspect(&unsent, limit);
        }
        self.session.unsend_all(&unsent);
        self.session.pause_ack_deadlines(self.now);
        ended
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called, unless something happens
    /// before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let connection = match &self.state {
            State::Connecting { since, .. } => since.checked_add(self.options.connack_timeout),
            State::Open(connection) => connection.deadline(),
            State::Disconnected => None,
            State::Closing { .. } => return None,
        };
        let unmatched = self
            .unmatched_until
            .filter(|_| self.session.inbound.has_unmatched());
        connection
            .into_iter()
            .chain(self.session.next_timeout())
            .chain(unmatched)
            .min()
    }

    /// It is `now`: what waited too long fails.
    pub(super) fn pass_time(&mut self, now: Instant) {
        self.now = Some(now);
        self.session.expire(now);
        if self.is_unmatched_wait_over() && self.session.inbound.has_unmatched() {
            self.send_due_acks();
        }
    }

    /// Says whether an answer could come: not while the application doesn't let the connection be
    /// read, nor while what is staged isn't kept. PINGREQ is sent as before, but the time for
    /// its answer stands still.
    pub fn set_listening(&mut self, listening: bool, now: Instant) {
        if let State::Open(connection) = &mut self.state {
            connection.set_listening(listening, now);
        }
    }

    /// Time has passed. It does so without a connection, too: messages expire.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.pass_time(now);
        self.leave_declined_in_time(now);
        match &mut self.state {
            State::Connecting { since, .. } => {
                let after = self.options.connack_timeout;
                if now.saturating_duration_since(*since) >= after {
                    self.close(Ended::Attempt(ConnectError::ConnAckTimeout { after }));
                }
            }
            State::Open(connection) => match connection.keep_alive(now) {
                Alive::Fine => {}
                Alive::Ping => self.send_packet(&Packet::PingReq),
                // 0x8D is for servers to say: the connection just ends. [U-3.1.2-1]
                Alive::Lost {
                    after,
                    keep_alive,
                    silent_for,
                } => {
                    let cause = ConnectionError::KeepAliveTimeout {
                        after,
                        keep_alive,
                        silent_for,
                    };
                    self.close(Ended::Connection(cause));
                }
                Alive::TooSlow { bytes, within } => {
                    self.close(Ended::Connection(ConnectionError::TooSlow {
                        bytes,
                        within,
                    }));
                }
            },
            State::Disconnected | State::Closing { .. } => {}
        }
        self.time_out_requests(now);
        self.time_out_reauthentication(now);
        if self.is_paced() {
            self.keep_pace(now);
        }
    }

    /// The server broke the protocol: it is told so, and the connection ends. [MQTT-4.13.2-1]
    pub(super) fn handle_violation(&mut self, violation: Violation) {
        let ended = match self.state {
            State::Open(_) => {
                let disconnect = Disconnect {
                    reason_code: violation.reason_code(),
                    ..Disconnect::default()
                };
                self.send_packet(&Packet::Disconnect(disconnect));
                Ended::Connection(ConnectionError::Protocol(violation))
            }
            _ => Ended::Attempt(ConnectError::Protocol(violation)),
        };
        self.close(ended);
    }
}

/// A packet that is well formed, but not allowed now.
pub(super) const fn conduct(
    packet_type: PacketType,
    fault: &'static str,
    statement: &'static str,
) -> Violation {
    Violation::Conduct {
        packet_type,
        fault,
        statement,
        reason_code: ReasonCode::ProtocolError,
    }
}
