//! ntex-mqtt: the codec of the `ntex` framework, with its own bytes and pages.

use std::fmt::Debug;

use ntex_bytes::{BytePageSize, BytePages, BytesMut};
use ntex_codec::{Decoder as _, Encoder as _};
use ntex_mqtt::error::DecodeError;
use ntex_mqtt::v5::codec::{
    Codec, Connect, ConnectAck, Decoded, Encoded, LastWill, Packet, Publish, PublishAck, Subscribe,
    UserProperties,
};

use super::SPARE;
use crate::codec::cases::{Case, LARGE};
use crate::codec::contestant::{Contestant, Outcome, Task};
use crate::codec::fields::Fields;

pub struct NtexMqtt;

#[derive(Default)]
pub struct Input {
    codec: Codec,
    bytes: BytesMut,
}

pub struct Output {
    codec: Codec,
    pages: BytePages,
}

impl Default for Output {
    fn default() -> Self {
        // The page size that ntex itself writes with.
        Self {
            codec: Codec::default(),
            pages: BytePages::new(BytePageSize::Size16),
        }
    }
}

impl Contestant for NtexMqtt {
    const NAME: &'static str = "ntex-mqtt";
    const ENCODES_BY_VALUE: bool = true;
    type Input = Input;
    type Packet = Decoded;
    type Output = Output;

    fn refill(input: &mut Input, stream: &'static [u8]) {
        input.bytes.reserve(stream.len() + SPARE);
        input.bytes.extend_from_slice(stream);
    }

    fn decode_all(input: &mut Input, mut each: impl FnMut(Decoded)) -> Result<(), impl Debug> {
        while let Some(decoded) = input.codec.decode(&mut input.bytes)? {
            each(decoded);
        }
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Decoded, fields: &mut F) {
        match packet {
            Decoded::Publish(publish, payload, _) if F::READS.publish => {
                read_publish(publish, payload, fields)
            }
            Decoded::Packet(Packet::Connect(connect), _) if F::READS.connect => {
                read_connect(connect, fields)
            }
            Decoded::Packet(Packet::ConnectAck(connack), _) if F::READS.connack => {
                read_connack(connack, fields)
            }
            Decoded::Packet(Packet::PublishAck(puback), _) if F::READS.puback => {
                read_puback(puback, fields)
            }
            Decoded::Packet(Packet::Subscribe(subscribe), _) if F::READS.subscribe => {
                read_subscribe(subscribe, fields)
            }
            Decoded::Packet(Packet::PingResponse, _) => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Decoded>, output: &mut Output) -> Result<(), impl Debug> {
        let encoded = match packet.take() {
            Some(Decoded::Publish(publish, payload, _)) => Encoded::Publish(publish, Some(payload)),
            Some(Decoded::Packet(packet, _)) => Encoded::Packet(packet),
            Some(Decoded::PayloadChunk(..)) | None => unreachable!("a packet is encoded once"),
        };
        output.codec.encodev(encoded, &mut output.pages)
    }

    fn share(packet: &mut Option<Decoded>, output: &mut Output) -> Outcome<()> {
        Self::encode(packet, output).map_err(|error| format!("{error:?}"))
    }

    fn clear(output: &mut Output) {
        output.pages.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.pages.freeze().to_vec()
    }

    fn lacks(task: Task, case: &Case) -> Option<&'static str> {
        (task == Task::Encode && case.name == LARGE)
            .then_some("payloads above 4 KiB are never copied: see the head with a shared payload")
    }
}

#[inline(always)]
fn read_publish(publish: &Publish, payload: &[u8], fields: &mut impl Fields) {
    fields.number(publish.qos as u8);
    fields.number(publish.retain);
    fields.number_if(publish.packet_id.map(|number| number.get()));
    fields.text(&publish.topic);
    let properties = &publish.properties;
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
    fields.bytes(payload);
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
