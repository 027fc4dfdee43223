//! Errors before CONNECT: the flags, the network, TLS.

use std::time::Duration;

use dunlin_tests::dunlin;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::{CANARY, at, expect_error, sample_with_short_timeouts, serve};

#[tokio::test]
async fn usage() {
    expect_error(
        &sample_with_short_timeouts().run().await,
        "E-USAGE",
        &["missing: --endpoint"],
    );
    expect_error(
        &dunlin(["--no-such-flag"]).run().await,
        "E-USAGE",
        &["--no-such-flag"],
    );
}

#[tokio::test]
async fn endpoint() {
    let run = sample_with_short_timeouts()
        .args([
            "--endpoint",
            "c1abc.credentials.iot.eu-west-1.amazonaws.com",
        ])
        .run()
        .await;
    expect_error(
        &run,
        "E-ENDPOINT",
        &[
            "is the credentials endpoint, not the data endpoint",
            "aws iot describe-endpoint",
        ],
    );
}

#[tokio::test]
async fn signature() {
    let run = sample_with_short_timeouts()
        .args([
            "--endpoint=localhost",
            "--auth-token-key-name=tok",
            "--auth-token-key-value=hello",
        ])
        .args(["--auth-signature=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="]);
    expect_error(
        &run.run().await,
        "E-SIGNATURE",
        &[
            "cannot be valid; nothing was sent",
            "32 bytes",
            "likely: the hash was",
        ],
    );
}

#[tokio::test]
async fn dns() {
    let run = sample_with_short_timeouts()
        .args([
            "--endpoint=x-ats.iot.eu-wset-1.amazonaws.com.invalid",
            "--reconnect=0",
        ])
        .run()
        .await;
    expect_error(
        &run,
        "E-DNS",
        &["x-ats.iot.eu-wset-1.amazonaws.com.invalid"],
    );
}

#[tokio::test]
async fn refused() {
    let run = sample_with_short_timeouts()
        .args(["--endpoint=localhost", "--port=1"])
        .run()
        .await;
    expect_error(
        &run,
        "E-REFUSED",
        &["localhost:1 refused the connection", "127.0.0.1:1"],
    );
    assert!(run.took < Duration::from_secs(5));
}

#[tokio::test]
async fn connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let run = sample_with_short_timeouts()
        .args(["--endpoint=localhost", "--reconnect=0", "--port", &port])
        .run()
        .await;
    expect_error(
        &run,
        "E-CONNECT-TIMEOUT",
        &[
            "did not answer the TLS handshake within 1 s",
            "does not speak TLS",
        ],
    );
}

#[tokio::test]
async fn a_proxy_that_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let run = sample_with_short_timeouts()
        .args(["--endpoint=localhost", "--reconnect=0"])
        .args([format!("--proxy=http://{address}")])
        .run()
        .await;
    expect_error(
        &run,
        "E-CONNECT-TIMEOUT",
        &["the proxy did not answer for localhost:443 within 1 s"],
    );
    // The proxy took the connection: a firewall before it isn't the cause.
    assert!(!run.stderr.contains("drops packets"), "{}", run.stderr);
}

#[tokio::test]
async fn a_port_without_websocket() {
    // The sandbox's port of MQTT without TLS.
    let served = serve("").await;
    let port = served.sandbox.plain_port().unwrap();
    let run = dunlin(["connect", "--duration=0", "-H"])
        .args([format!("ws://localhost:{port}")])
        .args(["--timeout=3s", "--reconnect=0"])
        .run()
        .await;
    expect_error(&run, "E-UPGRADE", &["MQTT without WebSocket"]);
}

#[tokio::test]
async fn proxy() {
    let served = serve("proxy=407").await;
    let port = served.sandbox.port();
    let through = |url: String| {
        sample_with_short_timeouts()
            .args(["--endpoint=iot.invalid"])
            .env("HTTPS_PROXY", url)
    };
    let run = through(format!("http://me:{CANARY}@localhost:{port}"))
        .run()
        .await;
    let via = format!("CONNECT iot.invalid:443 via http://localhost:{port} (from HTTPS_PROXY)");
    expect_error(
        &run,
        "E-PROXY",
        &[
            "the proxy refused the tunnel: 407 Proxy Authentication Required",
            &via,
        ],
    );
    assert!(run.took < Duration::from_secs(5), "asked once");

    let run = through("http://localhost:1".into()).run().await;
    expect_error(
        &run,
        "E-PROXY",
        &["the proxy cannot be reached", "--proxy none"],
    );
    let run = through("http://localhost:1".into())
        .env("NO_PROXY", "invalid")
        .args(["--reconnect=0"])
        .run()
        .await;
    expect_error(&run, "E-DNS", &["iot.invalid"]);
    let spared = through("http://localhost:1".into()).env("NO_PROXY", "10.0.0.0/8");
    let run = spared
        .args(["--reconnect=0", "--connect-to=10.255.255.1:1"])
        .run()
        .await;
    assert!(!run.stderr.contains("E-PROXY"), "{}", run.stderr);
    let run = through("socks4://localhost:1".into()).run().await;
    expect_error(
        &run,
        "E-USAGE",
        &["HTTPS_PROXY: a proxy of the kind \"socks4\" isn't supported"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_server_is_reached_without_a_proxy_unless_a_flag_names_one() {
    let served = serve("").await;
    let proxy = "http://localhost:1";
    at(&served)
        .env("HTTPS_PROXY", proxy)
        .env("DUNLIN_PROXY", proxy)
        .run()
        .await
        .exits(0);
    let asked = at(&served)
        .args(["--reconnect=0", "--proxy", proxy])
        .run()
        .await;
    expect_error(
        &asked,
        "E-PROXY",
        &["via http://localhost:1 (from --proxy)"],
    );
}

#[tokio::test]
async fn tls_ca() {
    let served = serve("cert=unknown-ca").await;
    let run = at(&served).run().await;
    expect_error(
        &run,
        "E-TLS-CA",
        &["certificate of \"", "issued by \"", "with another key"],
    );
    assert!(run.took < Duration::from_secs(5));
}

#[tokio::test]
async fn tls_name() {
    let served = serve("cert=wrong-host").await;
    expect_error(
        &at(&served).run().await,
        "E-TLS-NAME",
        &["not valid for \"localhost\"", "certificate valid for: \""],
    );
}

#[tokio::test]
async fn tls_expired() {
    let served = serve("cert=expired").await;
    expect_error(
        &at(&served).run().await,
        "E-TLS-EXPIRED",
        &["expired", "ago", "this computer says 20", "UTC"],
    );
}

#[tokio::test]
async fn tls_time() {
    let served = serve("cert=notyet").await;
    expect_error(
        &at(&served).run().await,
        "E-TLS-TIME",
        &[
            "not valid yet according to this computer's clock",
            "set the clock",
        ],
    );
}

#[tokio::test]
async fn tls_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A web server answers the TLS handshake in plain text.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let run = sample_with_short_timeouts()
        .args(["--endpoint=localhost", "--port", &port])
        .run()
        .await;
    expect_error(
        &run,
        "E-TLS-HANDSHAKE",
        &[
            "a web server answers on this port",
            "received: 48 54 54 50",
            "\"HTTP/1.1",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_intercepted() {
    let served = serve("").await;
    let address = format!("127.0.0.1:{}", served.sandbox.port());
    let run = sample_with_short_timeouts()
        .args([
            "--endpoint=x-ats.iot.eu-west-1.amazonaws.com",
            "--connect-to",
            &address,
        ])
        .run()
        .await;
    expect_error(
        &run,
        "E-TLS-INTERCEPTED",
        &["no authority of AWS", "--ca alone will not restore ALPN"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn() {
    let served = serve("no-alpn").await;
    let run = at(&served).args(["--reconnect=0"]).run().await;
    expect_error(
        &run,
        "E-ALPN",
        &[
            "we offered: \"mqtt\"; server selected: none",
            "custom authorizers need \"mqtt\"",
        ],
    );
    assert_eq!(
        run.stderr
            .matches("warning: the server selected no ALPN protocol")
            .count(),
        1,
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn_refused_by_an_alert() {
    let served = serve("").await;
    let run = at(&served).args(["--alpn=x-amzn-mqtt-ca"]).run().await;
    expect_error(
        &run,
        "E-ALPN",
        &["we offered: \"x-amzn-mqtt-ca\"", "leave --alpn out"],
    );
}
