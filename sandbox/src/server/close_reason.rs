//! How a connection ends, and what the client is told.

use std::borrow::Cow;

use dunlin_codec::{
    DecodeError, EncodeError, Escaped, PacketType, ReasonCode, Sender, needs_escape,
};

use crate::server::other_version::OtherVersion;

/// Why the server stops serving a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client is told why: in a CONNACK before it is connected, in a DISCONNECT after that.
    WithCode {
        reason_code: ReasonCode,
        reason: Cow<'static, str>,
    },
    /// A fault: the client is told what was asked for, and nothing else.
    Fault {
        reason_code: ReasonCode,
        reason_string: Option<String>,
    },
    /// A CONNECT of another version of MQTT: answered in a form that its sender can read.
    OtherVersion(OtherVersion),
    /// The client said good bye; with 0x04 its will is still wanted.
    Client { reason_code: ReasonCode },
    /// The socket closed without a DISCONNECT.
    Lost,
    /// A denial that isn't told: closed without a word.
    Silent { reason: String },
    /// A fault: closed without a word.
    Dropped,
    /// A fault: a TCP reset.
    Reset,
}

/// What becomes of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// What is written is sent, then the connection is shut down.
    Gracefully,
    /// What isn't sent is thrown away, and the peer gets a reset.
    Reset,
}

impl CloseReason {
    pub(crate) fn told(reason_code: ReasonCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::WithCode {
            reason_code,
            reason: without_controls(reason.into()),
        }
    }

    pub(crate) const fn close(&self) -> Close {
        match self {
            Self::Reset => Close::Reset,
            Self::WithCode { .. }
            | Self::Fault { .. }
            | Self::OtherVersion(_)
            | Self::Client { .. }
            | Self::Lost
            | Self::Silent { .. }
            | Self::Dropped => Close::Gracefully,
        }
    }

    /// Only a normal DISCONNECT of the client cancels its will. [MQTT-3.14.4-3]
    pub(crate) fn publishes_will(&self) -> bool {
        *self
            != Self::Client {
                reason_code: ReasonCode::NORMAL_DISCONNECTION,
            }
    }

    /// The code of the CONNACK or DISCONNECT, where there is one, and its reason string.
    pub(crate) fn wire_reason(&self) -> Option<(ReasonCode, Option<&str>)> {
        match self {
            Self::WithCode {
                reason_code,
                reason,
            } => Some((*reason_code, Some(reason))),
            Self::Fault {
                reason_code,
                reason_string,
            } => Some((*reason_code, reason_string.as_deref())),
            Self::OtherVersion(_)
            | Self::Client { .. }
            | Self::Lost
            | Self::Silent { .. }
            | Self::Dropped
            | Self::Reset => None,
        }
    }

    /// Why, for the log.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::WithCode { reason, .. } => reason,
            Self::Silent { reason } => reason,
            Self::Fault { .. } => "on purpose (fault)",
            Self::OtherVersion(_) => "another version of MQTT",
            Self::Client { .. } => "by the client",
            Self::Lost => "the client closed the connection without a DISCONNECT",
            Self::Dropped => "closed on purpose (fault)",
            Self::Reset => "reset on purpose (fault)",
        }
    }

    /// Why, with the code that was sent or received.
    pub(crate) fn log_reason(&self) -> String {
        match self {
            Self::WithCode { reason_code, .. }
            | Self::Fault { reason_code, .. }
            | Self::Client { reason_code } => {
                format!("0x{:02X}: {}", reason_code.code(), self.reason())
            }
            Self::OtherVersion(other) => other.to_string(),
            Self::Silent { reason } => format!("closed without a word: {reason}"),
            Self::Lost | Self::Dropped | Self::Reset => self.reason().to_owned(),
        }
    }
}

/// A reason that may go out in a packet: text of a client in it carries no control characters to
/// whoever shows it.
pub(crate) fn without_controls(reason: Cow<'static, str>) -> Cow<'static, str> {
    if reason.chars().any(needs_escape) {
        Escaped(reason).to_string().into()
    } else {
        reason
    }
}

/// The code, where it may stand in this packet; Protocol Error in its place.
pub(crate) const fn legal_code(reason_code: ReasonCode, packet: PacketType) -> ReasonCode {
    if reason_code.is_legal_in(packet, Sender::Server) {
        reason_code
    } else {
        ReasonCode::ProtocolError
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        Self::told(error.reason_code, error.to_string())
    }
}

impl From<EncodeError> for CloseReason {
    fn from(error: EncodeError) -> Self {
        Self::told(ReasonCode::ImplementationSpecificError, error.to_string())
    }
}
