//! State of the network connection: none, connecting, open, closing.

use dunlin_codec::{Disconnect, Packet};

use super::connecting::Connecting;
use super::core::Core;
use super::exit::{CloseCause, Exit};
use super::open::Open;
use super::outbound::flow::Flow;
use crate::authentication::ReauthenticationError;
use crate::error::{ConnectError, ConnectionError, EndCause};

/// State of the network connection.
#[expect(
    clippy::large_enum_variant,
    reason = "a client has one, which is open nearly all the time"
)]
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// There is no transport.
    Disconnected,
    /// CONNECT was written; CONNACK is awaited.
    Connecting(Connecting),
    /// The server accepted the connection.
    Open(Open),
    /// The connection ended: only the rest of the output is written, and nothing is read.
    Closing(EndCause),
}

impl ConnectionState {
    /// Returns `true` if the server has accepted the connection.
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
        // Before CONNACK there is nobody to tell: the connection just ends.
        let (cause, reason_code) = match exit {
            Exit::Violation(violation) if self.is_open() => {
                let cause = ConnectionError::Protocol(violation);
                (cause.into(), Some(violation.reason_code()))
            }
            Exit::Violation(violation) => (ConnectError::Protocol(violation).into(), None),
            Exit::Close(close) => (close.cause, close.reason_code),
        };
        if let Some(reason_code) = reason_code {
            let packet = Packet::Disconnect(Disconnect {
                reason_code,
                ..Disconnect::default()
            });
            // A server that takes no packet of this size isn't told. [MQTT-3.2.2-15]
            let fits = self.flow_mut().is_none_or(|flow| {
                let size = packet.encoded_len();
                size.is_ok_and(|size| flow.check_size(size).is_ok())
            });
            if fits {
                core.output.write_packet(&packet, &mut core.statistics);
            }
        }
        self.close(cause, core);
    }

    /// Ends the connection. What is in the output may still be written.
    pub(super) fn close(&mut self, cause: EndCause, core: &mut Core) {
        self.leave(core);
        *self = Self::Closing(cause);
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
    pub(super) fn handle_closed(&mut self, cause: CloseCause, core: &mut Core) -> EndCause {
        // What was not handed to the transport was never sent.
        let unsent = core.output.clear();
        // Acknowledgements belong to the connection of their messages.
        core.session.inbound.disconnected();
        self.leave(core);
        // A cause that was known before counts more than what the transport saw.
        let end = match std::mem::replace(self, Self::Disconnected) {
            Self::Closing(end) => end,
            Self::Open(_) => EndCause::from(match cause {
                CloseCause::Eof => ConnectionError::Closed,
                CloseCause::Reset => ConnectionError::Reset,
                CloseCause::WriteTimeout { after } => ConnectionError::WriteTimeout { after },
                CloseCause::Transport(error) => ConnectionError::Transport(error),
            }),
            Self::Connecting(_) | Self::Disconnected => EndCause::from(match cause {
                CloseCause::Eof => ConnectError::Closed { reset: false },
                CloseCause::Reset => ConnectError::Closed { reset: true },
                CloseCause::WriteTimeout { after } => ConnectError::ConnAckTimeout { after },
                CloseCause::Transport(error) => ConnectError::Transport(error),
            }),
        };

        // A connection that ended for another reason than the memory budget may use more memory
        // next time.
        if matches!(end, EndCause::Connection(_)) && !end.is_memory_budget() {
            core.receive_window.grow(&core.options);
        }

        // Requests that were sent wait for the next connection; the others are as new.
        let (outbound, statistics) = (&mut core.session.outbound, &mut core.statistics);
        let lost = ReauthenticationError::ConnectionLost.into();
        // A re-authentication does not outlive its connection.
        outbound.fail_reauthentication(lost, statistics);
        // Off unless asked for: it gives up a session.
        if let Some(limit) = core.options.poison_guard
            && end.may_be_over_a_message()
        {
            let has_failed = outbound.suspect(&unsent, limit, statistics);
            core.session.identity.is_given_up |= has_failed;
        }
        outbound.unsend_all(&unsent, statistics);
        // Time without a connection does not count against the server.
        outbound.pause_ack_deadlines(core.now);
        end
    }
}
