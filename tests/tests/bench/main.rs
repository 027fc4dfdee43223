//! `dunlin bench`: what it counts, how it ends, what it refuses.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't be set up fails"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the server of a test answers after real time"
)]

mod failing;
mod fleet;
mod gone;
mod merge;
mod nagle;
mod raw;
mod refused;
mod silence;

use std::time::Duration;

use dunlin_sandbox::{Answer, Authorizer, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Mosquitto, Tool, dunlin};
#[cfg(unix)]
use dunlin_tests::{Signal, send_signal};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

struct Served {
    sandbox: Sandbox,
    _state: TempDir,
}

/// Sandbox with faults, which allows everything but publishing to `forbidden/..`.
async fn serve(faults: &[&str]) -> Served {
    let state = TempDir::new().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iot:Publish", "Resource": "arn:aws:iot:eu-west-1:1:topic/forbidden/*"},
    ]});
    let authorizer = Authorizer::new("Anybody", Lambda::Static(Answer::allow("anybody", policy)));
    let options = SandboxOptions {
        port: 0,
        state_dir: Some(state.path().into()),
        authorizers: vec![authorizer],
        default_authorizer: Some("Anybody".into()),
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..SandboxOptions::default()
    };
    Served {
        sandbox: Sandbox::start(options).await.unwrap(),
        _state: state,
    }
}

/// Load test with short timeouts.
fn bench(served: &Served, words: &[&str]) -> Tool {
    dunlin(["bench"])
        .args(words)
        .connecting_to(&served.sandbox)
        .args(["--json", "--drain=500ms", "--connect-rate=0"])
}

fn report(run: &Finished) -> Value {
    assert_eq!(
        run.stdout.lines().count(),
        1,
        "{}{}",
        run.stdout,
        run.stderr
    );
    serde_json::from_str(&run.stdout).unwrap()
}

#[track_caller]
fn expect_counts(report: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&report[name], value, "{name} in {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pubsub_receives_each_message_once_and_in_order() {
    let served = serve(&[]).await;
    let run = bench(&served, &["pubsub", "--clients=3", "--count=100"])
        .run()
        .await;
    run.exits(0);
    let report = report(&run);
    expect_counts(
        &report,
        &json!({
            "v": 1, "event": "bench", "verb": "pubsub", "connected": 3, "sent": 100, "acknowledged": 100,
            "received": 100, "lost": 0, "duplicated": 0, "out_of_order": 0, "errors": {}, "exit_code": 0,
        }),
    );
    for stage in ["connect_ms", "acknowledge_ms", "end_to_end_ms"] {
        let at = |quantile: &str| report[stage][quantile].as_f64().unwrap();
        assert!(
            at("p50") > 0.0 && at("p50") <= at("p99") && at("p99") <= at("max"),
            "{report:#}"
        );
    }
    assert_eq!(
        (
            &report["connect_ms"]["count"],
            &report["end_to_end_ms"]["count"]
        ),
        (&json!(3), &json!(100))
    );
    assert_eq!(report["load"]["in_flight"], 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_count_acknowledgements_and_subscribers_count_messages() {
    let served = serve(&[]).await;
    let listening = bench(
        &served,
        &["sub", "--clients=2", "--count=50", "--topic=a/#"],
    )
    .spawn();
    sleep(Duration::from_millis(500)).await;
    let run = bench(
        &served,
        &["pub", "--count=50", "--topic=a", "--client-id=publisher"],
    )
    .run()
    .await;
    run.exits(0);
    expect_counts(
        &report(&run),
        &json!({"sent": 50, "acknowledged": 50, "received": null, "lost": 0}),
    );
    let run = Finished::wait_for(listening).await;
    run.exits(0);
    expect_counts(
        &report(&run),
        &json!({"connected": 2, "sent": 0, "received": 100, "lost": 0, "duplicated": 0}),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered() {
    let served = serve(&[]).await;
    let run = bench(
        &served,
        &["request", "--clients=2", "--count=20", "--in-flight=4"],
    )
    .run()
    .await;
    run.exits(0);
    expect_counts(
        &report(&run),
        &json!({"connected": 3, "sent": 20, "received": 20, "lost": 0, "errors": {}}),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_messages_are_counted_and_change_the_exit_code() {
    let served = serve(&["no-deliver"]).await;
    let run = bench(&served, &["pubsub", "--count=10"]).run().await;
    run.exits(9);
    expect_counts(
        &report(&run),
        &json!({"sent": 10, "acknowledged": 10, "received": 0, "lost": 10, "exit_code": 9}),
    );
    assert!(
        run.stderr
            .contains("error[E-NOT-RECEIVED]: 10 of 10 messages were not received"),
        "{}",
        run.stderr
    );

    let served = serve(&["no-puback"]).await;
    let run = bench(&served, &["pub", "--count=10"]).run().await;
    run.exits(9);
    expect_counts(
        &report(&run),
        &json!({"sent": 10, "acknowledged": 0, "lost": 10}),
    );
    assert!(
        run.stderr
            .contains("error[E-ACK-TIMEOUT]: 10 of 10 messages were not acknowledged"),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_keeps_its_rate() {
    let served = serve(&[]).await;
    let run = bench(&served, &["pub", "--clients=2", "--rate=100", "--count=50"])
        .run()
        .await;
    run.exits(0);
    let report = report(&run);
    assert!(
        report["seconds"].as_f64().unwrap() >= 0.48,
        "the last of 50 is due after 0.49 s: {report:#}"
    );
    assert_eq!(report["load"]["rate"], 100.0);
    let run = bench(&served, &["pub", "--rate=100", "--duration=300ms"])
        .run()
        .await;
    run.exits(0);
    expect_counts(&self::report(&run), &json!({"sent": 30}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_output_is_a_table() {
    let served = serve(&[]).await;
    let run = dunlin(["bench", "pubsub", "--count=10"])
        .connecting_to(&served.sandbox)
        .run()
        .await;
    run.exits(0);
    for words in [
        "pubsub against localhost:",
        "(TLS)",
        "lost          0",
        "milliseconds",
        "p99.9",
        "end to end",
    ] {
        assert!(run.stdout.contains(words), "{words:?} in\n{}", run.stdout);
    }
    assert_eq!(run.stderr, "", "nobody watches a pipe");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_reports_its_results_so_far() {
    let served = serve(&[]).await;
    let child = bench(&served, &["pubsub", "--rate=100", "--duration=60s"]).spawn();
    sleep(Duration::from_secs(2)).await;
    send_signal(child.id().unwrap(), Signal::INT);
    let run = Finished::wait_for(child).await;
    run.exits(130);
    let report = report(&run);
    assert!(
        report["sent"].as_u64().unwrap() > 0 && report["exit_code"] == 130,
        "{report:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_runs_against_any_mqtt_5_server() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let endpoint = format!("mqtts://localhost:{}", broker.address().port());
    let run = dunlin([
        "bench",
        "pubsub",
        "--json",
        "--qos=2",
        "--clients=2",
        "--count=100",
    ])
    .args([
        "--endpoint",
        &endpoint,
        "--auth-username",
        Mosquitto::USER,
        "--ca",
    ])
    .args([broker.ca()])
    .env("DUNLIN_AUTH_PASSWORD", Mosquitto::PASSWORD)
    .run()
    .await;
    run.exits(0);
    let report = report(&run);
    expect_counts(
        &report,
        &json!({"received": 100, "lost": 0, "duplicated": 0, "out_of_order": 0}),
    );
}
