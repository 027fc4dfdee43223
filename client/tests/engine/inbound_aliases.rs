//! Topic aliases that the server sets (§3.3.2.3.4): the application sees topics, whatever is on the
//! wire.

use dunlin_client::ConnectionError;
use dunlin_client::QoS;
use dunlin_client::codec::{
    Delivery, Packet, PacketBuf, Publish, PublishProperties, ReasonCode, TopicAlias, TopicName,
};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, at_most_once, buf, connack, connack_resumed, disconnect, exactly_once, puback,
    pubrec, with_dup,
};

/// Connected client that announced this Topic Alias Maximum.
fn client_with_alias_maximum(topic_alias_maximum: u16) -> Client {
    let mut options = options();
    options.topic_alias_maximum = topic_alias_maximum;
    Client::connected_as(options, &connack())
}

/// PUBLISH with a Topic Alias; `None` is an empty Topic Name on the wire.
fn aliased(topic: Option<&str>, alias: u16, delivery: Delivery) -> PacketBuf {
    let properties = PublishProperties {
        topic_alias: TopicAlias::new(alias),
        ..PublishProperties::default()
    };
    let topic = topic.map(|topic| TopicName::new(topic).unwrap());
    buf(Packet::Publish(Publish {
        delivery,
        retain: false,
        topic,
        properties,
        payload: b"on",
    }))
}

fn publish_that_sets(topic: &str, alias: u16) -> PacketBuf {
    aliased(Some(topic), alias, at_most_once())
}

fn publish_that_uses(alias: u16) -> PacketBuf {
    aliased(None, alias, at_most_once())
}

/// Reason code of the DISCONNECT with which the client closes the connection.
#[track_caller]
fn disconnect_code(client: &mut Client) -> ReasonCode {
    let sent = client.sends();
    let Ended::Connection(ConnectionError::Protocol(violation)) = client.closes() else {
        panic!("{sent:?}")
    };
    assert_eq!(sent, [disconnect(violation.reason_code())]);
    violation.reason_code()
}

#[test]
fn the_maximum_is_announced_unless_it_is_none() {
    for (maximum, announced) in [(0, None), (7, Some(7)), (65_535, Some(65_535))] {
        let mut options = options();
        options.topic_alias_maximum = maximum;
        let mut client = Client::new(options);
        client.opens();
        let sent = client.sends();
        let Packet::Connect(connect) = sent[0].packet() else {
            panic!("{sent:?}")
        };
        let connect = connect.read();
        assert_eq!(connect.properties.topic_alias_maximum, announced);
    }
}

/// inbound_alias_success, rumqttc_alias_without_topic [U-3.3.2-3]
#[test]
fn a_message_under_an_alias_has_its_topic() {
    let mut client = client_with_alias_maximum(2);
    client.receives_all(&[
        publish_that_sets("lamp/1", 1),
        publish_that_uses(1),
        publish_that_sets("lamp/2", 2),
        publish_that_uses(1),
        publish_that_uses(2),
    ]);
    let messages = client.messages();
    let topics: Vec<_> = messages
        .iter()
        .map(|(message, _)| message.topic())
        .collect();
    assert_eq!(topics, ["lamp/1", "lamp/1", "lamp/2", "lamp/1", "lamp/2"]);
    assert!(
        messages
            .iter()
            .all(|(message, _)| message.payload() == b"on")
    );
    assert_eq!(messages[1].0.to_owned_buffer().topic(), "lamp/1");
}

/// [MQTT-3.3.2-10] [MQTT-3.3.2-11]
#[test]
fn every_alias_up_to_the_maximum_is_taken_and_none_above() {
    for maximum in [1, 5, 300] {
        let mut client = client_with_alias_maximum(maximum);
        for alias in (1..=maximum).rev() {
            client.receives(&publish_that_sets(&format!("lamp/{alias}"), alias));
        }
        client.consumes_all();
        for alias in 1..=maximum {
            client.receives(&publish_that_uses(alias));
            assert_eq!(client.consumes_all(), [format!("lamp/{alias}")]);
        }
        client.receives(&publish_that_sets("other", maximum));
        client.receives(&publish_that_uses(maximum));
        assert_eq!(
            client.consumes_all(),
            ["other", "other"],
            "an alias can be set again"
        );
        client.receives(&publish_that_sets("beyond", maximum + 1));
        assert_eq!(disconnect_code(&mut client), ReasonCode::TopicAliasInvalid);
    }
}

/// inbound_alias_failure_too_large_id [MQTT-3.1.2-26] [U-3.3.4-1]
#[test]
fn an_alias_above_the_maximum_is_answered_with_0x94() {
    for packet in [
        publish_that_sets("lamp/1", 3),
        publish_that_uses(3),
        aliased(Some("lamp/1"), 3, at_least_once(1)),
    ] {
        let mut client = client_with_alias_maximum(2);
        client.receives(&packet);
        assert_eq!(disconnect_code(&mut client), ReasonCode::TopicAliasInvalid);
        assert!(client.messages().is_empty());
    }
}

/// inbound_alias_failure_zero_id [MQTT-3.3.2-8] [U-3.3.4-1]
#[test]
fn alias_0_is_answered_with_0x94_where_others_are_taken() {
    let mut client = client_with_alias_maximum(2);
    client.receives_bytes(&[0x30, 0x07, 0x00, 0x01, 0x61, 0x03, 0x23, 0x00, 0x00]);
    assert_eq!(disconnect_code(&mut client), ReasonCode::TopicAliasInvalid);
}

/// inbound_alias_failure_unbound_id [U-3.3.4-1]
#[test]
fn an_alias_that_stands_for_nothing_is_answered_with_0x82() {
    for alias in [1, 2] {
        let mut client = client_with_alias_maximum(2);
        client.receives_all(&[
            publish_that_sets("lamp/1", 3 - alias),
            publish_that_uses(alias),
        ]);
        assert_eq!(disconnect_code(&mut client), ReasonCode::ProtocolError);
    }
}

/// rumqttc_aliases_survive_a_reconnect [MQTT-3.3.2-7]
#[test]
fn aliases_end_with_their_connection_even_if_the_session_goes_on() {
    let mut client = client_with_alias_maximum(2);
    client.receives_all(&[publish_that_sets("lamp/1", 1), publish_that_uses(1)]);
    assert_eq!(client.consumes_all().len(), 2);
    client.reconnects(&connack_resumed());
    client.receives(&publish_that_uses(1));
    assert_eq!(disconnect_code(&mut client), ReasonCode::ProtocolError);
    assert!(client.messages().is_empty());
}

#[test]
fn the_maximum_in_force_is_the_one_that_was_announced() {
    let mut client = client_with_alias_maximum(2);
    client.engine.options_mut().topic_alias_maximum = 0;
    client.receives_all(&[publish_that_sets("lamp/1", 2), publish_that_uses(2)]);
    assert_eq!(client.consumes_all(), ["lamp/1", "lamp/1"]);
    client.reconnects(&connack_resumed());
    client.receives(&publish_that_sets("lamp/1", 2));
    assert_eq!(disconnect_code(&mut client), ReasonCode::TopicAliasInvalid);
}

#[test]
fn a_repetition_that_is_not_delivered_sets_its_alias_all_the_same() {
    let mut client = client_with_alias_maximum(1);
    client.receives(&aliased(Some("lamp/1"), 1, exactly_once(7)));
    assert_eq!(client.consumes_all(), ["lamp/1"]);
    client.reconnects(&connack_resumed());
    client.receives(&aliased(Some("lamp/2"), 1, with_dup(exactly_once(7))));
    assert_eq!(client.sends(), [pubrec(7)]);
    client.receives(&aliased(None, 1, at_least_once(8)));
    assert_eq!(client.consumes_all(), ["lamp/2"]);
    assert_eq!(client.sends(), [puback(8)]);
}

#[test]
fn a_message_keeps_its_topic_when_the_alias_is_set_again() {
    let mut client = client_with_alias_maximum(1);
    client.receives_all(&[
        publish_that_sets("lamp/1", 1),
        publish_that_uses(1),
        publish_that_sets("lamp/2", 1),
    ]);
    client.reconnects(&connack_resumed());
    assert_eq!(client.consumes_all(), ["lamp/1", "lamp/1", "lamp/2"]);
}

/// [U-3.3.2-3]
#[test]
fn the_servers_aliases_say_nothing_about_the_clients() {
    let mut client = client_with_alias_maximum(1);
    client.receives(&publish_that_sets("lamp/1", 1));
    client.publishes("lamp/1", QoS::AtLeastOnce);
    let sent = client.sends();
    let Packet::Publish(publish) = sent[0].packet() else {
        panic!("{sent:?}")
    };
    assert_eq!(publish.topic.unwrap().as_str(), "lamp/1");
    assert_eq!(publish.properties.topic_alias, None);
}
