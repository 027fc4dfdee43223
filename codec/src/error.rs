//! Errors of decoding and encoding: small `Copy` values without text of their own.

use core::fmt;

use crate::reason_code::ReasonCode;
use crate::scope::ErrorScope;

/// Fault of a packet that can't be accepted (§4.13).
///
/// An incomplete packet is no error: decoding returns `Ok(None)`.
///
/// ```
/// use dunlin_codec::{DecodeErrorKind, Packet, ReasonCode};
///
/// // A PUBLISH of QoS 3.
/// let error = Packet::decode(&[0x36, 0x00]).unwrap_err();
/// assert_eq!(error.kind, DecodeErrorKind::Malformed);
/// assert_eq!(error.reason_code, ReasonCode::MalformedPacket);
/// assert_eq!(error.to_string(), "malformed packet: qos at byte 0 [MQTT-3.3.1-4]");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct DecodeError {
    /// Class of the fault.
    pub kind: DecodeErrorKind,
    /// Reason code for the CONNACK or DISCONNECT that answers the packet.
    pub reason_code: ReasonCode,
    /// Offset in the packet of the first byte of the field at fault, or of the byte that is
    /// missing.
    pub offset: u32,
    /// Field at fault, in snake case.
    pub field: &'static str,
    /// Statement of the standard that is broken (`MQTT-3.3.1-4`). `U-` and a section stand for a
    /// rule that the standard doesn't number; `None` means that no single statement is broken.
    pub statement: Option<&'static str>,
    /// Scope of the fault: the connection, or one message.
    pub scope: ErrorScope,
}

/// Class of a [`DecodeError`] (§1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes can't be parsed.
    Malformed,
    /// The bytes can be parsed, but a value is not allowed.
    ProtocolError,
    /// The packet is larger than the receiver accepts, as the fixed header says.
    TooLarge,
    /// A CONNECT of another protocol, or of another version of MQTT.
    UnsupportedVersion,
    /// A packet that its sender may never send.
    WrongDirection,
}

impl DecodeError {
    /// Error of the connection without a statement, for rules that the codec doesn't check.
    ///
    /// `offset` is that of the field in the packet, and `field` its name in snake case.
    #[must_use]
    pub const fn new(
        kind: DecodeErrorKind,
        reason_code: ReasonCode,
        offset: u32,
        field: &'static str,
    ) -> Self {
        Self {
            kind,
            reason_code,
            offset,
            field,
            statement: None,
            scope: ErrorScope::Connection,
        }
    }

    /// This error with the statement of the standard that is broken.
    #[must_use]
    pub const fn with_statement(mut self, statement: &'static str) -> Self {
        self.statement = Some(statement);
        self
    }

    /// This error with another scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: ErrorScope) -> Self {
        self.scope = scope;
        self
    }

    /// Error of a malformed packet, after which the connection has to be closed.
    #[cold]
    pub(crate) const fn malformed(
        offset: u32,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> Self {
        let (kind, code) = (DecodeErrorKind::Malformed, ReasonCode::MalformedPacket);
        let mut error = Self::new(kind, code, offset, field);
        error.statement = statement;
        error
    }

    /// Protocol Error, after which the connection has to be closed.
    #[cold]
    pub(crate) const fn protocol_error(
        offset: u32,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> Self {
        let (kind, code) = (DecodeErrorKind::ProtocolError, ReasonCode::ProtocolError);
        let mut error = Self::new(kind, code, offset, field);
        error.statement = statement;
        error
    }
}

impl DecodeErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "malformed packet",
            Self::ProtocolError => "protocol error",
            Self::TooLarge => "packet too large",
            Self::UnsupportedVersion => "unsupported protocol version",
            Self::WrongDirection => "packet that its sender may not send",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at byte {}", self.kind, self.field, self.offset)?;
        // The statement, if one is broken, stands in brackets as in the documentation.
        match self.statement {
            Some(statement) => write!(f, " [{statement}]"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Fault of a packet that can't be encoded.
///
/// ```
/// use dunlin_codec::{EncodeErrorKind, Packet};
///
/// // PINGREQ has two bytes.
/// let error = Packet::PingReq.encode_to_slice(&mut [0]).unwrap_err();
/// assert_eq!(error.kind, EncodeErrorKind::NoRoom);
/// assert_eq!(error.to_string(), "packet doesn't fit into the buffer");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct EncodeError {
    /// Class of the fault.
    pub kind: EncodeErrorKind,
    /// Field at fault, in snake case.
    pub field: &'static str,
}

/// Class of an [`EncodeError`].
///
/// ```
/// use dunlin_codec::EncodeErrorKind;
///
/// assert_eq!(EncodeErrorKind::NoRoom.to_string(), "buffer too short");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// More than 268,435,455 bytes after the fixed header (§2.1.4).
    TooLarge,
    /// A reason code that this packet never carries.
    IllegalReasonCode,
    /// A required field is missing: a topic or its alias, a filter, an authentication method.
    Missing,
    /// Two fields exclude each other, such as No Local and a shared subscription.
    NotAllowed,
    /// The packet doesn't fit into the buffer, which can't grow.
    NoRoom,
    /// A packet type, reason code or property that only the other side may send.
    WrongDirection,
}

impl EncodeError {
    /// Error of this kind about `field`, whose name is in snake case.
    #[must_use]
    pub const fn new(kind: EncodeErrorKind, field: &'static str) -> Self {
        Self { kind, field }
    }
}

impl fmt::Display for EncodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TooLarge => "packet too large",
            Self::IllegalReasonCode => "reason code of another packet",
            Self::Missing => "required field missing",
            Self::NotAllowed => "fields that exclude each other",
            Self::NoRoom => "buffer too short",
            Self::WrongDirection => "for the other side to send",
        })
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
            EncodeErrorKind::WrongDirection => "is for the other side to send",
        };
        write!(f, "{} {text}", self.field)
    }
}

impl core::error::Error for EncodeError {}
