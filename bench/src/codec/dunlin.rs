//! Dunlin itself: borrowed by `Packet::decode`, borrowed by the direct paths, and owned.

use std::fmt::Debug;

use bytes::{BufMut, Bytes, BytesMut};
use dunlin_codec::{
    Ack, AckType, ConnAck, Connect, DecodeError, DecodeOptions, Decoded, Packet, PacketBuf,
    Publish, Repeated, Subscribe, UserProperty, Will,
};

use super::cases::Case;
use super::contestant::{Contestant, Outcome, Task};
use super::fields::Fields;

/// `Packet::decode`: any packet, borrowed.
pub struct Borrowed;

impl Contestant for Borrowed {
    const NAME: &'static str = "Dunlin, borrowed";
    type Input = &'static [u8];
    type Packet = Packet<'static>;
    type Seen<'p> = &'p Packet<'static>;
    type Output = Output;

    fn refill(input: &mut Self::Input, stream: &'static [u8]) {
        *input = stream;
    }

    fn decode_all(
        input: &mut Self::Input,
        mut each: impl FnMut(&Packet<'static>),
    ) -> Result<(), impl Debug> {
        loop {
            match Packet::decode(input) {
                Ok(Some((ref packet, len))) => {
                    *input = &input[len..];
                    each(packet);
                }
                Ok(None) => return Ok::<_, DecodeError>(()),
                Err(error) => return Err(error),
            }
        }
    }

    #[inline]
    fn read(packet: &Packet<'static>, fields: &mut impl Fields) {
        read(packet, fields);
    }

    fn keep(packet: &Packet<'static>) -> Packet<'static> {
        *packet
    }

    fn packets(case: &Case) -> Outcome<Vec<Self::Packet>> {
        Ok(case.packets.clone())
    }

    #[inline]
    fn encode(packet: &mut Option<Self::Packet>, output: &mut Output) -> Outcome<()> {
        let Some(packet) = packet else {
            return Err(String::new());
        };
        packet
            .encode(&mut output.head)
            .map_err(|error| error.to_string())
    }

    #[inline]
    fn share(packet: &mut Option<Self::Packet>, output: &mut Output) -> Outcome<()> {
        let Some(Packet::Publish(publish)) = packet else {
            return Err("is no PUBLISH".to_owned());
        };
        publish
            .encode_head(&mut output.head)
            .map_err(|error| error.to_string())?;
        let payload = output
            .payload
            .get_or_insert_with(|| Bytes::copy_from_slice(publish.payload));
        output.tails.push(payload.clone());
        Ok(())
    }

    fn clear(output: &mut Output) {
        output.head.clear();
        output.tails.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        let mut written = output.head.to_vec();
        output.tails.iter().for_each(|tail| written.put_slice(tail));
        written
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        // What it borrows from is its caller's: the row `Dunlin, owned` reads into a buffer.
        Err(AS_BORROWED.to_owned())
    }
}

/// A buffer for heads, and the payloads that were passed on uncopied.
pub struct Output {
    head: BytesMut,
    tails: Vec<Bytes>,
    payload: Option<Bytes>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            head: BytesMut::with_capacity(128 * 1024),
            tails: Vec::with_capacity(1),
            payload: None,
        }
    }
}

/// `Publish::decode` and `Ack::decode` for what a connection is full of, `Packet::decode` for the
/// rest.
pub struct Direct;

/// A packet as it comes out of its own decoder.
pub enum DirectPacket<'p> {
    Publish(&'p Publish<'static>),
    Ack(&'p Ack<'static>),
}

impl Contestant for Direct {
    const NAME: &'static str = "Dunlin, direct";
    type Input = &'static [u8];
    type Packet = Packet<'static>;
    type Seen<'p> = DirectPacket<'p>;
    type Output = ();

    fn refill(input: &mut Self::Input, stream: &'static [u8]) {
        *input = stream;
    }

    fn decode_all(
        input: &mut Self::Input,
        mut each: impl FnMut(DirectPacket<'_>),
    ) -> Result<(), impl Debug> {
        let options = DecodeOptions::default();
        while let Some(first) = input.first() {
            let len = match first >> 4 {
                PUBLISH => match Publish::decode_with(input, &options) {
                    Ok(Decoded::Packet(ref publish, len)) => {
                        each(DirectPacket::Publish(publish));
                        len
                    }
                    Ok(Decoded::Incomplete | Decoded::Other(_)) => break,
                    Err(error) => return Err(error),
                },
                PUBACK..=PUBCOMP => match Ack::decode_with(input, &options) {
                    Ok(Decoded::Packet((_, ref ack), len)) => {
                        each(DirectPacket::Ack(ack));
                        len
                    }
                    Ok(Decoded::Incomplete | Decoded::Other(_)) => break,
                    Err(error) => return Err(error),
                },
                _ => match Packet::decode(input) {
                    Ok(Some((_, len))) => len,
                    Ok(None) => break,
                    Err(error) => return Err(error),
                },
            };
            *input = &input[len..];
        }
        Ok::<_, DecodeError>(())
    }

    #[inline]
    fn read(packet: DirectPacket<'_>, fields: &mut impl Fields) {
        match packet {
            DirectPacket::Publish(publish) => read_publish(publish, fields),
            DirectPacket::Ack(ack) => read_ack(ack, fields),
        }
    }

    fn keep(packet: DirectPacket<'_>) -> Packet<'static> {
        match packet {
            DirectPacket::Publish(publish) => (*publish).into(),
            DirectPacket::Ack(ack) => ack.into_packet(AckType::PubAck),
        }
    }

    fn encode(_: &mut Option<Self::Packet>, (): &mut ()) -> Outcome<()> {
        Err(AS_BORROWED.to_owned())
    }

    fn clear((): &mut ()) {}

    fn written((): &mut ()) -> Vec<u8> {
        Vec::new()
    }

    fn lacks(task: Task, case: &Case) -> Option<&'static str> {
        let has_direct_path = matches!(
            case.packets.first(),
            Some(Packet::Publish(_) | Packet::PubAck(_))
        );
        let decodes = matches!(task, Task::Decode | Task::Read);
        (!(decodes && has_direct_path)).then_some(AS_BORROWED)
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        Err(AS_BORROWED.to_owned())
    }
}

/// `PacketBuf`: a packet in shared bytes, checked when taken and parsed again when read.
pub struct Owned;

impl Contestant for Owned {
    const NAME: &'static str = "Dunlin, owned";
    type Input = BytesMut;
    type Packet = PacketBuf;
    type Seen<'p> = &'p PacketBuf;
    type Output = ();

    fn refill(input: &mut BytesMut, stream: &'static [u8]) {
        input.reserve(stream.len());
        input.put_slice(stream);
    }

    fn decode_all(
        input: &mut BytesMut,
        mut each: impl FnMut(&PacketBuf),
    ) -> Result<(), impl Debug> {
        let options = DecodeOptions::default();
        loop {
            match PacketBuf::take(input, &options) {
                Ok(Some(ref packet)) => each(packet),
                Ok(None) => return Ok::<_, DecodeError>(()),
                Err(error) => return Err(error),
            }
        }
    }

    #[inline]
    fn read(packet: &PacketBuf, fields: &mut impl Fields) {
        read(&packet.packet(), fields);
    }

    fn keep(packet: &PacketBuf) -> PacketBuf {
        packet.clone()
    }

    fn encode(_: &mut Option<PacketBuf>, (): &mut ()) -> Outcome<()> {
        Err(AS_BORROWED.to_owned())
    }

    fn clear((): &mut ()) {}

    fn written((): &mut ()) -> Vec<u8> {
        Vec::new()
    }

    fn lacks(task: Task, _: &Case) -> Option<&'static str> {
        matches!(task, Task::Encode | Task::Share).then_some(AS_BORROWED)
    }
}

/// Nothing to say of its own: there is one encoder, and packets without a direct path have one
/// decoder.
const AS_BORROWED: &str = "";

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBCOMP: u8 = 7;

#[inline]
fn read(packet: &Packet<'_>, fields: &mut impl Fields) {
    match packet {
        Packet::Connect(connect) => read_connect(connect, fields),
        Packet::ConnAck(connack) => read_connack(connack, fields),
        Packet::Publish(publish) => read_publish(publish, fields),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            read_ack(ack, fields);
        }
        Packet::Subscribe(subscribe) => read_subscribe(subscribe, fields),
        Packet::PingReq | Packet::PingResp => {}
        Packet::SubAck(_)
        | Packet::Unsubscribe(_)
        | Packet::UnsubAck(_)
        | Packet::Disconnect(_)
        | Packet::Auth(_) => unreachable!("no case has one"),
    }
}

#[inline]
fn read_publish(publish: &Publish<'_>, fields: &mut impl Fields) {
    fields.number(publish.delivery.qos().level());
    fields.number(publish.retain);
    fields.number_if(publish.delivery.packet_id().map(|id| id.get()));
    fields.text_if(publish.topic.as_deref());
    let properties = &publish.properties;
    fields.number_if(
        properties
            .payload_format_indicator
            .map(|format| format as u8),
    );
    fields.number_if(properties.message_expiry_interval);
    fields.number_if(properties.topic_alias.map(|alias| alias.get()));
    fields.text_if(properties.response_topic.as_deref());
    fields.bytes_if(properties.correlation_data.as_deref());
    fields.text_if(properties.content_type.as_deref());
    for identifier in &properties.subscription_identifiers {
        fields.number(identifier.get());
    }
    read_user_properties(&properties.user_properties, fields);
    fields.bytes(publish.payload);
}

#[inline]
fn read_ack(ack: &Ack<'_>, fields: &mut impl Fields) {
    fields.number(ack.packet_id.get());
    fields.number(ack.reason_code.code());
    fields.text_if(ack.properties.reason_string.as_deref());
    read_user_properties(&ack.properties.user_properties, fields);
}

fn read_connect(connect: &Connect<'_>, fields: &mut impl Fields) {
    fields.number(connect.clean_start);
    fields.number(connect.keep_alive);
    let properties = &connect.properties;
    fields.number_if(properties.session_expiry_interval);
    fields.number_if(properties.receive_maximum.map(|number| number.get()));
    fields.number_if(properties.maximum_packet_size.map(|number| number.get()));
    fields.number_if(properties.topic_alias_maximum);
    fields.number_if(properties.request_response_information);
    fields.number_if(properties.request_problem_information);
    fields.text_if(properties.authentication_method.as_deref());
    fields.bytes_if(properties.authentication_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
    fields.text(&connect.client_id);
    if let Some(will) = &connect.will {
        read_will(will, fields);
    }
    fields.text_if(connect.username.as_deref());
    fields.bytes_if(connect.password.as_deref());
}

fn read_will(will: &Will<'_>, fields: &mut impl Fields) {
    fields.number(will.qos.level());
    fields.number(will.retain);
    let properties = &will.properties;
    fields.number_if(properties.will_delay_interval);
    fields.number_if(
        properties
            .payload_format_indicator
            .map(|format| format as u8),
    );
    fields.number_if(properties.message_expiry_interval);
    fields.text_if(properties.content_type.as_deref());
    fields.text_if(properties.response_topic.as_deref());
    fields.bytes_if(properties.correlation_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
    fields.text(&will.topic);
    fields.bytes(&will.payload);
}

fn read_connack(connack: &ConnAck<'_>, fields: &mut impl Fields) {
    fields.number(connack.session_present);
    fields.number(connack.reason_code.code());
    let properties = &connack.properties;
    fields.number_if(properties.session_expiry_interval);
    fields.number_if(properties.receive_maximum.map(|number| number.get()));
    fields.number_if(properties.maximum_qos.map(|qos| qos.level()));
    fields.number_if(properties.retain_available);
    fields.number_if(properties.maximum_packet_size.map(|number| number.get()));
    fields.text_if(properties.assigned_client_identifier.as_deref());
    fields.number_if(properties.topic_alias_maximum);
    fields.text_if(properties.reason_string.as_deref());
    fields.number_if(properties.wildcard_subscription_available);
    fields.number_if(properties.subscription_identifier_available);
    fields.number_if(properties.shared_subscription_available);
    fields.number_if(properties.server_keep_alive);
    fields.text_if(properties.response_information.as_deref());
    fields.text_if(properties.server_reference.as_deref());
    fields.text_if(properties.authentication_method.as_deref());
    fields.bytes_if(properties.authentication_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
}

fn read_subscribe(subscribe: &Subscribe<'_>, fields: &mut impl Fields) {
    fields.number(subscribe.packet_id.get());
    fields.number_if(
        subscribe
            .properties
            .subscription_identifier
            .map(|identifier| identifier.get()),
    );
    read_user_properties(&subscribe.properties.user_properties, fields);
    for subscription in &subscribe.subscriptions {
        fields.text(&subscription.filter);
        fields.number(subscription.options.qos.level());
        fields.number(subscription.options.no_local);
        fields.number(subscription.options.retain_as_published);
        fields.number(subscription.options.retain_handling as u8);
    }
}

#[inline]
fn read_user_properties(
    user_properties: &Repeated<'_, UserProperty<'_>>,
    fields: &mut impl Fields,
) {
    for property in user_properties {
        fields.text(&property.name);
        fields.text(&property.value);
    }
}
