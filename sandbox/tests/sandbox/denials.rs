//! A denied CONNECT or operation, told in each of the ways that there are.

use dunlin_codec::{QoS, ReasonCode};
use dunlin_sandbox::Denial;

use crate::client::{
    TestClient, TestSandbox, connect, publish, subscribe, subscription, unsigned, with_denials,
};

const DENIED: &str = "other/topic";

async fn denied_by(denial: Denial) -> (TestSandbox, TestClient) {
    let sandbox = TestSandbox::start_with(|options| {
        with_denials(options, |denials| denials.operation = denial)
    })
    .await;
    let client = sandbox.connected("mqtt5-sample-1").await;
    (sandbox, client)
}

#[tokio::test]
async fn a_denied_subscription_may_be_answered_with_disconnect() {
    let (_sandbox, mut client) = denied_by(Denial::Disconnect).await;
    client.sends(subscribe(&[subscription(DENIED)])).await;
    let reason = "no statement allows iot:Subscribe on topicfilter/other/topic";
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::NotAuthorized, Some(reason.into()))
    );
    client.expects_end().await;
}

#[tokio::test]
async fn a_denied_subscription_may_be_left_unanswered() {
    let (sandbox, mut client) = denied_by(Denial::Close).await;
    client.sends(subscribe(&[subscription(DENIED)])).await;
    client.expects_end().await;
    assert!(sandbox.logged(
        "disconnect mqtt5-sample-1  closed without a packet: no statement allows iot:Subscribe"
    ));
}

#[tokio::test]
async fn a_denied_message_may_be_answered_with_disconnect() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let (_sandbox, mut client) = denied_by(Denial::Disconnect).await;
        client.sends(publish(DENIED, "x", qos)).await;
        assert_eq!(
            client.receives_disconnect().await.0,
            ReasonCode::NotAuthorized
        );
        client.expects_end().await;
    }
}

#[tokio::test]
async fn a_denied_message_may_be_left_unanswered() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let (_sandbox, mut client) = denied_by(Denial::Close).await;
        client.sends(publish(DENIED, "x", qos)).await;
        client.expects_end().await;
    }
}

#[tokio::test]
async fn a_denied_connect_may_be_closed_without_a_connack() {
    for denial in [Denial::Close, Denial::Disconnect] {
        let sandbox = TestSandbox::start_with(|options| {
            with_denials(options, |denials| denials.connect = denial)
        })
        .await;
        let wrong_password = connect(
            "mqtt5-sample-1",
            "demo?x-amz-customauthorizer-name=DemoUnsigned",
            "no",
        );
        for refused in [wrong_password, unsigned("lamp-7")] {
            let mut client = sandbox.open().await;
            client.sends(refused).await;
            client.expects_end().await;
        }
        assert!(sandbox.logged("→ refuse (the Lambda of the authorizer \"DemoUnsigned\" answered"));
        assert!(sandbox.logged("→ refuse (no statement allows iot:Connect on client/lamp-7)"));
    }
}
