//! Limits of the server: nothing above them is sent, queued or repeated (§3.2.2.3).

use dunlin_client::codec::{ConnAckProperties, PacketBuf, SubscriptionOptions};
use dunlin_client::engine::Accepted;
use dunlin_client::{Message, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    at_least_once, at_most_once, connack, connack_resumed, connack_resumed_with, connack_with,
    puback, publish, with_dup,
};

fn maximum_qos(qos: QoS) -> ConnAckProperties<'static> {
    ConnAckProperties {
        maximum_qos: Some(qos),
        ..ConnAckProperties::default()
    }
}

fn maximum_packet_size(bytes: u32) -> ConnAckProperties<'static> {
    ConnAckProperties {
        maximum_packet_size: bytes.try_into().ok(),
        ..ConnAckProperties::default()
    }
}

fn no_retain() -> ConnAckProperties<'static> {
    ConnAckProperties {
        retain_available: Some(false),
        ..ConnAckProperties::default()
    }
}

/// Packets sent, and the outcome, of a message accepted offline when the server answers `connack`.
fn queued(message: Message<'_>, connack: &PacketBuf) -> (Vec<PacketBuf>, Option<RequestError>) {
    let mut client = Client::new(options());
    let qos = message.qos;
    let Ok(Accepted::Pending(id)) = client.try_publish(message) else {
        panic!("refused offline")
    };
    client.opens();
    client.sends();
    client.receives(connack);
    let sent = client.sends();
    let failed = client.outcome(id).and_then(Result::err);
    assert_eq!(
        client.engine.load().0 == 0,
        failed.is_some() || qos == QoS::AtMostOnce
    );
    (sent, failed)
}

/// [MQTT-3.2.2-11]
#[test]
fn no_message_is_sent_above_the_servers_maximum_qos() {
    let refused = Err(RequestError::QoSNotSupported {
        maximum: QoS::AtLeastOnce,
    });
    let connack = connack_with(maximum_qos(QoS::AtLeastOnce));
    let message = Message::new("a", "on").qos(QoS::ExactlyOnce);
    let mut client = Client::connected_to(&connack);
    assert_eq!(client.try_publish(message.clone()), refused);
    assert!(client.sends().is_empty());
    client.publishes("a", QoS::AtLeastOnce);
    assert_eq!(
        client.sends(),
        [publish("a", at_least_once(1))],
        "no identifier was lost"
    );

    assert_eq!(queued(message, &connack), (vec![], refused.err()));
}

/// [MQTT-3.2.2-10]
#[test]
fn subscriptions_may_ask_for_more_than_the_maximum_qos() {
    let mut client = Client::connected_to(&connack_with(maximum_qos(QoS::AtMostOnce)));
    client.subscribes(&["a"]);
    assert_eq!(client.sends().len(), 1);
}

/// [MQTT-3.2.2-14]
#[test]
fn no_message_is_sent_with_retain_if_the_server_does_not_support_it() {
    let connack = connack_with(no_retain());
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let message = Message::new("a", "on").qos(qos).retain(true);
        let mut client = Client::connected_to(&connack);
        assert_eq!(
            client.try_publish(message.clone()),
            Err(RequestError::RetainNotSupported)
        );
        assert!(client.sends().is_empty());
        assert_eq!(
            queued(message, &connack),
            (vec![], Some(RequestError::RetainNotSupported))
        );
    }
}

/// subscribe_fail_packet_too_big [MQTT-3.2.2-15]
#[test]
fn no_packet_is_larger_than_the_server_takes() {
    let payload = [b'x'; 100];
    let fits = |qos: QoS| 20 - if qos == QoS::AtMostOnce { 6 } else { 8 };
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let connack = connack_with(maximum_packet_size(20));
        let mut client = Client::connected_to(&connack);
        client
            .try_publish(Message::new("a", &payload[..fits(qos)]).qos(qos))
            .unwrap();
        assert_eq!(client.sends_bytes().len(), 20);
        let message = Message::new("a", &payload[..=fits(qos)]).qos(qos);
        let refused = RequestError::TooLarge {
            size: 21,
            limit: 20,
        };
        assert_eq!(client.try_publish(message.clone()), Err(refused.clone()));
        assert!(client.sends_bytes().is_empty());
        assert_eq!(queued(message, &connack), (vec![], Some(refused)));
    }
    let mut client = Client::connected_to(&connack_with(maximum_packet_size(20)));
    let options = SubscriptionOptions::default();
    let too_large = "a/filter/that/is/too/long";
    assert!(matches!(
        client.engine.subscribe(&[(too_large, options)]),
        Err(RequestError::TooLarge { .. })
    ));
    assert!(matches!(
        client.engine.unsubscribe(&[too_large]),
        Err(RequestError::TooLarge { .. })
    ));
    assert!(client.sends().is_empty());
    assert_eq!(client.engine.load(), (0, 0));
}

/// [MQTT-3.2.2-15]
#[test]
fn a_repetition_that_the_server_takes_no_longer_fails_and_keeps_its_identifier() {
    let mut client = Client::connected();
    let first = client.publishes("a/long/topic", QoS::AtLeastOnce);
    let second = client.publishes("b", QoS::AtLeastOnce);
    client.sends();
    client.reconnects(&connack_resumed_with(maximum_packet_size(12)));
    assert_eq!(client.sends(), [publish("b", with_dup(at_least_once(2)))]);
    assert_eq!(
        client.outcome(first),
        Some(Err(RequestError::TooLarge {
            size: 21,
            limit: 12
        }))
    );
    client.receives_all(&[puback(2), puback(1)]);
    assert!(
        client
            .outcome(second)
            .is_some_and(|outcome| outcome.is_ok())
    );
    assert_eq!(
        client.engine.load(),
        (0, 0),
        "the late acknowledgement frees it"
    );
}

#[test]
fn limits_are_read_again_at_each_connection() {
    let mut client = Client::connected_to(&connack_with(maximum_qos(QoS::AtMostOnce)));
    assert!(
        client
            .try_publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .is_err()
    );
    client.reconnects(&connack_resumed());
    client.publishes("a", QoS::AtLeastOnce);
    assert_eq!(client.sends(), [publish("a", at_least_once(1))]);
}

/// [U-3.2.2-3]
#[test]
fn subscription_types_that_the_server_does_not_support_are_refused() {
    let lacking = |wildcard, shared| {
        connack_with(ConnAckProperties {
            wildcard_subscription_available: Some(wildcard),
            shared_subscription_available: Some(shared),
            ..ConnAckProperties::default()
        })
    };
    let options = SubscriptionOptions::default();
    let mut client = Client::connected_to(&lacking(false, true));
    assert_eq!(
        client.engine.subscribe(&[("a/+", options)]),
        Err(RequestError::WildcardNotSupported)
    );
    assert!(client.engine.subscribe(&[("$share/g/a", options)]).is_ok());
    let mut client = Client::connected_to(&lacking(true, false));
    assert_eq!(
        client.engine.subscribe(&[("$share/g/a", options)]),
        Err(RequestError::SharedNotSupported)
    );
    assert!(client.engine.subscribe(&[("a/+", options)]).is_ok());

    let mut client = Client::new(crate::harness::options());
    let queued = client.subscribes(&["a/#"]);
    client.opens();
    client.sends();
    client.receives(&lacking(false, false));
    assert!(client.sends().is_empty());
    assert_eq!(
        client.outcome(queued),
        Some(Err(RequestError::WildcardNotSupported))
    );
}

/// [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.4-6]
#[test]
fn no_alias_and_no_subscription_identifier_is_ever_sent() {
    let topic_alias_maximum = Some(10);
    let mut client = Client::connected_to(&connack_with(ConnAckProperties {
        topic_alias_maximum,
        ..ConnAckProperties::default()
    }));
    for _ in 0..3 {
        client.try_publish(Message::new("a", "on")).unwrap();
    }
    assert_eq!(client.sends(), vec![publish("a", at_most_once()); 3]);
}

#[test]
fn a_server_without_limits_is_sent_everything() {
    let mut client = Client::connected_to(&connack());
    client
        .try_publish(Message::new("a", vec![0; 1 << 20]))
        .unwrap();
    assert_eq!(client.sends().len(), 1);
}

/// A message that can't be repeated to this server keeps its Packet Identifier on later
/// connections, but uses no Receive Maximum and isn't attempted again.
#[test]
fn a_repetition_that_failed_takes_no_quota_on_the_next_connection() {
    let mut client = Client::connected();
    let long = client.publishes(
        "a/topic/that/is/too/long/for/twelve/bytes",
        QoS::AtLeastOnce,
    );
    client.sends();
    client.reconnects(&connack_resumed_with(maximum_packet_size(12)));
    assert!(matches!(
        client.outcome(long),
        Some(Err(RequestError::TooLarge { limit: 12, .. }))
    ));
    client.reconnects(&connack_resumed_with(ConnAckProperties {
        receive_maximum: 1.try_into().ok(),
        ..ConnAckProperties::default()
    }));
    client.publishes("b", QoS::AtLeastOnce);
    assert_eq!(client.sends(), [publish("b", at_least_once(2))]);
}
