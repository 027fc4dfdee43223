//! Bounds of the size of received packets, and of the texts that are copied from them.

use dunlin_client::codec::{
    Ack, AckProperties, ConnAckProperties, Packet, ReasonCode, UserProperty, Utf8String,
};
use dunlin_client::engine::Outcome;
use dunlin_client::{ConnectOptions, QoS};

use crate::harness::{Client, options};
use crate::packets::{buf, connack, connack_with, disconnect, id};

/// A packet of `len` bytes behind its fixed header, which says so.
fn packet_of(first_byte: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    let mut rest = len;
    loop {
        let low = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        bytes.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return bytes;
        }
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn a_packet_other_than_publish_is_too_large_above_a_mebibyte() {
    for first_byte in [0x40, 0x90, 0xe0, 0xf0] {
        let mut client = Client::connected_as(ConnectOptions::new("lamp-7"), &connack());
        client.receives_bytes(&packet_of(first_byte, 1 << 20));
        assert_eq!(
            client.sends(),
            [disconnect(ReasonCode::PacketTooLarge)],
            "{first_byte:x}"
        );
        let mut client = Client::connected_as(ConnectOptions::new("lamp-7"), &connack());
        client.receives_bytes(&packet_of(first_byte, (1 << 20) - 4));
        assert!(
            client.sends().is_empty() && client.engine.read_interest(),
            "{first_byte:x}"
        );
    }
    let mut client = Client::connecting(ConnectOptions::new("lamp-7"));
    client.receives_bytes(&packet_of(0x20, 1 << 20));
    assert!(client.engine.should_close());
}

#[test]
fn the_default_maximum_packet_size_is_announced_and_held() {
    let mut client = Client::new(ConnectOptions::new("lamp-7"));
    client.opens();
    let connect = client.sends().pop().unwrap();
    let Packet::Connect(connect) = connect.packet() else {
        panic!()
    };
    let connect = connect.read();
    assert_eq!(
        connect.properties.maximum_packet_size.map(u32::from),
        Some(16 << 20)
    );
    client.receives(&connack());
    client.receives_bytes(&packet_of(0x30, 16 << 20));
    assert_eq!(client.sends(), [disconnect(ReasonCode::PacketTooLarge)]);
}

/// Nothing is announced, and memory has a bound all the same.
#[test]
fn without_a_maximum_packet_size_the_memory_budget_limits_packets() {
    let mut options = ConnectOptions::new("lamp-7");
    (options.maximum_packet_size, options.memory_budget) = (None, 2 << 20);
    let mut client = Client::new(options);
    client.opens();
    let connect = client.sends().pop().unwrap();
    let Packet::Connect(connect) = connect.packet() else {
        panic!()
    };
    let connect = connect.read();
    assert_eq!(connect.properties.maximum_packet_size, None);
    client.receives(&connack());
    client.receives_bytes(&packet_of(0x30, 2 << 20));
    assert_eq!(client.sends(), [disconnect(ReasonCode::PacketTooLarge)]);
}

#[test]
fn copied_texts_of_a_server_are_limited_and_the_rest_is_counted() {
    let (long, empty) = (
        "ä".repeat(3000),
        UserProperty {
            name: Utf8String::new("").unwrap(),
            value: Utf8String::new("").unwrap(),
        },
    );
    let many = vec![empty; 100];
    let properties = ConnAckProperties {
        reason_string: Some(Utf8String::new(&long).unwrap()),
        user_properties: many.as_slice().into(),
        ..ConnAckProperties::default()
    };
    let mut client = Client::connected_to(&connack_with(properties));
    let connected = client.connection();
    assert_eq!(connected.reason_string.unwrap().len(), 4096);
    assert_eq!(connected.user_properties.len(), 64);
    assert_eq!(
        (connected.omitted.user_properties, connected.omitted.bytes),
        (36, 6000 - 4096)
    );
}

#[test]
fn unread_outcomes_hold_texts_of_an_eighth_of_the_memory_budget() {
    let mut options = options();
    options.memory_budget = 8 * 10_000;
    let mut client = Client::connected_as(options, &connack());
    let ids: Vec<_> = (0..10)
        .map(|_| client.publishes("a", QoS::AtLeastOnce))
        .collect();
    let long = "x".repeat(3000);
    let texts = |client: &mut Client, packet_id| {
        let properties = AckProperties {
            reason_string: Some(Utf8String::new(&long).unwrap()),
            ..AckProperties::default()
        };
        client.receives(&buf(Packet::PubAck(Ack {
            properties,
            ..Ack::success(id(packet_id))
        })));
    };
    (1..=9).for_each(|packet_id| texts(&mut client, packet_id));
    let copied = |client: &mut Client, index: usize| match client.outcome(ids[index]) {
        Some(Ok(Outcome::Published(published))) => {
            let copied = published.reason_string.map_or(0, |text| text.len());
            assert_eq!(copied + published.omitted.bytes, 3000);
            copied
        }
        other => panic!("{other:?}"),
    };
    let total: usize = (0..9).map(|index| copied(&mut client, index)).sum();
    assert_eq!(total, 10_000);
    texts(&mut client, 10);
    assert_eq!(
        copied(&mut client, 9),
        3000,
        "what was taken has made space"
    );
}
