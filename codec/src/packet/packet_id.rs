//! Packet Identifier on the wire: two bytes, never 0 (§2.2.1).

use crate::error::DecodeError;
use crate::packet_type::Sender;
use crate::qos::PacketId;
use crate::reader::Reader;
use crate::record::Record;
use crate::sink::Sink;
use crate::validated::Validated;
use crate::value::{Rule, Value};

impl<'a> Value<'a> for PacketId {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        let at = r.offset();
        if let Some(packet_id) = Self::new(r.u16(rule.field)?) {
            return Ok(packet_id);
        }
        // The standard names no class for 0. It can be parsed, so it is a protocol error.
        let statement = rule.statement.unwrap_or_else(|| match r.sender() {
            Sender::Server => "MQTT-2.2.1-4",
            Sender::Any | Sender::Client => "MQTT-2.2.1-3",
        });
        r.refuse(r.protocol_at(at, rule.field, Some(statement)))?;
        Ok(Self::MIN)
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Self::new(u16::from_be_bytes(rest.array()?))
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.u16(self.get());
    }
}

/// Identifier of a PUBLISH; the statement that 0 breaks depends on the sender. [MQTT-2.2.1-3]
/// [MQTT-2.2.1-4]
pub(super) const OF_PUBLISH: Rule = Rule::form("packet_id");

/// Identifier of a SUBSCRIBE or UNSUBSCRIBE, which only clients send. [MQTT-2.2.1-3]
pub(super) const OF_REQUEST: Rule = rule("MQTT-2.2.1-3");

/// Identifier of a PUBACK, PUBREC, PUBREL or PUBCOMP: that of the PUBLISH. [MQTT-2.2.1-5]
pub(super) const OF_ACK: Rule = rule("MQTT-2.2.1-5");

/// Identifier of a SUBACK or UNSUBACK: that of the request. [MQTT-2.2.1-6]
pub(super) const OF_ANSWER: Rule = rule("MQTT-2.2.1-6");

const fn rule(statement: &'static str) -> Rule {
    Rule {
        field: "packet_id",
        statement: Some(statement),
    }
}
