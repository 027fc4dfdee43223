//! Servers that break the rules, or keep them in a way that should cost memory and time.

use std::time::Duration;

use dunlin_client::transport::{FrameFault, TransportError, WebSocketError, open};
use dunlin_client::{ConnectionError, EndCause, QoS};
use dunlin_test_support::packets::{at_most_once, publish, suback};
use dunlin_test_support::websocket::{BINARY, PING, WebSocketServer, frame};
use tokio::io::AsyncWriteExt;

use crate::{
    connected, connected_as, end_of, options, soon, transport, websocket_end, websocket_error,
};

/// Error of a connection that a server had accepted.
fn connection_error(cause: EndCause) -> ConnectionError {
    match cause {
        EndCause::Connection(error) => (*error).clone(),
        EndCause::Attempt(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_giant_frame_length_reserves_nothing_and_its_packets_arrive() {
    let server = WebSocketServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;
    // Half of all bytes that a frame can have.
    peer.sends_bytes(&[BINARY, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
        .await;

    let (stream, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtMostOnce), async {
        peer.receives().await;
        let suback = suback(1, &[dunlin_client::codec::ReasonCode::Success]);
        peer.sends_bytes(suback.as_bytes()).await;
        let message = publish("lamp/1", at_most_once());
        peer.sends_bytes(message.as_bytes()).await;
    });

    let message = soon(stream.unwrap().next()).await.unwrap();
    assert_eq!(message.topic(), "lamp/1");
}

#[tokio::test]
async fn a_packet_beyond_the_maximum_packet_size_is_refused_in_any_frames() {
    let server = WebSocketServer::start().await;
    let mut options = options(&server);
    options.connect.maximum_packet_size = Some(1_000);
    let (_client, mut events, mut peer) = connected_as(&server, options).await;

    // The first fragments of a message that announces a PUBLISH of 256 MiB.
    peer.sends(0x02, &[0x30, 0xff]).await;
    peer.sends(0x00, &[0xff, 0xff, 0x7f]).await;

    let cause = end_of(&mut events).await;
    assert!(cause.violation().is_some(), "{cause}");
}

#[tokio::test]
async fn a_message_without_end_is_taken_as_it_comes() {
    let server = WebSocketServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;
    let (stream, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtMostOnce), async {
        peer.receives().await;
        let suback = suback(1, &[dunlin_client::codec::ReasonCode::Success]);
        peer.sends(0x02, suback.as_bytes()).await;
    });
    let mut stream = stream.unwrap();
    let message = publish("lamp/1", at_most_once());

    // Fragments of one message, none of them the last.
    for _ in 0..1_000 {
        peer.sends(0x00, message.as_bytes()).await;
        soon(stream.next()).await.unwrap();
    }
}

#[tokio::test]
async fn a_flood_of_pings_delays_no_timeout_and_grows_nothing() {
    let server = WebSocketServer::start().await;
    let mut options = options(&server);
    options.connect.keep_alive = Duration::from_millis(200);
    options.connect.ping_timeout = Duration::from_millis(200);
    let (_client, mut events, mut peer) = connected_as(&server, options).await;

    // The server sends pings without end, reads nothing, and answers no PINGREQ.
    let flood = frame(PING, &[0; 125]).repeat(500);
    let flooding =
        tokio::spawn(async move { while peer.stream.write_all(&flood).await.is_ok() {} });

    let cause = end_of(&mut events).await;
    flooding.abort();
    let error = connection_error(cause);
    assert!(
        matches!(
            error,
            ConnectionError::KeepAliveTimeout { .. } | ConnectionError::WriteTimeout { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_ends_within_a_packet_is_closed() {
    let server = WebSocketServer::start().await;
    let (_client, mut events, mut peer) = connected(&server).await;

    peer.sends_bytes(&[BINARY, 10, 0x30, 20, 0]).await;
    drop(peer);

    let error = connection_error(end_of(&mut events).await);
    assert!(matches!(error, ConnectionError::Closed), "{error}");
}

#[tokio::test]
async fn frames_that_break_the_rules_fail_the_attempt() {
    for (bytes, fault) in [
        (vec![0xc2, 0x00], FrameFault::ReservedBits),
        (vec![0x83, 0x00], FrameFault::Opcode),
        (vec![0x80, 0x00], FrameFault::Fragmentation),
        (vec![0x09, 0x00], FrameFault::ControlFrame),
        (vec![0x89, 126, 0, 126], FrameFault::ControlFrame),
        (
            vec![0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0],
            FrameFault::Length,
        ),
    ] {
        let server = WebSocketServer::start().await;
        let client = dunlin_client::Client::start(options(&server));
        let mut events = client.events();
        let mut peer = server.accepts().await;
        peer.receives().await;

        peer.sends_bytes(&bytes).await;

        let cause = end_of(&mut events).await;
        assert!(matches!(cause, EndCause::Attempt(_)), "{cause}");
        assert_eq!(websocket_end(&cause), WebSocketError::Frame(fault));
    }
}

#[tokio::test]
async fn a_flood_of_headers_is_given_up() {
    let server = WebSocketServer::start().await;
    let options = transport(&server);

    let (opened, ()) = tokio::join!(open(&options), async {
        let mut peer = server.accepts_request().await;
        let start = b"HTTP/1.1 101 Switching Protocols\r\n";
        let _ = peer.stream.write_all(start).await;
        while peer
            .stream
            .write_all(b"X-Filler: 0123456789\r\n")
            .await
            .is_ok()
        {}
    });

    assert_eq!(
        websocket_error(opened.unwrap_err()),
        WebSocketError::AnswerTooLong
    );
}

#[tokio::test]
async fn slow_headers_run_into_the_timeout() {
    let server = WebSocketServer::start().await;
    let mut options = transport(&server);
    options.timeout = Duration::from_millis(300);

    let opening = async {
        tokio::select! {
            opened = open(&options) => opened,
            () = async {
                let mut peer = server.accepts_request().await;
                let answer = peer.answer("Sec-WebSocket-Protocol: mqtt\r\n");
                let mut interval = tokio::time::interval(Duration::from_millis(50));
                for byte in answer.bytes() {
                    interval.tick().await;
                    if peer.stream.write_all(&[byte]).await.is_err() {
                        break;
                    }
                }
                std::future::pending::<()>().await;
            } => unreachable!(),
        }
    };

    let error = soon(opening).await.unwrap_err();
    assert!(matches!(error, TransportError::TimedOut { .. }), "{error}");
}
