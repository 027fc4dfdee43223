//! Shared subscriptions: each message is for one of the clients that share it.

use dunlin_codec::{Connect, Disconnect, Packet, QoS, ReasonCode};

use crate::client::{TestClient, TestSandbox, connect, publish, subscribe, subscription};

const SHARED: &str = "$share/group/lamp/+";

async fn members(sandbox: &TestSandbox, count: usize) -> Vec<TestClient> {
    let mut members = Vec::new();
    for number in 0..count {
        let mut member = sandbox.connected_to_default(&format!("m{number}")).await;
        assert_eq!(member.subscribes(SHARED).await.0, [ReasonCode::GrantedQoS1]);
        members.push(member);
    }
    members
}

/// MQTT-4.8.2-1, MQTT-4.8.2-2
#[tokio::test]
async fn each_message_is_sent_to_one_member_in_turn() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut members = members(&sandbox, 3).await;
    let mut other = sandbox.connected_to_default("other").await;
    other.subscribes("$share/another/lamp/7").await;
    let mut plain = sandbox.connected_to_default("plain").await;
    plain.subscribes("lamp/7").await;
    let mut publisher = sandbox.connected_to_default("p").await;
    for number in 0..6 {
        publisher
            .sends(publish("lamp/7", &number.to_string(), QoS::AtMostOnce))
            .await;
    }
    for number in 0..6 {
        assert_eq!(plain.receives_message().await.0, number.to_string());
        assert_eq!(other.receives_message().await.0, number.to_string());
    }
    for member in &mut members {
        member.receives_message().await;
        member.receives_message().await;
        member.receives_nothing_more().await;
    }
}

/// MQTT-4.8.2-3
#[tokio::test]
async fn a_shared_message_has_the_qos_that_its_member_was_granted() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut at_most_once = subscription(SHARED);
    at_most_once.options.qos = QoS::AtMostOnce;
    client.sends(subscribe(&[at_most_once])).await;
    client.receives_suback().await;
    sandbox
        .connected_to_default("p")
        .await
        .sends(publish("lamp/7", "x", QoS::ExactlyOnce))
        .await;
    assert_eq!(
        client.receives_message().await,
        ("x".into(), QoS::AtMostOnce, false)
    );
}

#[tokio::test]
async fn members_that_left_or_unsubscribed_receive_nothing() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut members = members(&sandbox, 3).await;

    // The first of three members disconnects, the second unsubscribes.
    let mut left = members.remove(0);
    left.sends(Disconnect::default()).await;
    left.expects_end().await;
    let mut unsubscribed = members.remove(0);
    let filters = [dunlin_codec::TopicFilter::new(SHARED).unwrap()];
    let packet_id = crate::client::id(3);
    unsubscribed
        .sends(dunlin_codec::Unsubscribe {
            packet_id,
            properties: Default::default(),
            filters: (&filters).into(),
        })
        .await;
    assert!(matches!(
        unsubscribed.receives().await.packet(),
        Packet::UnsubAck(_)
    ));

    // All messages go to the third.
    let mut publisher = sandbox.connected_to_default("p").await;
    for _ in 0..3 {
        publisher
            .sends(publish("lamp/7", "x", QoS::AtMostOnce))
            .await;
    }
    for _ in 0..3 {
        members[0].receives_message().await;
    }
    unsubscribed.receives_nothing_more().await;
}

#[tokio::test]
async fn a_shared_subscription_is_sent_no_retained_messages() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut message = publish("lamp/7", "on", QoS::AtMostOnce);
    message.retain = true;
    client.sends(message).await;
    client.subscribes(SHARED).await;
    client.receives_nothing_more().await;
}

/// MQTT-3.8.3-4
#[tokio::test]
async fn no_local_is_for_no_shared_subscription() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let plain = [subscription("$SHARE/group/lamp/+")];
    let mut bytes = Vec::new();
    subscribe(&plain).encode(&mut bytes).unwrap();
    let lower = b"$share";
    let at = bytes
        .windows(6)
        .position(|window| window == b"$SHARE")
        .unwrap();
    bytes[at..at + 6].copy_from_slice(lower);
    *bytes.last_mut().unwrap() |= 0b100;
    client.sends_bytes(&bytes).await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::ProtocolError
    );
}

/// MQTT-4.8.2-4, MQTT-4.8.2-5
#[tokio::test]
async fn an_unacknowledged_message_stays_with_its_member() {
    let sandbox = TestSandbox::mqtt5().await;
    let staying = |client_id| {
        let mut connect = Connect {
            clean_start: false,
            ..connect(client_id, "", "")
        };
        connect.properties.session_expiry_interval = Some(600);
        connect
    };
    let mut exactly_once = subscription(SHARED);
    exactly_once.options.qos = QoS::ExactlyOnce;

    // The only member gets a message and does not acknowledge it.
    let (mut first, _) = sandbox.connects(staying("m1")).await;
    first.sends(subscribe(&[exactly_once])).await;
    first.receives_suback().await;
    sandbox
        .connected_to_default("p")
        .await
        .sends(publish("lamp/7", "x", QoS::ExactlyOnce))
        .await;
    assert!(matches!(
        first.receives().await.packet(),
        Packet::Publish(_)
    ));

    // A second member joins, and the first resumes its session.
    let mut second = sandbox.connected_to_default("m2").await;
    second.sends(subscribe(&[exactly_once])).await;
    second.receives_suback().await;
    drop(first);
    let (mut first, session_present) = sandbox.connects(staying("m1")).await;
    assert!(session_present);

    // The message is repeated to its member, and not offered to the other.
    let packet = first.receives().await;
    let Packet::Publish(again) = packet.packet() else {
        panic!("a PUBLISH, not {packet:?}")
    };
    assert!(again.delivery.dup());

    // The session ends, and the message with it (§4.8.2).
    drop(first);
    let (mut first, _) = sandbox
        .connects(Connect {
            clean_start: true,
            ..staying("m1")
        })
        .await;
    first.receives_nothing_more().await;
    second.receives_nothing_more().await;
}
