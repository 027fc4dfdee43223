//! Runs that the server denies, breaks or restarts.

use std::time::Duration;

use dunlin_sandbox::{Sandbox, SandboxOptions};
use dunlin_tests::{Finished, dunlin};

use super::{Served, read_until, sample, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_outside_the_policy_publishes_nothing_and_stops_cleanly() {
    let served = serve(&[]).await;
    let run = sample(&served).args(["--topic", "other/topic"]).run().await;
    run.exits(7);
    assert!(
        run.stdout.contains(
            "Suback received with reason code:[<SubackReasonCode.NOT_AUTHORIZED: 135>]\n"
        )
    );
    assert!(
        run.stdout.ends_with("==== Client Stopped! ====\n"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("Publishing"), "{}", run.stdout);
    assert!(
        run.error_line()
            .contains("iot:Subscribe on topicfilter/other/topic"),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_within_seconds_with_the_reason_of_the_server() {
    let served = serve(&[]).await;
    let run = dunlin([
        "unsigned",
        "--authorizer_name",
        "DemoUnsigned",
        "--auth_username",
        "demo",
        "--auth_password",
        "no",
    ])
    .connecting_to(&served.sandbox)
    .run()
    .await;
    run.exits(5);
    let line = run.error_line();
    assert!(
        line.contains("CONNACK 0x87") && line.contains("the server's reason: \""),
        "{}",
        run.stderr
    );
    assert!(run.took < Duration::from_secs(5));
    assert!(run.stdout.contains(
        "Lifecycle Connection Failure with exception:AWS_ERROR_MQTT5_CONNACK_CONNECTION_REFUSED: "
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_opened_again() {
    let served = serve(&["reset@400ms"]).await;
    // Each connection lasts 400 ms: the first ends in the pause, the second sees the end of the
    // run.
    let run = sample(&served)
        .args(["--count", "2", "--interval", "1500ms", "--timeout", "10s"])
        .run()
        .await;
    assert!(
        run.stdout.matches("Lifecycle Connection Success").count() >= 2,
        "{}\n{}",
        run.stdout,
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_reported_in_order_and_a_refused_resubscription_is_named() {
    for (fault, code) in [(None, 0), (Some("suback=0x87"), 7)] {
        let first = serve(&[]).await;
        let port = first.sandbox.port();
        let mut child = sample(&first)
            .args(["--count", "2", "--interval", "1s", "--timeout", "20s"])
            .spawn();
        let mut seen = read_until(&mut child, "PubAck received").await;
        let Served { sandbox, state } = first;
        // The first server shuts down in the pause after the first message.
        sandbox.stop().await;
        let second = SandboxOptions {
            port,
            state_dir: Some(state.path().into()),
            faults: fault.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..SandboxOptions::default()
        };
        let _second = Sandbox::start(second).await.unwrap();
        let run = Finished::wait_for(child).await;
        run.exits(code);
        seen.push_str(&run.stdout);
        let (_, after) = seen
            .split_once("Lifecycle Disconnected with reason code:139\n")
            .unwrap();
        // Nothing is acknowledged between the loss and the new connection.
        let (connecting, _) = after.split_once("Lifecycle Connection Success").unwrap();
        assert!(!connecting.contains("PubAck"), "{seen}");
        assert!(
            !run.stderr.contains("nothing was published"),
            "{}",
            run.stderr
        );
    }
}
