//! The profile `mqtt5` beyond AWS IoT, and the rules of the standard for both profiles.

use dunlin_codec::{
    AckType, BinaryData, ConnAckProperties, Delivery, Packet, PayloadFormat, PublishProperties,
    QoS, ReasonCode, Repeated, RetainHandling, SubscriptionIdentifier, TopicAlias, TopicFilter,
    TopicName, Unsubscribe, UserProperty, Utf8String,
};
use dunlin_sandbox::{Answer, Profile, SandboxOptions};

use crate::client::{
    TestClient, TestSandbox, allow, connect, id, puback, publish, subscribe, subscription,
};

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Subscribes and returns the reason code of SUBACK.
async fn subscribes_with(client: &mut TestClient, filter: &str, qos: QoS) -> ReasonCode {
    let mut wanted = subscription(filter);
    wanted.options.qos = qos;
    client.sends(subscribe(&[wanted])).await;
    client.receives_suback().await.0.pop().unwrap()
}

async fn publish_retained(client: &mut TestClient, topic: &str, payload: &str) {
    let mut message = publish(topic, payload, QoS::AtLeastOnce);
    message.retain = true;
    client.sends(message).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
}

/// MQTT-3.1.4-5, MQTT-3.2.2-9, MQTT-3.2.2-22, MQTT-3.1.2-28
#[tokio::test]
async fn the_connack_announces_all_of_mqtt_5() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.open().await;
    let mut minimal = connect("c", "", "");
    minimal.keep_alive = 0;
    client.sends(minimal).await;
    let packet = client.receives().await;
    let Packet::ConnAck(connack) = packet.packet() else {
        panic!("a CONNACK, not {packet:?}")
    };
    let connack = connack.read();
    let expected = ConnAckProperties {
        receive_maximum: 1000.try_into().ok(),
        retain_available: Some(true),
        maximum_packet_size: (1024 * 1024).try_into().ok(),
        topic_alias_maximum: Some(32),
        wildcard_subscription_available: Some(true),
        subscription_identifier_available: Some(true),
        shared_subscription_available: Some(true),
        ..ConnAckProperties::default()
    };
    assert_eq!(connack.properties, expected);
}

/// MQTT-3.8.4-7, MQTT-3.8.4-8, MQTT-3.3.4-1, MQTT-4.3.1-1, MQTT-4.3.2-4, MQTT-4.3.3-8
#[tokio::test]
async fn a_message_has_the_lower_of_its_qos_and_the_subscriptions() {
    let sandbox = TestSandbox::mqtt5().await;
    for granted in LEVELS {
        // Each granted QoS meets each published one.
        let mut subscriber = sandbox.connected_to_default("s").await;
        let code = subscribes_with(&mut subscriber, "t", granted).await;
        assert_eq!(code.code(), granted.level());
        let mut publisher = sandbox.connected_to_default("p").await;
        for published in LEVELS {
            publisher.sends(publish("t", "x", published)).await;

            // The publisher completes its exchange at the QoS of its PUBLISH.
            match published {
                QoS::AtMostOnce => {}
                QoS::AtLeastOnce => {
                    assert_eq!(
                        publisher.receives_ack().await,
                        (AckType::PubAck, 2, ReasonCode::Success)
                    );
                }
                QoS::ExactlyOnce => {
                    assert_eq!(
                        publisher.receives_ack().await,
                        (AckType::PubRec, 2, ReasonCode::Success)
                    );
                    publisher.sends_ack(AckType::PubRel, 2).await;
                    assert_eq!(
                        publisher.receives_ack().await,
                        (AckType::PubComp, 2, ReasonCode::Success)
                    );
                }
            }

            // The subscriber gets the lower QoS of both.
            let packet = subscriber.receives().await;
            let Packet::Publish(received) = packet.packet() else {
                panic!("a PUBLISH, not {packet:?}")
            };
            assert_eq!(
                received.delivery.qos(),
                published.min(granted),
                "{published} to {granted}"
            );
        }
    }
}

/// MQTT-3.3.4-2, MQTT-3.3.4-3, MQTT-3.3.4-4
#[tokio::test]
async fn overlapping_subscriptions_are_one_copy_with_the_highest_qos_and_all_identifiers() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;

    // Three filters match the topic; two of them share an identifier.
    for (number, filter, qos) in [
        (7, "a/+", QoS::AtMostOnce),
        (9, "a/#", QoS::ExactlyOnce),
        (7, "+/b", QoS::AtLeastOnce),
    ] {
        let mut wanted = subscription(filter);
        wanted.options.qos = qos;
        let subscriptions = [wanted];
        let mut request = subscribe(&subscriptions);
        request.properties.subscription_identifier = SubscriptionIdentifier::new(number);
        client.sends(request).await;
        client.receives_suback().await;
    }
    sandbox
        .connected_to_default("p")
        .await
        .sends(publish("a/b", "x", QoS::ExactlyOnce))
        .await;

    // One copy, at the highest QoS.
    let packet = client.receives().await;
    let Packet::Publish(received) = packet.packet() else {
        panic!("a PUBLISH, not {packet:?}")
    };
    assert_eq!(received.delivery.qos(), QoS::ExactlyOnce);

    // Each identifier once.
    let mut identifiers: Vec<u32> = received
        .properties
        .subscription_identifiers
        .iter()
        .map(|identifier| identifier.get())
        .collect();
    identifiers.sort_unstable();
    assert_eq!(identifiers, [7, 9]);
    client.receives_nothing_more().await;
}

/// MQTT-3.8.4-3, MQTT-3.8.4-1, MQTT-3.8.4-2, MQTT-2.2.1-6
#[tokio::test]
async fn a_subscription_to_the_same_filter_replaces_the_first_one() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    subscribes_with(&mut client, "t", QoS::ExactlyOnce).await;
    subscribes_with(&mut client, "t", QoS::AtMostOnce).await;
    client.sends(publish("t", "x", QoS::AtLeastOnce)).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    assert_eq!(
        client.receives_message().await,
        ("x".into(), QoS::AtMostOnce, false)
    );
    client.receives_nothing_more().await;
}

/// MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11, MQTT-3.8.4-4
#[tokio::test]
async fn retain_handling_decides_when_retained_messages_are_sent() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    publish_retained(&mut client, "t", "kept").await;
    for (handling, first, second) in [
        (RetainHandling::Send, true, true),
        (RetainHandling::SendIfNew, true, false),
        (RetainHandling::DontSend, false, false),
    ] {
        let mut client = sandbox.connected_to_default("s").await;
        for expected in [first, second] {
            let mut wanted = subscription("t");
            wanted.options.retain_handling = handling;
            client.sends(subscribe(&[wanted])).await;
            client.receives_suback().await;
            if expected {
                assert_eq!(
                    client.receives_message().await,
                    ("kept".into(), QoS::AtLeastOnce, true)
                );
            }
            client.receives_nothing_more().await;
        }
    }
}

/// MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-7, MQTT-3.3.1-8
#[tokio::test]
async fn a_topic_keeps_its_last_retained_message_until_an_empty_one() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    publish_retained(&mut client, "a/b", "first").await;
    publish_retained(&mut client, "a/b", "second").await;
    client
        .sends(publish("a/b", "passing", QoS::AtMostOnce))
        .await;
    client.subscribes("a/#").await;
    assert_eq!(
        client.receives_message().await,
        ("second".into(), QoS::AtLeastOnce, true)
    );
    client.receives_nothing_more().await;
    let mut other = sandbox.connected_to_default("d").await;
    publish_retained(&mut other, "a/b", "").await;
    assert_eq!(
        client.receives_message().await,
        (String::new(), QoS::AtLeastOnce, false)
    );
    client.subscribes("a/+").await;
    client.receives_nothing_more().await;
}

/// MQTT-3.3.1-12, MQTT-3.3.1-13
#[tokio::test]
async fn retain_as_published_keeps_the_flag_and_else_it_is_cleared() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut publisher = sandbox.connected_to_default("p").await;
    for as_published in [false, true] {
        let mut client = sandbox.connected_to_default("c").await;
        let mut wanted = subscription("t");
        wanted.options.retain_as_published = as_published;
        wanted.options.retain_handling = RetainHandling::DontSend;
        client.sends(subscribe(&[wanted])).await;
        client.receives_suback().await;
        publish_retained(&mut publisher, "t", "x").await;
        assert_eq!(
            client.receives_message().await,
            ("x".into(), QoS::AtLeastOnce, as_published)
        );
    }
}

/// MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20,
/// MQTT-3.3.1-3, MQTT-3.3.2-3
#[tokio::test]
async fn a_message_is_forwarded_with_all_its_end_to_end_properties() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.subscribes("a/+").await;

    // Names that repeat, empty texts, and data of the smallest and the largest size.
    let pair = |name, value| UserProperty::new(name, value).unwrap();
    let user_properties = [pair("b", "1"), pair("", ""), pair("a", "2"), pair("b", "1")];
    let large = vec![0; 65_535];
    for correlation in [&b""[..], &large] {
        let mut message = publish("a/b", "x", QoS::AtLeastOnce);
        message.delivery = Delivery::AtLeastOnce {
            packet_id: id(77),
            dup: true,
        };
        message.properties = PublishProperties {
            payload_format_indicator: Some(PayloadFormat::Utf8),
            topic_alias: TopicAlias::new(3),
            response_topic: TopicName::new("answers/here").ok(),
            correlation_data: BinaryData::new(correlation).ok(),
            content_type: Utf8String::new("text/plain").ok(),
            user_properties: (&user_properties).into(),
            ..PublishProperties::default()
        };
        client.sends(message).await;
        assert_eq!(client.receives_ack().await.1, 77);

        // The Topic Alias, DUP and the Packet Identifier belong to the connection; all else is
        // forwarded.
        let packet = client.receives().await;
        let Packet::Publish(received) = packet.packet() else {
            panic!("a PUBLISH, not {packet:?}")
        };
        assert_eq!(
            received.properties,
            PublishProperties {
                topic_alias: None,
                ..message.properties
            }
        );
        assert_eq!(
            (received.topic, received.delivery.dup()),
            (message.topic, false)
        );
        client
            .sends(puback(received.delivery.packet_id().unwrap().get()))
            .await;
    }
}

/// MQTT-3.3.2-12, MQTT-3.3.2-7
#[tokio::test]
async fn every_alias_up_to_the_maximum_stands_for_its_topic_until_the_connection_ends() {
    for (profile, most) in [(Profile::Aws, 8), (Profile::Mqtt5, 32)] {
        let answer = Answer::allow("anybody", allow("iot:*"));
        let sandbox =
            TestSandbox::with_answer_and(answer, |options| SandboxOptions { profile, ..options })
                .await;
        let mut client = sandbox.connected_to_default("c").await;
        client.subscribes("#").await;

        // The first PUBLISH sets the alias, the second uses it.
        for alias in 1..=most {
            let topic = format!("t/{alias}");
            let mut named = publish(&topic, "named", QoS::AtMostOnce);
            named.properties.topic_alias = TopicAlias::new(alias);
            client.sends(named).await;
            client
                .sends(dunlin_codec::Publish {
                    topic: None,
                    payload: b"short",
                    ..named
                })
                .await;
            for payload in ["named", "short"] {
                let packet = client.receives().await;
                let Packet::Publish(received) = packet.packet() else {
                    panic!("a PUBLISH")
                };
                assert_eq!(
                    (received.topic.as_deref(), received.payload),
                    (Some(&*topic), payload.as_bytes())
                );
            }
        }

        // One more than the maximum ends the connection. [MQTT-3.3.2-9]
        let mut above = publish("t", "x", QoS::AtMostOnce);
        above.properties.topic_alias = TopicAlias::new(most + 1);
        client.sends(above).await;
        assert_eq!(
            client.receives_disconnect().await.0,
            ReasonCode::TopicAliasInvalid
        );

        // Another connection does not have the aliases.
        let mut another = sandbox.connected_to_default("d").await;
        let mut forgotten = publish("t", "x", QoS::AtMostOnce);
        forgotten.properties.topic_alias = TopicAlias::new(1);
        another
            .sends(dunlin_codec::Publish {
                topic: None,
                ..forgotten
            })
            .await;
        assert_eq!(
            another.receives_disconnect().await.0,
            ReasonCode::ProtocolError
        );
    }
}

/// MQTT-3.1.2-26, MQTT-3.1.2-27, MQTT-3.3.2-11
#[tokio::test]
async fn the_server_uses_up_to_the_clients_topic_alias_maximum() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut asking = connect("c", "", "");
    asking.properties.topic_alias_maximum = Some(2);
    let (mut client, _) = sandbox.connects(asking).await;
    client.subscribes("#").await;

    // Two aliases for three topics: the oldest is replaced.
    let mut told = Vec::new();
    for topic in ["a", "b", "a", "c", "a", "b"] {
        client.sends(publish(topic, "x", QoS::AtMostOnce)).await;
        let packet = client.receives().await;
        let Packet::Publish(received) = packet.packet() else {
            panic!("a PUBLISH, not {packet:?}")
        };
        let alias = received.properties.topic_alias.unwrap().get();
        told.push((received.topic.map(|topic| topic.to_string()), alias));
    }

    // A known topic is sent by its alias alone.
    let named = |topic: &str, alias| (Some(topic.to_owned()), alias);
    assert_eq!(
        told,
        [
            named("a", 1),
            named("b", 2),
            (None, 1),
            named("c", 1),
            named("a", 2),
            named("b", 1)
        ]
    );
}

/// MQTT-3.10.4-1, MQTT-3.10.4-2, MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6, MQTT-3.11.3-1,
/// MQTT-3.11.3-2
#[tokio::test]
async fn an_unsuback_has_one_code_for_each_filter() {
    for (profile, missing) in [
        (Profile::Mqtt5, ReasonCode::NoSubscriptionExisted),
        (Profile::Aws, ReasonCode::Success),
    ] {
        let answer = Answer::allow("anybody", allow("iot:*"));
        let sandbox =
            TestSandbox::with_answer_and(answer, |options| SandboxOptions { profile, ..options })
                .await;
        let mut client = sandbox.connected_to_default("c").await;

        // Two subscriptions; one of the filters below exists.
        client.subscribes("a/b").await;
        client.subscribes("a/+").await;
        let filters = ["a/+", "A/b", "#"].map(|filter| TopicFilter::new(filter).unwrap());
        let filters = Repeated::from(&filters);
        client
            .sends(Unsubscribe {
                packet_id: id(9),
                properties: Default::default(),
                filters,
            })
            .await;

        // AWS IoT does not say which filters had no subscription.
        let packet = client.receives().await;
        let Packet::UnsubAck(unsuback) = packet.packet() else {
            panic!("an UNSUBACK, not {packet:?}")
        };
        assert_eq!(unsuback.packet_id, id(9));
        assert_eq!(
            unsuback.reason_codes.iter().collect::<Vec<_>>(),
            [ReasonCode::Success, missing, missing]
        );

        // The other subscription stays.
        client.sends(publish("a/b", "x", QoS::AtMostOnce)).await;
        assert_eq!(client.receives_message().await.0, "x");
        client.sends(publish("a/c", "x", QoS::AtMostOnce)).await;
        client.receives_nothing_more().await;
    }
}

/// MQTT-3.8.4-5, MQTT-3.8.4-6, MQTT-3.9.3-1, MQTT-3.9.3-2, MQTT-3.2.2-10
#[tokio::test]
async fn a_suback_has_one_code_for_each_filter_in_their_order() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let deep = "/".repeat(300);
    let mut wanted = [subscription("a"), subscription(&deep), subscription("b")];
    wanted[2].options.qos = QoS::ExactlyOnce;
    client.sends(subscribe(&wanted)).await;
    let expected = [
        ReasonCode::GrantedQoS1,
        ReasonCode::TopicFilterInvalid,
        ReasonCode::GrantedQoS2,
    ];
    assert_eq!(client.receives_suback().await.0, expected);
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_with_its_code() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    let mut message = publish("t", "x", QoS::AtLeastOnce);
    message.properties.payload_format_indicator = Some(PayloadFormat::Utf8);
    client
        .sends(dunlin_codec::Publish {
            payload: &[0xFF],
            ..message
        })
        .await;
    assert_eq!(
        client.receives_puback().await.0,
        ReasonCode::PayloadFormatInvalid
    );
}

/// MQTT-3.3.4-10, MQTT-4.9.0-3, MQTT-4.9.0-1, MQTT-4.9.0-2, MQTT-3.3.4-9
#[tokio::test]
async fn a_full_receive_maximum_delays_messages_only() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut narrow = connect("c", "", "");
    narrow.properties.receive_maximum = 1.try_into().ok();
    let (mut client, _) = sandbox.connects(narrow).await;
    subscribes_with(&mut client, "t", QoS::ExactlyOnce).await;

    // The identifier of an unfinished QoS 2 message cannot be used for another one.
    let mut publisher = sandbox.connected_to_default("p").await;
    publisher.sends(publish("t", "1", QoS::ExactlyOnce)).await;
    publisher.sends(publish("t", "2", QoS::AtLeastOnce)).await;
    assert_eq!(publisher.receives_ack().await.0, AckType::PubRec);
    assert_eq!(
        publisher.receives_ack().await,
        (AckType::PubAck, 2, ReasonCode::PacketIdentifierInUse)
    );
    publisher
        .sends(dunlin_codec::Publish {
            delivery: Delivery::AtLeastOnce {
                packet_id: id(3),
                dup: false,
            },
            ..publish("t", "2", QoS::AtLeastOnce)
        })
        .await;
    assert_eq!(
        publisher.receives_ack().await,
        (AckType::PubAck, 3, ReasonCode::Success)
    );

    // One message may be in flight: the second waits, and SUBSCRIBE is answered at once.
    assert!(matches!(
        client.receives().await.packet(),
        Packet::Publish(_)
    ));
    client.receives_nothing_more().await;
    assert_eq!(
        client.subscribes("other").await.0,
        [ReasonCode::GrantedQoS1]
    );

    // PUBREC does not free the window, PUBCOMP does (§4.9).
    client.sends_ack(AckType::PubRec, 1).await;
    assert_eq!(
        client.receives_ack().await,
        (AckType::PubRel, 1, ReasonCode::Success)
    );
    client.receives_nothing_more().await;
    client.sends_ack(AckType::PubComp, 1).await;
    assert_eq!(client.receives_message().await.0, "2");
}

#[tokio::test]
async fn a_packet_above_the_limit_of_aws_is_accepted() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.subscribes("t").await;
    let large = "x".repeat(1024 * 1024 - 100);
    client.sends(publish("t", &large, QoS::AtMostOnce)).await;
    assert_eq!(client.receives_message().await.0.len(), large.len());
    client
        .sends(publish("t", &"x".repeat(1024 * 1024), QoS::AtMostOnce))
        .await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::PacketTooLarge
    );
}

/// MQTT-3.2.2-19, MQTT-3.9.2-1, MQTT-3.11.2-1, MQTT-3.4.2-2, MQTT-3.14.2-3, MQTT-3.1.2-24,
/// MQTT-3.1.2-25
#[tokio::test]
async fn a_reason_that_does_not_fit_is_left_out() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        profile: Profile::Mqtt5,
        ..options
    })
    .await;

    // A Maximum Packet Size of 40 bytes: too small for any reason string here.
    let mut small = crate::client::unsigned("mqtt5-sample-1");
    small.properties.maximum_packet_size = 40.try_into().ok();
    let (mut client, _) = sandbox.connects(small).await;
    assert_eq!(
        client.subscribes("not/allowed").await,
        (vec![ReasonCode::NotAuthorized], None)
    );
    client
        .sends(publish("not/allowed", "x", QoS::AtLeastOnce))
        .await;
    assert_eq!(
        client.receives_puback().await,
        (ReasonCode::NotAuthorized, None)
    );

    // A message that is too large is not delivered, and a small one is.
    client.subscribes("test/topic").await;
    client
        .sends(publish("test/topic", &"x".repeat(40), QoS::AtMostOnce))
        .await;
    client
        .sends(publish("test/topic", "small", QoS::AtMostOnce))
        .await;
    assert_eq!(client.receives_message().await.0, "small");

    // At QoS 0 the refusal ends the connection, again without the reason.
    client
        .sends(publish("not/allowed", "x", QoS::AtMostOnce))
        .await;
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::NotAuthorized, None)
    );
}
