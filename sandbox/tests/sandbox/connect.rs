//! CONNECT: accepted clients, and the answers to refused ones.

use dunlin_codec::{ConnAckProperties, Packet, QoS, ReasonCode, Utf8String};
use dunlin_sandbox::{Answer, SandboxOptions};

use crate::client::{TestSandbox, allow, connect, unsigned};

const SAMPLE_ID: &str = "mqtt5-sample-0a1b2c3d";

async fn refusal(sandbox: &TestSandbox, username: &str, password: &str) -> String {
    let mut client = sandbox.open().await;
    client.sends(connect(SAMPLE_ID, username, password)).await;
    let (reason_code, reason) = client.receives_connack().await;
    assert_eq!(reason_code, ReasonCode::NotAuthorized);
    client.expects_end().await;
    let reason = reason.expect("a reason string");
    assert!(sandbox.logged(&reason), "{reason}");
    reason
}

fn signed(signature: &str, token: &str) -> String {
    let signature = signature.replace('+', "%2B").replace('=', "%3D");
    let names = (
        "x-amz-customauthorizer-name=DemoSigned",
        "x-amz-customauthorizer-signature",
    );
    format!("?{}&{}={signature}&tok={token}", names.0, names.1)
}

/// MQTT-4.12.0-6, MQTT-3.2.2-1
#[tokio::test]
async fn the_connack_announces_what_aws_announces() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    client.sends(unsigned(SAMPLE_ID)).await;
    let packet = client.receives().await;
    let Packet::ConnAck(connack) = packet.packet() else {
        panic!("a CONNACK")
    };
    let connack = connack.read();
    assert_eq!(
        (connack.session_present, connack.reason_code),
        (false, ReasonCode::Success)
    );
    let expected = ConnAckProperties {
        receive_maximum: 100.try_into().ok(),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(true),
        maximum_packet_size: 149_504.try_into().ok(),
        topic_alias_maximum: Some(8),
        wildcard_subscription_available: Some(true),
        subscription_identifier_available: Some(false),
        shared_subscription_available: Some(true),
        ..ConnAckProperties::default()
    };
    assert_eq!(connack.properties, expected);
    assert!(
        sandbox.logged("connect   mqtt5-sample-0a1b2c3d  DemoUnsigned → allow (policy: connect as")
    );
}

#[tokio::test]
async fn the_connack_contains_the_values_that_differ_from_the_request() {
    let sandbox = TestSandbox::start().await;
    for (asked, told) in [
        (0, Some(1200)),
        (5, Some(30)),
        (30, None),
        (1201, Some(1200)),
    ] {
        let mut client = sandbox.open().await;
        let id = format!("{SAMPLE_ID}-{asked}");
        let mut connect = unsigned(&id);
        connect.keep_alive = asked;
        connect.properties.session_expiry_interval = Some(7200);
        client.sends(connect).await;
        let packet = client.receives().await;
        let Packet::ConnAck(connack) = packet.packet() else {
            panic!("a CONNACK")
        };
        let connack = connack.read();
        assert_eq!(connack.properties.server_keep_alive, told);
        assert_eq!(connack.properties.session_expiry_interval, Some(3600));
    }
}

#[tokio::test]
async fn a_token_signed_with_the_sandbox_key_is_accepted() {
    let sandbox = TestSandbox::start().await;
    let signature = sandbox.sandbox.sign("hello").unwrap();
    let mut client = sandbox.open().await;
    client
        .sends(connect(SAMPLE_ID, &signed(&signature, "hello"), ""))
        .await;
    assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
    assert!(!sandbox.logged(&signature) && !sandbox.logged("hello"));
}

#[tokio::test]
async fn a_signature_of_another_token_or_none_is_refused() {
    let sandbox = TestSandbox::start().await;
    let signature = sandbox.sandbox.sign("hello").unwrap();
    assert_eq!(
        refusal(&sandbox, &signed(&signature, "other"), "").await,
        "the authorizer \"DemoSigned\" refused the token signature: it doesn't match the token (RS256)"
    );
    assert_eq!(
        refusal(
            &sandbox,
            "?x-amz-customauthorizer-name=DemoSigned&tok=hello",
            ""
        )
        .await,
        "the authorizer \"DemoSigned\" wants a signed token, and x-amz-customauthorizer-signature is missing"
    );
}

/// MQTT-3.1.4-2, MQTT-3.2.2-8
#[tokio::test]
async fn a_wrong_password_is_refused_and_never_logged() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(
        refusal(
            &sandbox,
            "demo?x-amz-customauthorizer-name=DemoUnsigned",
            "canary-4711"
        )
        .await,
        "the Lambda of the authorizer \"DemoUnsigned\" answered isAuthenticated=false"
    );
    assert!(!sandbox.logged("canary-4711"));
}

#[tokio::test]
async fn a_second_question_mark_is_refused() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(
        refusal(
            &sandbox,
            "demo?SDK=x?x-amz-customauthorizer-name=DemoUnsigned",
            "demo"
        )
        .await,
        "the user name has 2 \"?\"; exactly one may stand before the parameters"
    );
}

#[tokio::test]
async fn an_unknown_authorizer_is_refused_by_name() {
    let sandbox = TestSandbox::start().await;
    let username = "demo?x-amz-customauthorizer-name=Nobody";
    assert_eq!(
        refusal(&sandbox, username, "demo").await,
        "there is no authorizer \"Nobody\""
    );
}

#[tokio::test]
async fn a_client_id_outside_the_policy_is_refused() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    client.sends(unsigned("lamp-7")).await;
    let reason = "no statement allows iot:Connect on client/lamp-7";
    assert_eq!(
        client.receives_connack().await,
        (ReasonCode::NotAuthorized, Some(reason.into()))
    );
    client.expects_end().await;
    assert!(sandbox.logged(&format!(
        "connect   lamp-7  DemoUnsigned → refuse 0x87 ({reason})"
    )));
}

/// MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT-3.2.2-16
#[tokio::test]
async fn a_client_without_an_id_is_given_one() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.open().await;
    client.sends(connect("", "", "")).await;
    let packet = client.receives().await;
    let Packet::ConnAck(connack) = packet.packet() else {
        panic!("a CONNACK")
    };
    let connack = connack.read();
    let assigned = connack
        .properties
        .assigned_client_identifier
        .expect("an id");
    assert!(assigned.starts_with("$GEN/"), "{assigned}");
}

#[tokio::test]
async fn an_id_that_aws_reserves_is_refused() {
    let sandbox = TestSandbox::start().await;
    for id in ["$GEN/x", &"x".repeat(129)] {
        let mut client = sandbox.open().await;
        client.sends(unsigned(id)).await;
        assert_eq!(
            client.receives_connack().await.0,
            ReasonCode::ClientIdentifierNotValid
        );
    }
}

#[tokio::test]
async fn an_answer_that_aws_would_reject_refuses_the_connection_with_its_error() {
    let answer = Answer {
        refresh_after_in_seconds: Some(10),
        ..Answer::allow("p", allow("iot:*"))
    };
    let sandbox = TestSandbox::with_answer(answer).await;
    assert_eq!(
        refusal(&sandbox, "", "").await,
        "the answer of the Lambda of the authorizer \"Test\" isn't usable: \
         refreshAfterInSeconds is 10; it must be 300 to 86400"
    );
}

/// MQTT-4.12.0-1, MQTT-4.12.0-4
#[tokio::test]
async fn enhanced_authentication_is_refused() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    let mut connect = unsigned(SAMPLE_ID);
    connect.properties.authentication_method = Utf8String::new("SCRAM-SHA-256").ok();
    client.sends(connect).await;
    assert_eq!(
        client.receives_connack().await.0,
        ReasonCode::BadAuthenticationMethod
    );
}

#[tokio::test]
async fn a_connection_ends_after_the_authorizers_disconnect_interval() {
    let answer = Answer {
        disconnect_after_in_seconds: Some(300),
        ..Answer::allow("p", allow("iot:*"))
    };
    let sandbox = TestSandbox::with_answer_and(answer, |options| SandboxOptions {
        time_scale: 1000,
        ..options
    })
    .await;
    let mut client = sandbox.connected_to_default("c").await;
    let (reason_code, reason) = client.receives_disconnect().await;
    assert_eq!(reason_code, ReasonCode::AdministrativeAction);
    assert_eq!(
        reason.as_deref(),
        Some("disconnectAfterInSeconds is over (CUSTOMAUTH_TTL_EXPIRATION)")
    );
}
