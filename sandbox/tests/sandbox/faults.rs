//! Each fault on the wire. Those of the certificate and of ALPN are in `tls.rs`.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use dunlin_codec::{Packet, QoS, ReasonCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{TIMEOUT, TestClient, TestSandbox, publish, subscribe, subscription, unsigned};

const ID: &str = "mqtt5-sample-1";
const TOPIC: &str = "test/topic";

async fn connecting(fault: &str) -> (TestSandbox, TestClient) {
    let sandbox = TestSandbox::with_fault(fault).await;
    let mut client = sandbox.open().await;
    client.sends(unsigned(ID)).await;
    (sandbox, client)
}

async fn connected(fault: &str) -> (TestSandbox, TestClient) {
    let sandbox = TestSandbox::with_fault(fault).await;
    let client = sandbox.connected(ID).await;
    (sandbox, client)
}

#[tokio::test]
async fn connack_refuses_with_its_code_and_reason() {
    for (fault, expected) in [
        (
            "connack=0x88:closed for lunch",
            (
                ReasonCode::ServerUnavailable,
                Some("closed for lunch".into()),
            ),
        ),
        ("connack=0x87", (ReasonCode::NotAuthorized, None)),
    ] {
        let (_sandbox, mut client) = connecting(fault).await;
        assert_eq!(client.receives_connack().await, expected);
        client.expects_end().await;
    }
}

#[tokio::test]
async fn drop_on_connect_closes_instead_of_a_connack() {
    let (_sandbox, mut client) = connecting("drop-on-connect").await;
    client.expects_end().await;
}

#[tokio::test]
async fn silent_answers_nothing_and_keeps_the_connection() {
    let (_sandbox, mut client) = connecting("silent").await;
    let answer = timeout(Duration::from_millis(300), client.stream.read_u8()).await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn malformed_sends_a_connack_that_breaks_the_standard() {
    let (_sandbox, mut client) = connecting("malformed").await;
    let mut bytes = [0; 5];
    client.stream.read_exact(&mut bytes).await.unwrap();
    let error = Packet::decode(&bytes).unwrap_err();
    assert_eq!(error.reason_code, ReasonCode::MalformedPacket);
}

#[tokio::test]
async fn suback_refuses_every_subscription() {
    let (_sandbox, mut client) = connected("suback=0x97").await;
    assert_eq!(
        client.subscribes(TOPIC).await.0,
        [ReasonCode::QuotaExceeded]
    );
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn drop_on_subscribe_closes_instead_of_a_suback() {
    let (_sandbox, mut client) = connected("drop-on-subscribe").await;
    client.sends(subscribe(&[subscription(TOPIC)])).await;
    client.expects_end().await;
}

#[tokio::test]
async fn puback_refuses_every_qos_1_message_and_delivers_none() {
    let (_sandbox, mut client) = connected("puback=0x87").await;
    client.subscribes(TOPIC).await;
    client.sends(publish(TOPIC, "x", QoS::AtLeastOnce)).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::NotAuthorized);
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn drop_on_publish_closes_the_connection() {
    let (_sandbox, mut client) = connected("drop-on-publish").await;
    client.sends(publish(TOPIC, "x", QoS::AtLeastOnce)).await;
    client.expects_end().await;
}

#[tokio::test]
async fn no_pingresp_leaves_a_pingreq_unanswered() {
    let (_sandbox, mut client) = connected("no-pingresp").await;
    client.sends(Packet::PingReq).await;
    assert_eq!(client.subscribes(TOPIC).await.0, [ReasonCode::GrantedQoS1]);
}

#[tokio::test]
async fn no_puback_delivers_and_does_not_acknowledge() {
    let (_sandbox, mut client) = connected("no-puback").await;
    client.subscribes(TOPIC).await;
    client.sends(publish(TOPIC, "x", QoS::AtLeastOnce)).await;
    assert_eq!(client.receives_message().await.0, "x");
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn no_deliver_acknowledges_and_does_not_deliver() {
    let (_sandbox, mut client) = connected("no-deliver").await;
    client.subscribes(TOPIC).await;
    client.sends(publish(TOPIC, "x", QoS::AtLeastOnce)).await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn disconnect_comes_with_its_code_at_its_time() {
    let (_sandbox, mut client) = connected("disconnect=0x8e@200ms").await;
    client.receives_nothing_more().await;
    assert_eq!(
        client.receives_disconnect().await,
        (ReasonCode::SessionTakenOver, None)
    );
    client.expects_end().await;
}

#[tokio::test]
async fn the_fault_reset_sends_a_tcp_reset() {
    let (_sandbox, mut client) = connected("reset@200ms").await;
    client.receives_nothing_more().await;
    let error = client.stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn proxy_refuses_every_tunnel() {
    let sandbox = TestSandbox::with_fault("proxy=407").await;
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.sandbox.port()))
        .await
        .unwrap();
    stream
        .write_all(b"CONNECT x.amazonaws.com:443 HTTP/1.1\r\nHost: x.amazonaws.com:443\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(TIMEOUT, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 407 Proxy Authentication Required\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("\r\nProxy-Authenticate: Basic realm="),
        "{answer}"
    );
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn delay_delays_every_packet_and_changes_none() {
    let sandbox = TestSandbox::with_fault("delay=200ms").await;
    let mut client = sandbox.open().await;
    let started = now();
    client.sends(unsigned(ID)).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(client.subscribes(TOPIC).await.0, [ReasonCode::GrantedQoS1]);
    assert!(started.elapsed() >= Duration::from_millis(400));
}

#[expect(clippy::disallowed_methods, reason = "this test is about real time")]
fn now() -> Instant {
    Instant::now()
}
