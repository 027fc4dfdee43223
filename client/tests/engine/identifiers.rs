//! Subscription identifiers: sent where the server has them, kept when subscriptions are asked for
//! again.

use dunlin_client::QoS;
use dunlin_client::codec::{
    ConnAckProperties, PacketBuf, ReasonCode, SubscribeProperties, SubscriptionIdentifier,
    SubscriptionOptions,
};

use crate::harness::Client;
use crate::packets::{connack, connack_with, resubscribe, suback, subscribe, with_identifier};

const GRANTED: ReasonCode = ReasonCode::GrantedQoS1;

/// CONNACK of a server without Subscription Identifiers, such as AWS IoT Core.
fn connack_without_identifiers() -> PacketBuf {
    let properties = ConnAckProperties {
        subscription_identifier_available: Some(false),
        ..ConnAckProperties::default()
    };
    connack_with(properties)
}

fn subscribes_as(client: &mut Client, filter: &str, identifier: u32) {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        ..SubscriptionOptions::default()
    };
    let properties = SubscribeProperties {
        subscription_identifier: SubscriptionIdentifier::new(identifier),
        ..SubscribeProperties::default()
    };
    client
        .engine
        .subscribe_with(&[(filter, options)], properties)
        .unwrap();
}

#[test]
fn an_identifier_is_sent_and_kept_when_the_subscription_is_renewed() {
    let mut client = Client::connected();
    subscribes_as(&mut client, "a", 7);
    subscribes_as(&mut client, "b", 268_435_455);
    assert_eq!(
        client.sends(),
        [
            with_identifier(&subscribe(1, &["a"]), 7),
            with_identifier(&subscribe(2, &["b"]), 268_435_455)
        ]
    );
    client.receives(&suback(1, &[GRANTED]));
    client.receives(&suback(2, &[GRANTED]));
    for ids in [[3, 4], [5, 6]] {
        client.reconnects(&connack());
        let renewed = [
            with_identifier(&resubscribe(ids[0], &["a"]), 7),
            with_identifier(&resubscribe(ids[1], &["b"]), 268_435_455),
        ];
        assert_eq!(client.sends(), renewed);
        ids.into_iter()
            .for_each(|id| client.receives(&suback(id, &[GRANTED])));
    }
}

#[test]
fn a_server_without_identifiers_gets_none_and_they_come_back_with_one_that_has_them() {
    let mut client = Client::connected_to(&connack_without_identifiers());
    subscribes_as(&mut client, "a", 1);
    subscribes_as(&mut client, "b", 2);
    assert_eq!(client.sends(), [subscribe(1, &["a"]), subscribe(2, &["b"])]);
    client.receives(&suback(1, &[GRANTED]));
    client.receives(&suback(2, &[GRANTED]));

    client.reconnects(&connack_without_identifiers());
    assert_eq!(
        client.sends(),
        [resubscribe(3, &["a", "b"])],
        "nothing keeps them apart"
    );
    client.receives(&suback(3, &[GRANTED, GRANTED]));

    client.reconnects(&connack());
    let renewed = [
        with_identifier(&resubscribe(4, &["a"]), 1),
        with_identifier(&resubscribe(5, &["b"]), 2),
    ];
    assert_eq!(client.sends(), renewed);
}

#[test]
fn requests_queued_offline_obey_the_limits_of_the_server() {
    for (answer, has_identifiers) in [(connack(), true), (connack_without_identifiers(), false)] {
        let mut client = Client::new(crate::harness::options());
        subscribes_as(&mut client, "a", 9);
        client.opens();
        client.sends();
        client.receives(&answer);
        let plain = subscribe(1, &["a"]);
        let expected = if has_identifiers {
            with_identifier(&plain, 9)
        } else {
            plain
        };
        assert_eq!(client.sends(), [expected]);
    }
}
