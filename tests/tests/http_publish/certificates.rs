//! Client certificates over HTTPS, of the tool and of the client: at a port of HTTPS, and at the one
//! port of everything, where the ALPN protocol says that there is a certificate.

use std::sync::Arc;

use dunlin_client::Message;
use dunlin_client::aws::HTTP_CERTIFICATE_ALPN;
use dunlin_client::aws::http_publish::{
    HttpPublishError, HttpPublishOptions, HttpPublisher, RefusalKind,
};
use dunlin_client::error::TransportError;
use dunlin_client::transport::{
    ClientCertificate, Roots, TlsConnector, TlsOptions, TransportOptions,
};
use dunlin_sandbox::{ClientCertificates, ClientFiles, Pki, Sandbox, SandboxOptions, StateDir};
use dunlin_tests::{Finished, dunlin};
use tempfile::TempDir;

/// Sandbox that takes client certificates over HTTPS.
struct Served {
    sandbox: Sandbox,
    /// Port of HTTPS.
    port: u16,
    device: ClientFiles,
    _state: TempDir,
}

impl Served {
    async fn start(all_on_one_port: bool) -> Self {
        let state = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            https_port: (!all_on_one_port).then_some(0),
            all_on_one_port,
            client_certificates: Some(ClientCertificates::default()),
            state_dir: Some(state.path().into()),
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let port = sandbox.https_port().unwrap_or_else(|| sandbox.port());
        let pki = Pki::open(&StateDir::at(state.path())).unwrap();
        Self {
            port,
            device: pki.write_client("lamp-7").unwrap(),
            sandbox,
            _state: state,
        }
    }

    /// Outcome of `dunlin pub`, with or without the certificate, with the ALPN protocol if there is one.
    async fn publish(&self, topic: &str, has_certificate: bool, alpn: &str) -> Finished {
        let url = format!("https://localhost:{}", self.port);
        let mut tool = dunlin(["pub", "-m=on", "-t", topic, "-H", &url, "--ca"])
            .args([&self.sandbox.ready().ca]);
        if has_certificate {
            let (certificate, key) = (&self.device.certificate, &self.device.key);
            tool = tool.args(["--cert".as_ref(), certificate.as_os_str()]);
            tool = tool.args(["--key".as_ref(), key.as_os_str()]);
        }
        if !alpn.is_empty() {
            tool = tool.args(["--alpn", alpn]);
        }
        tool.run().await
    }

    /// Publisher of the client.
    fn publisher(&self, has_certificate: bool, alpn: &str) -> HttpPublisher {
        let (certificate, key) = (&self.device.certificate, &self.device.key);
        let certificate = ClientCertificate::from_pem_files(certificate, key).unwrap();
        let tls = TlsOptions {
            roots: Roots::from_pem_file(self.sandbox.ca_path()).unwrap(),
            client_certificate: has_certificate.then_some(certificate),
            alpn: Some(alpn.as_bytes().to_vec())
                .filter(|alpn| !alpn.is_empty())
                .into_iter()
                .collect(),
            ..TlsOptions::default()
        };
        HttpPublisher::new(HttpPublishOptions::new(TransportOptions {
            tls: Some(Arc::new(TlsConnector::new(&tls).unwrap())),
            ..TransportOptions::new("localhost", self.port)
        }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_publishes_with_a_client_certificate() {
    let https = Served::start(false).await;
    let all = Served::start(true).await;
    for (served, topic, has_certificate, alpn, exit, id) in [
        (&https, "test/topic", true, "", 0, ""),
        (&https, "test/topic", true, HTTP_CERTIFICATE_ALPN, 0, ""),
        // The policy of the certificate, and the authorizer that nobody named.
        (&https, "other", true, "", 5, "E-HTTP-DENIED"),
        (&https, "test/topic", false, "", 5, "E-HTTP-DENIED"),
        (&all, "test/topic", true, HTTP_CERTIFICATE_ALPN, 0, ""),
        (
            &all,
            "other",
            true,
            HTTP_CERTIFICATE_ALPN,
            5,
            "E-HTTP-DENIED",
        ),
        // Without its ALPN protocol the certificate isn't asked for.
        (&all, "test/topic", true, "", 5, "E-HTTP-DENIED"),
        (
            &all,
            "test/topic",
            false,
            HTTP_CERTIFICATE_ALPN,
            4,
            "E-TLS-HANDSHAKE",
        ),
    ] {
        let run = served.publish(topic, has_certificate, alpn).await;
        println!("{topic} {has_certificate} {alpn:?} {exit} {id}");
        run.exits(exit);
        assert!(run.stderr.contains(id), "{}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_publishes_with_a_client_certificate() {
    let https = Served::start(false).await;
    let all = Served::start(true).await;
    for (served, alpn) in [
        (&https, ""),
        (&https, HTTP_CERTIFICATE_ALPN),
        (&all, HTTP_CERTIFICATE_ALPN),
    ] {
        let publisher = served.publisher(true, alpn);
        for reused in [false, true] {
            let message = Message::new("test/topic", "on");
            let published = publisher.publish(message).await.unwrap();
            assert_eq!(published.reused, reused, "{alpn:?}");
        }
        let error = publisher
            .publish(Message::new("other", "on"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, HttpPublishError::Refused { refusal, .. }
                if refusal.kind == RefusalKind::Forbidden),
            "{error:?}"
        );
    }

    // The server asks for a certificate: an alert, which TLS 1.3 brings after the handshake.
    let publisher = all.publisher(false, HTTP_CERTIFICATE_ALPN);
    let error = publisher
        .publish(Message::new("test/topic", "on"))
        .await
        .unwrap_err();
    assert!(!error.is_retryable());
    assert!(
        matches!(&error, HttpPublishError::Connection { error, .. }
            if matches!(**error, TransportError::Tls { .. })),
        "{error:?}"
    );
}
