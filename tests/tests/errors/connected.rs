//! Errors from CONNECT on: refusals, closed connections, missing answers, violations.

use std::time::Duration;

use super::{at, expect_error, serve, serve_fast};

#[tokio::test(flavor = "multi_thread")]
async fn auth_denied() {
    let served = serve("connack=0x87:no such user").await;
    let run = at(&served).run().await;
    expect_error(
        &run,
        "E-AUTH-DENIED",
        &[
            "(CONNACK 0x87)",
            "the server's reason: \"no such user\"",
            "authorizer \"Canary\"",
            "password 11 bytes",
        ],
    );
    assert!(run.took < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_denied_without_a_reason() {
    let served = serve("connack=0x86").await;
    expect_error(
        &at(&served).run().await,
        "E-AUTH-DENIED",
        &["(CONNACK 0x86)", "server gave no reason string"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup() {
    let served = serve("drop-on-connect").await;
    let run = at(&served).args(["--reconnect=0"]).run().await;
    expect_error(
        &run,
        "E-HANGUP",
        &[
            "closed the connection before answering CONNECT",
            "after TLS",
            "ALPN mqtt ok",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn conn_refused() {
    let served = serve("connack=0x89:lunch").await;
    let run = at(&served).args(["--reconnect=0"]).run().await;
    expect_error(
        &run,
        "E-CONN-REFUSED",
        &[
            "Server busy (CONNACK 0x89)",
            "the server's reason: \"lunch\"",
            "again in a minute",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_denied() {
    let served = serve("suback=0x87").await;
    let run = at(&served).run().await;
    expect_error(
        &run,
        "E-SUB-DENIED",
        &[
            "(SUBACK 0x87 Not authorized)",
            "nothing was published",
            "the server's reason: \"",
            "topicfilter/, not topic/",
        ],
    );
    assert!(!run.stdout.contains("Publishing"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_dropped() {
    let served = serve("drop-on-subscribe").await;
    let run = at(&served).args(["--timeout=20s"]).run().await;
    expect_error(
        &run,
        "E-SUB-DROPPED",
        &[
            "after SUBSCRIBE on \"test/topic\", three times",
            "not connecting again",
        ],
    );
    assert_eq!(
        // AWS denies by closing: only the third time is it certain.
        run.stdout.matches("Lifecycle Connection Success").count(),
        3,
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pub_denied() {
    let served = serve("puback=0x87").await;
    let run = at(&served).run().await;
    expect_error(
        &run,
        "E-PUB-DENIED",
        &[
            "(PUBACK 0x87 Not authorized)",
            "iot:Publish on topic/test/topic",
        ],
    );
    assert!(
        run.stdout
            .contains("PubAck received with <PubackReasonCode.NOT_AUTHORIZED: 135>"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pub_dropped() {
    let served = serve("drop-on-publish").await;
    let run = at(&served).args(["--timeout=20s"]).run().await;
    expect_error(
        &run,
        "E-PUB-DROPPED",
        &[
            "after PUBLISH on \"test/topic\", three times",
            "iot:Publish",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keepalive() {
    // The sandbox's clock runs 30 times as fast, so that a keep alive of 30 s ends in a second.
    let served = serve_fast("no-pingresp", 30).await;
    let run = at(&served)
        .args([
            "--keep-alive=30",
            "--ping-timeout=200ms",
            "--interval=20s",
            "--reconnect=0",
        ])
        .run()
        .await;
    expect_error(
        &run,
        "E-KEEPALIVE",
        &[
            "no PINGRESP within 200 ms",
            "a shorter --keep-alive will not help",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected() {
    let served = serve("disconnect=0x8b@300ms").await;
    let run = at(&served)
        .args(["--interval=20s", "--reconnect=0"])
        .run()
        .await;
    expect_error(
        &run,
        "E-DISCONNECTED",
        &[
            "Server shutting down (DISCONNECT 0x8B)",
            "after CONNACK",
            "again in a minute",
        ],
    );
    assert!(
        run.stdout
            .contains("Lifecycle Disconnected with reason code:139\n"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_over() {
    let served = serve("disconnect=0x8e@300ms").await;
    let run = at(&served).args(["--interval=20s"]).run().await;
    expect_error(
        &run,
        "E-TAKEN-OVER",
        &[
            "same client id \"mqtt5-sample-",
            "(DISCONNECT 0x8E)",
            "not reconnecting",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost() {
    let served = serve("reset@300ms").await;
    let run = at(&served)
        .args(["--interval=20s", "--reconnect=0"])
        .run()
        .await;
    expect_error(&run, "E-LOST", &["after CONNACK", "localhost:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connack_timeout() {
    let served = serve("silent").await;
    let run = at(&served)
        .args(["--timeout=1s", "--reconnect=0"])
        .run()
        .await;
    expect_error(
        &run,
        "E-CONNACK-TIMEOUT",
        &["did not answer CONNECT within 1 s", "CONNECT was sent"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ack_timeout() {
    let served = serve("no-puback").await;
    let run = at(&served).args(["--timeout=1s"]).run().await;
    expect_error(
        &run,
        "E-ACK-TIMEOUT",
        &[
            "no acknowledgement of PUBLISH on \"test/topic\" within 1 s",
            "acknowledged 0",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn not_received() {
    let served = serve("no-deliver").await;
    let run = at(&served).args(["--timeout=1s"]).run().await;
    expect_error(
        &run,
        "E-NOT-RECEIVED",
        &[
            "published 2, acknowledged 2, received 0 within 1 s",
            "not iot:Receive on topic/",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol() {
    let served = serve("malformed").await;
    expect_error(
        &at(&served).run().await,
        "E-PROTOCOL",
        &["the server broke the protocol: ", "a bug of the server"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_no_error() {
    let served = serve("delay=500ms").await;
    let run = at(&served).args(["--timeout=20s"]).run().await;
    run.exits(0);
    assert!(run.took >= Duration::from_secs(2), "{:?}", run.took);
}
