//! Server with owned packets: a framed stream, retained messages, subscriptions by client.

use std::collections::HashMap;

use bytes::BytesMut;
use dunlin_codec::owned::{self, TopicName};
use dunlin_codec::{
    Ack, AckType, ConnAck, DecodeOptions, Delivery, FramingError, Packet, PacketBuf, PacketCodec,
    PacketId, QoS, ReasonCode, Sender, SubAck,
};
use tokio_util::codec::{Decoder, Encoder};

/// Server with one client.
#[derive(Debug)]
pub struct Server {
    codec: PacketCodec,
    /// Retained messages by their topic.
    pub retained: HashMap<TopicName, owned::Publish>,
    /// One line for each packet that was received.
    pub log: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            codec: PacketCodec::new(DecodeOptions::new().with_sender(Sender::Client)),
            retained: HashMap::new(),
            log: Vec::new(),
        }
    }
}

impl Server {
    /// Handles all whole packets of `input` and appends the answers to `output`.
    ///
    /// # Errors
    /// A packet that can't be decoded, or an answer that can't be encoded.
    pub fn receive(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<(), FramingError> {
        while let Some(received) = self.codec.decode(input)? {
            self.log.push(received.to_string());
            self.answer(&received, output)?;
        }
        Ok(())
    }

    fn answer(&mut self, received: &PacketBuf, output: &mut BytesMut) -> Result<(), FramingError> {
        match received.packet() {
            Packet::Connect(_) => {
                let connack = ConnAck::new(ReasonCode::Success);
                self.codec.encode(&Packet::from(&connack), output)
            }
            Packet::Subscribe(subscribe) => {
                // One reason code for each filter: the QoS that was asked for.
                let codes: Vec<ReasonCode> = subscribe
                    .subscriptions
                    .iter()
                    .map(|each| granted(each.options.qos))
                    .collect();
                let suback = SubAck::new(subscribe.packet_id, &codes);
                self.codec.encode(&Packet::from(suback), output)
            }
            Packet::Publish(publish) => {
                if let (true, Some(topic)) = (publish.retain, publish.topic) {
                    self.retained.insert(topic.to_owned(), publish.to_owned());
                }
                match publish.packet_id() {
                    Some(packet_id) => {
                        let ack = Ack::success(packet_id).into_packet(AckType::PubAck);
                        self.codec.encode(&ack, output)
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Sends a message of QoS 1 to the client.
    ///
    /// # Errors
    /// `FramingError::Encode` if the message is larger than a packet can be.
    pub fn send(
        &mut self,
        topic: &TopicName,
        payload: &[u8],
        packet_id: PacketId,
        output: &mut BytesMut,
    ) -> Result<(), FramingError> {
        let publish = owned::Publish {
            delivery: Delivery::AtLeastOnce {
                packet_id,
                dup: false,
            },
            topic: Some(topic.clone()),
            payload: payload.to_vec(),
            ..owned::Publish::from(dunlin_codec::Publish::new(topic.as_borrowed(), payload))
        };
        self.codec.encode(&owned::Packet::from(publish), output)
    }
}

/// Reason code of a subscription that is granted.
fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
