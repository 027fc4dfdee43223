//! SUBSCRIBE and UNSUBSCRIBE.

use dunlin_codec::{
    Packet, QoS, ReasonCode, Repeated, SubscriptionIdentifier, TopicFilter, Unsubscribe,
    UnsubscribeProperties,
};

use crate::client::{TestSandbox, id, publish, subscribe, subscription, unsigned};

const TOPIC: &str = "test/topic";

#[tokio::test]
async fn a_filter_outside_the_policy_is_refused_with_the_reason() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client
        .sends(subscribe(&[
            subscription(TOPIC),
            subscription("other/topic"),
        ]))
        .await;
    let (codes, reason) = client.receives_suback().await;
    assert_eq!(codes, [ReasonCode::GrantedQoS1, ReasonCode::NotAuthorized]);
    assert_eq!(
        reason.as_deref(),
        Some("no statement allows iot:Subscribe on topicfilter/other/topic")
    );
    assert!(sandbox.logged("subscribe mqtt5-sample-1  test/topic  → allow, granted QoS 1"));
    assert!(
        sandbox.logged("subscribe mqtt5-sample-1  other/topic  → refuse 0x87 (no statement allows")
    );
}

/// MQTT-3.1.2-29
#[tokio::test]
async fn a_client_that_wants_no_problem_information_gets_no_reason() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    let mut connect = unsigned("mqtt5-sample-1");
    connect.properties.request_problem_information = Some(false);
    client.sends(connect).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    assert_eq!(
        client.subscribes("other/topic").await,
        (vec![ReasonCode::NotAuthorized], None)
    );
}

#[tokio::test]
async fn no_message_is_delivered_after_unsuback() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client.subscribes(TOPIC).await;
    let filters = [TopicFilter::new(TOPIC).unwrap()];
    client
        .sends(Unsubscribe {
            packet_id: id(3),
            properties: UnsubscribeProperties::default(),
            filters: Repeated::from(&filters),
        })
        .await;
    let packet = client.receives().await;
    let Packet::UnsubAck(unsuback) = packet.packet() else {
        panic!("an UNSUBACK")
    };
    assert_eq!(
        unsuback.reason_codes.iter().collect::<Vec<_>>(),
        [ReasonCode::Success]
    );
    client.sends(publish(TOPIC, "x", QoS::AtMostOnce)).await;
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn a_subscription_identifier_ends_the_connection() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    let subscriptions = [subscription(TOPIC)];
    let mut request = subscribe(&subscriptions);
    request.properties.subscription_identifier = SubscriptionIdentifier::new(1);
    client.sends(request).await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::SubscriptionIdentifiersNotSupported
    );
}

#[tokio::test]
async fn the_limits_of_aws_are_enforced() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    assert_eq!(
        client.subscribes("1/2/3/4/5/6/7/8/9").await.0,
        [ReasonCode::TopicFilterInvalid]
    );
    for number in 0..50 {
        assert_eq!(
            client.subscribes(&number.to_string()).await.0,
            [ReasonCode::GrantedQoS1]
        );
    }
    assert_eq!(
        client.subscribes("7").await.0,
        [ReasonCode::GrantedQoS1],
        "replaced, not added"
    );
    assert_eq!(client.subscribes("50").await.0, [ReasonCode::QuotaExceeded]);
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::QuotaExceeded
    );
}

#[tokio::test]
async fn nine_subscriptions_in_one_request_end_the_connection() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client.sends(subscribe(&[subscription(TOPIC); 9])).await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::QuotaExceeded
    );
}
