//! Clients with certificates: alone, and beside a custom authorizer.

use std::net::Ipv4Addr;
use std::sync::Arc;

use dunlin_codec::{QoS, ReasonCode};
use dunlin_sandbox::{
    Authorizer, CertificatePolicy, ClientCertificates, ClientIdentity, Lambda, Pki, PkiError,
    PolicyDocument, SandboxOptions, StateDir, Thing,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::{
    TIMEOUT, TestClient, TestSandbox, allow, connect, publish, unsigned, with_default_authorizer,
};
use crate::lambda::Emulator;
use crate::websocket::{client_over, open_wss, upgrade};

/// Sandbox with its own state directory, whose CA issues certificates.
async fn sandbox(certificates: ClientCertificates) -> TestSandbox {
    TestSandbox::start_with(|options| SandboxOptions {
        client_certificates: Some(certificates),
        ..options
    })
    .await
}

pub(crate) fn issued(sandbox: &TestSandbox, thing: &str) -> ClientIdentity {
    let root = sandbox.sandbox.ca_path().parent().unwrap().parent();
    let pki = Pki::open(&StateDir::at(root.unwrap())).unwrap();
    pki.issue_client(thing).unwrap()
}

/// TLS with this certificate and this ALPN.
async fn open(
    sandbox: &TestSandbox,
    identity: Option<&ClientIdentity>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    open_at(sandbox, sandbox.sandbox.port(), identity, alpn).await
}

pub(crate) async fn open_at(
    sandbox: &TestSandbox,
    port: u16,
    identity: Option<&ClientIdentity>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(sandbox.sandbox.ca_path());
    roots.add(ca.unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => {
            let chain = CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes());
            let config = builder.with_client_auth_cert(vec![chain.unwrap()], key.unwrap());
            config.unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    timeout(TIMEOUT, connector.connect(name, tcp))
        .await
        .unwrap()
}

async fn connacked(stream: TlsStream<TcpStream>, client_id: &str) -> (TestClient, ReasonCode) {
    let mut client = TestClient::new(stream);
    client.sends(connect(client_id, "", "")).await;
    let (code, _) = client.receives_connack().await;
    (client, code)
}

#[tokio::test]
async fn a_thing_connects_by_either_alpn_and_its_name_is_in_its_policy() {
    let sandbox = sandbox(ClientCertificates::default()).await;
    let identity = issued(&sandbox, "lamp-7");
    for alpn in [&[b"x-amzn-mqtt-ca".as_slice()][..], &[]] {
        let stream = open(&sandbox, Some(&identity), alpn).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), alpn.first().copied());
        let (mut client, code) = connacked(stream, "lamp-7").await;
        assert_eq!(code, ReasonCode::Success);
        for (topic, expected) in [
            ("things/lamp-7/on", ReasonCode::Success),
            ("things/lamp-8/on", ReasonCode::NotAuthorized),
        ] {
            client.sends(publish(topic, "x", QoS::AtLeastOnce)).await;
            // No subscriber: 0x10 isn't used by the profile aws.
            assert_eq!(client.receives_puback().await.0, expected, "{topic}");
        }
        // At AWS's rate of one CONNECT a second.
        tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    }
    // The variable has a value only if the client id is the name of the thing.
    let stream = open(&sandbox, Some(&identity), &[]).await.unwrap();
    let (_, code) = connacked(stream, "lamp-8").await;
    assert_eq!(code, ReasonCode::NotAuthorized);
    assert!(sandbox.logged("connect   lamp-7  certificate of lamp-7 → allow"));
}

#[tokio::test]
async fn without_a_certificate_or_with_one_of_another_ca_the_handshake_fails() {
    let sandbox = sandbox(ClientCertificates::default()).await;
    let other = TestSandbox::start_with(|options| SandboxOptions {
        state_dir: Some(tempfile::tempdir().unwrap().keep()),
        ..options
    })
    .await;
    let foreign = issued(&other, "lamp-7");
    for identity in [None, Some(&foreign)] {
        let opened = open(&sandbox, identity, &[b"x-amzn-mqtt-ca"]).await;
        // With TLS 1.3 the client learns it from its first read.
        if let Ok(mut stream) = opened {
            let read = timeout(TIMEOUT, stream.read_u8()).await.unwrap();
            assert!(read.is_err());
        }
        sandbox.wait_for_log("the TLS handshake failed: ").await;
        sandbox.log.lock().unwrap().clear();
    }
    // The custom authorizer needs none, and other protocols are refused as before.
    assert!(open(&sandbox, None, &[b"mqtt"]).await.is_ok());
    assert!(open(&sandbox, None, &[b"h2"]).await.is_err());
}

#[tokio::test]
async fn one_port_serves_mqtt_certificates_websocket_and_https_by_alpn() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        client_certificates: Some(ClientCertificates::default()),
        all_on_one_port: true,
        ..options
    })
    .await;
    let port = sandbox.sandbox.port();
    let ready = sandbox.sandbox.ready();
    assert_eq!((ready.wss_port, ready.https_port), (Some(port), Some(port)));

    // MQTT with a custom authorizer, and with a certificate, which is asked for.
    let mut client = TestClient::new(open(&sandbox, None, &[b"mqtt"]).await.unwrap());
    client.sends(unsigned("mqtt5-sample-1")).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    let identity = issued(&sandbox, "lamp-7");
    // `mqtt` counts more than the certificate of a client that offers both.
    for (alpn, expected) in [
        (&[b"x-amzn-mqtt-ca".as_slice()][..], ReasonCode::Success),
        (&[b"x-amzn-mqtt-ca", b"mqtt"], ReasonCode::NotAuthorized),
    ] {
        let stream = open(&sandbox, Some(&identity), alpn).await.unwrap();
        assert_eq!(connacked(stream, "lamp-7").await.1, expected, "{alpn:?}");
    }

    // WebSocket without ALPN, and HTTPS with it.
    let websocket = open_wss(&sandbox, upgrade("", &[])).await.unwrap();
    let mut client = client_over(websocket);
    client.sends(unsigned("mqtt5-sample-2")).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
    let mut stream = open(&sandbox, None, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let request = b"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 403");
    assert!(open(&sandbox, None, &[b"h2"]).await.is_err());
}

#[tokio::test]
async fn policies_are_attached_by_thing_and_none_denies_everything() {
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*", "Condition": {
            "StringEquals": {"iot:Certificate.Subject.CommonName": "${iot:Connection.Thing.ThingName}"},
            "Bool": {"iot:Connection.Thing.IsAttached": "true"},
        }},
    ]});
    let policy = |thing: &str, document: &serde_json::Value| CertificatePolicy {
        thing: thing.into(),
        documents: vec![PolicyDocument::parse(&document.to_string()).unwrap()],
    };
    let sandbox = sandbox(ClientCertificates {
        policies: vec![policy("lamp-7", &document)],
        ..ClientCertificates::default()
    })
    .await;
    for (thing, expected) in [
        ("lamp-7", ReasonCode::Success),
        ("lamp-8", ReasonCode::NotAuthorized),
    ] {
        let identity = issued(&sandbox, thing);
        let stream = open(&sandbox, Some(&identity), &[]).await.unwrap();
        assert_eq!(connacked(stream, thing).await.1, expected, "{thing}");
    }
}

#[tokio::test]
async fn type_and_attributes_of_the_thing_are_in_its_policy() {
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*", "Condition": {
            "StringEquals": {"iot:Connection.Thing.ThingTypeName": "Lamp"},
        }},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource":
            "arn:aws:iot:*:*:topic/${iot:Connection.Thing.Attributes[site]}/${iot:Connection.Thing.ThingTypeName}"},
    ]});
    let mut lamp = Thing::new("lamp-7");
    lamp.thing_type = Some("Lamp".into());
    lamp.attributes.insert("site".into(), "north".into());
    let sandbox = sandbox(ClientCertificates {
        policies: vec![CertificatePolicy {
            thing: "*".into(),
            documents: vec![PolicyDocument::parse(&document.to_string()).unwrap()],
        }],
        things: vec![lamp],
        ..ClientCertificates::default()
    })
    .await;
    let identity = issued(&sandbox, "lamp-7");
    let stream = open(&sandbox, Some(&identity), &[]).await.unwrap();
    let (mut client, code) = connacked(stream, "lamp-7").await;
    assert_eq!(code, ReasonCode::Success);
    for (topic, expected) in [
        ("north/Lamp", ReasonCode::Success),
        ("south/Lamp", ReasonCode::NotAuthorized),
    ] {
        client.sends(publish(topic, "x", QoS::AtLeastOnce)).await;
        assert_eq!(client.receives_puback().await.0, expected, "{topic}");
    }
    // A thing that isn't in the registry has no type.
    let identity = issued(&sandbox, "lamp-8");
    let stream = open(&sandbox, Some(&identity), &[]).await.unwrap();
    let (_, code) = connacked(stream, "lamp-8").await;
    assert_eq!(code, ReasonCode::NotAuthorized);
}

#[tokio::test]
async fn beside_an_authorizer_the_lambda_is_told_the_certificate_and_must_answer_its_id() {
    let probe = sandbox(ClientCertificates::default()).await;
    let identity = issued(&probe, "lamp-7");
    let id = &identity.certificate_id;
    let answer = |principal: &str| json!({"isAuthenticated": true, "principalId": principal, "policyDocuments": [allow("iot:Connect")]});
    // Documents are optional here, as the certificate has a policy.
    let without_documents = json!({"isAuthenticated": true, "principalId": id});
    let answers = vec![answer("another"), answer(id), without_documents];
    let emulator = Emulator::answering(answers).await;
    let authorizer = Authorizer::new("Emulated", Lambda::Url(emulator.url.parse().unwrap()));
    let with_authorizer = ClientCertificates {
        with_authorizer: true,
        ..ClientCertificates::default()
    };
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        client_certificates: Some(with_authorizer),
        ..with_default_authorizer(authorizer, options)
    })
    .await;
    for expected in [
        ReasonCode::NotAuthorized,
        ReasonCode::Success,
        ReasonCode::Success,
    ] {
        // At AWS's rate of one CONNECT a second.
        tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
        let stream = open(&sandbox, Some(&identity), &[b"mqtt"]).await.unwrap();
        let (mut client, code) = connacked(stream, "lamp-7").await;
        assert_eq!(code, expected);
        if code == ReasonCode::Success {
            // Publishing is allowed by the certificate's policy alone.
            client
                .sends(publish("test/topic", "x", QoS::AtLeastOnce))
                .await;
            assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
        }
    }
    assert!(sandbox.logged("answered another principalId than"));
    let events = emulator.events.lock().unwrap();
    let tls = &events[0]["protocolData"]["tls"];
    assert_eq!(tls["principalId"], **id);
    assert_eq!(tls["x509CertificatePem"], identity.certificate_pem);
    assert_eq!(tls["serverName"], "localhost");
}

#[test]
fn the_files_of_a_thing_are_for_their_owner_and_its_name_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open(&StateDir::at(dir.path())).unwrap();
    let files = pki.write_client("lamp:7").unwrap();
    assert!(files.certificate.ends_with("sandbox/things/lamp_7.pem"));
    assert_eq!(files.certificate_id.len(), 64);
    #[cfg(unix)]
    for path in [&files.certificate, &files.key] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    for wrong in ["", "a b", "../a", "ä", &"x".repeat(129)] {
        let refused = pki.write_client(wrong).unwrap_err();
        assert!(matches!(refused, PkiError::ThingName(_)), "{wrong}");
    }
}
