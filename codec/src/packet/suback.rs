//! SUBACK (§3.9) and UNSUBACK (§3.11): a reason code for each topic filter, in order.

use super::encoding::Body;
use super::outcome;
use super::packet_id;
use super::properties::{Properties, properties};
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::qos::PacketId;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::repeated::Repeated;
use crate::sink::Sink;
#[cfg(feature = "alloc")]
use crate::validated::Validated;
use crate::value::Value;

properties! {
    /// The properties of SUBACK (§3.9.2.1) and UNSUBACK (§3.11.2.1).
    SubAckProperties owned OwnedSubAckProperties rule None;
    once {
        /// Reason String: text for logs, not to be parsed; `None` means the sender gave none.
        reason_string,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

macro_rules! answer {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $name<'a> {
            /// Packet Identifier of the request.
            pub packet_id: PacketId,
            /// Properties.
            pub properties: SubAckProperties<'a>,
            /// Reason codes, one for each filter of the request, in the same order.
            pub reason_codes: Repeated<'a, ReasonCode>,
        }

        impl<'a> $name<'a> {
            pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
                let packet_id = PacketId::read(r, packet_id::OF_ANSWER)?;
                let properties = SubAckProperties::read(r)?;
                let reason_codes = read_codes(r, PacketType::$name)?;
                Ok(Self { packet_id, properties, reason_codes })
            }

            /// Reads a body that was checked before.
            #[cfg(feature = "alloc")]
            pub(super) fn reread(mut rest: Validated<'a>) -> Option<Self> {
                Some(Self {
                    packet_id: PacketId::reread(&mut rest)?,
                    properties: SubAckProperties::reread(&mut rest)?,
                    reason_codes: Repeated::reread(rest),
                })
            }
        }

        impl Body for $name<'_> {
            fn packet_type(&self) -> PacketType {
                PacketType::$name
            }

            #[inline(always)]
            fn check(&self) -> Result<(), EncodeError> {
                if self.reason_codes.is_empty() {
                    return Err(EncodeError::new(EncodeErrorKind::Missing, "reason_codes"));
                }
                // SUBACK and UNSUBACK have different codes.
                self.reason_codes.iter().try_for_each(|code| outcome::check(code, PacketType::$name))
            }

            #[inline(always)]
            fn write<S: Sink>(&self, sink: &mut S) {
                self.packet_id.write(sink);
                sink.properties(&self.properties);
                self.reason_codes.write(sink);
            }
        }
    };
}

answer! {
    /// SUBACK (§3.9): acknowledges SUBSCRIBE, with the granted QoS or an error for each filter.
    SubAck
}

answer! {
    /// UNSUBACK (§3.11): acknowledges UNSUBSCRIBE, with the outcome for each filter.
    UnsubAck
}

fn read_codes<'a, R: Record>(
    r: &mut Reader<'a, R>,
    packet_type: PacketType,
) -> Result<Repeated<'a, ReasonCode>, DecodeError> {
    // There is one code for each topic filter, and so at least one.
    if r.is_empty() {
        return Err(r.protocol_at(r.offset(), "reason_codes", Some("U-3.9.3-1")));
    }
    // Every code is checked now; the list keeps the bytes.
    let bytes = r.peek_rest();
    while !r.is_empty() {
        ReasonCode::read(r, packet_type)?;
    }
    Ok(Repeated::from_wire(bytes, bytes.len()))
}
