//! The handshake: certificates and ALPN.

use dunlin_codec::ReasonCode;
use dunlin_sandbox::{Sandbox, SandboxOptions, StateDir};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::client::{TIMEOUT, TestClient, TestSandbox, handshake, unsigned};

async fn failure(sandbox: &TestSandbox, alpn: &[&[u8]]) -> Error {
    let error = handshake(&sandbox.sandbox, "localhost", alpn)
        .await
        .expect_err("no handshake");
    let inner = error.into_inner().expect("an error of TLS");
    *inner.downcast::<Error>().expect("an error of TLS")
}

#[tokio::test]
async fn a_client_that_offers_no_alpn_gets_a_fatal_alert() {
    let sandbox = TestSandbox::start().await;
    let alert = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    assert_eq!(failure(&sandbox, &[]).await, alert);
    assert!(sandbox.logged("the client offers no ALPN protocol; \"mqtt\" is needed"));
}

#[tokio::test]
async fn a_client_that_offers_another_protocol_gets_a_fatal_alert() {
    let sandbox = TestSandbox::start().await;
    let alert = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    assert_eq!(failure(&sandbox, &[b"x-amzn-mqtt-ca"]).await, alert);
    assert!(sandbox.logged("(x-amzn-mqtt-ca); \"mqtt\" is needed"));
}

#[tokio::test]
async fn mqtt_is_selected_among_others() {
    let sandbox = TestSandbox::start().await;
    let stream = handshake(&sandbox.sandbox, "localhost", &[b"http/1.1", b"mqtt"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"mqtt"[..]));
}

#[tokio::test]
async fn the_certificate_is_good_for_every_name_of_this_machine() {
    let sandbox = TestSandbox::start().await;
    for name in ["localhost", "127.0.0.1", "::1"] {
        handshake(&sandbox.sandbox, name, &[b"mqtt"]).await.unwrap();
    }
}

#[tokio::test]
async fn a_faulty_certificate_fails_for_its_own_reason() {
    for (fault, is_expected) in [
        (
            "cert=unknown-ca",
            (|error| {
                matches!(
                    error,
                    CertificateError::BadSignature | CertificateError::UnknownIssuer
                )
            }) as fn(&CertificateError) -> bool,
        ),
        ("cert=wrong-host", |error| {
            matches!(error, CertificateError::NotValidForNameContext { .. })
        }),
        ("cert=expired", |error| {
            matches!(error, CertificateError::ExpiredContext { .. })
        }),
        ("cert=notyet", |error| {
            matches!(error, CertificateError::NotValidYetContext { .. })
        }),
    ] {
        let sandbox = TestSandbox::with_fault(fault).await;
        let Error::InvalidCertificate(error) = failure(&sandbox, &[b"mqtt"]).await else {
            panic!("{fault}")
        };
        assert!(is_expected(&error), "{fault}: {error:?}");
    }
}

#[tokio::test]
async fn with_the_fault_no_alpn_none_is_selected_and_the_connection_closed_before_connack() {
    let sandbox = TestSandbox::with_fault("no-alpn").await;
    let stream = handshake(&sandbox.sandbox, "localhost", &[b"mqtt"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), None);
    let mut client = TestClient::new(stream);
    client.sends(unsigned("mqtt5-sample-1")).await;
    client.expects_end().await;
}

#[tokio::test]
async fn a_running_sandbox_is_found_and_a_stopped_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = StateDir::at(dir.path());
    let sandbox = Sandbox::start(SandboxOptions {
        port: 0,
        state_dir: Some(dir.path().into()),
        ..SandboxOptions::default()
    })
    .await
    .unwrap();
    let found = state_dir.running().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].port, found[0].pid),
        (sandbox.port(), std::process::id())
    );
    assert_eq!(
        (&*found[0].endpoint, &*found[0].ca),
        ("localhost", sandbox.ca_path())
    );
    sandbox.stop().await;
    assert_eq!(state_dir.running().unwrap(), []);
}

#[tokio::test]
async fn ready_is_one_json_object_for_scripts() {
    let sandbox = TestSandbox::start().await;
    let ready = serde_json::to_value(sandbox.sandbox.ready()).unwrap();
    assert_eq!(ready["endpoint"], "localhost");
    assert_eq!(ready["port"], sandbox.sandbox.port());
    assert_eq!(ready["ca"], sandbox.sandbox.ca_path().to_str().unwrap());
    assert_eq!(ready["pid"], std::process::id());
    assert_eq!(ready["authorizers"][1]["token_key_name"], "tok");
}

#[tokio::test]
async fn stopping_sends_disconnect_to_clients() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.connected("mqtt5-sample-1").await;
    let stopping = tokio::spawn(sandbox.sandbox.stop());
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::ServerShuttingDown
    );
    client.expects_end().await;
    drop(client);
    stopping.await.unwrap();
}

/// Sends the first bytes of a client to a port, and reads until the server closes.
async fn send_and_read_to_end(port: u16, first: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(first).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut answer))
        .await
        .expect("an end");
}

#[tokio::test]
async fn another_protocol_than_that_of_the_port_is_named() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        plain_port: Some(0),
        ..options
    })
    .await;
    let (tls, plain) = (
        sandbox.sandbox.port(),
        sandbox.sandbox.plain_port().unwrap(),
    );
    let request = b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    for (port, first, told) in [
        (
            plain,
            &[22, 3, 1, 0, 5, 1, 0, 0, 1, 3][..],
            "this is TLS, and this port speaks MQTT without TLS: ",
        ),
        (plain, request, "this is HTTP, and this port speaks MQTT: "),
        (tls, request, "this is HTTP, and this port speaks MQTT: "),
        (
            tls,
            b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x01a",
            "this is MQTT without TLS, and this port needs TLS: ",
        ),
    ] {
        send_and_read_to_end(port, first).await;
        sandbox.wait_for_log(told).await;
        let lines = std::mem::take(&mut *sandbox.log.lock().unwrap());
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}
