//! Sessions: what outlives a connection, for how long, and what is sent again.

use dunlin_codec::{
    AckType, Connect, Delivery, Disconnect, DisconnectProperties, Packet, QoS, ReasonCode, Repeated,
};

use crate::client::{TestClient, TestSandbox, connect, id, publish, subscribe, subscription};

/// CONNECT without Clean Start and with a Session Expiry Interval.
fn persistent_connect(client_id: &str) -> Connect<'_> {
    let mut connect = Connect {
        clean_start: false,
        ..connect(client_id, "", "")
    };
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

async fn disconnect(mut client: TestClient) {
    client.sends(Disconnect::default()).await;
    client.expects_end().await;
}

/// Receives a PUBLISH; returns its delivery and payload.
async fn receives_publish(client: &mut TestClient) -> (Delivery, String) {
    let packet = client.receives().await;
    let Packet::Publish(publish) = packet.packet() else {
        panic!("a PUBLISH, not {packet:?}")
    };
    (
        publish.delivery,
        String::from_utf8(publish.payload.into()).unwrap(),
    )
}

/// MQTT-3.1.2-5, MQTT-3.1.2-6, MQTT-3.1.4-4, MQTT-3.2.2-3, MQTT-4.5.0-1, MQTT-4.6.0-5,
/// MQTT-4.6.0-6, MQTT-3.1.2-23
#[tokio::test]
async fn messages_for_a_disconnected_client_are_queued_in_order() {
    let sandbox = TestSandbox::mqtt5().await;

    // A new session subscribes and goes away.
    let (mut client, session_present) = sandbox.connects(persistent_connect("c")).await;
    assert!(!session_present);
    let mut twice = subscription("t");
    twice.options.qos = QoS::ExactlyOnce;
    client.sends(subscribe(&[twice])).await;
    assert_eq!(client.receives_suback().await.0, [ReasonCode::GrantedQoS2]);
    disconnect(client).await;

    // QoS 0 is not kept for a client that is away, QoS 1 is.
    let mut publisher = sandbox.connected_to_default("p").await;
    for (payload, qos) in [
        ("0", QoS::AtMostOnce),
        ("1", QoS::AtLeastOnce),
        ("2", QoS::AtLeastOnce),
    ] {
        publisher.sends(publish("t", payload, qos)).await;
    }
    assert_eq!(publisher.receives_puback().await.0, ReasonCode::Success);
    assert_eq!(publisher.receives_puback().await.0, ReasonCode::Success);

    // The resumed session gets the kept messages in order.
    let (mut client, session_present) = sandbox.connects(persistent_connect("c")).await;
    assert!(session_present);
    assert_eq!(
        client.receives_message().await,
        ("1".into(), QoS::AtLeastOnce, false)
    );
    assert_eq!(
        client.receives_message().await,
        ("2".into(), QoS::AtLeastOnce, false)
    );
    client.receives_nothing_more().await;
}

/// MQTT-3.1.2-4, MQTT-3.2.2-2
#[tokio::test]
async fn a_clean_start_ends_the_existing_session() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    client.subscribes("t").await;
    disconnect(client).await;
    let (mut client, session_present) = sandbox
        .connects(Connect {
            clean_start: true,
            ..persistent_connect("c")
        })
        .await;
    assert!(!session_present);
    client.sends(publish("t", "x", QoS::AtMostOnce)).await;
    client.receives_nothing_more().await;
}

/// MQTT-4.1.0-2
#[tokio::test]
async fn a_session_without_expiry_ends_with_its_connection() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut passing = persistent_connect("c");
    passing.properties.session_expiry_interval = None;
    disconnect(sandbox.connects(passing).await.0).await;
    assert!(!sandbox.connects(persistent_connect("c")).await.1);
}

#[tokio::test]
async fn a_disconnect_may_change_the_session_expiry_interval() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    let properties = DisconnectProperties {
        session_expiry_interval: Some(0),
        ..Default::default()
    };
    client
        .sends(Disconnect {
            reason_code: ReasonCode::NORMAL_DISCONNECTION,
            properties,
        })
        .await;
    client.expects_end().await;
    assert!(!sandbox.connects(persistent_connect("c")).await.1);
}

/// MQTT-3.1.4-3
#[tokio::test]
async fn a_client_that_takes_an_id_over_resumes_its_session() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut first, _) = sandbox.connects(persistent_connect("c")).await;
    first.subscribes("t").await;
    let (mut second, session_present) = sandbox.connects(persistent_connect("c")).await;
    assert!(session_present);
    assert_eq!(
        first.receives_disconnect().await.0,
        ReasonCode::SessionTakenOver
    );
    first.expects_end().await;
    second.sends(publish("t", "x", QoS::AtMostOnce)).await;
    assert_eq!(second.receives_message().await.0, "x");
}

/// MQTT-4.4.0-1, MQTT-3.3.1-1, MQTT-4.3.2-3, MQTT-4.3.2-1, MQTT-4.3.2-2
#[tokio::test]
async fn unacknowledged_messages_are_sent_again_only_after_a_resumption() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    client.subscribes("t").await;
    let mut publisher = sandbox.connected_to_default("p").await;
    for payload in ["1", "2", "3"] {
        publisher
            .sends(publish("t", payload, QoS::AtLeastOnce))
            .await;
    }

    // Three messages are delivered, and only the second is acknowledged.
    let mut sent = Vec::new();
    for _ in 0..3 {
        let (delivery, payload) = receives_publish(&mut client).await;
        assert!(!delivery.dup());
        sent.push((delivery.packet_id(), payload));
    }
    client.receives_nothing_more().await;
    client
        .sends_ack(AckType::PubAck, sent[1].0.unwrap().get())
        .await;

    // On the same connection nothing is sent again. [MQTT-4.4.0-1]
    client.receives_nothing_more().await;
    drop(client);
    publisher.sends(publish("t", "4", QoS::AtLeastOnce)).await;

    // After the resumption the two others come first, under their identifiers and with DUP.
    let (mut client, session_present) = sandbox.connects(persistent_connect("c")).await;
    assert!(session_present);
    for expected in [&sent[0], &sent[2]] {
        let (delivery, payload) = receives_publish(&mut client).await;
        assert!(delivery.dup());
        assert_eq!((delivery.packet_id(), payload), *expected);
    }
    let (delivery, payload) = receives_publish(&mut client).await;
    assert_eq!((delivery.dup(), payload.as_str()), (false, "4"));
}

/// MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.3.3-3, MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.3.3-6, MQTT-2.2.1-5
#[tokio::test]
async fn a_message_of_qos_2_is_not_sent_again_once_it_was_received() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    let mut exactly_once = subscription("t");
    exactly_once.options.qos = QoS::ExactlyOnce;
    client.sends(subscribe(&[exactly_once])).await;
    client.receives_suback().await;

    // The client publishes to itself: one exchange in each direction.
    client.sends(publish("t", "x", QoS::ExactlyOnce)).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRec, 2, ReasonCode::Success)
    );
    client.sends_ack(AckType::PubRel, 2).await;
    let (delivery, _) = receives_publish(&mut client).await;
    assert_eq!(
        delivery,
        Delivery::ExactlyOnce {
            packet_id: id(1),
            dup: false
        }
    );
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubComp, 2, ReasonCode::Success)
    );

    // The client has received the message: from here on PUBREL is repeated, not PUBLISH.
    client.sends_ack(AckType::PubRec, 1).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRel, 1, ReasonCode::Success)
    );
    drop(client);

    // The connection ends before PUBCOMP.
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRel, 1, ReasonCode::Success)
    );
    client.sends_ack(AckType::PubComp, 1).await;

    // After PUBCOMP nothing is left of the exchange.
    client.receives_nothing_more().await;
    drop(client);
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    client.receives_nothing_more().await;
}

/// MQTT-4.3.3-8, MQTT-4.3.3-10, MQTT-4.3.3-11, MQTT-4.3.3-12
#[tokio::test]
async fn an_identifier_of_qos_2_is_the_same_message_until_it_is_released_also_on_another_connection()
 {
    let sandbox = TestSandbox::mqtt5().await;
    let mut watcher = sandbox.connected_to_default("w").await;
    watcher.subscribes("t").await;
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;

    // A repetition is answered again, and another QoS under the same identifier is refused.
    for _ in 0..2 {
        client.sends(publish("t", "first", QoS::ExactlyOnce)).await;
        assert_eq!(
            client.receives_ack().await,
            (AckType::PubRec, 2, ReasonCode::Success)
        );
    }
    client
        .sends(publish("t", "no other", QoS::AtLeastOnce))
        .await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubAck, 2, ReasonCode::PacketIdentifierInUse)
    );

    // Another connection of the session repeats the message and releases it.
    drop(client);
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    client.sends(publish("t", "first", QoS::ExactlyOnce)).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRec, 2, ReasonCode::Success)
    );
    client.sends_ack(AckType::PubRel, 2).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubComp, 2, ReasonCode::Success)
    );

    // A second PUBREL finds no message.
    client.sends_ack(AckType::PubRel, 2).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubComp, 2, ReasonCode::PacketIdentifierNotFound)
    );

    // From here on the identifier is another message.
    client.sends(publish("t", "second", QoS::ExactlyOnce)).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRec, 2, ReasonCode::Success)
    );

    // Each message was published once.
    assert_eq!(watcher.receives_message().await.0, "first");
    assert_eq!(watcher.receives_message().await.0, "second");
    watcher.receives_nothing_more().await;
}

/// MQTT-4.3.3-4, MQTT-4.4.0-2, MQTT-4.8.2-6
#[tokio::test]
async fn a_message_that_its_receiver_refuses_is_removed() {
    let sandbox = TestSandbox::mqtt5().await;
    let (mut client, _) = sandbox.connects(persistent_connect("c")).await;
    let mut exactly_once = subscription("$share/g/t");
    exactly_once.options.qos = QoS::ExactlyOnce;
    client.sends(subscribe(&[exactly_once])).await;
    client.receives_suback().await;
    let mut publisher = sandbox.connected_to_default("p").await;
    publisher.sends(publish("t", "x", QoS::ExactlyOnce)).await;
    let (delivery, _) = receives_publish(&mut client).await;
    let ack = dunlin_codec::Ack {
        packet_id: delivery.packet_id().unwrap(),
        reason_code: ReasonCode::QuotaExceeded,
        properties: Default::default(),
    };
    client.sends(Packet::PubRec(ack)).await;
    client.receives_nothing_more().await;
    drop(client);
    sandbox
        .connects(persistent_connect("c"))
        .await
        .0
        .receives_nothing_more()
        .await;
}

/// MQTT-4.3.3-13
#[tokio::test]
async fn an_unknown_identifier_is_answered_and_is_no_violation() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.sends_ack(AckType::PubRec, 7).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRel, 7, ReasonCode::PacketIdentifierNotFound)
    );
    client.sends_ack(AckType::PubAck, 7).await;
    client.sends_ack(AckType::PubComp, 7).await;
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn an_acknowledgement_of_another_qos_is_a_protocol_error() {
    for wrong in [AckType::PubRec, AckType::PubComp] {
        let sandbox = TestSandbox::mqtt5().await;
        let mut client = sandbox.connected_to_default("c").await;
        client.subscribes("t").await;
        sandbox
            .connected_to_default("p")
            .await
            .sends(publish("t", "x", QoS::AtLeastOnce))
            .await;
        let (delivery, _) = receives_publish(&mut client).await;
        client
            .sends_ack(wrong, delivery.packet_id().unwrap().get())
            .await;
        assert_eq!(
            client.receives_disconnect().await.0,
            ReasonCode::ProtocolError
        );
    }
}

/// MQTT-3.10.4-3
#[tokio::test]
async fn messages_in_flight_are_completed_after_an_unsubscribe() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut exactly_once = subscription("t");
    exactly_once.options.qos = QoS::ExactlyOnce;
    client.sends(subscribe(&[exactly_once])).await;
    client.receives_suback().await;

    // One message is delivered and not acknowledged.
    sandbox
        .connected_to_default("p")
        .await
        .sends(publish("t", "x", QoS::ExactlyOnce))
        .await;
    let (delivery, _) = receives_publish(&mut client).await;
    let packet_id = delivery.packet_id().unwrap().get();

    // UNSUBSCRIBE in between.
    let filters = [dunlin_codec::TopicFilter::new("t").unwrap()];
    client
        .sends(dunlin_codec::Unsubscribe {
            packet_id: id(9),
            properties: Default::default(),
            filters: Repeated::from(&filters),
        })
        .await;
    assert!(matches!(
        client.receives().await.packet(),
        Packet::UnsubAck(_)
    ));

    // The exchange goes on. [MQTT-3.10.4-3]
    client.sends_ack(AckType::PubRec, packet_id).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRel, packet_id, ReasonCode::Success)
    );
}
