//! The limits of AWS IoT Core, each run into, named by the reason string or the log.

use dunlin_codec::{Packet, QoS, ReasonCode, TopicAlias};
use dunlin_sandbox::SandboxOptions;

use crate::client::{TestSandbox, connect, id, publish, subscribe, subscription};

/// MQTT-3.1.3-8
#[tokio::test]
async fn a_client_id_has_128_bytes_and_no_dollar_in_front() {
    let sandbox = TestSandbox::allowing_everything().await;
    for (id, reason) in [
        (
            "x".repeat(129),
            "the client id has 129 bytes; at most 128 are allowed",
        ),
        ("$x".into(), "the client id begins with the reserved \"$\""),
    ] {
        let mut client = sandbox.open().await;
        client.sends(connect(&id, "", "")).await;
        let expected = (ReasonCode::ClientIdentifierNotValid, Some(reason.into()));
        assert_eq!(client.receives_connack().await, expected);
        client.expects_end().await;
        assert!(sandbox.logged(reason));
    }
}

#[tokio::test]
async fn a_client_id_that_connects_twice_in_a_second_is_refused() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut first = sandbox.connected_to_default("c").await;
    let mut too_fast = sandbox.open().await;
    too_fast.sends(connect("c", "", "")).await;
    let reason = "one CONNECT a second is allowed for a client id";
    assert_eq!(
        too_fast.receives_connack().await,
        (ReasonCode::QuotaExceeded, Some(reason.into()))
    );
    too_fast.expects_end().await;
    first.receives_nothing_more().await;
    sandbox.connected_to_default("another").await;
}

#[tokio::test]
async fn a_payload_has_128_kilobytes() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client
        .sends(publish("t", &"x".repeat(128 * 1024), QoS::AtLeastOnce))
        .await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    client
        .sends(publish("t", &"x".repeat(128 * 1024 + 1), QoS::AtLeastOnce))
        .await;
    let reason = "the payload has 131073 bytes; at most 131072 are allowed";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::QuotaExceeded, Some(reason.into()))
    );
    assert!(sandbox.logged(reason));
}

/// U-3.3.1-1
#[tokio::test]
async fn qos_2_is_not_supported() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.sends(publish("t", "x", QoS::ExactlyOnce)).await;
    let reason = "QoS 2 isn't available; the maximum is 1";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::QoSNotSupported, Some(reason.into()))
    );
}

#[tokio::test]
async fn a_topic_has_256_bytes_and_seven_slashes() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    for (topic, reason) in [
        (
            "x".repeat(257),
            "the topic has 257 bytes; at most 256 are allowed",
        ),
        (
            "1/2/3/4/5/6/7/8/9".into(),
            "the topic has 8 slashes; at most 7 are allowed",
        ),
    ] {
        client.sends(publish(&topic, "x", QoS::AtLeastOnce)).await;
        assert_eq!(
            client.receives_puback().await,
            (ReasonCode::TopicNameInvalid, Some(reason.into()))
        );
        let filter = reason.replace("topic", "topic filter");
        assert_eq!(
            client.subscribes(&topic).await,
            (vec![ReasonCode::TopicFilterInvalid], Some(filter))
        );
    }
    let share = format!("$share/{}/t", "g".repeat(129));
    assert_eq!(
        client.subscribes(&share).await.0,
        [ReasonCode::TopicFilterInvalid]
    );
    let share = format!("$share/{}/1/2/3/4/5/6/7/8", "g".repeat(128));
    assert_eq!(client.subscribes(&share).await.0, [ReasonCode::GrantedQoS1]);
}

#[tokio::test]
async fn there_are_eight_topic_aliases() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut message = publish("t", "x", QoS::AtMostOnce);
    message.properties.topic_alias = TopicAlias::new(9);
    client.sends(message).await;
    let reason = "the topic alias 9 is above the maximum of 8";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::TopicAliasInvalid, Some(reason.into()))
    );
}

#[tokio::test]
async fn a_hundred_messages_of_the_client_may_be_unacknowledged() {
    let answer = dunlin_sandbox::Answer::allow("anybody", crate::client::allow("iot:*"));
    let describe = |options| SandboxOptions {
        faults: vec!["no-puback".parse().unwrap()],
        time_scale: 1000,
        ..options
    };
    let sandbox = TestSandbox::with_answer_and(answer, describe).await;
    let mut client = sandbox.connected_to_default("c").await;
    for number in 1..=101 {
        let mut message = publish("t", "x", QoS::AtLeastOnce);
        message.delivery = dunlin_codec::Delivery::new(QoS::AtLeastOnce, id(number), false);
        client.sends(message).await;
        if number % 50 == 0 {
            client.receives_nothing_more().await;
        }
    }
    let reason = "more than 100 messages of QoS 1 and 2 are unacknowledged: the Receive Maximum";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::ReceiveMaximumExceeded, Some(reason.into()))
    );
}

#[tokio::test]
async fn one_request_has_eight_subscriptions_and_a_connection_fifty() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.sends(subscribe(&[subscription("t"); 9])).await;
    let reason = "one SUBSCRIBE has 9 subscriptions; at most 8 are allowed";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::QuotaExceeded, Some(reason.into()))
    );
    let mut client = sandbox.connected_to_default("d").await;
    for number in 0..50 {
        assert_eq!(
            client.subscribes(&number.to_string()).await.0,
            [ReasonCode::GrantedQoS1]
        );
    }
    let reason = "a connection may have 50 subscriptions";
    assert_eq!(
        client.subscribes("50").await,
        (vec![ReasonCode::QuotaExceeded], Some(reason.into()))
    );
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::QuotaExceeded, Some(reason.into()))
    );
}

#[tokio::test]
async fn messages_beyond_a_hundred_in_a_second_are_discarded() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut codes = Vec::new();
    let mut burst = Vec::new();
    for _ in 0..120 {
        publish("t", "x", QoS::AtLeastOnce)
            .encode(&mut burst)
            .unwrap();
    }
    client.sends_bytes(&burst).await;
    for _ in 0..120 {
        codes.push(client.receives_puback().await);
    }
    let reason = "more than 100 messages a second, in and out: discarded";
    assert_eq!(codes[..100], vec![(ReasonCode::Success, None); 100]);
    assert_eq!(
        codes[100..],
        vec![(ReasonCode::QuotaExceeded, Some(reason.to_owned())); 20]
    );
    client.sends(publish("t", "x", QoS::AtMostOnce)).await;
    client.receives_nothing_more().await;
    assert!(sandbox.logged(&format!("publish   c  t  → refuse 0x97 ({reason})")));
}

/// MQTT-3.1.2-22
#[tokio::test]
async fn a_keep_alive_is_within_30_and_1200_seconds() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        time_scale: 1000,
        ..options
    })
    .await;
    let mut connect = crate::client::unsigned("mqtt5-sample-1");
    connect.keep_alive = 1;
    let (mut client, _) = sandbox.connects(connect).await;
    let reason = "nothing was received for one and a half times the keep alive";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::KeepAliveTimeout, Some(reason.into()))
    );
}

#[tokio::test]
async fn a_message_expires_after_one_second_to_one_week() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.subscribes("t").await;
    for (asked, told) in [(0, 1), (700_000, 604_800)] {
        let mut message = publish("t", "x", QoS::AtMostOnce);
        message.properties.message_expiry_interval = Some(asked);
        client.sends(message).await;
        let packet = client.receives().await;
        let Packet::Publish(received) = packet.packet() else {
            panic!("a PUBLISH, not {packet:?}")
        };
        assert_eq!(received.properties.message_expiry_interval, Some(told));
    }
}

#[tokio::test]
async fn a_parent_level_is_not_matched() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.subscribes("sensor/#").await;
    client.sends(publish("sensor", "x", QoS::AtMostOnce)).await;
    client.receives_nothing_more().await;
    client
        .sends(publish("sensor/1", "x", QoS::AtMostOnce))
        .await;
    assert_eq!(client.receives_message().await.0, "x");
}
