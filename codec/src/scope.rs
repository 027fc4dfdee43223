//! Scope of a fault in a packet: the connection, or one message (§4.13.1).

use crate::delivery::Delivery;
use crate::property_types::TopicAlias;

/// Scope of a [`DecodeError`](crate::DecodeError) (§4.13.1): the part that can't be used any more.
///
/// A server relays topics, text and the payload format as the publisher wrote them. A fault there
/// is no fault of the server; the receiver knows where the packet ends and how to answer it, and
/// can read the packets after it. Such a fault is in the message's scope: a client may refuse the
/// message and keep the connection, as closing it is a SHOULD for clients [U-4.13.1-1]. A server
/// has to close the connection in either case.
///
/// | statement | fault in a PUBLISH | scope |
/// |---|---|---|
/// | MQTT-1.5.4-1 (with MQTT-1.5.7-1, MQTT-3.3.2-1, MQTT-3.3.2-13, MQTT-3.3.2-19) | Topic Name, Response Topic, Content Type or User Property that isn't UTF-8 | message |
/// | MQTT-1.5.4-2, MQTT-4.7.3-2 | the same with the NUL character | message |
/// | MQTT-3.3.2-2, MQTT-4.7.0-1 | wildcard in the Topic Name | message |
/// | MQTT-3.3.2-14 | wildcard in the Response Topic | message |
/// | MQTT-4.7.3-1 | empty Response Topic | message |
/// | none (§3.3.2.3.2) | Payload Format Indicator other than 0 and 1 | message |
/// | U-2.2.2-1 | unknown property, or a property of another packet | connection |
/// | none (§3.3.2.3) | property that is there twice | connection |
/// | MQTT-1.5.5-1, U-1.5.5-1, MQTT-2.2.2-1, none | wrong length of the packet, of its properties or of a field | connection |
/// | MQTT-3.3.1-2 | DUP at QoS 0 | connection |
/// | MQTT-3.3.1-4 | QoS 3 | connection |
/// | MQTT-2.2.1-3, MQTT-2.2.1-4 | Packet Identifier 0 | connection |
/// | MQTT-3.3.2-8 | Topic Alias 0 | connection |
/// | U-3.3.2-1 | neither topic nor alias | connection |
/// | U-3.3.2-4 | Subscription Identifier 0 | connection |
/// | MQTT-3.3.4-6 | Subscription Identifier from a client | connection |
///
/// Every fault in another packet is in the connection's scope. A PUBLISH with faults of both scopes
/// is reported by the first one in the connection's scope.
///
/// ```
/// use dunlin_codec::{ErrorScope, Packet};
///
/// // A PUBLISH whose topic has a wildcard: the connection can stay open.
/// let error = Packet::decode(b"\x30\x05\x00\x01#\x00!").unwrap_err();
/// assert!(matches!(error.scope, ErrorScope::Message(_)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorScope {
    /// Nothing after the fault can be relied on; the connection should be closed with the reason
    /// code.
    Connection,
    /// One message is wrong in itself; the packets after it can be read.
    Message(FaultyMessage),
}

/// Data for refusing a message that is wrong in itself.
///
/// ```
/// use dunlin_codec::{Delivery, ErrorScope, FaultyMessage, Packet};
///
/// // A PUBLISH of QoS 1 whose topic has a wildcard.
/// let error = Packet::decode(b"\x32\x07\x00\x01#\x00\x09\x00!").unwrap_err();
/// let ErrorScope::Message(FaultyMessage { delivery: Delivery::AtLeastOnce { packet_id, .. }, .. }) = error.scope else {
///     panic!("{error}");
/// };
/// assert_eq!(packet_id.get(), 9);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FaultyMessage {
    /// QoS and Packet Identifier, to acknowledge the message with 0x80 or above.
    pub delivery: Delivery,
    /// Topic Alias; `None` if there is none. It counts if the topic that it comes with is valid.
    pub topic_alias: Option<TopicAlias>,
}
