//! mqtt5-protocol: the packets of the `mqtt5` client, decoded from `Bytes`.

use std::fmt::Debug;

use bytes::{Buf, BytesMut};
use mqtt5_protocol::packet::publish::PublishPacket;
use mqtt5_protocol::packet::{MqttPacket, PacketType};
use mqtt5_protocol::{FixedHeader, MqttError, Packet, Properties, PropertyValue};

use super::{OUTPUT, refill};
use crate::codec::contestant::{Contestant, Outcome};
use crate::codec::fields::Fields;

pub struct Mqtt5Protocol;

pub struct Output(BytesMut);

impl Default for Output {
    fn default() -> Self {
        Self(BytesMut::with_capacity(OUTPUT))
    }
}

impl Contestant for Mqtt5Protocol {
    const NAME: &'static str = "mqtt5-protocol";
    type Input = BytesMut;
    type Packet = Packet;
    type Output = Output;

    fn refill(input: &mut BytesMut, stream: &'static [u8]) {
        refill(input, stream);
    }

    fn decode_all(input: &mut BytesMut, mut each: impl FnMut(Packet)) -> Result<(), impl Debug> {
        while input.has_remaining() {
            let header = FixedHeader::decode(input)?;
            // `Bytes`, so that payload and binary data are shared and not copied.
            let mut body = input.split_to(header.remaining_length as usize).freeze();
            each(Packet::decode_from_body(
                header.packet_type,
                &header,
                &mut body,
            )?);
        }
        Ok::<_, MqttError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet, fields: &mut F) {
        match packet {
            Packet::Connect(connect) if F::READS.connect => {
                fields.number(connect.clean_start);
                fields.number(connect.keep_alive);
                read_properties(&connect.properties, fields);
                fields.text(&connect.client_id);
                if let Some(will) = &connect.will {
                    fields.number(will.qos as u8);
                    fields.number(will.retain);
                    read_properties(&connect.will_properties, fields);
                    fields.text(&will.topic);
                    fields.bytes(&will.payload);
                }
                fields.text_if(connect.username.as_deref());
                fields.bytes_if(connect.password.as_deref());
            }
            Packet::ConnAck(connack) if F::READS.connack => {
                fields.number(connack.session_present);
                fields.number(connack.reason_code as u8);
                read_properties(&connack.properties, fields);
            }
            Packet::Publish(publish) if F::READS.publish => {
                fields.number(publish.qos as u8);
                fields.number(publish.retain);
                fields.number_if(publish.packet_id);
                fields.text(&publish.topic_name);
                read_properties(&publish.properties, fields);
                fields.bytes(&publish.payload);
            }
            Packet::PubAck(puback) if F::READS.puback => {
                fields.number(puback.packet_id);
                fields.number(puback.reason_code as u8);
                read_properties(&puback.properties, fields);
            }
            Packet::Subscribe(subscribe) if F::READS.subscribe => {
                fields.number(subscribe.packet_id);
                read_properties(&subscribe.properties, fields);
                for filter in &subscribe.filters {
                    fields.text(&filter.filter);
                    fields.number(filter.options.qos as u8);
                    fields.number(filter.options.no_local);
                    fields.number(filter.options.retain_as_published);
                    fields.number(filter.options.retain_handling as u8);
                }
            }
            Packet::PingResp => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let out = &mut output.0;
        let encoded = match packet {
            Some(Packet::Connect(connect)) => connect.encode(out),
            Some(Packet::ConnAck(connack)) => connack.encode(out),
            Some(Packet::Publish(publish)) => encode_publish(publish, out),
            Some(Packet::PubAck(puback)) => puback.encode(out),
            Some(Packet::Subscribe(subscribe)) => subscribe.encode(out),
            Some(Packet::PingResp) => FixedHeader::new(PacketType::PingResp, 0, 0).encode(out),
            _ => unreachable!("no case has one"),
        };
        encoded
    }

    fn clear(output: &mut Output) {
        output.0.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.0.to_vec()
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        Err("waiting for a whole packet is its caller's business".to_owned())
    }
}

/// Encodes directly into `out`; `MqttPacket::encode` would allocate a buffer.
fn encode_publish(publish: &PublishPacket, out: &mut BytesMut) -> Result<(), MqttError> {
    let size = u32::try_from(publish.body_encoded_size()).unwrap_or(u32::MAX);
    FixedHeader::new(PacketType::Publish, publish.flags(), size).encode(out)?;
    publish.encode_body_direct(out)
}

#[inline(always)]
fn read_properties(properties: &Properties, fields: &mut impl Fields) {
    for (_, value) in properties.iter() {
        match value {
            PropertyValue::Byte(value) => fields.number(*value),
            PropertyValue::TwoByteInteger(value) => fields.number(*value),
            PropertyValue::FourByteInteger(value) | PropertyValue::VariableByteInteger(value) => {
                fields.number(*value);
            }
            PropertyValue::BinaryData(value) => fields.bytes(value),
            PropertyValue::Utf8String(value) => fields.text(value),
            PropertyValue::Utf8StringPair(name, value) => {
                fields.text(name);
                fields.text(value);
            }
        }
    }
}
