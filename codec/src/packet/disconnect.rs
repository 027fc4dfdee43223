//! DISCONNECT (§3.14): the last packet of a connection, with the reason.

use super::encoding::Body;
use super::outcome;
use super::properties::properties;
use crate::error::{DecodeError, EncodeError};
use crate::packet_type::{PacketType, Sender};
use crate::property::row;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
#[cfg(feature = "alloc")]
use crate::validated::Validated;

/// DISCONNECT (§3.14): the sender closes the connection. The default is a normal disconnection.
///
/// ```
/// use dunlin_codec::{Disconnect, ReasonCode};
///
/// let mut out = [0; 4];
/// let len = Disconnect::new(ReasonCode::ServerShuttingDown).encode_to_slice(&mut out)?;
/// assert_eq!(out[..len], [0xe0, 0x01, 0x8b]);
/// # Ok::<(), dunlin_codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Disconnect<'a> {
    /// Reason code (§3.14.2.1); the default is 0x00, normal disconnection.
    pub reason_code: ReasonCode,
    /// Properties (§3.14.2.2).
    pub properties: DisconnectProperties<'a>,
}

properties! {
    /// The properties of DISCONNECT (§3.14.2.2).
    DisconnectProperties owned OwnedDisconnectProperties rule None;
    once {
        /// Session Expiry Interval in seconds, which replaces that of CONNECT. Only clients send
        /// it; it must be 0 if that of CONNECT was 0.
        session_expiry_interval,
        /// Reason String: text for logs, not to be parsed; `None` means the sender gave none.
        reason_string,
        /// Server Reference: other servers to use, separated by spaces; only servers send it.
        server_reference,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

impl<'a> Disconnect<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        // The position is kept for the offset of an error.
        let before = r.peek_rest();
        let (reason_code, properties): (_, DisconnectProperties<'a>) =
            outcome::read(PacketType::Disconnect, r)?;
        // Two properties may come from one side only.
        let (wrong, name, statement) = match r.sender() {
            Sender::Server if properties.session_expiry_interval.is_some() => (
                row::session_expiry_interval::ID,
                row::session_expiry_interval::NAME,
                Some("MQTT-3.14.2-2"),
            ),
            Sender::Client if properties.server_reference.is_some() => {
                (row::server_reference::ID, row::server_reference::NAME, None)
            }
            _ => {
                return Ok(Self {
                    reason_code,
                    properties,
                });
            }
        };
        Err(r.protocol_at(outcome::offset_of(wrong, before, r.end()), name, statement))
    }

    /// Reads a body that was checked before.
    #[cfg(feature = "alloc")]
    pub(super) fn reread(mut rest: Validated<'a>) -> Option<Self> {
        let (reason_code, properties) = outcome::reread(&mut rest)?;
        Some(Self {
            reason_code,
            properties,
        })
    }
}

impl Body for Disconnect<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Disconnect
    }

    fn check(&self) -> Result<(), EncodeError> {
        outcome::check(self.reason_code, PacketType::Disconnect)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        outcome::write(self.reason_code, &self.properties, sink);
    }
}
