//! Topic aliases of messages that leave: never more than both sides want, and none older than the
//! connection (§3.3.2.3.4).

use std::num::NonZeroU32;

use dunlin_client::codec::{ConnAckProperties, Packet, PacketBuf, TopicAlias};
use dunlin_client::{ConnectOptions, Message, OutboundAliases, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{connack_resumed_with, connack_with, puback};

const LRU: OutboundAliases = OutboundAliases::Lru { maximum: 2 };

fn options_with(outbound_aliases: OutboundAliases) -> ConnectOptions {
    ConnectOptions {
        outbound_aliases,
        ..options()
    }
}

fn topic_alias_maximum(maximum: u16) -> ConnAckProperties<'static> {
    ConnAckProperties {
        topic_alias_maximum: Some(maximum),
        ..ConnAckProperties::default()
    }
}

fn aliased(topic: &str, alias: u16) -> Message<'_> {
    Message {
        topic_alias: TopicAlias::new(alias),
        ..Message::new(topic, "on")
    }
}

/// Topic and Topic Alias of a PUBLISH: "" and 0 stand for a missing one.
fn topic_and_alias(packet: &PacketBuf) -> (String, u16) {
    let Packet::Publish(publish) = packet.packet() else {
        panic!("{packet:?}")
    };
    let topic = publish
        .topic
        .map(|topic| topic.as_str().to_owned())
        .unwrap_or_default();
    (
        topic,
        publish.properties.topic_alias.map_or(0, TopicAlias::get),
    )
}

fn sends(client: &mut Client) -> Vec<(String, u16)> {
    client.sends().iter().map(topic_and_alias).collect()
}

fn to_pairs(shapes: &[(&str, u16)]) -> Vec<(String, u16)> {
    shapes
        .iter()
        .map(|(topic, alias)| ((*topic).to_owned(), *alias))
        .collect()
}

fn publishes(client: &mut Client, topics: &[&str]) -> Vec<(String, u16)> {
    for topic in topics {
        client.try_publish(Message::new(topic, "on")).unwrap();
    }
    sends(client)
}

/// [MQTT-3.2.2-18]
#[test]
fn without_a_policy_or_a_server_that_accepts_them_no_aliases_are_sent() {
    let mut client = Client::connected_to(&connack_with(topic_alias_maximum(10)));
    assert_eq!(
        publishes(&mut client, &["a", "a"]),
        to_pairs(&[("a", 0), ("a", 0)])
    );
    for connack in [
        connack_with(topic_alias_maximum(0)),
        connack_with(ConnAckProperties::default()),
    ] {
        let mut client = Client::connected_as(options_with(LRU), &connack);
        assert_eq!(
            publishes(&mut client, &["a", "a"]),
            to_pairs(&[("a", 0), ("a", 0)])
        );
    }
}

/// outbound_alias_lru_success_a_b_c_br_cr_a [MQTT-3.2.2-17]
#[test]
fn the_topics_that_were_used_last_have_the_aliases() {
    let mut client =
        Client::connected_as(options_with(LRU), &connack_with(topic_alias_maximum(10)));
    let sent = publishes(&mut client, &["a", "b", "a", "c", "a", "b", "c", "c"]);
    let expected = [
        ("a", 1),
        ("b", 2),
        ("", 1),
        ("c", 2),
        ("", 1),
        ("b", 2),
        ("c", 1),
        ("", 1),
    ];
    assert_eq!(sent, to_pairs(&expected), "never more than this side's two");
    let mut client = Client::connected_as(options_with(LRU), &connack_with(topic_alias_maximum(1)));
    let sent = publishes(&mut client, &["a", "b", "b", "a"]);
    assert_eq!(
        sent,
        to_pairs(&[("a", 1), ("b", 1), ("", 1), ("a", 1)]),
        "and never more than the server's one"
    );
}

#[test]
fn every_qos_has_topic_aliases() {
    let mut client =
        Client::connected_as(options_with(LRU), &connack_with(topic_alias_maximum(10)));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        client
            .try_publish(Message::new("a", "on").qos(qos))
            .unwrap();
    }
    assert_eq!(sends(&mut client), to_pairs(&[("a", 1), ("", 1), ("", 1)]));
}

/// [MQTT-3.3.2-7] [MQTT-3.3.2-9]
#[test]
fn a_repetition_names_its_topic_again_on_each_connection() {
    let mut client =
        Client::connected_as(options_with(LRU), &connack_with(topic_alias_maximum(10)));
    for _ in 0..2 {
        client.publishes("a", QoS::AtLeastOnce);
    }
    assert_eq!(sends(&mut client), to_pairs(&[("a", 1), ("", 1)]));
    client.loses_connection();
    client.publishes("a", QoS::AtLeastOnce);
    client.reconnects(&connack_resumed_with(topic_alias_maximum(10)));
    assert_eq!(sends(&mut client), to_pairs(&[("a", 1), ("", 1), ("", 1)]));
    client.reconnects(&connack_resumed_with(topic_alias_maximum(0)));
    assert_eq!(
        sends(&mut client),
        to_pairs(&[("a", 0), ("a", 0), ("a", 0)]),
        "which takes none any more"
    );
}

/// [MQTT-3.3.2-7]
#[test]
fn an_alias_set_by_an_unwritten_packet_ends_with_the_connection() {
    let mut client =
        Client::connected_as(options_with(LRU), &connack_with(topic_alias_maximum(10)));
    client.publishes_unwritten(Message::new("a", "on")).unwrap();
    client.reconnects(&connack_resumed_with(topic_alias_maximum(10)));
    assert_eq!(
        publishes(&mut client, &["a", "a"]),
        to_pairs(&[("a", 1), ("", 1)])
    );
}

/// awscrt_alias_above_the_maximum_ends_the_connection [MQTT-3.3.2-9] [MQTT-3.2.2-17]
#[test]
fn the_applications_own_alias_is_refused_above_the_servers_maximum() {
    let mut client = Client::connected_as(
        options_with(OutboundAliases::Manual),
        &connack_with(topic_alias_maximum(2)),
    );
    client.try_publish(aliased("a", 2)).unwrap();
    let refused = client.try_publish(aliased("b", 3));
    assert_eq!(
        refused,
        Err(RequestError::TopicAlias { alias: 3, limit: 2 })
    );
    assert_eq!(sends(&mut client), to_pairs(&[("a", 2)]));
}

/// outbound_alias_manual_success_a_b_ar_br
#[test]
fn the_applications_own_aliases_bind_and_bind_anew() {
    let mut client = Client::connected_as(
        options_with(OutboundAliases::Manual),
        &connack_with(topic_alias_maximum(2)),
    );
    for (topic, alias) in [
        ("a", 1),
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 1),
        ("a", 2),
        ("a", 1),
    ] {
        client.try_publish(aliased(topic, alias)).unwrap();
    }
    client.try_publish(Message::new("a", "on")).unwrap();
    let expected = [
        ("a", 1),
        ("", 1),
        ("b", 1),
        ("a", 2),
        ("", 1),
        ("", 2),
        ("a", 1),
        ("a", 0),
    ];
    assert_eq!(sends(&mut client), to_pairs(&expected));
}

#[test]
fn an_alias_of_the_applications_own_needs_the_policy() {
    for policy in [OutboundAliases::None, LRU] {
        for mut client in [
            Client::new(options_with(policy)),
            Client::connected_as(options_with(policy), &connack_with(topic_alias_maximum(9))),
        ] {
            let refused = client.try_publish(aliased("a", 1));
            assert_eq!(
                refused,
                Err(RequestError::TopicAlias { alias: 1, limit: 0 })
            );
        }
    }
}

/// [MQTT-3.3.2-9] [MQTT-3.2.2-18]
#[test]
fn a_message_that_was_accepted_with_an_alias_arrives_without_it_where_there_are_none() {
    let mut client = Client::new(options_with(OutboundAliases::Manual));
    for alias in [1, 7] {
        client
            .try_publish(aliased("a", alias).qos(QoS::AtLeastOnce))
            .unwrap();
    }
    client.opens();
    client.sends();
    client.receives(&connack_with(topic_alias_maximum(5)));
    assert_eq!(sends(&mut client), to_pairs(&[("a", 1), ("a", 0)]));
    client.reconnects(&connack_resumed_with(ConnAckProperties::default()));
    assert_eq!(sends(&mut client), to_pairs(&[("a", 0), ("a", 0)]));
    client.receives_all(&[puback(1), puback(2)]);
    assert!(client.engine.is_idle());
}

/// [MQTT-3.2.2-15]
#[test]
fn an_alias_never_makes_a_packet_too_large() {
    let maximum_packet_size = 20.try_into().ok();
    let properties = ConnAckProperties {
        maximum_packet_size,
        ..topic_alias_maximum(10)
    };
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = Client::connected_as(options_with(LRU), &connack_with(properties));
        let spare = if qos == QoS::AtMostOnce { 14 } else { 12 };
        for (payload, expected) in [
            (spare, ("a", 0)),
            (spare - 2, ("a", 0)),
            (spare - 3, ("a", 1)),
            (0, ("", 1)),
        ] {
            client
                .try_publish(Message::new("a", vec![0; payload]).qos(qos))
                .unwrap();
            let sent = client.sends();
            assert!(sent.iter().all(|packet| packet.as_bytes().len() <= 20));
            assert_eq!(
                sent.iter().map(topic_and_alias).collect::<Vec<_>>(),
                to_pairs(&[expected])
            );
        }
    }
}

/// An alias is three bytes, a short topic fewer.
#[test]
fn a_known_alias_never_makes_a_packet_too_large() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let size = NonZeroU32::new(9 + 2 * u32::from(qos.level()));
        let connack = connack_with(ConnAckProperties {
            maximum_packet_size: size,
            ..topic_alias_maximum(10)
        });
        let mut client = Client::connected_as(options_with(LRU), &connack);
        client.try_publish(Message::new("a", "").qos(qos)).unwrap();
        client
            .try_publish(Message::new("a", "on").qos(qos))
            .unwrap();
        assert_eq!(sends(&mut client), to_pairs(&[("a", 1), ("a", 0)]), "{qos}");
    }
}

#[test]
fn a_message_that_is_refused_binds_nothing() {
    let maximum_packet_size = 20.try_into().ok();
    let properties = ConnAckProperties {
        maximum_packet_size,
        ..topic_alias_maximum(10)
    };
    let mut client = Client::connected_as(options_with(LRU), &connack_with(properties));
    assert!(client.try_publish(Message::new("a", &[0; 30])).is_err());
    assert_eq!(publishes(&mut client, &["a"]), to_pairs(&[("a", 1)]));
}
