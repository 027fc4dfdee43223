//! What is wrong with a packet and what to answer: small `Copy` values without text of their own.

use core::fmt;

use crate::reason_code::ReasonCode;
use crate::scope::ErrorScope;

/// Why bytes are not a packet that may be accepted (§4.13).
///
/// "Not all there yet" is never one of these: decoding answers `Ok(None)` then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// The class of the fault.
    pub kind: DecodeErrorKind,
    /// What a CONNACK or DISCONNECT that answers the packet should say.
    pub reason_code: ReasonCode,
    /// The first byte of the field at fault, or the byte that is missing, counted from the
    /// packet's first byte.
    pub offset: u32,
    /// The field at fault, in snake case.
    pub field: &'static str,
    /// The statement that is broken (`MQTT-3.3.1-4`; `U-` where the standard states a rule without
    /// numbering it).
    pub statement: Option<&'static str>,
    /// What the fault makes unusable: the connection, or one message.
    pub scope: ErrorScope,
}

/// The class of a [`DecodeError`] (§1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes can't be parsed.
    Malformed,
    /// The bytes parse, but what they say isn't allowed.
    ProtocolError,
    /// The packet is larger than the receiver takes. Known from the fixed header alone.
    TooLarge,
    /// A CONNECT of another protocol, or of another version of MQTT.
    UnsupportedVersion,
    /// A packet that its sender may never send.
    WrongDirection,
}

impl DecodeErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "malformed packet",
            Self::ProtocolError => "protocol error",
            Self::TooLarge => "packet too large",
            Self::UnsupportedVersion => "unsupported protocol version",
            Self::WrongDirection => "packet from the wrong side",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at byte {}", self.kind, self.field, self.offset)?;
        match self.statement {
            Some(statement) => write!(f, " [{statement}]"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a packet can't be encoded: the value breaks a rule that its types can't hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError {
    /// The class of the fault.
    pub kind: EncodeErrorKind,
    /// The field at fault, in snake case.
    pub field: &'static str,
}

/// The class of an [`EncodeError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// More than 268,435,455 bytes behind the fixed header (§2.1.4).
    TooLarge,
    /// A reason code that this packet never carries.
    IllegalReasonCode,
    /// Something that must be there isn't: a topic or its alias, a filter, an authentication
    /// method.
    Missing,
    /// Two fields that don't go together, such as No Local with a shared subscription.
    NotAllowed,
    /// The buffer has an end, and the packet doesn't fit.
    NoRoom,
}

impl EncodeError {
    pub(crate) const fn new(kind: EncodeErrorKind, field: &'static str) -> Self {
        Self { kind, field }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            EncodeErrorKind::TooLarge => "is too large for a packet",
            EncodeErrorKind::IllegalReasonCode => "isn't a reason code of this packet",
            EncodeErrorKind::Missing => "is missing",
            EncodeErrorKind::NotAllowed => "isn't allowed here",
            EncodeErrorKind::NoRoom => "doesn't fit into the buffer",
        };
        write!(f, "{} {text}", self.field)
    }
}

impl core::error::Error for EncodeError {}
