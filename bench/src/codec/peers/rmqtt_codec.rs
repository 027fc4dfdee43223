//! rmqtt-codec: the codec of the `rmqtt` server, by its `tokio_util` traits.

use std::fmt::Debug;

use bytes::BytesMut;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::types::Publish;
use rmqtt_codec::v5::{
    Codec, Connect, ConnectAck, LastWill, Packet, PublishAck, Subscribe, UserProperties,
};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::{OUTPUT, refill};
use crate::codec::contestant::Contestant;
use crate::codec::fields::Fields;

pub struct RmqttCodec;

#[derive(Default)]
pub struct Input {
    codec: Codec,
    bytes: BytesMut,
}

pub struct Output {
    codec: Codec,
    bytes: BytesMut,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            codec: Codec::default(),
            bytes: BytesMut::with_capacity(OUTPUT),
        }
    }
}

impl Contestant for RmqttCodec {
    const NAME: &'static str = "rmqtt-codec";
    const ENCODES_BY_VALUE: bool = true;
    type Input = Input;
    type Packet = Packet;
    type Output = Output;

    fn refill(input: &mut Input, stream: &'static [u8]) {
        refill(&mut input.bytes, stream);
    }

    fn decode_all(input: &mut Input, mut each: impl FnMut(Packet)) -> Result<(), impl Debug> {
        while let Some((packet, _)) = input.codec.decode(&mut input.bytes)? {
            each(packet);
        }
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet, fields: &mut F) {
        match packet {
            Packet::Connect(connect) if F::READS.connect => read_connect(connect, fields),
            Packet::ConnectAck(connack) if F::READS.connack => read_connack(connack, fields),
            Packet::Publish(publish) if F::READS.publish => read_publish(publish, fields),
            Packet::PublishAck(puback) if F::READS.puback => read_puback(puback, fields),
            Packet::Subscribe(subscribe) if F::READS.subscribe => read_subscribe(subscribe, fields),
            Packet::PingResponse => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let packet = packet.take().expect("a packet is encoded once");
        output.codec.encode(packet, &mut output.bytes)
    }

    fn clear(output: &mut Output) {
        output.bytes.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.bytes.to_vec()
    }
}

#[inline(always)]
fn read_publish(publish: &Publish, fields: &mut impl Fields) {
    fields.number(publish.qos as u8);
    fields.number(publish.retain);
    fields.number_if(publish.packet_id.map(|number| number.get()));
    fields.text(&publish.topic);
    if let Some(properties) = &publish.properties {
        fields.number(properties.is_utf8_payload);
        fields.number_if(
            properties
                .message_expiry_interval
                .map(|number| number.get()),
        );
        fields.number_if(properties.topic_alias.map(|number| number.get()));
        fields.text_if(properties.response_topic.as_deref());
        fields.bytes_if(properties.correlation_data.as_deref());
        fields.text_if(properties.content_type.as_deref());
        for identifier in &properties.subscription_ids {
            fields.number(identifier.get());
        }
        read_user_properties(&properties.user_properties, fields);
    }
    fields.bytes(&publish.payload);
}

#[inline(always)]
fn read_puback(puback: &PublishAck, fields: &mut impl Fields) {
    fields.number(puback.packet_id.get());
    fields.number(puback.reason_code as u8);
    fields.text_if(puback.reason_string.as_deref());
    read_user_properties(&puback.properties, fields);
}

#[inline(always)]
fn read_connect(connect: &Connect, fields: &mut impl Fields) {
    fields.number(connect.clean_start);
    fields.number(connect.keep_alive);
    fields.number(connect.session_expiry_interval_secs);
    fields.number_if(connect.receive_max.map(|number| number.get()));
    fields.number_if(connect.max_packet_size.map(|number| number.get()));
    fields.number(connect.topic_alias_max);
    fields.number(connect.request_response_info);
    fields.number(connect.request_problem_info);
    fields.text_if(connect.auth_method.as_deref());
    fields.bytes_if(connect.auth_data.as_deref());
    read_user_properties(&connect.user_properties, fields);
    fields.text(&connect.client_id);
    if let Some(will) = &connect.last_will {
        read_will(will, fields);
    }
    fields.text_if(connect.username.as_deref());
    fields.bytes_if(connect.password.as_deref());
}

#[inline(always)]
fn read_will(will: &LastWill, fields: &mut impl Fields) {
    fields.number(will.qos as u8);
    fields.number(will.retain);
    fields.number_if(will.will_delay_interval_sec);
    fields.number_if(will.is_utf8_payload);
    fields.number_if(will.message_expiry_interval.map(|number| number.get()));
    fields.text_if(will.content_type.as_deref());
    fields.text_if(will.response_topic.as_deref());
    fields.bytes_if(will.correlation_data.as_deref());
    read_user_properties(&will.user_properties, fields);
    fields.text(&will.topic);
    fields.bytes(&will.message);
}

#[inline(always)]
fn read_connack(connack: &ConnectAck, fields: &mut impl Fields) {
    fields.number(connack.session_present);
    fields.number(connack.reason_code as u8);
    fields.number_if(connack.session_expiry_interval_secs);
    fields.number(connack.receive_max.get());
    fields.number(connack.max_qos as u8);
    fields.number(connack.retain_available);
    fields.number_if(connack.max_packet_size);
    fields.text_if(connack.assigned_client_id.as_deref());
    fields.number(connack.topic_alias_max);
    fields.text_if(connack.reason_string.as_deref());
    fields.number(connack.wildcard_subscription_available);
    fields.number(connack.subscription_identifiers_available);
    fields.number(connack.shared_subscription_available);
    fields.number_if(connack.server_keepalive_sec);
    fields.text_if(connack.response_info.as_deref());
    fields.text_if(connack.server_reference.as_deref());
    fields.text_if(connack.auth_method.as_deref());
    fields.bytes_if(connack.auth_data.as_deref());
    read_user_properties(&connack.user_properties, fields);
}

#[inline(always)]
fn read_subscribe(subscribe: &Subscribe, fields: &mut impl Fields) {
    fields.number(subscribe.packet_id.get());
    fields.number_if(subscribe.id.map(|number| number.get()));
    read_user_properties(&subscribe.user_properties, fields);
    for (filter, options) in &subscribe.topic_filters {
        fields.text(filter);
        fields.number(options.qos as u8);
        fields.number(options.no_local);
        fields.number(options.retain_as_published);
        fields.number(options.retain_handling as u8);
    }
}

#[inline(always)]
fn read_user_properties(user_properties: &UserProperties, fields: &mut impl Fields) {
    for (name, value) in user_properties {
        fields.text(name);
        fields.text(value);
    }
}
