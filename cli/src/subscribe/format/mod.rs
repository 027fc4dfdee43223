//! `Format`: the text of a message by the `%`, `@` and `\` sequences of mosquitto_sub.

mod json;
mod parse;
mod shape;

use dunlin_client::ReceivedMessage;
use dunlin_codec::{Escaped, PublishProperties};

use self::shape::Shape;
use super::clock::LocalTime;

/// Parsed format of `-F`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Piece>);

/// Part of a format.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// Bytes that are printed as they are.
    Text(Vec<u8>),
    /// A field of the message, `%`.
    FormatField(FormatField, Shape),
    /// A conversion of strftime(3), `@`.
    Time(char),
    /// Nanoseconds, `@N`.
    Nanoseconds,
}

/// Field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FormatField {
    TopicAlias,
    ContentType,
    CorrelationData,
    Expiry,
    PayloadFormat,
    LocalTime,
    /// JSON with the payload as a string.
    Json,
    /// JSON with the payload as JSON.
    JsonPayload,
    PayloadLength,
    PacketId,
    UserProperties,
    Payload,
    QoS,
    ResponseTopic,
    Retain,
    SubscriptionIdentifier,
    Topic,
    UnixTime,
    HexLower,
    HexUpper,
}

/// Message that a format can't print in full.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormatFault {
    /// `%J` and a payload that isn't JSON.
    PayloadIsNotJson,
}

impl Format {
    /// Appends the text of `message` to `out`. With `is_terminal`, control characters of the message
    /// are escaped; those of the format stay.
    ///
    /// # Errors
    /// [`FormatFault`] for a part that was left out.
    pub(super) fn write(
        &self,
        message: &ReceivedMessage,
        is_terminal: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatFault> {
        // The plain payload needs neither properties nor time.
        if let [Piece::FormatField(FormatField::Payload, shape)] = self.0.as_slice()
            && shape.is_plain()
            && !is_terminal
        {
            out.extend_from_slice(message.payload());
            return Ok(());
        }
        let values = FormatValues {
            message,
            properties: message.properties(),
            time: LocalTime::now(),
        };
        let (mut outcome, mut text) = (Ok(()), Vec::new());
        for piece in &self.0 {
            text.clear();
            match piece {
                Piece::Text(bytes) => {
                    out.extend_from_slice(bytes);
                    continue;
                }
                Piece::Time(conversion) => {
                    out.extend_from_slice(values.time.conversion(*conversion).as_bytes());
                    continue;
                }
                Piece::Nanoseconds => {
                    text.extend_from_slice(values.time.nanoseconds().as_bytes());
                }
                Piece::FormatField(field, shape) => {
                    // The other pieces are written all the same.
                    let written = values.write(*field, shape, &mut text);
                    outcome = outcome.and(written);
                }
            }
            if is_terminal {
                escape(&text, out);
            } else {
                out.extend_from_slice(&text);
            }
        }
        outcome
    }
}

/// Values of one message.
struct FormatValues<'a> {
    message: &'a ReceivedMessage,
    properties: PublishProperties<'a>,
    time: LocalTime,
}

impl FormatValues<'_> {
    fn write(
        &self,
        field: FormatField,
        shape: &Shape,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatFault> {
        let (message, properties) = (self.message, &self.properties);
        let payload = message.payload();
        match field {
            FormatField::TopicAlias => shape.number(properties.topic_alias.map(u16::from), out),
            FormatField::ContentType => match properties.content_type {
                Some(content_type) => shape.text(content_type.as_str(), out),
                None => shape.blank(out),
            },
            FormatField::CorrelationData => {
                let data = properties.correlation_data.map(|data| data.as_bytes());
                out.extend_from_slice(data.unwrap_or_default());
            }
            FormatField::Expiry => shape.number(properties.message_expiry_interval, out),
            FormatField::PayloadFormat => {
                let format = properties.payload_format_indicator;
                shape.number(format.map(|format| format as u8), out);
            }
            FormatField::LocalTime => shape.text(&self.time.iso_8601(), out),
            FormatField::Json => json::write(message, properties, &self.time, None, out),
            FormatField::JsonPayload => {
                let payload = json::compact(payload).ok_or(FormatFault::PayloadIsNotJson)?;
                json::write(message, properties, &self.time, Some(&payload), out);
            }
            FormatField::PayloadLength => shape.number(Some(payload.len()), out),
            FormatField::PacketId => {
                // mosquitto_sub prints 0 for messages of QoS 0, which have none.
                let id = message.delivery().packet_id().map_or(0, u16::from);
                shape.number(Some(id), out);
            }
            FormatField::UserProperties => {
                let pairs = properties.user_properties.iter();
                let pairs: Vec<String> = pairs
                    .map(|pair| format!("{}:{}", pair.name, pair.value))
                    .collect();
                out.extend_from_slice(pairs.join(" ").as_bytes());
            }
            FormatField::Payload => shape.payload(payload, out),
            FormatField::QoS => out.push(b'0' + u8::from(message.qos())),
            // Without a response topic, mosquitto_sub prints no blanks either.
            FormatField::ResponseTopic => {
                if let Some(topic) = properties.response_topic {
                    shape.text(topic.as_str(), out);
                }
            }
            FormatField::Retain => out.push(b'0' + u8::from(message.retain())),
            FormatField::SubscriptionIdentifier => {
                let identifier = properties.subscription_identifiers.iter().next();
                shape.number(identifier.map(u32::from), out);
            }
            FormatField::Topic => shape.text(message.topic(), out),
            FormatField::UnixTime => out.extend_from_slice(self.time.unix().as_bytes()),
            FormatField::HexLower => shape.hex(payload, false, out),
            FormatField::HexUpper => shape.hex(payload, true, out),
        }
        Ok(())
    }
}

/// Appends bytes as a terminal may show them: control characters, and bytes that aren't UTF-8, are
/// escaped. Line breaks and tabs stay.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive(['\n', '\t']) {
            let text = part.trim_end_matches(['\n', '\t']);
            out.extend_from_slice(Escaped(text).to_string().as_bytes());
            out.extend_from_slice(part.get(text.len()..).unwrap_or_default().as_bytes());
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters_of_a_message() {
        let mut out = Vec::new();
        escape(b"a\x1b[2Jb\tc\n\xff", &mut out);
        assert_eq!(out, b"a\\u{1b}[2Jb\tc\n\\xff");
    }
}
