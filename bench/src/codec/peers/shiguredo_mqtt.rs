//! shiguredo_mqtt: `codec::Packet`, which decodes from a slice and encodes into a slice.

use std::fmt::Debug;
use std::mem;

use shiguredo_mqtt::codec::MqttVersion;
use shiguredo_mqtt::decoder::Decoder;
use shiguredo_mqtt::error::{DecodeError, EncodeError};
use shiguredo_mqtt::v5::connect::{Connect, Will};
use shiguredo_mqtt::v5::packet::codec::Packet;
use shiguredo_mqtt::v5::property::{Properties, Property};
use shiguredo_mqtt::v5::publish::Publish;
use shiguredo_mqtt::v5::subscribe::Subscription;

use super::OUTPUT;
use crate::codec::contestant::{Contestant, Outcome};
use crate::codec::fields::Fields;

/// The codec of both directions; the crate's `Decoder` refuses what only clients send.
pub struct ShiguredoMqtt;

/// Bytes of fixed length, and the number of those that are written.
pub struct Output {
    bytes: Vec<u8>,
    written: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            bytes: vec![0; OUTPUT],
            written: 0,
        }
    }
}

impl Contestant for ShiguredoMqtt {
    const NAME: &'static str = "shiguredo_mqtt";
    type Input = &'static [u8];
    type Packet = Packet;
    type Output = Output;

    fn refill(input: &mut Self::Input, stream: &'static [u8]) {
        *input = stream;
    }

    fn decode_all(input: &mut Self::Input, mut each: impl FnMut(Packet)) -> Result<(), impl Debug> {
        let mut rest = mem::take(input);
        while !rest.is_empty() {
            let (packet, len) = Packet::decode(rest)?;
            rest = &rest[len..];
            each(packet);
        }
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet, fields: &mut F) {
        match packet {
            Packet::Connect(connect) if F::READS.connect => read_connect(connect, fields),
            Packet::ConnAck(connack) if F::READS.connack => {
                fields.number(connack.session_present);
                fields.number(connack.reason_code.as_u8());
                read_properties(&connack.properties, fields);
            }
            Packet::Publish(publish) if F::READS.publish => read_publish(publish, fields),
            Packet::PubAck(puback) if F::READS.puback => {
                fields.number(puback.packet_id);
                fields.number(puback.reason_code.as_u8());
                read_properties(&puback.properties, fields);
            }
            Packet::Subscribe(subscribe) if F::READS.subscribe => {
                fields.number(subscribe.packet_id);
                read_properties(&subscribe.properties, fields);
                for subscription in &subscribe.subscriptions {
                    read_subscription(subscription, fields);
                }
            }
            Packet::PingResp(_) => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let packet = packet.as_ref().expect("every slot has a packet");
        let len = packet.encode(&mut output.bytes[output.written..])?;
        output.written += len;
        Ok::<_, EncodeError>(())
    }

    fn clear(output: &mut Output) {
        output.written = 0;
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.bytes[..output.written].to_vec()
    }

    fn read_some(first: &'static [u8]) -> Outcome<()> {
        let mut decoder = Decoder::new(MqttVersion::V5);
        decoder
            .feed(first)
            .and_then(|()| decoder.decode())
            .map(drop)
            .map_err(|error| format!("{error:?}"))
    }
}

#[inline(always)]
fn read_publish(publish: &Publish, fields: &mut impl Fields) {
    fields.number(publish.qos.as_u8());
    fields.number(publish.retain);
    fields.number_if(publish.packet_id);
    fields.text(&publish.topic);
    read_properties(&publish.properties, fields);
    fields.bytes(&publish.payload);
}

#[inline(always)]
fn read_connect(connect: &Connect, fields: &mut impl Fields) {
    fields.number(connect.clean_start);
    fields.number(connect.keep_alive);
    read_properties(&connect.properties, fields);
    fields.text(&connect.client_id);
    if let Some(will) = &connect.will {
        read_will(will, fields);
    }
    fields.text_if(connect.username.as_deref());
    fields.bytes_if(connect.password.as_deref());
}

#[inline(always)]
fn read_will(will: &Will, fields: &mut impl Fields) {
    fields.number(will.qos.as_u8());
    fields.number(will.retain);
    read_properties(&will.properties, fields);
    fields.text(&will.topic);
    fields.bytes(&will.payload);
}

#[inline(always)]
fn read_subscription(subscription: &Subscription, fields: &mut impl Fields) {
    fields.text(&subscription.topic_filter);
    fields.number(subscription.qos.as_u8());
    fields.number(subscription.no_local);
    fields.number(subscription.retain_as_published);
    fields.number(subscription.retain_handling.as_u8());
}

#[inline(always)]
fn read_properties(properties: &Properties, fields: &mut impl Fields) {
    for property in properties.iter() {
        match property {
            Property::PayloadFormatIndicator(value)
            | Property::MaximumQoS(value)
            | Property::RetainAvailable(value)
            | Property::RequestProblemInformation(value)
            | Property::RequestResponseInformation(value)
            | Property::WildcardSubscriptionAvailable(value)
            | Property::SubscriptionIdentifierAvailable(value)
            | Property::SharedSubscriptionAvailable(value) => fields.number(*value),
            Property::TopicAlias(value)
            | Property::ReceiveMaximum(value)
            | Property::TopicAliasMaximum(value)
            | Property::ServerKeepAlive(value) => fields.number(*value),
            Property::MessageExpiryInterval(value)
            | Property::SessionExpiryInterval(value)
            | Property::WillDelayInterval(value)
            | Property::MaximumPacketSize(value) => fields.number(*value),
            Property::SubscriptionIdentifier(value) => fields.number(value.0),
            Property::CorrelationData(value) | Property::AuthenticationData(value) => {
                fields.bytes(value);
            }
            Property::ContentType(value)
            | Property::ResponseTopic(value)
            | Property::AssignedClientIdentifier(value)
            | Property::AuthenticationMethod(value)
            | Property::ResponseInformation(value)
            | Property::ServerReference(value)
            | Property::ReasonString(value) => fields.text(value),
            Property::UserProperty(name, value) => {
                fields.text(name);
                fields.text(value);
            }
        }
    }
}
