//! HTTP publishes through proxies of Debian: microsocks for SOCKS5, tinyproxy for HTTP.

use std::sync::Arc;

use dunlin_client::aws::http_publish::{HttpPublishError, HttpPublishOptions, HttpPublisher};
use dunlin_client::aws::{AuthorizerToken, CustomAuthorizer};
use dunlin_client::error::TransportError;
use dunlin_client::transport::{
    Proxy, ProxyCredentials, ProxyProtocol, Roots, TlsConnector, TlsOptions, TransportOptions,
};
use dunlin_client::{Message, QoS};
use dunlin_tests::{LocalProxy, dunlin};

use super::{CANARY, Served};

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_publishes_through_socks5_and_http_proxies() {
    let mut served = Served::start().await;
    let plain = format!("http://localhost:{}", served.sandbox.http_port().unwrap());
    for (proxy, scheme) in [
        (LocalProxy::microsocks(true).await, "socks5h"),
        (LocalProxy::microsocks(true).await, "socks5"),
        (LocalProxy::tinyproxy(true).await, "http"),
    ] {
        let Some(proxy) = proxy else { return };
        let (user, password) = (LocalProxy::USER, LocalProxy::PASSWORD);
        let address = proxy.address();
        let url = format!("{scheme}://{user}:{password}@{address}");

        // Within TLS, and without: both by a tunnel.
        let secure = served.publish().args(["-t=test/topic", "-m=secure"]);
        let run = secure.args(["--proxy", &url]).run().await;
        run.exits(0);
        served.has_no_secret(&run);
        assert_eq!(served.next().await.payload(), b"secure");
        let run = dunlin(["pub", "-t=test/topic", "-m=plain", "-H", &plain])
            .args(["--proxy", &url])
            .run()
            .await;
        run.exits(0);
        assert_eq!(served.next().await.payload(), b"plain");

        // Doctor has a stage for the proxy.
        let run = dunlin(["doctor", "-t=test/topic", "-H", &plain, "--proxy", &url]);
        let run = run.run().await;
        run.exits(0);
        assert!(run.stdout.contains("proxy"), "{}", run.stdout);
        assert_eq!(served.next().await.topic(), "test/topic");

        // Without its credentials the proxy refuses, and nothing is sent.
        let url = format!("{scheme}://{address}");
        let refused = served.publish().args(["-t=test/topic", "-m=on"]);
        let run = refused.args(["--proxy", &url, "--json"]).run().await;
        run.exits(3);
        served.has_no_secret(&run);
        let line = run.error_line();
        assert!(line.contains("error[E-PROXY]: "), "{line}");
        assert!(run.stdout.contains(r#""sent":0,"#), "{}", run.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_keeps_its_connection_through_a_proxy() {
    let served = Served::start().await;
    for (proxy, protocol) in [
        (LocalProxy::microsocks(true).await, ProxyProtocol::Socks5),
        (LocalProxy::tinyproxy(true).await, ProxyProtocol::Http),
    ] {
        let Some(proxy) = proxy else { return };
        let through = |credentials| {
            let mut options = options(&served);
            options.transport.proxy = Some(Box::new(Proxy {
                protocol: protocol.clone(),
                credentials,
                ..Proxy::new("127.0.0.1", proxy.address().port())
            }));
            HttpPublisher::new(options)
        };
        let publisher = through(Some(ProxyCredentials {
            username: LocalProxy::USER.into(),
            password: LocalProxy::PASSWORD.into(),
        }));
        for reused in [false, true] {
            let message = Message::new("test/topic", "on").qos(QoS::AtLeastOnce);
            let published = publisher.publish(message).await.unwrap();
            assert_eq!(published.reused, reused, "{protocol:?}");
            assert_eq!(published.peer.socket_addr(), Some(proxy.address()));
        }

        let message = Message::new("test/topic", "on");
        let error = through(None).publish(message).await.unwrap_err();
        assert!(
            matches!(
                error,
                HttpPublishError::Connect(TransportError::Proxy { .. })
            ),
            "{error:?}"
        );
    }
}

/// Options for the sandbox over HTTPS, with the token.
fn options(served: &Served) -> HttpPublishOptions {
    let tls = TlsOptions {
        roots: Roots::from_pem_file(served.sandbox.ca_path()).unwrap(),
        ..TlsOptions::default()
    };
    let mut options = HttpPublishOptions::new(TransportOptions {
        tls: Some(Arc::new(TlsConnector::new(&tls).unwrap())),
        ..TransportOptions::new("localhost", served.sandbox.https_port().unwrap())
    });
    let authorizer = CustomAuthorizer {
        authorizer_name: Some("DemoSigned".into()),
        token: Some(AuthorizerToken {
            key_name: "tok".into(),
            value: CANARY.into(),
            signature: Some(served.signature.as_str().into()),
        }),
        ..CustomAuthorizer::default()
    };
    options.set_authorizer_headers(&authorizer).unwrap();
    options
}
