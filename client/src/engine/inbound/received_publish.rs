//! The way of a received PUBLISH: decoded, its topic alias resolved, admitted, delivered.

use std::sync::Arc;

use bytes::BytesMut;
use dunlin_codec::{
    DecodeError, Decoded, FaultyMessage, FixedHeader, PacketBuf, Publish, TopicName,
};

use super::DeliveryId;
use super::inbound_action::admit;
use super::inbound_aliases::AliasFault;
use super::refusal::{invalid_payload, refuse_message, refuse_undecodable};
use crate::engine::core::Core;
use crate::engine::engine_event::EngineEvent;
use crate::engine::exit::Exit;
use crate::engine::open::Open;
use crate::message::{Layout, ReceivedMessage};

/// A message to deliver, beside its packet.
struct Delivered {
    /// Topic that its alias stands for; `None` if the packet has the topic.
    aliased: Option<Arc<str>>,
    /// `None` at QoS 0.
    id: Option<DeliveryId>,
}

/// Takes a PUBLISH from the front of `input`. Returns `false` if it is not there as a whole.
///
/// # Errors
/// The connection has to end.
pub(in crate::engine) fn take_publish(
    input: &mut BytesMut,
    header: FixedHeader,
    open: &mut Open,
    core: &mut Core,
) -> Result<bool, Exit> {
    let decode = core.decode;
    // The packet is read where it lies; only then it becomes one shared buffer.
    let taken = PacketBuf::take_publish(input, &decode, |publish| {
        receive(publish, header.packet_len(), open, core).map(|delivered| {
            delivered.map(|delivered| (delivered, Layout::of(publish, header.header_len)))
        })
    });
    let (packet, delivered) = match taken {
        Ok(Decoded::Packet(taken, _)) => taken,
        // The header was read before: what is there is a PUBLISH.
        Ok(Decoded::Incomplete | Decoded::Other(_)) => return Ok(false),
        Err(error) => return refuse_undecodable(error, header, input, open, core),
    };
    // Received messages count against the rate of the service, too.
    open.flow.count(packet.as_bytes().len(), core.now);
    if let Some((Delivered { aliased, id }, layout)) = delivered? {
        let message = ReceivedMessage::new(packet, layout, aliased);
        core.events.push_back(EngineEvent::Message(message, id));
    }
    Ok(true)
}

/// Decides about a PUBLISH; `None` if it is not delivered.
fn receive(
    publish: &Publish<'_>,
    size: usize,
    open: &mut Open,
    core: &mut Core,
) -> Result<Option<Delivered>, Exit> {
    // Repetitions and refused messages count as received.
    core.statistics
        .messages_received
        .count(publish.delivery.qos());
    if core.options.validate_payload_format
        && let Some(error) = invalid_payload(publish)
    {
        return refuse(error, publish, size, open, core);
    }
    // The alias counts whatever becomes of the message.
    let aliased = match publish.properties.topic_alias {
        Some(alias) => match open.inbound_aliases.resolve(alias, publish.topic) {
            Ok(aliased) => aliased,
            Err(AliasFault::Violation(violation)) => return Err(violation.into()),
            Err(AliasFault::Refused(error)) => return refuse(error, publish, size, open, core),
        },
        None => None,
    };
    Ok(admit(publish.delivery, size, core)?.map(|id| Delivered { aliased, id }))
}

#[cold]
fn refuse(
    error: DecodeError,
    publish: &Publish<'_>,
    size: usize,
    open: &mut Open,
    core: &mut Core,
) -> Result<Option<Delivered>, Exit> {
    let message = FaultyMessage {
        delivery: publish.delivery,
        topic_alias: publish.properties.topic_alias,
    };
    let topic = publish.topic.as_ref().map_or(&[][..], TopicName::as_bytes);
    refuse_message(error, message, topic, size, open, core)?;
    Ok(None)
}
