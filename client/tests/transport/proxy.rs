//! Through a proxy that follows a script: a tunnel, or the reasons why there is none.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::transport::{
    Proxy, ProxyCredentials, ProxyError, Stage, TransportError, TransportOptions, open,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::observer::recorder;
use crate::{read_greeting, transport_options};

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
        proxy: Some(Proxy {
            credentials,
            ..Proxy::new("localhost", address.port())
        }),
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
    assert_eq!(opened.peer, address);
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
        proxy: Some(Proxy::new("127.0.0.1", address.port())),
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
