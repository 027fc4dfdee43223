//! Text of others in errors: none of it may steer a terminal, whoever prints the error.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::aws::{EndpointAdvice, EndpointFault};
use dunlin_client::codec::{PacketType, ReasonCode, needs_escape};
use dunlin_client::store::StoreError;
use dunlin_client::transport::{
    CertificateFault, Proxy, ProxyError, ResolveFault, RootsTried, TlsError, TlsOptionsError,
    TransportError,
};
use dunlin_client::{
    ConnectError, ConnectionError, ProviderError, RequestError, ServerReason, StopCause,
};

fn hostile_text() -> String {
    ('\0'..=char::MAX).filter(|c| needs_escape(*c)).collect()
}

fn reason() -> ServerReason {
    ServerReason {
        packet_type: PacketType::ConnAck,
        reason_code: ReasonCode::NotAuthorized,
        reason_string: Some(hostile_text()),
        user_properties: vec![(hostile_text(), hostile_text())],
        server_reference: Some(hostile_text()),
        omitted: Default::default(),
    }
}

#[test]
fn every_error_of_the_library_is_escaped() {
    let text = hostile_text;
    let path = || std::path::PathBuf::from(hostile_text());
    let roots = RootsTried {
        web: 1,
        own: 1,
        file: Some(path()),
    };
    let tls = |error| TransportError::Tls {
        peer: "127.0.0.1:1".parse().unwrap(),
        error,
    };
    let proxy = |error| TransportError::Proxy {
        proxy: text(),
        error,
    };
    let transport = [
        TransportError::Resolve {
            host: text(),
            fault: ResolveFault::Other { detail: text() },
        },
        proxy(ProxyError::Refused {
            status: 403,
            reason: text(),
        }),
        proxy(ProxyError::Unreachable(Box::new(TransportError::Resolve {
            host: text(),
            fault: ResolveFault::NotFound,
        }))),
        tls(TlsError::UnknownIssuer {
            subject: text(),
            issuer: text(),
            roots,
        }),
        tls(TlsError::Intercepted {
            host: text(),
            issuer: text(),
        }),
        tls(TlsError::NameMismatch {
            wanted: text(),
            presented: vec![text()],
        }),
        tls(TlsError::BadCertificate {
            subject: Some(text().into()),
            issuer: Some(text().into()),
            fault: CertificateFault::Other {
                detail: text().into(),
            },
            ca_file: Some(path().into()),
        }),
        tls(TlsError::InvalidServerName { host: text() }),
        tls(TlsError::Handshake { detail: text() }),
    ];
    let options = [
        TlsOptionsError::MalformedPem {
            path: path(),
            detail: text(),
        },
        TlsOptionsError::NoCertificate { path: path() },
        TlsOptionsError::InvalidCertificate {
            path: path(),
            position: 1,
        },
        TlsOptionsError::NoPrivateKey { path: path() },
        TlsOptionsError::EncryptedPrivateKey { path: path() },
        TlsOptionsError::UnusablePrivateKey {
            path: path(),
            detail: text(),
        },
        TlsOptionsError::KeyMismatch {
            certificate: path(),
            key: path(),
        },
        TlsOptionsError::Unsupported { detail: text() },
    ];
    let endpoints = [
        EndpointFault::Scheme {
            scheme: text(),
            instead: text(),
        },
        EndpointFault::Path {
            path: text(),
            instead: text(),
        },
        EndpointFault::Port { port: text() },
    ];
    let connects = [
        ConnectError::Refused(reason()),
        ConnectError::Provider(ProviderError::fatal(text())),
        ConnectError::Transport(tls(TlsError::Handshake { detail: text() })),
    ];
    let last = Some(Arc::new(ConnectError::Refused(reason())));
    let stops = [
        StopCause::Final(ConnectionError::Disconnected(reason()).into()),
        StopCause::Store {
            kind: io::ErrorKind::Other,
            fault: text().into(),
        },
        StopCause::TimedOut {
            after: Duration::ZERO,
            last,
        },
    ];
    let mut texts: Vec<String> = transport.iter().map(ToString::to_string).collect();
    texts.extend(options.iter().map(ToString::to_string));
    texts.extend(endpoints.iter().map(ToString::to_string));
    texts.extend(connects.iter().map(ToString::to_string));
    texts.extend(stops.iter().map(ToString::to_string));
    texts.extend([
        EndpointAdvice::NotAts { instead: text() }.to_string(),
        RequestError::Refused(reason()).to_string(),
        RequestError::Stopped(StopCause::Final(ConnectError::Refused(reason()).into())).to_string(),
        StoreError::Load(io::Error::other(text())).to_string(),
        Proxy::new(text(), 1).to_string(),
    ]);
    for text in texts {
        assert!(!text.chars().any(needs_escape), "{text:?}");
        assert!(
            text.contains("\\u{1b}") && text.contains("\\u{202e}"),
            "{text:?}"
        );
    }
}
