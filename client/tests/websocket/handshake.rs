//! Handshakes that succeed and that fail.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::transport::{
    CaBundle, Proxy, Roots, Stage, TlsConnector, TlsOptions, TransportError, UpgradeRefusal,
    WebSocketError, open,
};
use dunlin_client::{Client, QoS};
use dunlin_test_support::authority::Authority;
use dunlin_test_support::server::TestServer;
use dunlin_test_support::websocket::WebSocketServer;
use dunlin_test_support::websocket_front::WebSocketFront;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::{options, soon, transport, websocket_error};

/// MQTT-6.0.0-3
#[tokio::test]
async fn a_request_asks_for_mqtt_at_its_path() {
    let server = WebSocketServer::start().await;
    let mut options = transport(&server);
    let websocket = options.websocket.as_mut().unwrap();
    websocket.path = "/broker/mqtt".into();
    websocket.push_query(&"x-amz-customauthorizer-name=MyAuth".into());
    websocket.set_header("X-Token", "s3cret");

    let (opened, peer) = tokio::join!(open(&options), server.accepts());

    opened.unwrap();
    let line = peer.request.lines().next();
    assert_eq!(
        line,
        Some("GET /broker/mqtt?x-amz-customauthorizer-name=MyAuth HTTP/1.1")
    );
    for (name, value) in [
        ("Host", "broker.example"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "mqtt"),
        ("X-Token", "s3cret"),
    ] {
        assert_eq!(peer.header(name), Some(value));
    }
    assert_eq!(peer.header("Sec-WebSocket-Extensions"), None);
}

#[tokio::test]
async fn a_host_name_with_line_ends_adds_no_header() {
    let server = WebSocketServer::start().await;
    let mut options = transport(&server);
    options.host = "broker.example\r\nX-Role: admin".into();

    let error = soon(open(&options)).await.unwrap_err();

    assert!(matches!(error, TransportError::Resolve { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_upgrade_has_its_status_and_body() {
    let server = WebSocketServer::start().await;
    let options = transport(&server);

    let (opened, ()) = tokio::join!(open(&options), async {
        let mut peer = server.accepts_request().await;
        let answer = b"HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ForbiddenException:\r\n\
                       Content-Length: 23\r\n\r\n{\"message\":\"Forbidden\"}";
        peer.sends_bytes(answer).await;
    });

    assert_eq!(
        websocket_error(opened.unwrap_err()),
        WebSocketError::Refused(UpgradeRefusal {
            status: 403,
            reason: "Forbidden".into(),
            error_type: Some("ForbiddenException:".into()),
            body: "{\"message\":\"Forbidden\"}".into(),
        })
    );
}

#[tokio::test]
async fn a_server_that_selects_another_subprotocol_is_refused() {
    for (headers, selected) in [
        ("", None),
        (
            "Sec-WebSocket-Protocol: mqttv3.1\r\n",
            Some("mqttv3.1".to_owned()),
        ),
    ] {
        let server = WebSocketServer::start().await;
        let options = transport(&server);

        let (opened, ()) = tokio::join!(open(&options), async {
            let mut peer = server.accepts_request().await;
            let answer = peer.answer(headers);
            peer.sends_bytes(answer.as_bytes()).await;
        });

        let error = websocket_error(opened.unwrap_err());
        assert_eq!(error, WebSocketError::Subprotocol { selected });
    }
}

#[tokio::test]
async fn a_server_without_websocket_is_named() {
    for (answer, expected) in [
        (&b""[..], WebSocketError::NoAnswer),
        (b"\x20\x09\x00\x84\x06", WebSocketError::NotHttp),
        (b"SSH-2.0-x\r\n\r\n", WebSocketError::NotHttp),
    ] {
        let server = WebSocketServer::start().await;
        let options = transport(&server);

        let (opened, ()) = tokio::join!(open(&options), async {
            let mut peer = server.accepts_request().await;
            peer.sends_bytes(answer).await;
        });

        assert_eq!(websocket_error(opened.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn a_silent_server_times_out_in_the_stage_of_websocket() {
    let server = WebSocketServer::start().await;
    let mut options = transport(&server);
    options.timeout = Duration::from_millis(100);

    let (opened, _peer) = tokio::join!(open(&options), server.accepts_request());

    let TransportError::TimedOut { stage, .. } = opened.unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(stage, Stage::WebSocket);
}

#[tokio::test]
async fn frames_that_come_with_the_answer_are_read() {
    let server = WebSocketServer::start().await;
    let options = transport(&server);

    let (opened, _peer) = tokio::join!(open(&options), async {
        let mut peer = server.accepts_request().await;
        let answer = peer.answer("Sec-WebSocket-Protocol: mqtt\r\n");
        let frames = b"\x89\x01p\x82\x05first\x82\x06sec";
        peer.sends_bytes(&[answer.as_bytes(), frames].concat())
            .await;
        peer.sends_bytes(b"ond").await;
        peer
    });

    let mut read = [0; 11];
    soon(opened.unwrap().0.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"firstsecond");
}

/// A client and its server talk through WebSocket, TLS and the tunnel of a proxy.
#[tokio::test]
async fn websocket_over_tls_works_through_a_proxy() {
    let authority = Authority::new("Test CA");
    let server = TestServer::start().await;
    let identity = authority.issues(&["broker.example"]);
    let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.key())
        .unwrap();
    let front = WebSocketFront::start(server.address(), Some(Arc::new(tls))).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_port = proxy.local_addr().unwrap().port();
    let target = front.address();
    tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(client.read_u8().await.unwrap());
        }
        assert!(request.starts_with(b"CONNECT broker.example:443 "));
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });

    let mut options = options(&WebSocketServer::start().await);
    let transport = &mut options.transport;
    transport.connect_to = None;
    transport.port = 443;
    transport.proxy = Some(Proxy::new("127.0.0.1", proxy_port).into());
    let roots = Roots::Only(CaBundle::from_der([authority.certificate()]).unwrap());
    let tls = TlsOptions {
        roots,
        ..TlsOptions::default()
    };
    transport.tls = Some(Arc::new(TlsConnector::new(&tls).unwrap()));
    let client = Client::start(options);
    let mut peer = server.accepts_client().await;

    let (subscribed, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtMostOnce), async {
        let packet = peer.receives().await;
        assert_eq!(packet.packet().packet_type(), PacketType::Subscribe);
        peer.sends(&dunlin_test_support::packets::suback(
            1,
            &[ReasonCode::Success],
        ))
        .await;
    });
    drop(subscribed.unwrap());
}
