//! State of the network connection: none, connecting, open, closing.

use std::time::Duration;

use dunlin_codec::{DecodeError, Disconnect, Packet, ReasonCode};

use super::connecting::Connecting;
use super::core::Core;
use super::open::Open;
use super::outbound::flow::Flow;
use crate::authentication::ReauthenticationError;
use crate::error::{ConnectError, ConnectionError, TransportError, Violation};

/// Reason why a transport closed, as far as the transport knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// The server closed the transport, or this side did because
    /// [`Engine::should_close`](super::Engine::should_close) said so.
    Eof,
    /// The server reset the transport.
    Reset,
    /// The transport took no output for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout), or another time that
    /// the driver chose: this side closed it.
    WriteTimeout {
        /// Time in which no byte was taken.
        after: Duration,
    },
    /// The transport failed.
    Transport(TransportError),
}

/// Reason why a connection, or an attempt to connect, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The attempt ended before the server had accepted the connection.
    Attempt(ConnectError),
    /// The server had accepted the connection.
    Connection(ConnectionError),
}

impl Ended {
    /// Whether the server may have closed the connection because of a message.
    const fn may_be_over_a_message(&self) -> bool {
        match self {
            Self::Attempt(_) => false,
            Self::Connection(error) => matches!(
                error,
                ConnectionError::Closed | ConnectionError::Reset | ConnectionError::Disconnected(_)
            ),
        }
    }

    /// Whether the connection ended because messages did not fit into the memory budget.
    pub(super) const fn is_memory_budget(&self) -> bool {
        matches!(self, Self::Connection(ConnectionError::MemoryBudget { .. }))
    }
}

/// State of the network connection.
#[derive(Debug)]
pub(super) enum State {
    /// There is no transport.
    Disconnected,
    /// CONNECT was written; CONNACK is awaited.
    Connecting(Connecting),
    /// The server accepted the connection.
    Open(Open),
    /// The connection ended: only the rest of the output is written, and nothing is read.
    Closing(Ended),
}

/// End of a connection that a packet or a deadline brings about.
#[derive(Debug)]
pub(super) enum Exit {
    /// The server broke the protocol. [MQTT-4.13.2-1]
    Violation(Violation),
    /// Any other end.
    Close(Box<Close>),
}

/// End of a connection: its reason, and the DISCONNECT that the server gets.
#[derive(Debug)]
pub(super) struct Close {
    ended: Ended,
    /// Reason code of DISCONNECT; `None` if none is sent.
    reason_code: Option<ReasonCode>,
}

impl Exit {
    /// Ends an open connection with a DISCONNECT.
    pub(super) fn disconnect(reason_code: ReasonCode, cause: ConnectionError) -> Self {
        Self::Close(Box::new(Close {
            ended: Ended::Connection(cause),
            reason_code: Some(reason_code),
        }))
    }

    /// Ends an open connection without a DISCONNECT.
    pub(super) fn connection(cause: ConnectionError) -> Self {
        Self::Close(Box::new(Close {
            ended: Ended::Connection(cause),
            reason_code: None,
        }))
    }

    /// Ends an attempt to connect.
    pub(super) fn attempt(error: ConnectError) -> Self {
        Self::Close(Box::new(Close {
            ended: Ended::Attempt(error),
            reason_code: None,
        }))
    }
}

impl From<Violation> for Exit {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<DecodeError> for Exit {
    fn from(error: DecodeError) -> Self {
        Self::Violation(error.into())
    }
}

impl State {
    /// Whether the server has accepted the connection.
    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Limits of the open connection; `None` in any other state.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(super) const fn flow(&self) -> Option<&Flow> {
        match self {
            Self::Open(open) => Some(&open.flow),
            Self::Disconnected | Self::Connecting(_) | Self::Closing(_) => None,
        }
    }

    /// The same, to send requests.
    #[inline]
    pub(super) const fn flow_mut(&mut self) -> Option<&mut Flow> {
        match self {
            Self::Open(open) => Some(&mut open.flow),
            Self::Disconnected | Self::Connecting(_) | Self::Closing(_) => None,
        }
    }

    /// Ends the connection, with a DISCONNECT where the server is to know the reason.
    pub(super) fn exit(&mut self, exit: Exit, core: &mut Core) {
        let (ended, reason_code) = match exit {
            Exit::Violation(violation) if self.is_open() => {
                let cause = ConnectionError::Protocol(violation);
                (Ended::Connection(cause), Some(violation.reason_code()))
            }
            Exit::Violation(violation) => (Ended::Attempt(ConnectError::Protocol(violation)), None),
            Exit::Close(close) => (close.ended, close.reason_code),
        };
        if let Some(reason_code) = reason_code {
            let disconnect = Disconnect {
                reason_code,
                ..Disconnect::default()
            };
            core.output
                .write_packet(&Packet::Disconnect(disconnect), &mut core.statistics);
        }
        self.close(ended, core);
    }

    /// Ends the connection. What is in the output may still be written.
    pub(super) fn close(&mut self, ended: Ended, core: &mut Core) {
        self.leave(core);
        *self = Self::Closing(ended);
    }

    /// Leaves an open connection.
    fn leave(&self, core: &mut Core) {
        // A session without an expiry interval has ended with its connection. [U-3.1.2-3]
        if let Self::Open(open) = self
            && open.flow.server.session_expiry_interval == 0
        {
            core.session.identity.is_established = false;
        }
    }

    /// Handles the end of the transport: requests stay for the next connection, and the rest of the
    /// output is dropped.
    pub(super) fn handle_closed(&mut self, cause: CloseCause, core: &mut Core) -> Ended {
        let unsent = core.output.clear();
        core.session.inbound.disconnected();
        self.leave(core);
        let ended = match std::mem::replace(self, Self::Disconnected) {
            Self::Closing(ended) => ended,
            Self::Open(_) => Ended::Connection(match cause {
                CloseCause::Eof => ConnectionError::Closed,
                CloseCause::Reset => ConnectionError::Reset,
                CloseCause::WriteTimeout { after } => ConnectionError::WriteTimeout { after },
                CloseCause::Transport(error) => ConnectionError::Transport(error),
            }),
            Self::Connecting(_) | Self::Disconnected => Ended::Attempt(match cause {
                CloseCause::Eof => ConnectError::Closed { reset: false },
                CloseCause::Reset => ConnectError::Closed { reset: true },
                CloseCause::WriteTimeout { after } => ConnectError::ConnAckTimeout { after },
                CloseCause::Transport(error) => ConnectError::Transport(error),
            }),
        };

        // A connection that ended for another reason than the memory budget may use more memory
        // next time.
        if matches!(ended, Ended::Connection(_)) && !ended.is_memory_budget() {
            core.receive_window.grow(&core.options);
        }

        // Requests that were sent wait for the next connection; the others are as new.
        let (outbound, statistics) = (&mut core.session.outbound, &mut core.statistics);
        let lost = ReauthenticationError::ConnectionLost.into();
        outbound.fail_reauthentication(lost, statistics);
        if let Some(limit) = core.options.poison_guard
            && ended.may_be_over_a_message()
        {
            let has_failed = outbound.suspect(&unsent, limit, statistics);
            core.session.identity.is_given_up |= has_failed;
        }
        outbound.unsend_all(&unsent, statistics);
        outbound.pause_ack_deadlines(core.now);
        ended
    }
}
