//! Unix domain sockets.

use std::io::ErrorKind;
use std::sync::Arc;

use dunlin_client::transport::{
    OpenObserver, OpenStep, PeerAddress, TlsConnector, TransportError, TransportOptions, open,
};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::server::{Behaviour, config};
use crate::{read_greeting, tls_options};

#[tokio::test]
async fn a_unix_domain_socket_carries_bytes_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mqtt.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"hello").await.unwrap();
    });
    let expected = PeerAddress::Unix(path.clone());
    let seen = expected.clone();
    let mut options = TransportOptions::unix(&path);
    options.observer = Some(OpenObserver::new(move |step| {
        assert_eq!(step, OpenStep::Connected { peer: &seen });
    }));

    let (mut transport, opened) = open(&options).await.unwrap();

    assert_eq!(opened.peer, expected);
    assert_eq!(opened.peer.to_string(), format!("unix:{}", path.display()));
    served.await.unwrap();
    assert_eq!(read_greeting(&mut transport).await, "hello");
}

#[tokio::test]
async fn tls_works_over_a_unix_domain_socket() {
    let authority = Authority::new("Test CA");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mqtt.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let identity = authority.issues(&["localhost"]);
    let acceptor = TlsAcceptor::from(Arc::new(config(&identity, Behaviour::default())));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let options = TransportOptions {
        tls: Some(Arc::new(
            TlsConnector::new(&tls_options(&authority)).unwrap(),
        )),
        ..TransportOptions::unix(&path)
    };

    let (mut transport, _) = open(&options).await.unwrap();

    assert_eq!(read_greeting(&mut transport).await, "hello");
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mqtt.sock");
    let kind_of = async || match open(&TransportOptions::unix(&path)).await.unwrap_err() {
        TransportError::UnixSocket { path: named, fault } => {
            assert_eq!(named, path);
            fault.kind
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(kind_of().await, ErrorKind::NotFound);
    // The file stays behind when its server ends.
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(kind_of().await, ErrorKind::ConnectionRefused);
}
