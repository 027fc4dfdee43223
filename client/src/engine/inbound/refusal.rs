//! Received messages that are wrong in themselves: refused one by one, while the connection stays
//! (§4.13.1).

use bytes::BytesMut;
use dunlin_codec::{
    DecodeError, DecodeErrorKind, ErrorScope, FaultyMessage, FixedHeader, PayloadFormat, Publish,
    ReasonCode, TopicName,
};

use super::inbound_action::admit;
use crate::engine::core::Core;
use crate::engine::engine_event::EngineEvent;
use crate::engine::exit::Exit;
use crate::engine::open::Open;
use crate::event::RefusedMessage;
use crate::policy::InvalidMessages;

/// Handles a PUBLISH at the front of `input` that cannot be decoded. Returns `true` if only that
/// message is refused.
///
/// # Errors
/// The error concerns the connection, or the options ask for closing it.
#[cold]
pub(super) fn refuse_undecodable(
    error: DecodeError,
    header: FixedHeader,
    input: &mut BytesMut,
    open: &mut Open,
    core: &mut Core,
) -> Result<bool, Exit> {
    let ErrorScope::Message(message) = error.scope else {
        return Err(error.into());
    };
    // The packet is taken as a whole: the next one begins after it.
    let packet = input.split_to(header.packet_len().min(input.len()));
    core.statistics
        .messages_received
        .count(message.delivery.qos());
    open.flow.count(packet.len(), core.now);
    let topic = FaultyMessage::topic_bytes(&packet);
    refuse_message(error, message, topic, packet.len(), open, core)?;
    Ok(true)
}

/// Refuses a message of `size` bytes: it is acknowledged in its turn with the reason code, counted
/// and reported, and reaches no stream.
///
/// # Errors
/// The options ask for closing the connection, or the message breaks the rules of the connection as
/// well.
#[cold]
pub(super) fn refuse_message(
    error: DecodeError,
    message: FaultyMessage,
    topic: &[u8],
    size: usize,
    open: &mut Open,
    core: &mut Core,
) -> Result<(), Exit> {
    if core.options.invalid_messages == InvalidMessages::CloseConnection {
        return Err(error.into());
    }

    // The alias counts, whatever becomes of the message.
    let mut aliased = None;
    if let Some(alias) = message.topic_alias {
        let valid = std::str::from_utf8(topic)
            .ok()
            .and_then(|topic| TopicName::new(topic).ok());
        if topic.is_empty() || valid.is_some() {
            aliased = open
                .inbound_aliases
                .resolve(alias, valid)
                .or_else(|fault| fault.into_violation())?;
        } else {
            open.inbound_aliases.refuse(alias, error)?;
        }
    }
    // Only one code says more than that the message is wrong.
    let reason_code = match error.reason_code {
        ReasonCode::PayloadFormatInvalid => ReasonCode::PayloadFormatInvalid,
        _ => ReasonCode::UnspecifiedError,
    };
    // A repetition was counted and reported before, and has its answer already.
    let Some(admitted) = admit(message.delivery, size, core)? else {
        return Ok(());
    };

    core.statistics.invalid_messages += 1;
    core.statistics.dropped_messages.refused.add(size);
    let topic = aliased.as_deref().map_or(topic, str::as_bytes);
    let refused = RefusedMessage::new(topic, message.delivery.qos(), error);
    core.events
        .push_back(EngineEvent::MessageRefused(Box::new(refused)));
    // The refusal is sent in the order of arrival, like any answer.
    if let Some(id) = admitted {
        core.session.inbound.answer(id, reason_code);
        core.send_due_acks(true);
    }
    Ok(())
}

/// Fault of a payload that claims to be UTF-8 and is not; `None` for any other payload.
pub(super) fn invalid_payload(publish: &Publish<'_>) -> Option<DecodeError> {
    let is_text = publish.properties.payload_format_indicator == Some(PayloadFormat::Utf8);
    if !is_text || std::str::from_utf8(publish.payload).is_ok() {
        return None;
    }
    let (kind, code) = (
        DecodeErrorKind::ProtocolError,
        ReasonCode::PayloadFormatInvalid,
    );
    let message = FaultyMessage {
        delivery: publish.delivery,
        topic_alias: publish.properties.topic_alias,
    };
    // The payload is the last field of the packet: nobody needs its offset.
    let error = DecodeError::new(kind, code, 0, "payload")
        .with_statement("U-3.3.2-2")
        .with_scope(ErrorScope::Message(message));
    Some(error)
}
