//! rumqttc-v5-next, a fork of rumqttc: `Packet::read` and `Packet::write` on `BytesMut`.

use std::fmt::Debug;

use bytes::BytesMut;
use rumqttc_next::mqttbytes::Error;
use rumqttc_next::mqttbytes::v5::{Codec, Connect, ConnectAuth, LastWill, Packet, Publish};
use tokio_util::codec::Decoder as _;

use super::mqttbytes_fields::mqttbytes_fields;
use super::{OUTPUT, refill};
use crate::codec::contestant::{Contestant, Outcome};
use crate::codec::fields::Fields;

/// The codec of rumqttc-v5-next.
pub struct RumqttcNext;

pub struct Output(BytesMut);

impl Default for Output {
    fn default() -> Self {
        Self(BytesMut::with_capacity(OUTPUT))
    }
}

impl Contestant for RumqttcNext {
    const NAME: &'static str = "rumqttc-v5-next";
    type Input = BytesMut;
    type Packet = Packet;
    type Output = Output;

    fn refill(input: &mut BytesMut, stream: &'static [u8]) {
        refill(input, stream);
    }

    fn decode_all(input: &mut BytesMut, mut each: impl FnMut(Packet)) -> Result<(), impl Debug> {
        while !input.is_empty() {
            each(Packet::read(input, None)?);
        }
        Ok::<_, Error>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet, fields: &mut F) {
        match packet {
            Packet::Connect(connect, will, auth) if F::READS.connect => {
                read_connect(connect, will.as_ref(), auth, fields);
            }
            Packet::ConnAck(connack) if F::READS.connack => read_connack(connack, fields),
            Packet::Publish(publish) if F::READS.publish => read_publish(publish, fields),
            Packet::PubAck(puback) if F::READS.puback => read_puback(puback, fields),
            Packet::Subscribe(subscribe) if F::READS.subscribe => read_subscribe(subscribe, fields),
            Packet::PingResp => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let packet = packet.as_ref().expect("every slot has a packet");
        packet.write(&mut output.0, None).map(drop)
    }

    fn clear(output: &mut Output) {
        output.0.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.0.to_vec()
    }

    fn read_some(first: &'static [u8]) -> Outcome<()> {
        // `tokio_util`'s decoder, which the client's own connection uses.
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

#[inline(always)]
fn read_publish(publish: &Publish, fields: &mut impl Fields) {
    fields.number(publish.qos as u8);
    fields.number(publish.retain);
    fields.number(publish.pkid);
    // Checked to be text, but handed out as bytes.
    fields.bytes(&publish.topic);
    read_publish_properties(publish.properties.as_ref(), fields);
    fields.bytes(&publish.payload);
}

#[inline(always)]
fn read_connect(
    connect: &Connect,
    will: Option<&LastWill>,
    auth: &ConnectAuth,
    fields: &mut impl Fields,
) {
    fields.number(connect.clean_start);
    fields.number(connect.keep_alive);
    read_connect_properties(connect.properties.as_ref(), fields);
    fields.text(&connect.client_id);
    if let Some(will) = will {
        read_will(will, fields);
    }
    match auth {
        ConnectAuth::None => {}
        ConnectAuth::Username { username } => fields.text(username),
        ConnectAuth::Password { password } => fields.bytes(password),
        ConnectAuth::UsernamePassword { username, password } => {
            fields.text(username);
            fields.bytes(password);
        }
    }
}

mqttbytes_fields!(rumqttc_next::mqttbytes::v5);
