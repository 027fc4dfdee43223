//! Clients that break the rules, or are silent, or come twice.

use dunlin_codec::{Disconnect, DisconnectProperties, Packet, QoS, ReasonCode};
use dunlin_sandbox::SandboxOptions;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::client::{TestSandbox, publish, unsigned};

/// MQTT-3.1.2-22
#[tokio::test]
async fn a_silent_client_is_disconnected_after_one_and_a_half_keep_alives() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        time_scale: 100,
        ..options
    })
    .await;
    let mut client = sandbox.open().await;
    let mut connect = unsigned("mqtt5-sample-1");
    connect.keep_alive = 30;
    client.sends(connect).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::KeepAliveTimeout
    );
    client.expects_end().await;
}

/// MQTT-3.1.4-3
#[tokio::test]
async fn a_second_client_with_the_same_id_takes_the_session_over() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        time_scale: 1000,
        ..options
    })
    .await;
    let mut first = sandbox.connected("mqtt5-sample-1").await;
    let mut second = sandbox.connected("mqtt5-sample-1").await;
    assert_eq!(
        first.receives_disconnect().await.0,
        ReasonCode::SessionTakenOver
    );
    first.expects_end().await;
    second.receives_nothing_more().await;
}

/// MQTT-3.1.0-2
#[tokio::test]
async fn a_second_connect_is_a_protocol_error() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    client.sends(unsigned("mqtt5-sample-1")).await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::ProtocolError
    );
    client.expects_end().await;
}

#[tokio::test]
async fn a_session_expiry_that_connect_did_not_have_is_a_protocol_error() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    let properties = DisconnectProperties {
        session_expiry_interval: Some(60),
        ..Default::default()
    };
    client
        .sends(Disconnect {
            reason_code: ReasonCode::NORMAL_DISCONNECTION,
            properties,
        })
        .await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::ProtocolError
    );
}

/// MQTT-4.13.1-1, MQTT-4.13.2-1, MQTT-2.1.3-1, MQTT-1.5.5-1, MQTT-3.14.4-1, MQTT-3.14.4-2
#[tokio::test]
async fn a_malformed_packet_is_answered_with_its_code() {
    let sandbox = TestSandbox::start().await;
    for (bytes, expected) in [
        (&[0xC1, 0x00][..], ReasonCode::MalformedPacket),
        (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF], ReasonCode::MalformedPacket),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], ReasonCode::PacketTooLarge),
        (&[0xD0, 0x00], ReasonCode::ProtocolError),
    ] {
        let id = format!("mqtt5-sample-{:02x}{:02x}", bytes[0], bytes.len());
        let mut client = sandbox.connected(&id).await;
        client.sends_bytes(bytes).await;
        assert_eq!(
            client.receives_disconnect().await.0,
            expected,
            "{bytes:02x?}"
        );
        client.expects_end().await;
    }
}

/// MQTT-3.1.2-2, MQTT-3.1.2-3, MQTT-3.1.4-1, MQTT-3.2.2-7, MQTT-3.14.0-1
#[tokio::test]
async fn a_first_packet_that_is_no_connect_is_answered_with_connack() {
    let sandbox = TestSandbox::start().await;
    for (bytes, expected) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], ReasonCode::MalformedPacket),
        (&[0xC0, 0x00], ReasonCode::ProtocolError),
        (
            b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a",
            ReasonCode::UnsupportedProtocolVersion,
        ),
        (
            b"\x10\x0d\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x00",
            ReasonCode::MalformedPacket,
        ),
    ] {
        let mut client = sandbox.open().await;
        client.sends_bytes(bytes).await;
        assert_eq!(client.receives_connack().await.0, expected, "{bytes:02x?}");
        client.expects_end().await;
    }
}

/// MQTT-4.2-1
#[tokio::test]
async fn a_packet_may_come_byte_by_byte() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    let mut bytes = Vec::new();
    unsigned("mqtt5-sample-1").encode(&mut bytes).unwrap();
    for byte in bytes {
        client.sends_bytes(&[byte]).await;
    }
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
}

#[tokio::test]
async fn packets_sent_before_the_connack_are_handled_after_it() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    let mut bytes = Vec::new();
    unsigned("mqtt5-sample-1").encode(&mut bytes).unwrap();
    Packet::PingReq.encode(&mut bytes).unwrap();
    client.sends_bytes(&bytes).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    assert_eq!(client.receives().await.packet(), Packet::PingResp);
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_delays_no_other_client() {
    let sandbox = TestSandbox::mqtt5().await;
    let mut asleep = sandbox.connected_to_default("asleep").await;
    asleep.subscribes("t").await;
    let mut client = sandbox.connected_to_default("c").await;
    let payload = "x".repeat(100_000);
    for _ in 0..200 {
        client.sends(publish("t", &payload, QoS::AtMostOnce)).await;
    }
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn a_client_without_tls_is_refused_and_delays_no_other_client() {
    let sandbox = TestSandbox::start().await;
    let mut plain = TcpStream::connect(("127.0.0.1", sandbox.sandbox.port()))
        .await
        .unwrap();
    plain
        .write_all(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00")
        .await
        .unwrap();
    let _half_open = TcpStream::connect(("127.0.0.1", sandbox.sandbox.port()))
        .await
        .unwrap();
    sandbox
        .connected("mqtt5-sample-1")
        .await
        .receives_nothing_more()
        .await;
    assert!(sandbox.logged("rejected  127.0.0.1:"));
}
