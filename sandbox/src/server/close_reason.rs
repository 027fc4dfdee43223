//! Reasons for the end of a connection, and the packet that tells the client.

use std::borrow::Cow;

use dunlin_codec::{
    DecodeError, EncodeError, Escaped, PacketType, ReasonCode, Sender, needs_escape,
};

use crate::server::other_version::OtherVersion;

/// Reason for the end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client is told: by CONNACK before it is connected, by DISCONNECT after that.
    WithCode {
        reason_code: ReasonCode,
        reason: Cow<'static, str>,
    },
    /// A fault on demand: the client is told this code and reason string, and nothing else.
    Fault {
        reason_code: ReasonCode,
        reason_string: Option<String>,
    },
    /// CONNECT of another version of MQTT, answered in a form that its sender can read.
    OtherVersion(OtherVersion),
    /// DISCONNECT of the client; with 0x04 its will is published.
    Client { reason_code: ReasonCode },
    /// The socket closed without a DISCONNECT.
    Lost,
    /// A denial that isn't told: the connection is closed without a packet.
    Silent { reason: String },
    /// A fault on demand: the connection is closed without a packet.
    Dropped,
    /// A fault on demand: a TCP reset.
    Reset,
}

/// Way to close the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// Sends all output, then shuts the connection down.
    Gracefully,
    /// Discards output that isn't sent, and resets the connection.
    Reset,
}

impl CloseReason {
    pub(crate) fn with_code(reason_code: ReasonCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::WithCode {
            reason_code,
            reason: without_controls(reason.into()),
        }
    }

    pub(crate) const fn close(&self) -> Close {
        match self {
            // Only this fault drops output that waits; everything else is sent before the end.
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

    /// Reason code and reason string of the CONNACK or DISCONNECT; `None` if no packet is sent.
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

    /// Reason for the log.
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

    /// Reason for the log, with the code that was sent or received.
    pub(crate) fn log_reason(&self) -> String {
        match self {
            // Only reasons with a code of MQTT begin with it.
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

/// Escapes control characters in a reason that goes out in a packet, as it may quote text of a
/// client.
pub(crate) fn without_controls(reason: Cow<'static, str>) -> Cow<'static, str> {
    if reason.chars().any(needs_escape) {
        Escaped(reason).to_string().into()
    } else {
        reason
    }
}

/// Same code, or Protocol Error if the packet can't have it.
pub(crate) const fn legal_code(reason_code: ReasonCode, packet: PacketType) -> ReasonCode {
    if reason_code.is_legal_in(packet, Sender::Server) {
        reason_code
    } else {
        ReasonCode::ProtocolError
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        Self::with_code(error.reason_code, error.to_string())
    }
}

impl From<EncodeError> for CloseReason {
    fn from(error: EncodeError) -> Self {
        Self::with_code(ReasonCode::ImplementationSpecificError, error.to_string())
    }
}
