//! HTTPS with client certificates: at the port of HTTPS, at the one port of everything, and beside a
//! custom authorizer.

use dunlin_codec::Packet;
use dunlin_sandbox::{
    Authorizer, CertificatePolicy, ClientCertificates, ClientIdentity, Lambda, PolicyDocument,
    SandboxOptions,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::certificates::{issued, open_at};
use crate::client::{TIMEOUT, TestSandbox, unsigned, with_default_authorizer};
use crate::http::{Response, request};
use crate::lambda::Emulator;

const HTTP_CA: &[u8] = b"x-amzn-http-ca";
const HTTP: &[u8] = b"http/1.1";

async fn sandbox(certificates: ClientCertificates) -> TestSandbox {
    TestSandbox::start_with(|options| SandboxOptions {
        client_certificates: Some(certificates),
        https_port: Some(0),
        ..options
    })
    .await
}

/// Sends a request over TLS with this certificate and ALPN; `None` if the handshake fails.
async fn asks_at(
    sandbox: &TestSandbox,
    port: u16,
    identity: Option<&ClientIdentity>,
    alpn: &[&[u8]],
    line: &str,
) -> Option<Response> {
    let mut tls = open_at(sandbox, port, identity, alpn).await.ok()?;
    tls.write_all(&request(line, &[], "x")).await.ok()?;
    let mut text = Vec::new();
    let _ = timeout(TIMEOUT, tls.read_to_end(&mut text)).await.unwrap();
    // With TLS 1.3 the client learns of a missing certificate when it reads.
    (!text.is_empty()).then(|| Response::parse(&String::from_utf8(text).unwrap()))
}

async fn asks(
    sandbox: &TestSandbox,
    identity: Option<&ClientIdentity>,
    alpn: &[&[u8]],
    line: &str,
) -> Option<Response> {
    let port = sandbox.sandbox.https_port().unwrap();
    asks_at(sandbox, port, identity, alpn, line).await
}

fn attached(document: &Value) -> ClientCertificates {
    ClientCertificates {
        policies: vec![CertificatePolicy {
            thing: "*".into(),
            documents: vec![PolicyDocument::parse(&document.to_string()).unwrap()],
        }],
        ..ClientCertificates::default()
    }
}

#[tokio::test]
async fn a_certificate_publishes_by_its_policy_with_and_without_alpn() {
    let sandbox = sandbox(ClientCertificates::default()).await;
    let mut watcher = sandbox.connected("mqtt5-sample-1").await;
    watcher.subscribes("test/topic").await;
    let identity = issued(&sandbox, "lamp-7");
    for alpn in [&[][..], &[HTTP], &[HTTP_CA]] {
        for (line, status) in [
            ("POST /topics/test/topic", 200),
            ("POST /topics/other", 403),
            // The client has no client id, so that no thing is connected.
            ("POST /topics/things/lamp-7/on", 403),
        ] {
            let response = asks(&sandbox, Some(&identity), alpn, line).await.unwrap();
            assert_eq!(response.status, status, "{line} {alpn:?}: {response:?}");
        }
        let packet = watcher.receives().await;
        assert!(matches!(packet.packet(), Packet::Publish(_)));
    }
    assert!(sandbox.logged("  test/topic  http certificate of lamp-7 → allow"));

    // The API of retained messages is for signed requests.
    let line = "GET /retainedMessage/a";
    let response = asks(&sandbox, Some(&identity), &[], line).await.unwrap();
    assert_eq!(response.error(), "ForbiddenException");
    // Without a certificate the custom authorizer is asked, of which none is named.
    let response = asks(&sandbox, None, &[HTTP], "POST /topics/test/topic").await;
    assert_eq!(response.unwrap().status, 403);
    assert!(sandbox.logged("there is no default authorizer"));
    // ALPN says that there is one.
    let refused = asks(&sandbox, None, &[HTTP_CA], "POST /topics/test/topic").await;
    assert!(refused.is_none());
    // One of another CA.
    let other = TestSandbox::start_with(|options| SandboxOptions {
        state_dir: Some(tempfile::tempdir().unwrap().keep()),
        ..options
    })
    .await;
    let foreign = issued(&other, "lamp-7");
    let refused = asks(&sandbox, Some(&foreign), &[HTTP], "POST /topics/test/topic").await;
    assert!(refused.is_none());
}

#[tokio::test]
async fn the_variables_of_a_certificate_have_values_over_https() {
    let sandbox = sandbox(attached(&json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Publish",
            "Resource": "arn:aws:iot:*:*:topic/lamps/${iot:Certificate.Subject.CommonName}"},
    ]})))
    .await;
    let identity = issued(&sandbox, "lamp-7");
    for (topic, status) in [("lamps/lamp-7", 200), ("lamps/lamp-8", 403)] {
        let line = format!("POST /topics/{topic}");
        let response = asks(&sandbox, Some(&identity), &[], &line).await.unwrap();
        assert_eq!(response.status, status, "{topic}");
    }
}

#[tokio::test]
async fn a_certificate_sends_direct_messages_by_its_policy() {
    let sandbox = sandbox(attached(&json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:SendDirectMessage",
            "Resource": "arn:aws:iot:*:*:client/mqtt5-sample-${iot:Certificate.Subject.CommonName}",
            "Condition": {"StringLike": {"iot:Topic": "test/*"}}},
    ]})))
    .await;
    let identity = issued(&sandbox, "7");
    let mut client = sandbox.connected("mqtt5-sample-7").await;
    for (line, status) in [
        ("mqtt5-sample-7/messages?topic=test%2Ftopic", 200),
        ("mqtt5-sample-7/messages?topic=other", 403),
        ("mqtt5-sample-8/messages?topic=test%2Ftopic", 403),
    ] {
        let line = format!("POST /connections/{line}");
        let response = asks(&sandbox, Some(&identity), &[], &line).await.unwrap();
        assert_eq!(response.status, status, "{line}: {response:?}");
    }
    assert_eq!(client.receives_message().await.0, "x");
}

#[tokio::test]
async fn at_the_port_of_everything_alpn_says_whether_the_certificate_counts() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        client_certificates: Some(ClientCertificates::default()),
        all_on_one_port: true,
        ..options
    })
    .await;
    let port = sandbox.sandbox.port();
    let identity = issued(&sandbox, "lamp-7");
    let line = "POST /topics/test/topic";
    for (identity, alpn, status) in [
        (Some(&identity), &[HTTP_CA][..], Some(200)),
        // As on port 443 of AWS: no certificate is asked for, and the authorizer decides.
        (Some(&identity), &[HTTP], Some(403)),
        (Some(&identity), &[], Some(403)),
        (None, &[HTTP_CA], None),
    ] {
        let response = asks_at(&sandbox, port, identity, alpn, line).await;
        assert_eq!(response.map(|response| response.status), status, "{alpn:?}");
    }
    // MQTT is served as before.
    let mut client = sandbox.open().await;
    client.sends(unsigned("mqtt5-sample-1")).await;
    client.receives_connack().await;
}

#[tokio::test]
async fn beside_an_authorizer_both_policies_add_up_over_https() {
    let probe = sandbox(ClientCertificates::default()).await;
    let identity = issued(&probe, "lamp-7");
    let id = &identity.certificate_id;
    let answer = |principal: &str| {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/lambda"},
        ]});
        json!({"isAuthenticated": true, "principalId": principal, "policyDocuments": [document]})
    };
    let answers = vec![answer(id), answer(id), answer("another")];
    let emulator = Emulator::answering(answers).await;
    let authorizer = Authorizer::new("Emulated", Lambda::Url(emulator.url.parse().unwrap()));
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        client_certificates: Some(ClientCertificates {
            with_authorizer: true,
            ..ClientCertificates::default()
        }),
        https_port: Some(0),
        ..with_default_authorizer(authorizer, options)
    })
    .await;
    for (topic, status) in [("lambda", 200), ("test/topic", 200), ("lambda", 403)] {
        let line = format!("POST /topics/{topic}");
        let response = asks(&sandbox, Some(&identity), &[HTTP], &line).await;
        assert_eq!(response.unwrap().status, status, "{topic}");
    }
    let events = emulator.events.lock().unwrap().clone();
    assert_eq!(events[0]["protocols"], json!(["tls", "http"]));
    assert_eq!(events[0]["protocolData"]["tls"]["principalId"], **id);
    assert!(sandbox.logged("answered another principalId than"));
    // A certificate is needed.
    let refused = asks(&sandbox, None, &[HTTP], "POST /topics/lambda").await;
    assert!(refused.is_none());
}

#[tokio::test]
async fn websocket_is_not_served_with_a_certificate() {
    let sandbox = sandbox(ClientCertificates::default()).await;
    let identity = issued(&sandbox, "lamp-7");
    let port = sandbox.sandbox.https_port().unwrap();
    let mut tls = open_at(&sandbox, port, Some(&identity), &[]).await.unwrap();
    let upgrade = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    tls.write_all(upgrade.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    timeout(TIMEOUT, tls.read_exact(&mut status))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&status, b"HTTP/1.1 403");
    assert!(sandbox.logged("no upgrade to WebSocket (403): the client shows a certificate"));
}
