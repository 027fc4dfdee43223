//! Statements of the standard that no other file of these tests covers.

use dunlin_codec::{
    AckType, Auth, AuthProperties, Delivery, Packet, QoS, ReasonCode, Repeated,
    SubscriptionIdentifier,
};
use dunlin_sandbox::{Profile, SandboxOptions};

use crate::client::{TestSandbox, connect, id, publish, subscribe, subscription, unsigned};

/// MQTT-3.1.3-5, MQTT-3.1.3-2
#[tokio::test]
async fn a_client_id_of_23_letters_and_digits_is_taken_and_is_another_than_its_lower_case() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut first = sandbox
        .connected_to_default("0123456789ABCDEFGHIJxyz")
        .await;
    sandbox
        .connected_to_default("0123456789abcdefghijxyz")
        .await;
    first.receives_nothing_more().await;
}

/// MQTT-3.1.4-6, MQTT-3.2.0-1, MQTT-3.2.2-6
#[tokio::test]
async fn packets_after_a_refused_connect_are_ignored() {
    let sandbox = TestSandbox::start().await;
    let mut watcher = sandbox.connected("mqtt5-sample-watcher").await;
    watcher.subscribes("test/topic").await;
    let mut client = sandbox.open().await;
    let mut bytes = Vec::new();
    unsigned("lamp-7").encode(&mut bytes).unwrap();
    publish("test/topic", "x", QoS::AtLeastOnce)
        .encode(&mut bytes)
        .unwrap();
    client.sends_bytes(&bytes).await;
    let packet = client.receives().await;
    let Packet::ConnAck(connack) = packet.packet() else {
        panic!("a CONNACK, not {packet:?}")
    };
    let connack = connack.read();
    assert_eq!(
        (connack.reason_code, connack.session_present),
        (ReasonCode::NotAuthorized, false)
    );
    client.expects_end().await;
    watcher.receives_nothing_more().await;
}

/// MQTT-3.12.4-1, MQTT-3.2.0-2
#[tokio::test]
async fn every_pingreq_is_answered_and_the_connack_comes_once() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    for _ in 0..3 {
        client.receives_nothing_more().await;
    }
}

/// MQTT-4.3.2-5
#[tokio::test]
async fn after_its_puback_an_identifier_is_another_message_whatever_dup_says() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut watcher = sandbox.connected_to_default("w").await;
    watcher.subscribes("t").await;
    let mut client = sandbox.connected_to_default("c").await;
    for dup in [false, true] {
        let delivery = Delivery::AtLeastOnce {
            packet_id: id(9),
            dup,
        };
        client
            .sends(dunlin_codec::Publish {
                delivery,
                ..publish("t", "x", QoS::AtLeastOnce)
            })
            .await;
        assert_eq!(
            client.receives_ack().await,
            (AckType::PubAck, 9, ReasonCode::Success)
        );
        assert_eq!(watcher.receives_message().await.0, "x");
    }
}

/// MQTT-4.3.3-9, MQTT-3.5.2-2
#[tokio::test]
async fn after_a_refusing_pubrec_an_identifier_is_another_message() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        profile: Profile::Mqtt5,
        ..options
    })
    .await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client
        .sends(publish("other/topic", "x", QoS::ExactlyOnce))
        .await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRec, 2, ReasonCode::NotAuthorized)
    );
    client
        .sends(publish("test/topic", "x", QoS::ExactlyOnce))
        .await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRec, 2, ReasonCode::Success)
    );
}

/// U-3.15-1
#[tokio::test]
async fn auth_without_an_authentication_method_is_a_protocol_error() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let properties = AuthProperties {
        authentication_method: dunlin_codec::Utf8String::new("SCRAM-SHA-256").ok(),
        ..AuthProperties::default()
    };
    client
        .sends(Packet::Auth(Auth {
            reason_code: ReasonCode::ReAuthenticate,
            properties,
        }))
        .await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::ProtocolError
    );
}

/// MQTT-3.3.4-5
#[tokio::test]
async fn the_copy_of_a_shared_subscription_has_its_own_identifier() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut client, _) = sandbox.connects(connect("c", "", "")).await;
    for (number, filter) in [(1, "t"), (2, "$share/g/t")] {
        let subscriptions = [subscription(filter)];
        let mut request = subscribe(&subscriptions);
        request.properties.subscription_identifier = SubscriptionIdentifier::new(number);
        client.sends(request).await;
        client.receives_suback().await;
    }
    sandbox
        .connected_to_default("p")
        .await
        .sends(publish("t", "x", QoS::AtMostOnce))
        .await;
    for number in [1, 2] {
        let packet = client.receives().await;
        let Packet::Publish(received) = packet.packet() else {
            panic!("a PUBLISH, not {packet:?}")
        };
        let identifiers = [SubscriptionIdentifier::new(number).unwrap()];
        assert_eq!(
            received.properties.subscription_identifiers,
            Repeated::from(&identifiers)
        );
    }
}
