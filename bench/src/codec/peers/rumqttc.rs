//! rumqttc, its MQTT 5 half: `Packet::read` and `Packet::write` on `BytesMut`.

use std::fmt::Debug;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::Error;
use rumqttc::v5::mqttbytes::v5::{
    Codec, ConnAck, Connect, LastWill, Login, Packet, PubAck, Publish, Subscribe,
};
use tokio_util::codec::Decoder as _;

use super::{OUTPUT, refill};
use crate::codec::contestant::{Contestant, Outcome};
use crate::codec::fields::Fields;

pub struct Rumqttc;

pub struct Output(BytesMut);

impl Default for Output {
    fn default() -> Self {
        Self(BytesMut::with_capacity(OUTPUT))
    }
}

impl Contestant for Rumqttc {
    const NAME: &'static str = "rumqttc";
    type Input = BytesMut;
    type Packet = Packet;
    type Seen<'p> = &'p Packet;
    type Output = Output;

    fn refill(input: &mut BytesMut, stream: &'static [u8]) {
        refill(input, stream);
    }

    fn decode_all(input: &mut BytesMut, mut each: impl FnMut(&Packet)) -> Result<(), impl Debug> {
        while !input.is_empty() {
            match Packet::read(input, None) {
                Ok(ref packet) => each(packet),
                Err(error) => return Err(error),
            }
        }
        Ok::<_, Error>(())
    }

    fn read(packet: &Packet, fields: &mut impl Fields) {
        match packet {
            Packet::Connect(connect, will, login) => {
                read_connect(connect, will.as_ref(), login.as_ref(), fields);
            }
            Packet::ConnAck(connack) => read_connack(connack, fields),
            Packet::Publish(publish) => read_publish(publish, fields),
            Packet::PubAck(puback) => read_puback(puback, fields),
            Packet::Subscribe(subscribe) => read_subscribe(subscribe, fields),
            Packet::PingResp(_) => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn keep(packet: &Packet) -> Packet {
        packet.clone()
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Outcome<()> {
        let Some(packet) = packet else {
            return Err(String::new());
        };
        packet
            .write(&mut output.0, None)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn clear(output: &mut Output) {
        output.0.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.0.to_vec()
    }

    fn read_some(first: &'static [u8]) -> Outcome<()> {
        // What its own connection reads with.
        let mut codec = Codec {
            max_incoming_size: None,
            max_outgoing_size: None,
        };
        let mut input = BytesMut::from(first);
        codec
            .decode(&mut input)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

fn read_publish(publish: &Publish, fields: &mut impl Fields) {
    fields.number(publish.qos as u8);
    fields.number(publish.retain);
    fields.number(publish.pkid);
    // It isn't checked to be text, and isn't here either.
    fields.bytes(&publish.topic);
    if let Some(properties) = &publish.properties {
        fields.number_if(properties.payload_format_indicator);
        fields.number_if(properties.message_expiry_interval);
        fields.number_if(properties.topic_alias);
        fields.text_if(properties.response_topic.as_deref());
        fields.bytes_if(properties.correlation_data.as_deref());
        fields.text_if(properties.content_type.as_deref());
        for &identifier in &properties.subscription_identifiers {
            fields.number(identifier as u64);
        }
        read_user_properties(&properties.user_properties, fields);
    }
    fields.bytes(&publish.payload);
}

fn read_puback(puback: &PubAck, fields: &mut impl Fields) {
    fields.number(puback.pkid);
    fields.number(puback.reason as u8);
    if let Some(properties) = &puback.properties {
        fields.text_if(properties.reason_string.as_deref());
        read_user_properties(&properties.user_properties, fields);
    }
}

fn read_connect(
    connect: &Connect,
    will: Option<&LastWill>,
    login: Option<&Login>,
    fields: &mut impl Fields,
) {
    fields.number(connect.clean_start);
    fields.number(connect.keep_alive);
    if let Some(properties) = &connect.properties {
        fields.number_if(properties.session_expiry_interval);
        fields.number_if(properties.receive_maximum);
        fields.number_if(properties.max_packet_size);
        fields.number_if(properties.topic_alias_max);
        fields.number_if(properties.request_response_info);
        fields.number_if(properties.request_problem_info);
        fields.text_if(properties.authentication_method.as_deref());
        fields.bytes_if(properties.authentication_data.as_deref());
        read_user_properties(&properties.user_properties, fields);
    }
    fields.text(&connect.client_id);
    if let Some(will) = will {
        read_will(will, fields);
    }
    if let Some(login) = login {
        fields.text(&login.username);
        fields.text(&login.password);
    }
}

fn read_will(will: &LastWill, fields: &mut impl Fields) {
    fields.number(will.qos as u8);
    fields.number(will.retain);
    if let Some(properties) = &will.properties {
        fields.number_if(properties.delay_interval);
        fields.number_if(properties.payload_format_indicator);
        fields.number_if(properties.message_expiry_interval);
        fields.text_if(properties.content_type.as_deref());
        fields.text_if(properties.response_topic.as_deref());
        fields.bytes_if(properties.correlation_data.as_deref());
        read_user_properties(&properties.user_properties, fields);
    }
    fields.bytes(&will.topic);
    fields.bytes(&will.message);
}

fn read_connack(connack: &ConnAck, fields: &mut impl Fields) {
    fields.number(connack.session_present);
    fields.number(connack.code as u8);
    let Some(properties) = &connack.properties else {
        return;
    };
    fields.number_if(properties.session_expiry_interval);
    fields.number_if(properties.receive_max);
    fields.number_if(properties.max_qos);
    fields.number_if(properties.retain_available);
    fields.number_if(properties.max_packet_size);
    fields.text_if(properties.assigned_client_identifier.as_deref());
    fields.number_if(properties.topic_alias_max);
    fields.text_if(properties.reason_string.as_deref());
    fields.number_if(properties.wildcard_subscription_available);
    fields.number_if(properties.subscription_identifiers_available);
    fields.number_if(properties.shared_subscription_available);
    fields.number_if(properties.server_keep_alive);
    fields.text_if(properties.response_information.as_deref());
    fields.text_if(properties.server_reference.as_deref());
    fields.text_if(properties.authentication_method.as_deref());
    fields.bytes_if(properties.authentication_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
}

fn read_subscribe(subscribe: &Subscribe, fields: &mut impl Fields) {
    fields.number(subscribe.pkid);
    if let Some(properties) = &subscribe.properties {
        fields.number_if(properties.id.map(|id| id as u64));
        read_user_properties(&properties.user_properties, fields);
    }
    for filter in &subscribe.filters {
        fields.text(&filter.path);
        fields.number(filter.qos as u8);
        fields.number(filter.nolocal);
        fields.number(filter.preserve_retain);
        fields.number(filter.retain_forward_rule.clone() as u8);
    }
}

fn read_user_properties(user_properties: &[(String, String)], fields: &mut impl Fields) {
    for (name, value) in user_properties {
        fields.text(name);
        fields.text(value);
    }
}
