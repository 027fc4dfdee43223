//! A Packet Identifier on the wire: two bytes, never 0.

use crate::error::DecodeError;
use crate::packet_type::Sender;
use crate::property::{Rule, Value};
use crate::qos::PacketId;
use crate::wire::{Reader, Sink};

impl<'a> Value<'a> for PacketId {
    #[inline(always)]
    fn read(r: &mut Reader<'a>, rule: Rule) -> Result<Self, DecodeError> {
        let at = r.offset();
        Self::new(r.u16(rule.field)?).ok_or_else(|| {
            // 0 parses, but is never an identifier; the standard names no class. [MQTT-2.2.1-3]
            // [MQTT-2.2.1-4]
            let statement = if r.sender() == Sender::Server {
                "MQTT-2.2.1-4"
            } else {
                "MQTT-2.2.1-3"
            };
            r.protocol_at(at, rule.field, Some(statement))
        })
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.u16(self.get());
    }
}

pub(crate) const PACKET_ID: Rule = Rule::form("packet_id");
