//! PUBLISH, both ways.

use dunlin_codec::{
    BinaryData, Delivery, Disconnect, DisconnectProperties, Packet, QoS, ReasonCode, TopicAlias,
    TopicName, UserProperty, Will, WillProperties,
};
use dunlin_sandbox::Answer;

use crate::client::{
    TestSandbox, allow, connect, id, puback, publish, subscribe, subscription, unsigned,
};

const TOPIC: &str = "test/topic";

#[tokio::test]
async fn a_message_comes_back_with_the_smaller_qos() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    assert_eq!(client.subscribes(TOPIC).await.0, [ReasonCode::GrantedQoS1]);
    client.sends(publish(TOPIC, "once", QoS::AtLeastOnce)).await;
    assert_eq!(client.receives_puback().await, (ReasonCode::Success, None));
    assert_eq!(
        client.receives_message().await,
        ("once".into(), QoS::AtLeastOnce, false)
    );
    client
        .sends(publish(TOPIC, "at most", QoS::AtMostOnce))
        .await;
    assert_eq!(
        client.receives_message().await,
        ("at most".into(), QoS::AtMostOnce, false)
    );
    assert!(sandbox.logged("publish   mqtt5-sample-1  test/topic  → allow, to 1 subscriber"));
    assert!(sandbox.logged("receive   mqtt5-sample-1  test/topic  → allow, delivered"));
}

#[tokio::test]
async fn a_message_reaches_other_clients_with_its_properties() {
    let sandbox = TestSandbox::allowing_everything().await;
    let (mut publisher, mut subscriber) = (
        sandbox.connected_to_default("p").await,
        sandbox.connected_to_default("s").await,
    );
    subscriber.subscribes("lamp/+").await;
    let user_properties = [
        UserProperty::new("k", "v").unwrap(),
        UserProperty::new("k", "w").unwrap(),
    ];
    let mut message = publish("lamp/7", "on", QoS::AtLeastOnce);
    message.properties.user_properties = (&user_properties).into();
    message.properties.response_topic = TopicName::new("answers").ok();
    message.properties.correlation_data = BinaryData::new(b"\x00\x01").ok();
    message.properties.message_expiry_interval = Some(100);
    publisher.sends(message).await;
    assert_eq!(publisher.receives_puback().await.0, ReasonCode::Success);
    let packet = subscriber.receives().await;
    let Packet::Publish(received) = packet.packet() else {
        panic!("a PUBLISH")
    };
    assert_eq!(received.properties, message.properties);
    assert_eq!(
        (received.topic, received.payload),
        (message.topic, message.payload)
    );
}

#[tokio::test]
async fn a_denied_qos_1_message_is_refused_in_its_puback() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client
        .sends(publish("other/topic", "x", QoS::AtLeastOnce))
        .await;
    let reason = "no statement allows iot:Publish on topic/other/topic";
    assert_eq!(
        client.receives_puback().await,
        (ReasonCode::NotAuthorized, Some(reason.into()))
    );
    client.receives_nothing_more().await;
    assert!(sandbox.logged(&format!(
        "publish   mqtt5-sample-1  other/topic  → refuse 0x87 ({reason})"
    )));
}

#[tokio::test]
async fn a_denied_qos_0_message_ends_the_connection() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client
        .sends(publish("other/topic", "x", QoS::AtMostOnce))
        .await;
    let reason = "no statement allows iot:Publish on topic/other/topic";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::NotAuthorized, Some(reason.into()))
    );
    client.expects_end().await;
}

#[tokio::test]
async fn a_message_that_the_policy_denies_to_its_receiver_is_not_delivered() {
    let policy = allow(vec!["iot:Connect", "iot:Publish", "iot:Subscribe"]);
    let sandbox = TestSandbox::with_answer(Answer::allow("p", policy)).await;
    let mut client = sandbox.connected_to_default("c").await;
    client.subscribes("t").await;
    client.sends(publish("t", "x", QoS::AtLeastOnce)).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    client.receives_nothing_more().await;
    assert!(
        sandbox.logged("receive   c  t  → refuse (no statement allows iot:Receive on topic/t)")
    );
}

#[tokio::test]
async fn no_more_messages_are_unacknowledged_than_the_clients_receive_maximum() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.open().await;
    let mut connect = connect("c", "", "");
    connect.properties.receive_maximum = 2.try_into().ok();
    client.sends(connect).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    client.subscribes("t").await;
    for _ in 0..3 {
        client.sends(publish("t", "x", QoS::AtLeastOnce)).await;
    }
    let (mut messages, mut acknowledged) = (Vec::new(), 0);
    while messages.len() < 2 || acknowledged < 3 {
        match client.receives().await.packet() {
            Packet::Publish(publish) => messages.push(publish.delivery.packet_id().unwrap()),
            Packet::PubAck(_) => acknowledged += 1,
            other => panic!("{other:?}"),
        }
    }
    client.receives_nothing_more().await;
    client.sends(puback(messages[0].get())).await;
    assert_eq!(client.receives_message().await.0, "x");
}

/// MQTT-3.1.2-24, MQTT-3.1.2-25
#[tokio::test]
async fn a_message_above_the_clients_maximum_packet_size_is_dropped() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.open().await;
    let mut connect = connect("c", "", "");
    connect.properties.maximum_packet_size = 100.try_into().ok();
    client.sends(connect).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    client.subscribes("t").await;
    client
        .sends(publish("t", &"x".repeat(200), QoS::AtMostOnce))
        .await;
    client.sends(publish("t", "small", QoS::AtMostOnce)).await;
    assert_eq!(client.receives_message().await.0, "small");
}

#[tokio::test]
async fn a_retained_message_waits_for_subscribers() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut message = publish("lamp", "on", QoS::AtLeastOnce);
    message.retain = true;
    client.sends(message).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    client.subscribes("lamp").await;
    assert_eq!(
        client.receives_message().await,
        ("on".into(), QoS::AtLeastOnce, true)
    );
    // On AWS IoT a filter with wildcards gets none.
    client.subscribes("#").await;
    client.receives_nothing_more().await;
    message.payload = b"";
    client.sends(message).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    assert_eq!(
        client.receives_message().await,
        (String::new(), QoS::AtLeastOnce, false)
    );
    client.subscribes("lamp").await;
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn retaining_needs_its_own_permission() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    let mut message = publish(TOPIC, "x", QoS::AtLeastOnce);
    message.retain = true;
    client.sends(message).await;
    let reason = "no statement allows iot:RetainPublish on topic/test/topic";
    assert_eq!(
        client.receives_puback().await,
        (ReasonCode::NotAuthorized, Some(reason.into()))
    );
}

fn with_will<'a>(client_id: &'a str, topic: &'a str) -> dunlin_codec::Connect<'a> {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties::default(),
        topic: TopicName::new(topic).unwrap(),
        payload: BinaryData::new(b"gone").unwrap(),
    };
    dunlin_codec::Connect {
        will: Some(will),
        ..unsigned(client_id)
    }
}

#[tokio::test]
async fn the_will_of_a_lost_client_is_published() {
    let sandbox = TestSandbox::start().await;
    let mut watcher = sandbox.connected("mqtt5-sample-watcher").await;
    watcher.subscribes(TOPIC).await;
    let mut client = sandbox.open().await;
    client.sends(with_will("mqtt5-sample-1", TOPIC)).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    drop(client);
    assert_eq!(watcher.receives_message().await.0, "gone");
}

#[tokio::test]
async fn only_a_normal_disconnect_cancels_the_will() {
    let sandbox = TestSandbox::start().await;
    let mut watcher = sandbox.connected("mqtt5-sample-watcher").await;
    watcher.subscribes(TOPIC).await;
    for reason_code in [
        ReasonCode::NORMAL_DISCONNECTION,
        ReasonCode::DisconnectWithWill,
    ] {
        let mut client = sandbox.open().await;
        let id = format!("mqtt5-sample-{reason_code:?}");
        client.sends(with_will(&id, TOPIC)).await;
        assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
        client
            .sends(Disconnect {
                reason_code,
                properties: DisconnectProperties::default(),
            })
            .await;
        client.expects_end().await;
    }
    assert_eq!(watcher.receives_message().await.0, "gone");
    watcher.receives_nothing_more().await;
}

#[tokio::test]
async fn features_that_the_connack_excludes_end_the_connection() {
    let alias = {
        let mut message = publish(TOPIC, "x", QoS::AtMostOnce);
        message.properties.topic_alias = TopicAlias::new(9);
        message
    };
    let exactly_once = {
        let mut message = publish(TOPIC, "x", QoS::AtMostOnce);
        message.delivery = Delivery::ExactlyOnce {
            packet_id: id(1),
            dup: false,
        };
        message
    };
    let large = "x".repeat(128 * 1024 + 1);
    let sandbox = TestSandbox::start().await;
    for (message, expected) in [
        (alias, ReasonCode::TopicAliasInvalid),
        (exactly_once, ReasonCode::QoSNotSupported),
        (
            publish(TOPIC, &large, QoS::AtMostOnce),
            ReasonCode::QuotaExceeded,
        ),
    ] {
        let mut client = sandbox
            .connected(&format!("mqtt5-sample-{expected:?}"))
            .await;
        client.sends(message).await;
        assert_eq!(client.receives_disconnect().await.0, expected);
        client.expects_end().await;
    }
}

#[tokio::test]
async fn a_topic_beyond_the_limits_of_aws_is_refused() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client
        .sends(publish("1/2/3/4/5/6/7/8/9", "x", QoS::AtLeastOnce))
        .await;
    let reason = "the topic has 8 slashes; at most 7 are allowed";
    assert_eq!(
        client.receives_puback().await,
        (ReasonCode::TopicNameInvalid, Some(reason.into()))
    );
}

/// MQTT-3.8.3-3
#[tokio::test]
async fn no_local_excludes_the_publisher() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut own = subscription("t");
    own.options.no_local = true;
    client.sends(subscribe(&[own])).await;
    client.receives_suback().await;
    client.sends(publish("t", "x", QoS::AtMostOnce)).await;
    client.receives_nothing_more().await;
}
