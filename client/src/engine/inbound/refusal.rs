//! Received messages that are wrong in themselves: refused one by one, while the connection stays
//! (§4.13.1).

use bytes::BytesMut;
use dunlin_codec::{
    DecodeError, DecodeErrorKind, ErrorScope, FaultyMessage, FixedHeader, PayloadFormat, Publish,
    ReasonCode, TopicName,
};

use crate::engine::{Engine, EngineEvent, State};
use crate::error::Violation;
use crate::event::RefusedMessage;
use crate::policy::InvalidMessages;

impl Engine {
    /// A PUBLISH at the front of `input` can't be decoded. Returns `true` if only that message is
    /// refused.
    #[cold]
    pub(in crate::engine) fn handle_faulty_publish(
        &mut self,
        error: DecodeError,
        header: FixedHeader,
        input: &mut BytesMut,
    ) -> Result<bool, Violation> {
        let ErrorScope::Message(message) = error.scope else {
            return Err(error.into());
        };
        let packet = input.split_to(header.packet_len().min(input.len()));
        self.counts()
            .messages_received
            .count(message.delivery.qos());
        if let State::Open(connection) = &mut self.state {
            connection.count(Some(packet.len()), self.now);
        }
        self.refuse_message(
            error,
            message,
            FaultyMessage::topic_bytes(&packet),
            packet.len(),
        )?;
        Ok(true)
    }

    /// Refuses a message of `size` bytes: it is acknowledged in its turn, counted and told, and
    /// reaches no stream.
    ///
    /// # Errors
    /// The options ask for closing the connection, or the message breaks the connection's own rules
    /// as well.
    #[cold]
    pub(in crate::engine) fn refuse_message(
        &mut self,
        error: DecodeError,
        message: FaultyMessage,
        topic: &[u8],
        size: usize,
    ) -> Result<(), Violation> {
        if self.options.invalid_messages == InvalidMessages::CloseConnection {
            return Err(error.into());
        }
        let mut aliased = None;
        if let (Some(alias), State::Open(connection)) = (message.topic_alias, &mut self.state) {
            let valid = std::str::from_utf8(topic)
                .ok()
                .and_then(|topic| TopicName::new(topic).ok());
            if topic.is_empty() || valid.is_some() {
                // The alias counts, whatever becomes of the message.
                aliased = connection
                    .aliases
                    .resolve(alias, valid)
                    .or_else(|fault| fault.into_violation())?;
            } else {
                connection.aliases.refuse(alias, error)?;
            }
        }
        let reason_code = match error.reason_code {
            ReasonCode::PayloadFormatInvalid => ReasonCode::PayloadFormatInvalid,
            _ => ReasonCode::UnspecifiedError,
        };
        // A repetition was counted and reported before, and has its answer already.
        let Some(admitted) = self.admit_delivery(message.delivery, size)? else {
            return Ok(());
        };
        self.counts().invalid_messages += 1;
        self.counts().dropped_messages.refused.add(size);
        let topic = aliased.as_deref().map_or(topic, str::as_bytes);
        let refused = RefusedMessage::new(topic, message.delivery.qos(), error);
        self.events
            .push_back(EngineEvent::MessageRefused(Box::new(refused)));
        if let Some(id) = admitted {
            self.session.inbound.answer(id, reason_code);
            self.send_due_acks();
        }
        Ok(())
    }

    /// The fault of a payload that claims to be UTF-8 and isn't, if the options ask for the check.
    pub(in crate::engine) fn check_payload(&self, publish: &Publish<'_>) -> Option<DecodeError> {
        let is_text = publish.properties.payload_format_indicator == Some(PayloadFormat::Utf8);
        if !self.options.validate_payload_format
            || !is_text
            || std::str::from_utf8(publish.payload).is_ok()
        {
            return None;
        }
        let topic_alias = publish.properties.topic_alias;
        Some(DecodeError {
            kind: DecodeErrorKind::ProtocolError,
            reason_code: ReasonCode::PayloadFormatInvalid,
            // The payload is the last of the packet, and its offset is of no use to anybody.
            offset: 0,
            field: "payload",
            statement: Some("U-3.3.2-2"),
            scope: ErrorScope::Message(FaultyMessage {
                delivery: publish.delivery,
                topic_alias,
            }),
        })
    }
}
