//! DISCONNECT (§3.14): the last packet of a connection, and why it ends.

use super::{Body, outcome};
use crate::error::{DecodeError, EncodeError};
use crate::packet_type::{PacketType, Sender};
use crate::property::{properties, row};
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::sink::Sink;
use crate::spans::Record;

/// The connection ends here (§3.14). The default is a normal disconnection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Disconnect<'a> {
    /// Why.
    pub reason_code: ReasonCode,
    /// What else there is to say.
    pub properties: DisconnectProperties<'a>,
}

properties! {
    /// The properties of DISCONNECT (§3.14.2.2).
    DisconnectProperties owned OwnedDisconnectProperties rule None;
    once {
        /// A new session expiry in seconds; from clients only, and not above 0 where CONNECT said 0.
        session_expiry_interval,
        /// Text for people: logs, not programs.
        reason_string,
        /// Other servers to use, separated by spaces; from servers only.
        server_reference,
    }
    many {
        /// What the application adds.
        user_properties: user_property,
    }
}

impl<'a> Disconnect<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        let before = r.peek_rest();
        let (reason_code, properties): (_, DisconnectProperties<'a>) =
            outcome::read(PacketType::Disconnect, r)?;
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
}

impl Body for Disconnect<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Disconnect
    }

    fn check(&self) -> Result<(), EncodeError> {
        outcome::check(self.reason_code, PacketType::Disconnect)
    }

    fn write<S: Sink>(&self, sink: &mut S) {
        outcome::write(self.reason_code, &self.properties, sink);
    }
}
