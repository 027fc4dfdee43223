//! IP version and local address of connections.

use std::net::IpAddr;
use std::time::Duration;

use dunlin_client::transport::{
    IpVersion, Proxy, ProxyError, ResolveFault, TransportError, TransportOptions, open,
};
use tokio::net::TcpListener;

use crate::transport_options;

/// Options for `localhost`, and a listener at 127.0.0.1.
async fn local_server() -> (TcpListener, TransportOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = TransportOptions {
        connect_to: None,
        port: address.port(),
        ..transport_options("127.0.0.1", address, None)
    };
    (listener, options)
}

#[tokio::test]
async fn only_addresses_of_the_ip_version_are_connected_to() {
    let (listener, mut options) = local_server().await;
    options.ip_version = Some(IpVersion::V4);
    let (_transport, opened) = open(&options).await.unwrap();
    assert_eq!(
        opened.peer.socket_addr(),
        Some(listener.local_addr().unwrap())
    );
    // Stages that there weren't took no time.
    assert_eq!(opened.tls_time, Duration::ZERO);
    assert_eq!(opened.websocket_time, Duration::ZERO);

    options.ip_version = Some(IpVersion::V6);
    let missing = ResolveFault::NoAddressOf(IpVersion::V6);
    let error = open(&options).await.unwrap_err();
    assert!(
        matches!(&error, TransportError::Resolve { fault, .. } if *fault == missing),
        "{error:?}"
    );

    // An address that replaces the host's must be of that version, too.
    options.connect_to = opened.peer.socket_addr();
    let error = open(&options).await.unwrap_err();
    assert!(
        matches!(&error, TransportError::Resolve { fault, .. } if *fault == missing),
        "{error:?}"
    );

    // With a proxy, it is the proxy's address that is chosen.
    options.proxy = Some(Proxy::new("127.0.0.1", options.port).into());
    let error = open(&options).await.unwrap_err();
    let TransportError::Proxy {
        error: ProxyError::Unreachable(error),
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(
        matches!(&*error, TransportError::Resolve { fault, .. } if *fault == missing),
        "{error:?}"
    );
}

/// Linux has all of 127.0.0.0/8 on its loopback interface.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_comes_from_the_local_address() {
    let (listener, mut options) = local_server().await;
    options.local_address = Some("127.0.0.7".parse().unwrap());

    let (opened, accepted) = tokio::join!(open(&options), listener.accept());

    let (_transport, _opened) = opened.unwrap();
    let (_stream, from) = accepted.unwrap();
    assert_eq!(from.ip(), "127.0.0.7".parse::<IpAddr>().unwrap());
}

#[tokio::test]
async fn a_local_address_of_another_computer_is_named() {
    let (_listener, mut options) = local_server().await;
    let elsewhere: IpAddr = "192.0.2.1".parse().unwrap(); // for documentation (RFC 5737)
    options.local_address = Some(elsewhere);

    let error = open(&options).await.unwrap_err();

    assert!(
        matches!(error, TransportError::LocalAddress { address, .. } if address == elsewhere),
        "{error:?}"
    );
}
