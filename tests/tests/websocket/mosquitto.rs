//! Mosquitto over WebSocket, with and without TLS.

use dunlin_tests::{Mosquitto, Tool, dunlin};

/// A verb with the password of the broker.
fn verb(name: &str, broker: &Mosquitto, scheme: &str) -> Tool {
    let address = broker.websocket_address(scheme == "wss");
    let tool = dunlin([name, "-u", Mosquitto::USER, "--timeout=10s", "-H"])
        .args([format!("{scheme}://localhost:{}", address.port())])
        .env("DUNLIN_PASSWORD", Mosquitto::PASSWORD);
    match scheme {
        "wss" => tool.args(["--ca", broker.ca().to_str().unwrap()]),
        _ => tool,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_through_mosquitto_over_websocket() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    for scheme in ["ws", "wss"] {
        // A retained message, so that the order of the two doesn't matter; larger than one frame of
        // mosquitto.
        let topic = format!("lamp/{scheme}");
        let message = "x".repeat(100_000);
        let published = verb("pub", &broker, scheme)
            .args(["-t", &topic, "-q", "1", "-r", "-m", &message])
            .run()
            .await;
        published.exits(0);

        let received = verb("sub", &broker, scheme)
            .args(["-t", &topic, "-q", "1", "-C", "1"])
            .run()
            .await;
        received.exits(0);
        assert_eq!(received.stdout.trim_end(), message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_refuses_a_wrong_password_over_websocket() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let run = verb("connect", &broker, "ws")
        .args(["--duration=0", "--reconnect=0"])
        .env("DUNLIN_PASSWORD", "wrong")
        .run()
        .await;
    run.exits(5);
    assert!(run.stderr.contains("E-AUTH-DENIED"), "{}", run.stderr);
}
