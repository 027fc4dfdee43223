//! mqttbytes, its module `v5`: `read`, and `write` of each packet.

use std::fmt::Debug;

use bytes::BytesMut;
use mqttbytes::v5::{self, Connect, Packet, PingResp, Publish};
use mqttbytes::{Error, Protocol};

use super::mqttbytes_fields::mqttbytes_fields;
use super::{OUTPUT, refill};
use crate::codec::contestant::{Contestant, Outcome};
use crate::codec::fields::Fields;

/// The codec that rumqttc's is derived from.
pub struct Mqttbytes;

pub struct Output(BytesMut);

impl Default for Output {
    fn default() -> Self {
        Self(BytesMut::with_capacity(OUTPUT))
    }
}

impl Contestant for Mqttbytes {
    const NAME: &'static str = "mqttbytes";
    type Input = BytesMut;
    type Packet = Packet;
    type Output = Output;

    fn refill(input: &mut BytesMut, stream: &'static [u8]) {
        refill(input, stream);
    }

    fn decode_all(input: &mut BytesMut, mut each: impl FnMut(Packet)) -> Result<(), impl Debug> {
        while !input.is_empty() {
            each(v5::read(input, usize::MAX)?);
        }
        Ok::<_, Error>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet, fields: &mut F) {
        match packet {
            Packet::Connect(connect) if F::READS.connect => read_connect(connect, fields),
            Packet::ConnAck(connack) if F::READS.connack => read_connack(connack, fields),
            Packet::Publish(publish) if F::READS.publish => read_publish(publish, fields),
            Packet::PubAck(puback) if F::READS.puback => read_puback(puback, fields),
            Packet::Subscribe(subscribe) if F::READS.subscribe => read_subscribe(subscribe, fields),
            Packet::PingResp => {}
            _ => unreachable!("no case has one"),
        }
    }

    fn encode(packet: &mut Option<Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let out = &mut output.0;
        let encoded = match packet {
            Some(Packet::Connect(connect)) => connect.write(out),
            Some(Packet::ConnAck(connack)) => connack.write(out),
            Some(Packet::Publish(publish)) => publish.write(out),
            Some(Packet::PubAck(puback)) => puback.write(out),
            Some(Packet::Subscribe(subscribe)) => subscribe.write(out),
            Some(Packet::PingResp) => PingResp.write(out),
            _ => unreachable!("no case has one"),
        };
        encoded.map(drop)
    }

    fn clear(output: &mut Output) {
        output.0.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.0.to_vec()
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        Err("the caller waits for a complete packet".to_owned())
    }
}

#[inline(always)]
fn read_publish(publish: &Publish, fields: &mut impl Fields) {
    fields.number(publish.qos as u8);
    fields.number(publish.retain);
    fields.number(publish.pkid);
    fields.text(&publish.topic);
    read_publish_properties(publish.properties.as_ref(), fields);
    fields.bytes(&publish.payload);
}

#[inline(always)]
fn read_connect(connect: &Connect, fields: &mut impl Fields) {
    fields.number(connect.protocol == Protocol::V5);
    fields.number(connect.clean_session);
    fields.number(connect.keep_alive);
    read_connect_properties(connect.properties.as_ref(), fields);
    fields.text(&connect.client_id);
    if let Some(will) = &connect.last_will {
        read_will(will, fields);
    }
    if let Some(login) = &connect.login {
        fields.text(&login.username);
        fields.text(&login.password);
    }
}

mqttbytes_fields!(mqttbytes::v5);
