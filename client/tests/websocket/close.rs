//! Ends of connections: Close frames of either side, with their codes.

use dunlin_client::transport::{CloseReason, FrameFault, WebSocketError};
use dunlin_client::{Client, EndCause};
use dunlin_test_support::packets::buf;
use dunlin_test_support::websocket::{CLOSE, WebSocketServer};

use crate::{connected, end_of, options, websocket_end};

#[tokio::test]
async fn a_close_code_is_told_as_the_cause() {
    for (payload, code, reason) in [
        (&b"\x03\xf0token expired"[..], Some(1008), "token expired"),
        (b"\x03\xe9", Some(1001), ""),
        (b"", None, ""),
    ] {
        let server = WebSocketServer::start().await;
        let (_client, mut events, mut peer) = connected(&server).await;

        peer.sends(CLOSE, payload).await;

        let reason = reason.to_owned();
        let expected = WebSocketError::Closed(CloseReason { code, reason });
        assert_eq!(websocket_end(&end_of(&mut events).await), expected);
        // The server gets its code back; without one, that of a normal closure.
        let code = code.unwrap_or(1000).to_be_bytes().to_vec();
        assert_eq!(peer.receives().await, (CLOSE, code));
    }
}

#[tokio::test]
async fn a_close_before_connack_fails_the_attempt() {
    let server = WebSocketServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    let mut peer = server.accepts().await;
    peer.receives().await;

    peer.sends(CLOSE, b"\x03\xf0").await;

    let cause = end_of(&mut events).await;
    assert!(matches!(cause, EndCause::Attempt(_)), "{cause}");
    assert!(matches!(
        websocket_end(&cause),
        WebSocketError::Closed(CloseReason {
            code: Some(1008),
            ..
        })
    ));
}

#[tokio::test]
async fn a_stop_sends_disconnect_and_then_a_close_frame() {
    let server = WebSocketServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;

    let (_, ()) = tokio::join!(client.disconnect(), async {
        let (first, payload) = peer.receives().await;
        let disconnect = buf(dunlin_client::codec::Packet::Disconnect(
            dunlin_client::codec::Disconnect::default(),
        ));
        assert_eq!((first, payload[0]), (0x82, disconnect.as_bytes()[0]));
        assert_eq!(peer.receives().await, (CLOSE, b"\x03\xe8".to_vec()));
        peer.sends(CLOSE, b"\x03\xe8").await;
        assert_eq!(peer.receives_or_end().await, None);
    });

    let cause = end_of(&mut events).await;
    assert!(cause.is_requested(), "{cause}");
}

/// MQTT-6.0.0-1
#[tokio::test]
async fn a_text_frame_ends_the_connection_and_the_server_is_told() {
    let server = WebSocketServer::start().await;
    let (_client, mut events, mut peer) = connected(&server).await;

    peer.sends(0x81, b"hello").await;

    let end = websocket_end(&end_of(&mut events).await);
    assert_eq!(end, WebSocketError::Frame(FrameFault::Text));
    // 1003: unsupported data.
    assert_eq!(peer.receives().await, (CLOSE, b"\x03\xeb".to_vec()));
}

#[tokio::test]
async fn a_masked_frame_ends_the_connection_and_the_server_is_told() {
    let server = WebSocketServer::start().await;
    let (_client, mut events, mut peer) = connected(&server).await;

    peer.sends_bytes(&[0x82, 0x82, 1, 2, 3, 4, 0xd1, 0x02])
        .await;

    let end = websocket_end(&end_of(&mut events).await);
    assert_eq!(end, WebSocketError::Frame(FrameFault::Masked));
    // 1002: protocol error.
    assert_eq!(peer.receives().await, (CLOSE, b"\x03\xea".to_vec()));
}
