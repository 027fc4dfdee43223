//! mqtt-protocol-core: each packet's own `parse`, not its `PacketBuilder`.

use std::fmt::Debug;
use std::mem;

use mqtt_protocol_core::mqtt::common::{Arc, Cursor};
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder};
use mqtt_protocol_core::mqtt::packet::{
    DecodeResult, GenericPacketTrait as _, Packet, Properties, Property, SubEntry,
    VariableByteInteger, v5_0,
};
use mqtt_protocol_core::mqtt::prelude::PropertyValueAccess as _;
use mqtt_protocol_core::mqtt::result_code::MqttError;

use crate::codec::contestant::{Contestant, Outcome};
use crate::codec::fields::Fields;

pub struct MqttProtocolCore;

/// One `Vec` per packet, as the encoder returns them.
#[derive(Default)]
pub struct Output(Vec<Vec<u8>>);

impl Contestant for MqttProtocolCore {
    const NAME: &'static str = "mqtt-protocol-core";
    type Input = &'static [u8];
    type Packet = Packet;
    type Output = Output;

    fn refill(input: &mut Self::Input, stream: &'static [u8]) {
        *input = stream;
    }

    fn decode_all(input: &mut Self::Input, mut each: impl FnMut(Packet)) -> Result<(), impl Debug> {
        let mut stream = mem::take(input);
        while let [first, after_type @ ..] = stream {
            let DecodeResult::Ok(len, len_len) = VariableByteInteger::decode_stream(after_type)
            else {
                return Err(MqttError::MalformedPacket);
            };
            let (body, after) = after_type[len_len..].split_at(len.to_u32() as usize);
            each(parse(*first, body)?);
            stream = after;
        }
        Ok::<_, MqttError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet, fields: &mut F) {
        match packet {
            Packet::V5_0Connect(connect) if F::READS.connect => read_connect(connect, fields),
            Packet::V5_0Connack(connack) if F::READS.connack => {
                fields.number(connack.session_present());
                fields.number(connack.reason_code() as u8);
                read_properties(connack.props(), fields);
            }
            Packet::V5_0Publish(publish) if F::READS.publish => {
                fields.number(publish.qos() as u8);
                fields.number(publish.retain());
                fields.number_if(publish.packet_id());
                fields.text(publish.topic_name());
                read_properties(publish.props(), fields);
                fields.bytes(publish.payload().as_slice());
            }
            Packet::V5_0Puback(puback) if F::READS.puback => {
                fields.number(puback.packet_id());
                fields.number_if(puback.reason_code().map(|code| code as u8));
                if let Some(properties) = puback.props() {
                    read_properties(properties, fields);
                }
            }
            Packet::V5_0Subscribe(subscribe) if F::READS.subscribe => {
                fields.number(subscribe.packet_id());
                read_properties(subscribe.props(), fields);
                subscribe
                    .entries()
                    .iter()
                    .for_each(|entry| read_entry(entry, fields));
            }
            Packet::V5_0Pingresp(_) => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let packet = packet.as_ref().expect("every slot has a packet");
        output.0.push(packet.to_continuous_buffer());
        Ok::<_, MqttError>(())
    }

    fn share(_: &mut Option<Packet>, _: &mut Output) -> Outcome<()> {
        Err("lends slices of the packet, which no output can collect".to_owned())
    }

    fn clear(output: &mut Output) {
        output.0.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.0.concat()
    }

    fn read_some(first: &'static [u8]) -> Outcome<()> {
        match PacketBuilder::new().feed(&mut Cursor::new(first)) {
            PacketBuildResult::Error(error) => Err(format!("{error:?}")),
            _ => Ok(()),
        }
    }
}

fn parse(first: u8, body: &[u8]) -> Result<Packet, MqttError> {
    Ok(match first >> 4 {
        1 => Packet::V5_0Connect(v5_0::Connect::parse(body)?.0),
        2 => Packet::V5_0Connack(v5_0::Connack::parse(body)?.0),
        3 => Packet::V5_0Publish(v5_0::Publish::parse(first & 0xf, Arc::from(body))?.0),
        4 => Packet::V5_0Puback(v5_0::Puback::parse(body)?.0),
        8 => Packet::V5_0Subscribe(v5_0::Subscribe::parse(body)?.0),
        13 => Packet::V5_0Pingresp(v5_0::Pingresp::parse(body)?.0),
        _ => unreachable!("no case has one"),
    })
}

#[inline(always)]
fn read_connect(connect: &v5_0::Connect, fields: &mut impl Fields) {
    fields.number(connect.clean_start());
    fields.number(connect.keep_alive());
    read_properties(connect.props(), fields);
    fields.text(connect.client_id());
    if connect.will_flag() {
        fields.number(connect.will_qos() as u8);
        fields.number(connect.will_retain());
        read_properties(connect.will_props(), fields);
        fields.text_if(connect.will_topic());
        fields.bytes_if(connect.will_payload());
    }
    fields.text_if(connect.user_name());
    fields.bytes_if(connect.password());
}

#[inline(always)]
fn read_entry(entry: &SubEntry, fields: &mut impl Fields) {
    fields.text(entry.topic_filter());
    fields.number(entry.sub_opts().qos() as u8);
    fields.number(entry.sub_opts().nl());
    fields.number(entry.sub_opts().rap());
    fields.number(entry.sub_opts().rh() as u8);
}

#[inline(always)]
fn read_properties(properties: &Properties, fields: &mut impl Fields) {
    for property in properties {
        match property {
            Property::PayloadFormatIndicator(_)
            | Property::MaximumQos(_)
            | Property::RetainAvailable(_)
            | Property::RequestProblemInformation(_)
            | Property::RequestResponseInformation(_)
            | Property::WildcardSubscriptionAvailable(_)
            | Property::SubscriptionIdentifierAvailable(_)
            | Property::SharedSubscriptionAvailable(_) => fields.number_if(property.as_u8()),
            Property::TopicAlias(_)
            | Property::ReceiveMaximum(_)
            | Property::TopicAliasMaximum(_)
            | Property::ServerKeepAlive(_) => fields.number_if(property.as_u16()),
            Property::MessageExpiryInterval(_)
            | Property::SessionExpiryInterval(_)
            | Property::WillDelayInterval(_)
            | Property::MaximumPacketSize(_)
            | Property::SubscriptionIdentifier(_) => fields.number_if(property.as_u32()),
            Property::CorrelationData(_) | Property::AuthenticationData(_) => {
                fields.bytes_if(property.as_bytes());
            }
            Property::UserProperty(_) => {
                let (name, value) = property.as_key_value().unwrap_or_default();
                fields.text(name);
                fields.text(value);
            }
            _ => fields.text_if(property.as_str()),
        }
    }
}
