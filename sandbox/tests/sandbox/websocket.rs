//! MQTT over WebSocket: the upgrade, the frames, and the end of a connection.

use bytes::BytesMut;
use dunlin_codec::{BinaryData, Connect, Packet, QoS, ReasonCode, TopicName, Will, WillProperties};
use dunlin_sandbox::{Profile, SandboxOptions};
use dunlin_test_support::values::Encoded as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{TIMEOUT, TestSandbox, connect, handshake_at, publish, unsigned};

/// Client whose bytes go over a WebSocket.
pub(crate) type WebSocketClient = dunlin_test_support::client::TestClient<DuplexStream>;

/// Upgrade request for `/mqtt` with this query and these headers.
pub(crate) fn upgrade(query: &str, headers: &[(&'static str, &str)]) -> Request {
    let url = format!("ws://localhost/mqtt{query}");
    let mut request = url.into_client_request().unwrap();
    for (name, value) in [&[("sec-websocket-protocol", "mqtt")], headers].concat() {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

/// Opens a WebSocket over TLS without ALPN.
pub(crate) async fn open_wss(
    sandbox: &TestSandbox,
    request: Request,
) -> Result<WebSocketStream<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>, Error> {
    let port = sandbox.sandbox.wss_port().unwrap();
    let tls = handshake_at(port, sandbox.sandbox.ca_path(), "localhost", &[]).await;
    let opened = tokio_tungstenite::client_async(request, tls.unwrap()).await?;
    Ok(opened.0)
}

/// Opens a WebSocket without TLS.
async fn open_ws(sandbox: &TestSandbox) -> WebSocketStream<TcpStream> {
    let tcp = tcp(sandbox).await;
    let opened = tokio_tungstenite::client_async(upgrade("", &[]), tcp).await;
    opened.unwrap().0
}

async fn tcp(sandbox: &TestSandbox) -> TcpStream {
    let port = sandbox.sandbox.ws_port().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Sends each write of the client as one message, and gives it the payloads of what comes.
pub(crate) fn client_over(
    mut stream: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
) -> WebSocketClient {
    let (near, mut far) = tokio::io::duplex(1024 * 1024);
    tokio::spawn(async move {
        let mut bytes = BytesMut::with_capacity(64 * 1024);
        loop {
            tokio::select! {
                received = stream.next() => match received {
                    Some(Ok(Message::Binary(payload))) => far.write_all(&payload).await.unwrap(),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                sent = far.read_buf(&mut bytes) => match sent {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        let payload = bytes.split().freeze();
                        if stream.send(Message::Binary(payload)).await.is_err() {
                            return;
                        }
                    }
                },
            }
        }
    });
    WebSocketClient::new(near)
}

/// Sandbox with both WebSocket ports.
pub(crate) async fn sandbox() -> TestSandbox {
    sandbox_with(|options| options).await
}

pub(crate) async fn sandbox_with(
    describe: impl FnOnce(SandboxOptions) -> SandboxOptions,
) -> TestSandbox {
    TestSandbox::start_with(|options| {
        describe(SandboxOptions {
            wss_port: Some(0),
            ws_port: Some(0),
            ..options
        })
    })
    .await
}

/// Next message that is neither ping nor pong; `None` at the end of TCP.
async fn next<T: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<T>,
) -> Option<Message> {
    timeout(TIMEOUT, stream.next())
        .await
        .unwrap()
        .and_then(Result::ok)
}

/// Close code of the server, after which it closes TCP.
async fn close_code<T: AsyncRead + AsyncWrite + Unpin>(
    mut stream: WebSocketStream<T>,
) -> CloseCode {
    loop {
        match next(&mut stream).await {
            Some(Message::Close(Some(frame))) => {
                assert_eq!(next(&mut stream).await, None, "TCP ends");
                return frame.code;
            }
            Some(Message::Binary(_)) => {}
            other => panic!("a close frame, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_conversation_runs_over_both_ports() {
    let sandbox = sandbox().await;
    let ready = serde_json::to_value(sandbox.sandbox.ready()).unwrap();
    assert_eq!(ready["wss_port"], sandbox.sandbox.wss_port().unwrap());
    assert_eq!(ready["ws_port"], sandbox.sandbox.ws_port().unwrap());
    let secure = client_over(open_wss(&sandbox, upgrade("", &[])).await.unwrap());
    let plain = client_over(open_ws(&sandbox).await);
    for (scheme, mut client) in [("wss", secure), ("ws", plain)] {
        let id = format!("mqtt5-sample-{scheme}");
        client.sends(unsigned(&id)).await;
        assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
        client.subscribes("test/topic").await;
        client
            .sends(publish("test/topic", "hello", QoS::AtLeastOnce))
            .await;
        assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
        assert_eq!(
            client.receives_message().await,
            ("hello".into(), QoS::AtLeastOnce, false)
        );
        assert!(
            sandbox.logged(&format!(
                "connect   {id}  {scheme}  DemoUnsigned (named in the user name) → allow"
            )),
            "{:?}",
            sandbox.log
        );
    }
}

/// MQTT-6.0.0-2
#[tokio::test]
async fn packets_may_be_cut_anywhere_and_share_messages() {
    let sandbox = sandbox().await;
    let connect = unsigned("mqtt5-sample-1").encoded();
    let publish = publish("test/topic", "x", QoS::AtLeastOnce).encoded();
    let (first, last) = publish.split_at(publish.len() - 3);
    let bytes = [&connect[..], &[0xC0, 0], first].concat();

    // A byte in each message, and empty messages; then the rest of one packet with two more.
    let mut stream = open_ws(&sandbox).await;
    for byte in bytes {
        stream.send(Message::binary(vec![byte])).await.unwrap();
        stream.send(Message::binary(Vec::new())).await.unwrap();
    }
    let together = [last, &[0xC0, 0], &[0xC0, 0]].concat();
    stream.send(Message::binary(together)).await.unwrap();
    let mut client = client_over(stream);
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    assert_eq!(client.receives().await.packet(), Packet::PingResp);
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    assert_eq!(client.receives().await.packet(), Packet::PingResp);
    assert_eq!(client.receives().await.packet(), Packet::PingResp);
}

#[tokio::test]
async fn a_fragmented_message_is_put_together_with_a_ping_in_between() {
    let sandbox = sandbox().await;
    let mut stream = open_ws(&sandbox).await;
    let connect = unsigned("mqtt5-sample-1").encoded();
    let (first, last) = connect.split_at(10);
    // Raw frames, masked with zeros: binary without FIN, ping, continuation with FIN.
    let tcp = stream.get_mut();
    tcp.write_all(&frame(0x02, first)).await.unwrap();
    tcp.write_all(&frame(0x89, b"alive?")).await.unwrap();
    tcp.write_all(&frame(0x80, last)).await.unwrap();
    assert_eq!(
        next(&mut stream).await,
        Some(Message::Pong("alive?".into()))
    );
    let mut client = client_over(stream);
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
}

/// MQTT-6.0.0-1
#[tokio::test]
async fn text_is_refused_with_1003() {
    let sandbox = sandbox().await;
    let mut stream = open_ws(&sandbox).await;
    stream.send(Message::text("hello")).await.unwrap();
    assert_eq!(close_code(stream).await, CloseCode::Unsupported);
    sandbox
        .wait_for_log("sent a text message over WebSocket; MQTT is sent in binary ones")
        .await;
}

#[tokio::test]
async fn frames_that_break_the_rules_are_refused_with_their_code() {
    let sandbox = sandbox().await;
    let unmasked = [0x82, 1, 0x10].to_vec();
    let reserved_bit = frame(0xC2, b"x");
    let long_ping = frame(0x89, &[0; 126]);
    // Announced, and never sent: nothing waits for it.
    let giant = [0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
    for (bytes, expected) in [
        (unmasked, CloseCode::Protocol),
        (reserved_bit, CloseCode::Protocol),
        (frame(0x80, b"no beginning"), CloseCode::Protocol),
        (long_ping, CloseCode::Protocol),
        (giant, CloseCode::Size),
    ] {
        let mut stream = open_ws(&sandbox).await;
        stream.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(close_code(stream).await, expected, "{bytes:02x?}");
    }
    assert!(sandbox.logged("a frame breaks WebSocket: "));
    assert!(sandbox.logged("a WebSocket message of 4294967296 bytes; at most "));
}

#[tokio::test]
async fn fragments_together_are_held_to_the_limit_of_a_message() {
    let sandbox = sandbox().await;
    let mut stream = open_ws(&sandbox).await;
    // 149,504 bytes of the largest packet and 64 KiB: five fragments are too many.
    let fragment = [0; 50 * 1024];
    let _ = stream.get_mut().write_all(&frame(0x02, &fragment)).await;
    for _ in 0..4 {
        let _ = stream.get_mut().write_all(&frame(0x00, &fragment)).await;
    }
    assert_eq!(close_code(stream).await, CloseCode::Size);
}

#[tokio::test]
async fn a_packet_larger_than_the_profile_takes_is_refused_as_over_tls() {
    let sandbox = sandbox().await;
    let mut client = client_over(open_ws(&sandbox).await);
    client.sends(unsigned("mqtt5-sample-1")).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    client.sends_bytes(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]).await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::PacketTooLarge
    );
}

#[tokio::test]
async fn disconnect_is_followed_by_the_closing_handshake() {
    let sandbox = sandbox().await;
    let mut stream = open_ws(&sandbox).await;
    let disconnect = [0xE0, 0];
    for bytes in [&unsigned("mqtt5-sample-1").encoded()[..], &disconnect] {
        stream.send(Message::binary(bytes.to_vec())).await.unwrap();
    }
    assert_eq!(close_code(stream).await, CloseCode::Normal);
    sandbox
        .wait_for_log("disconnect mqtt5-sample-1  0x00: by the client")
        .await;
}

fn with_will(client_id: &str) -> Connect<'_> {
    Connect {
        will: Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::default(),
            topic: TopicName::new("last/words").unwrap(),
            payload: BinaryData::new(client_id.as_bytes()).unwrap(),
        }),
        ..connect(client_id, "", "")
    }
}

#[tokio::test]
async fn a_close_frame_cancels_the_will_at_aws_and_not_in_the_standard() {
    for (profile, expected) in [
        (Profile::Aws, &["lost"][..]),
        (Profile::Mqtt5, &["closed", "lost"]),
    ] {
        let sandbox = sandbox_with(|options| SandboxOptions {
            anonymous: true,
            profile,
            ..options
        })
        .await;
        let mut watcher = sandbox.connected_to_default("watcher").await;
        watcher.subscribes("last/words").await;
        for id in ["closed", "lost"] {
            let mut stream = open_ws(&sandbox).await;
            let connect = with_will(id).encoded().to_vec();
            stream.send(Message::binary(connect)).await.unwrap();
            assert!(matches!(next(&mut stream).await, Some(Message::Binary(_))));
            if id == "closed" {
                stream.close(None).await.unwrap();
                // The library answers the close frame, and the server ends TCP.
                assert!(matches!(next(&mut stream).await, Some(Message::Close(_))));
                assert_eq!(next(&mut stream).await, None);
                sandbox
                    .wait_for_log("disconnect closed  the client closed the WebSocket")
                    .await;
            }
        }
        for id in expected {
            assert_eq!(watcher.receives_message().await.0, *id, "{profile}");
        }
        watcher.receives_nothing_more().await;
    }
}

#[tokio::test]
async fn stopping_sends_disconnect_and_a_close_frame() {
    let sandbox = sandbox().await;
    let mut stream = open_ws(&sandbox).await;
    let connect = unsigned("mqtt5-sample-1").encoded().to_vec();
    stream.send(Message::binary(connect)).await.unwrap();
    assert!(matches!(next(&mut stream).await, Some(Message::Binary(_))));
    let ended = tokio::spawn(async move {
        let last = next(&mut stream).await;
        (last, close_code(stream).await)
    });
    sandbox.sandbox.stop().await;
    let (last, code) = ended.await.unwrap();
    let Some(Message::Binary(packet)) = last else {
        panic!("DISCONNECT, not {last:?}")
    };
    assert_eq!((packet[0], packet[2]), (0xE0, 0x8B));
    assert_eq!(code, CloseCode::Normal);
}

/// MQTT-6.0.0-4
#[tokio::test]
async fn the_answer_to_an_upgrade_selects_mqtt() {
    let sandbox = sandbox().await;
    let mut tcp = tcp(&sandbox).await;
    // The key of the example in RFC 6455, section 1.3.
    let request = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.unwrap();

    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let read = timeout(TIMEOUT, tcp.read_buf(&mut answer)).await.unwrap();
        assert_ne!(read.unwrap(), 0, "the answer is cut");
    }
    let answer = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    for line in [
        "http/1.1 101 switching protocols",
        "sec-websocket-protocol: mqtt",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
    ] {
        assert!(answer.lines().any(|other| other == line), "{answer}");
    }
}

/// Status, error type and body of an answer to a raw request.
async fn answer_to(sandbox: &TestSandbox, request: &str) -> (u16, String, String) {
    let mut tcp = tcp(sandbox).await;
    tcp.write_all(request.as_bytes()).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(TIMEOUT, tcp.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let error = head
        .lines()
        .find_map(|line| line.strip_prefix("x-amzn-errortype: "));
    (status, error.unwrap_or_default().into(), body.into())
}

#[tokio::test]
async fn a_request_that_is_no_right_upgrade_is_answered_and_logged() {
    let sandbox = sandbox().await;
    let upgrade = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    for (request, status, error, logged) in [
        (
            upgrade.replace("Sec-WebSocket-Protocol: mqtt\r\n", ""),
            400,
            "InvalidRequestException",
            "no upgrade to WebSocket (400): the subprotocol \"mqtt\" is needed",
        ),
        (
            upgrade.replace("/mqtt HTTP", "/ws HTTP"),
            404,
            "InvalidRequestException",
            "no upgrade to WebSocket (404): the path of MQTT over WebSocket is /mqtt",
        ),
        (
            upgrade.replace("Version: 13", "Version: 8"),
            426,
            "InvalidRequestException",
            "no upgrade to WebSocket (426): Sec-WebSocket-Version must be 13",
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
            404,
            "ResourceNotFoundException",
            "no such resource: GET / (404)",
        ),
    ] {
        let (told, name, body) = answer_to(&sandbox, &request).await;
        assert_eq!((told, &*name), (status, error), "{request}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(body["message"].is_string() && body["traceId"].is_string());
        assert!(sandbox.logged(logged), "{:?}", sandbox.log);
    }
}

#[tokio::test]
async fn another_protocol_is_told_by_name() {
    let sandbox = sandbox().await;
    for (bytes, logged) in [
        (
            &[22, 3, 1, 2, 0, 1][..],
            "this is TLS, and this port speaks WebSocket",
        ),
        (
            &unsigned("mqtt5-sample-1").encoded(),
            "this is MQTT without WebSocket, and this port speaks WebSocket",
        ),
        (b"hello\r\n\r\n", "this is no HTTP request"),
    ] {
        tcp(&sandbox).await.write_all(bytes).await.unwrap();
        sandbox.wait_for_log(logged).await;
    }
    // ALPN "mqtt" means MQTT without WebSocket, at AWS IoT Core too.
    let (port, ca) = (
        sandbox.sandbox.wss_port().unwrap(),
        sandbox.sandbox.ca_path(),
    );
    assert!(
        handshake_at(port, ca, "localhost", &[b"mqtt"])
            .await
            .is_err()
    );
    assert!(sandbox.logged("(mqtt)") || sandbox.logged("ALPN protocols mqtt;"));
    let http = handshake_at(port, ca, "localhost", &[b"h2", b"http/1.1"])
        .await
        .unwrap();
    assert_eq!(http.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    // The TLS port still says where WebSocket is.
    let mut tcp = TcpStream::connect(("127.0.0.1", sandbox.sandbox.port()))
        .await
        .unwrap();
    tcp.write_all(b"GET /mqtt HTTP/1.1\r\n\r\n").await.unwrap();
    sandbox
        .wait_for_log("for MQTT over WebSocket start the sandbox with --wss or --ws")
        .await;
}

/// Masked frame, by a key of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
