//! Through a SOCKS5 proxy that follows a script.

use std::net::SocketAddr;

use dunlin_client::transport::{
    Proxy, ProxyCredentials, ProxyError, ProxyProtocol, SocksReply, TransportError,
    TransportOptions, open,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::{read_greeting, transport_options};

/// Reads what is expected and answers, step by step; gives back the connection.
async fn proxy(
    steps: &'static [(&'static [u8], &'static [u8])],
) -> (SocketAddr, JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for (expected, answer) in steps {
            let mut received = vec![0; expected.len()];
            stream.read_exact(&mut received).await.unwrap();
            assert_eq!(received, *expected);
            stream.write_all(answer).await.unwrap();
        }
        stream
    });
    (address, served)
}

fn options_through(
    address: SocketAddr,
    protocol: ProxyProtocol,
    credentials: Option<(&str, &str)>,
) -> TransportOptions {
    TransportOptions {
        connect_to: None,
        port: 443,
        proxy: Some(Box::new(Proxy {
            protocol,
            credentials: credentials.map(|(username, password)| ProxyCredentials {
                username: username.into(),
                password: password.to_owned().into(),
            }),
            ..Proxy::new("localhost", address.port())
        })),
        ..transport_options("iot.invalid", address, None)
    }
}

async fn error_of(
    steps: &'static [(&'static [u8], &'static [u8])],
    credentials: Option<(&str, &str)>,
) -> ProxyError {
    let (address, served) = proxy(steps).await;
    // It closes the connection after its last answer.
    tokio::spawn(async move { drop(served.await) });
    let options = options_through(address, ProxyProtocol::Socks5, credentials);
    match open(&options).await.unwrap_err() {
        TransportError::Proxy { proxy, error } => {
            assert_eq!(proxy, format!("socks5h://localhost:{}", address.port()));
            error
        }
        other => panic!("{other:?}"),
    }
}

/// Greeting without credentials, and the method that the proxy selects.
const WITHOUT_CREDENTIALS: (&[u8], &[u8]) = (b"\x05\x01\x00", b"\x05\x00");
/// Greeting with credentials, and the method of user name and password.
const WITH_CREDENTIALS: (&[u8], &[u8]) = (b"\x05\x02\x00\x02", b"\x05\x02");
/// Request for `iot.invalid:443` by its name.
const REQUEST: &[u8] = b"\x05\x01\x00\x03\x0biot.invalid\x01\xbb";
const ACCEPTED: &[u8] = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";

#[tokio::test]
async fn a_tunnel_carries_the_connection_and_the_proxy_gets_the_name() {
    let (address, served) = proxy(&[WITHOUT_CREDENTIALS, (REQUEST, ACCEPTED)]).await;
    let options = options_through(address, ProxyProtocol::Socks5, None);

    let (mut transport, opened) = open(&options).await.unwrap();

    assert_eq!(opened.peer.socket_addr(), Some(address));
    let mut server = served.await.unwrap();
    server.write_all(b"hello").await.unwrap();
    drop(server);
    assert_eq!(read_greeting(&mut transport).await, "hello");
}

#[tokio::test]
async fn user_name_and_password_are_sent_where_the_proxy_asks_for_them() {
    let (address, served) = proxy(&[
        WITH_CREDENTIALS,
        (b"\x01\x02me\x02pw", b"\x01\x00"),
        (REQUEST, ACCEPTED),
    ])
    .await;
    let options = options_through(address, ProxyProtocol::Socks5, Some(("me", "pw")));
    open(&options).await.unwrap();
    served.await.unwrap();

    // A proxy that doesn't ask gets none.
    let (address, served) = proxy(&[(b"\x05\x02\x00\x02", b"\x05\x00"), (REQUEST, ACCEPTED)]).await;
    let options = options_through(address, ProxyProtocol::Socks5, Some(("me", "pw")));
    open(&options).await.unwrap();
    served.await.unwrap();
}

#[tokio::test]
async fn an_address_is_sent_as_an_address() {
    // `connect_to` goes before the name.
    let (address, served) = proxy(&[
        WITHOUT_CREDENTIALS,
        (b"\x05\x01\x00\x01\xc0\x00\x02\x01\x22\xb3", ACCEPTED),
    ])
    .await;
    let mut options = options_through(address, ProxyProtocol::Socks5, None);
    options.connect_to = "192.0.2.1:8883".parse().ok();
    open(&options).await.unwrap();
    served.await.unwrap();

    // `socks5://` resolves the name on this computer.
    let (address, served) = proxy(&[
        WITHOUT_CREDENTIALS,
        (
            b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
            ACCEPTED,
        ),
    ])
    .await;
    let mut options = options_through(address, ProxyProtocol::Socks5LocalNames, None);
    options.host = "::1".into();
    open(&options).await.unwrap();
    served.await.unwrap();
}

#[tokio::test]
async fn a_name_that_this_computer_cannot_resolve_is_its_own_error() {
    let (address, _served) = proxy(&[]).await;
    let options = options_through(address, ProxyProtocol::Socks5LocalNames, None);
    let error = open(&options).await.unwrap_err();
    assert!(matches!(error, TransportError::Resolve { .. }), "{error:?}");
}

#[tokio::test]
async fn each_refusal_is_told_in_its_words() {
    macro_rules! replies {
        ($($reply:literal => $expected:ident, $words:literal;)*) => {$(
            let steps: &[(&[u8], &[u8])] =
                &[WITHOUT_CREDENTIALS, (REQUEST, &[5, $reply, 0, 1, 0, 0, 0, 0, 0, 0])];
            let error = error_of(steps, None).await;
            assert_eq!(error, ProxyError::Socks(SocksReply::$expected));
            let text = error.to_string();
            assert!(text.contains($words) && text.ends_with(concat!("(SOCKS reply 0x0", $reply, ")")), "{text}");
        )*};
    }
    replies! {
        1 => GeneralFailure, "general failure";
        2 => NotAllowed, "not allowed";
        3 => NetworkUnreachable, "network unreachable";
        4 => HostUnreachable, "host unreachable";
        5 => ConnectionRefused, "the server refused";
        6 => TtlExpired, "TTL expired";
        7 => CommandNotSupported, "command not supported";
        8 => AddressTypeNotSupported, "address type not supported";
    }
}

#[tokio::test]
async fn authentication_that_fails_is_distinguished() {
    let none: &[(&[u8], &[u8])] = &[(b"\x05\x01\x00", b"\x05\xff")];
    assert_eq!(
        error_of(none, None).await,
        ProxyError::NoAuthenticationMethod
    );
    let wrong: &[(&[u8], &[u8])] = &[WITH_CREDENTIALS, (b"\x01\x02me\x02pw", b"\x01\x01")];
    assert_eq!(
        error_of(wrong, Some(("me", "pw"))).await,
        ProxyError::CredentialsRefused
    );
    for (username, password) in [("", "pw"), ("me", ""), (&"x".repeat(256), "pw")] {
        assert_eq!(
            error_of(&[], Some((username, password))).await,
            ProxyError::CredentialsLength
        );
    }
}

#[tokio::test]
async fn something_else_than_a_socks_proxy_is_named() {
    let http: &[(&[u8], &[u8])] = &[(b"\x05\x01\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n")];
    assert_eq!(error_of(http, None).await, ProxyError::NotSocks);
    assert_eq!(
        error_of(&[(b"\x05\x01\x00", b"")], None).await,
        ProxyError::Closed
    );
    let half: &[(&[u8], &[u8])] = &[WITHOUT_CREDENTIALS, (REQUEST, b"\x05\x00\x00\x01\x00")];
    assert_eq!(error_of(half, None).await, ProxyError::Closed);
}

#[tokio::test]
async fn a_host_name_that_socks_cannot_carry_is_refused() {
    let (address, _served) = proxy(&[]).await;
    let mut options = options_through(address, ProxyProtocol::Socks5, None);
    options.host = "x".repeat(256);
    let error = open(&options).await.unwrap_err();
    assert!(
        matches!(
            error,
            TransportError::Proxy {
                error: ProxyError::HostLength,
                ..
            }
        ),
        "{error:?}"
    );
}
