//! Through a proxy that follows a script: a tunnel, or the reasons why there is none.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::{
    Proxy, ProxyCredentials, ProxyError, ProxyProtocol, Stage, TlsConnector, TlsError, TlsOptions,
    TransportError, TransportOptions, open,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::observer::recorder;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::server::{Behaviour, config};
use crate::{read_greeting, tls_options, transport_options};

/// Reads one request, says `answer` in pieces, and leaves the rest to the caller.
async fn proxy(answer: &'static [&'static str]) -> (SocketAddr, JoinHandle<(String, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        for piece in answer {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (String::from_utf8(request).unwrap(), stream)
    });
    (address, served)
}

fn options_through(address: SocketAddr) -> TransportOptions {
    let credentials = Some(ProxyCredentials {
        username: "me".into(),
        password: "pw".into(),
    });
    TransportOptions {
        connect_to: None,
        port: 443,
        proxy: Some(Box::new(Proxy {
            credentials,
            ..Proxy::new("localhost", address.port())
        })),
        ..transport_options("iot.invalid", address, None)
    }
}

async fn proxy_error(answer: &'static [&'static str]) -> ProxyError {
    let (address, served) = proxy(answer).await;
    // It closes the connection when it has said what it had to.
    tokio::spawn(async move { drop(served.await) });
    match open(&options_through(address)).await.unwrap_err() {
        TransportError::Proxy { proxy, error } => {
            assert_eq!(proxy, format!("http://localhost:{}", address.port()));
            error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tunnel_carries_the_connection_and_the_proxy_resolves_the_host() {
    let (address, served) = proxy(&[
        "HTTP/1.1 200 Connection est",
        "ablished\r\nVia: p\r\n\r",
        "\n",
    ])
    .await;
    let (mut transport, opened) = open(&options_through(address)).await.unwrap();
    let (request, mut server) = served.await.unwrap();
    assert!(
        request.starts_with("CONNECT iot.invalid:443 HTTP/1.1\r\nHost: iot.invalid:443\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\r\nProxy-Authorization: Basic bWU6cHc=\r\n"),
        "{request}"
    );
    assert_eq!(opened.peer.socket_addr(), Some(address));
    server.write_all(b"hello").await.unwrap();
    drop(server);
    assert_eq!(read_greeting(&mut transport).await, "hello");
}

#[tokio::test]
async fn an_observer_sees_the_tunnel() {
    let (address, served) = proxy(&["HTTP/1.1 200 OK\r\n\r\n"]).await;
    let (observer, steps) = recorder();
    let through = options_through(address);
    open(&TransportOptions {
        proxy: Some(Proxy::new("127.0.0.1", address.port()).into()),
        observer: Some(observer),
        ..through
    })
    .await
    .unwrap();
    served.await.unwrap();
    assert_eq!(
        *steps.lock().unwrap(),
        [
            "resolved 127.0.0.1 1",
            "connected 127.0.0.1",
            "tunnelled 127.0.0.1"
        ]
    );
}

#[tokio::test]
async fn a_replaced_address_is_requested_from_the_proxy() {
    let (address, served) = proxy(&["HTTP/1.1 200 OK\r\n\r\n"]).await;
    let elsewhere = "[2001:db8::1]:8883".parse().ok();
    open(&TransportOptions {
        connect_to: elsewhere,
        ..options_through(address)
    })
    .await
    .unwrap();
    let (request, _) = served.await.unwrap();
    assert!(
        request.starts_with("CONNECT [2001:db8::1]:8883 HTTP/1.1\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_refused_tunnel_is_reported_with_its_reason() {
    let refused = ProxyError::Refused {
        status: 407,
        reason: "Proxy Authentication Required".into(),
    };
    assert_eq!(
        proxy_error(&["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"]).await,
        refused
    );
    assert_eq!(proxy_error(&[]).await, ProxyError::Closed);
    assert_eq!(
        proxy_error(&["HTTP/1.1 200 OK\r\n"]).await,
        ProxyError::NotHttp,
        "half an answer"
    );
    assert_eq!(
        proxy_error(&["SSH-2.0-OpenSSH\r\n"]).await,
        ProxyError::NotHttp
    );
}

#[tokio::test]
async fn an_endless_answer_of_a_proxy_is_bounded() {
    let (address, served) = proxy(&["HTTP/1.1 200 OK\r\n"]).await;
    let flood = async {
        let (_, mut stream) = served.await.unwrap();
        while stream
            .write_all(b"X-Pad: 0123456789012345678901234567890123456789\r\n")
            .await
            .is_ok()
        {}
    };
    let options = options_through(address);
    let (outcome, ()) = tokio::join!(open(&options), flood);
    assert!(
        matches!(
            outcome,
            Err(TransportError::Proxy {
                error: ProxyError::NotHttp,
                ..
            })
        ),
        "{:?}",
        outcome.err()
    );
}

#[tokio::test]
async fn a_silent_proxy_ends_with_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = TransportOptions {
        timeout: Duration::from_millis(50),
        ..options_through(address)
    };
    let error = open(&options).await.unwrap_err();
    assert!(
        matches!(
            error,
            TransportError::TimedOut {
                stage: Stage::Proxy,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_unreachable_proxy_is_not_reported_as_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let TransportError::Proxy {
        error: ProxyError::Unreachable(why),
        ..
    } = open(&options_through(address)).await.unwrap_err()
    else {
        panic!()
    };
    let TransportError::Refused { attempts } = *why else {
        panic!("{why:?}")
    };
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.fault.kind == ErrorKind::ConnectionRefused)
    );
}

/// An HTTP proxy within TLS: the handshake, one request, one answer, and "hello" in the tunnel.
async fn tls_proxy(authority: &Authority, host: &str) -> (SocketAddr, JoinHandle<String>) {
    let behaviour = Behaviour {
        alpn: vec!["http/1.1"],
        ..Behaviour::default()
    };
    let acceptor = TlsAcceptor::from(Arc::new(config(&authority.issues(&[host]), behaviour)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(tcp).await else {
            return String::new();
        };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        // The server at the end of the tunnel sends once the client has spoken.
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, served)
}

fn options_through_tls(address: SocketAddr, authority: &Authority) -> TransportOptions {
    let tls = TlsOptions {
        alpn: Vec::new(),
        ..tls_options(authority)
    };
    let mut options = options_through(address);
    if let Some(proxy) = &mut options.proxy {
        proxy.protocol = ProxyProtocol::Https(Arc::new(TlsConnector::new(&tls).unwrap()));
    }
    options
}

#[tokio::test]
async fn a_proxy_within_tls_opens_the_tunnel() {
    let authority = Authority::new("Test CA");
    let (address, served) = tls_proxy(&authority, "localhost").await;

    let (mut transport, opened) = open(&options_through_tls(address, &authority))
        .await
        .unwrap();

    transport.write_all(b"x").await.unwrap();
    transport.flush().await.unwrap();
    let request = served.await.unwrap();
    assert!(
        request.starts_with("CONNECT iot.invalid:443 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("Proxy-Authorization: Basic "), "{request}");
    assert_eq!(opened.peer.socket_addr(), Some(address));
    // TLS of the proxy isn't that of the server.
    assert_eq!(opened.tls, None);
    assert_eq!(read_greeting(&mut transport).await, "hello");
}

#[tokio::test]
async fn a_certificate_of_a_proxy_that_is_rejected_is_the_proxys() {
    let authority = Authority::new("Test CA");
    let (address, _served) = tls_proxy(&authority, "elsewhere").await;

    let error = open(&options_through_tls(address, &authority))
        .await
        .unwrap_err();

    let TransportError::Proxy { proxy, error } = error else {
        panic!("{error:?}")
    };
    assert_eq!(proxy, format!("https://localhost:{}", address.port()));
    let ProxyError::Tls(error) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*error, TlsError::NameMismatch { .. }), "{error:?}");
}
