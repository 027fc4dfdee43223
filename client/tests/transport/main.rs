//! The transport against real TLS servers with real certificates.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod addresses;
mod files;
mod observer;
mod proxy;
mod server;
mod socks;
#[cfg(unix)]
mod unix;
mod verification;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dunlin_client::transport::{
    CaBundle, ClientCertificate, Opened, Roots, Stage, TlsConnector, TlsError, TlsInfo, TlsOptions,
    TlsVersion, Transport, TransportError, TransportOptions, open,
};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::{self, SupportedProtocolVersion};

use crate::server::{Behaviour, Server};
use dunlin_test_support::authority::{self, Authority};

static ONLY_1_2: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
const AWS_HOST: &str = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";

fn client_certificate(identity: &authority::Identity) -> ClientCertificate {
    ClientCertificate::from_der(identity.chain(), identity.key()).unwrap()
}

fn tls_options(authority: &Authority) -> TlsOptions {
    TlsOptions {
        roots: Roots::Only(CaBundle::from_der([authority.certificate()]).unwrap()),
        alpn: vec![b"mqtt".to_vec()],
        ..TlsOptions::default()
    }
}

fn transport_options(
    host: &str,
    address: SocketAddr,
    tls: Option<&TlsOptions>,
) -> TransportOptions {
    TransportOptions {
        connect_to: Some(address),
        tls: tls.map(|tls| Arc::new(TlsConnector::new(tls).unwrap())),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new(host, 1)
    }
}

async fn open_tls(options: &TransportOptions) -> (Transport, TlsInfo) {
    let (transport, opened) = open(options).await.unwrap();
    (transport, *opened.tls.unwrap())
}

/// Why TLS fails between a server for `localhost` and a client that expects `host`.
async fn tls_failure(options: &TransportOptions) -> TlsError {
    match open(options).await.unwrap_err() {
        TransportError::Tls { peer, error } => {
            assert_eq!(peer.socket_addr(), options.connect_to);
            error
        }
        other => panic!("{other:?}"),
    }
}

async fn read_greeting(transport: &mut Transport) -> String {
    let mut text = String::new();
    transport.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "certificates have calendar times"
)]
async fn a_server_of_a_trusted_authority_is_connected_to() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;

    let (mut transport, info) = open_tls(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    assert_eq!(info.version, TlsVersion::V1_3);
    assert_eq!(info.alpn_offered, ["mqtt"]);
    assert_eq!(info.alpn_selected.as_deref(), Some("mqtt"));
    assert!(!info.resumed);
    let certificate = info.certificate.unwrap();
    assert_eq!(certificate.subject, "localhost");
    assert_eq!(certificate.issuer, "Test CA");
    assert_eq!(certificate.names, ["localhost"]);
    assert_eq!(certificate.key, "ECDSA P-256");
    assert!(certificate.not_after > SystemTime::now());
    assert_eq!(read_greeting(&mut transport).await, "localhost 0\n");
}

#[tokio::test]
async fn the_host_is_resolved_and_the_port_used() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["127.0.0.1"]), Behaviour::default()).await;
    let mut options =
        transport_options("127.0.0.1", server.address, Some(&tls_options(&authority)));
    options.connect_to = None;
    options.port = server.address.port();

    let (_transport, opened) = open(&options).await.unwrap();

    assert_eq!(opened.peer.socket_addr(), Some(server.address));
    assert_eq!(
        opened.tls.unwrap().certificate.unwrap().names,
        ["127.0.0.1"]
    );
}

#[tokio::test]
async fn another_address_may_replace_the_host_which_keeps_its_name() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&[AWS_HOST]), Behaviour::default()).await;

    let (mut transport, _) = open_tls(&transport_options(
        AWS_HOST,
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    assert_eq!(
        read_greeting(&mut transport).await,
        format!("{AWS_HOST} 0\n")
    );
}

#[tokio::test]
async fn tls_1_2_is_accepted_unless_1_3_is_required() {
    let authority = Authority::new("Test CA");
    let behaviour = Behaviour {
        versions: &ONLY_1_2,
        ..Behaviour::default()
    };
    let server = Server::start(&authority.issues(&["localhost"]), behaviour).await;
    let mut tls = tls_options(&authority);

    let (_transport, info) =
        open_tls(&transport_options("localhost", server.address, Some(&tls))).await;
    assert_eq!(info.version, TlsVersion::V1_2);
    assert_eq!(info.alpn_selected.as_deref(), Some("mqtt"));

    tls.min_version = TlsVersion::V1_3;
    let error = tls_failure(&transport_options("localhost", server.address, Some(&tls))).await;
    assert!(
        matches!(error, TlsError::Alert(alert) if alert.name == Some("ProtocolVersion")),
        "{error:?}"
    );
}

/// mqtt5_no_alpn_on_a_reconnect
#[tokio::test]
async fn a_second_attempt_resumes_the_session() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;
    let options = transport_options("localhost", server.address, Some(&tls_options(&authority)));

    let (mut transport, first) = open_tls(&options).await;
    read_greeting(&mut transport).await; // a ticket comes with the first data
    let (_transport, second) = open_tls(&options).await;

    assert!(!first.resumed);
    assert!(second.resumed);
    assert_eq!(second.certificate, first.certificate);
    assert_eq!(second.alpn_offered, ["mqtt"]);
    assert_eq!(second.alpn_selected.as_deref(), Some("mqtt"));
}

#[tokio::test]
async fn an_unknown_authority_is_named_with_the_roots_that_were_tried() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;
    let mut tls = tls_options(&Authority::new("Another CA"));

    for (roots, web, own) in [
        (tls.roots.clone(), 0, 1),
        (Roots::WebPki, webpki_roots::TLS_SERVER_ROOTS.len(), 0),
    ] {
        tls.roots = roots;
        let error = tls_failure(&transport_options("localhost", server.address, Some(&tls))).await;

        let TlsError::UnknownIssuer {
            subject,
            issuer,
            roots,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(
            (subject.as_str(), issuer.as_str()),
            ("localhost", "Test CA")
        );
        assert_eq!((roots.web, roots.own), (web, own));
    }
}

#[tokio::test]
async fn a_private_authority_may_be_added_to_the_web_roots() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;
    let mut tls = tls_options(&authority);
    tls.roots = Roots::WebPkiAnd(CaBundle::from_der([authority.certificate()]).unwrap());

    open_tls(&transport_options("localhost", server.address, Some(&tls))).await;
}

#[tokio::test]
async fn an_unknown_authority_for_a_host_of_aws_is_an_interception() {
    let stranger = Authority::new("Corp Inspection CA");
    let server = Server::start(&stranger.issues(&[AWS_HOST]), Behaviour::default()).await;

    let error = tls_failure(&transport_options(
        AWS_HOST,
        server.address,
        Some(&TlsOptions::default()),
    ))
    .await;

    let (host, issuer) = (AWS_HOST.to_owned(), "Corp Inspection CA".to_owned());
    assert_eq!(error, TlsError::Intercepted { host, issuer });
}

#[tokio::test]
async fn a_certificate_for_another_host_shows_its_names() {
    let authority = Authority::new("Test CA");
    let server = Server::start(
        &authority.issues(&["lamp.example", "10.0.0.1"]),
        Behaviour::default(),
    )
    .await;

    let error = tls_failure(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    let presented = vec!["lamp.example".to_owned(), "10.0.0.1".to_owned()];
    assert_eq!(
        error,
        TlsError::NameMismatch {
            wanted: "localhost".to_owned(),
            presented
        }
    );
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "certificates have calendar times"
)]
async fn an_expired_certificate_shows_its_dates_and_the_clocks() {
    let authority = Authority::new("Test CA");
    let server = Server::start(
        &authority.issues_for_year(&["localhost"], 2001),
        Behaviour::default(),
    )
    .await;

    let error = tls_failure(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    let TlsError::Expired {
        not_before,
        not_after,
        now,
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(not_before.unwrap() < not_after);
    assert!(not_after < now);
    assert!(now.elapsed().unwrap() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_certificate_of_the_future_shows_its_dates_and_the_clocks() {
    let authority = Authority::new("Test CA");
    let server = Server::start(
        &authority.issues_for_year(&["localhost"], 2999),
        Behaviour::default(),
    )
    .await;

    let error = tls_failure(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    let TlsError::NotYetValid {
        not_before,
        not_after,
        now,
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(now < not_before);
    assert!(not_before < not_after.unwrap());
}

#[tokio::test]
async fn a_server_that_refuses_our_alpn_says_so() {
    let authority = Authority::new("Test CA");
    let behaviour = Behaviour {
        alpn: vec!["x-amzn-mqtt-ca"],
        ..Behaviour::default()
    };
    let server = Server::start(&authority.issues(&["localhost"]), behaviour).await;

    let error = tls_failure(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    assert_eq!(error, TlsError::NoApplicationProtocol);
}

#[tokio::test]
async fn a_server_that_ignores_alpn_is_connected_to() {
    let authority = Authority::new("Test CA");
    let behaviour = Behaviour {
        alpn: Vec::new(),
        ..Behaviour::default()
    };
    let server = Server::start(&authority.issues(&["localhost"]), behaviour).await;

    let (_transport, info) = open_tls(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;

    assert_eq!(info.alpn_offered, ["mqtt"]);
    assert_eq!(info.alpn_selected, None);
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let authority = Authority::new("Test CA");
    let identity = authority.issues(&["localhost"]);
    let devices = Authority::new("Device CA");
    let mut tls = tls_options(&authority);
    tls.client_certificate = Some(client_certificate(&devices.issues(&["lamp-7"])));
    let behaviour = Behaviour {
        clients_of: Some(devices),
        ..Behaviour::default()
    };
    let server = Server::start(&identity, behaviour).await;

    let (mut transport, _) =
        open_tls(&transport_options("localhost", server.address, Some(&tls))).await;

    assert_eq!(read_greeting(&mut transport).await, "localhost 1\n");
}

#[tokio::test]
async fn a_missing_client_certificate_is_reported_on_the_first_read() {
    let authority = Authority::new("Test CA");
    let behaviour = Behaviour {
        clients_of: Some(Authority::new("Device CA")),
        ..Behaviour::default()
    };
    let server = Server::start(&authority.issues(&["localhost"]), behaviour).await;

    // TLS 1.3: the client is through before the server has judged it.
    let (mut transport, _) = open_tls(&transport_options(
        "localhost",
        server.address,
        Some(&tls_options(&authority)),
    ))
    .await;
    let error = transport.read(&mut [0; 1]).await.unwrap_err();

    let error = TransportError::from_io(&error, &server.address.into());
    let TransportError::Tls {
        error: TlsError::Alert(alert),
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((alert.code, alert.name), (116, Some("CertificateRequired")));
}

#[tokio::test]
async fn a_refused_port_is_reported_with_its_address() {
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();

    let error = open(&transport_options("localhost", address, None))
        .await
        .unwrap_err();

    let TransportError::Refused { attempts } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        attempts
            .iter()
            .map(|attempt| attempt.address)
            .collect::<Vec<_>>(),
        [address]
    );
}

#[tokio::test]
async fn a_listener_that_never_answers_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut options = transport_options("localhost", address, Some(&TlsOptions::default()));
    options.timeout = Duration::from_millis(100);

    let error = open(&options).await.unwrap_err();

    let after = options.timeout;
    assert_eq!(
        error,
        TransportError::TimedOut {
            stage: Stage::Tls,
            after,
            addresses: vec![address]
        }
    );
}

#[tokio::test]
async fn another_protocol_and_a_closed_connection_are_distinguished() {
    for (says, expected) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            TlsError::NotTls {
                received: b"HTTP/1.1 400 Bad".to_vec(),
            },
        ),
        (b"", TlsError::Closed),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let hello = tcp.read(&mut [0; 4096]).await.unwrap();
            tcp.write_all(says).await.unwrap();
            hello
        });

        assert_eq!(
            tls_failure(&transport_options(
                "localhost",
                address,
                Some(&TlsOptions::default())
            ))
            .await,
            expected
        );
        assert!(server.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_host_that_no_certificate_can_name_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();

    let error = tls_failure(&transport_options(
        "no!host",
        address,
        Some(&TlsOptions::default()),
    ))
    .await;

    assert_eq!(
        error,
        TlsError::InvalidServerName {
            host: "no!host".to_owned()
        }
    );
}

#[tokio::test]
async fn plain_tcp_carries_bytes_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = tcp.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap()
    });

    let (mut transport, Opened { peer, tls, .. }) =
        open(&transport_options("localhost", address, None))
            .await
            .unwrap();
    transport.write_all(b"ping").await.unwrap();
    transport.shutdown().await.unwrap();

    assert_eq!((peer, tls), (address.into(), None));
    assert!(transport.is_write_vectored());
    assert_eq!(read_greeting(&mut transport).await, "ping");
    assert_eq!(echo.await.unwrap(), 4);
}

#[tokio::test]
async fn an_ipv6_address_may_stand_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    for host in ["[::1]", "::1"] {
        let (_transport, opened) = open(&TransportOptions::new(host, port)).await.unwrap();
        assert_eq!(
            opened.peer.socket_addr(),
            Some(listener.local_addr().unwrap())
        );
    }
}
