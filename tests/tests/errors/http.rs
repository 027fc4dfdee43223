//! Errors of messages that are published over HTTP.

use dunlin_tests::{Tool, dunlin};

use super::{Served, expect_error, serve};

/// `dunlin pub` over HTTPS at a sandbox.
fn publish(served: &Served) -> Tool {
    let url = format!("https://localhost:{}", served.sandbox.https_port().unwrap());
    dunlin(["pub", "-H", &url, "--ca"])
        .args([&served.sandbox.ready().ca])
        .args(["-t=test/topic", "-q=1"])
}

#[tokio::test]
async fn http_denied() {
    let served = serve("").await;
    // The authorizer needs a user name and a password, which HTTP doesn't carry.
    let run = publish(&served)
        .args(["-m=on", "--authorizer-name=Canary"])
        .run()
        .await;
    let words = ["HTTP 403 Forbidden", "ForbiddenException", "iot:Publish"];
    expect_error(&run, "E-HTTP-DENIED", &words);
}

#[tokio::test]
async fn http_unavailable() {
    let served = serve("puback=0x87").await;
    let run = publish(&served).args(["-m=on"]).run().await;
    let words = ["HTTP 500", "InternalFailureException"];
    expect_error(&run, "E-HTTP-UNAVAILABLE", &words);
}

#[tokio::test]
async fn http_refused() {
    let served = serve("").await;
    let run = publish(&served).args(["--size=200000"]).run().await;
    let words = ["HTTP 413", "200000 bytes", "128 KiB"];
    expect_error(&run, "E-HTTP-REFUSED", &words);
}
