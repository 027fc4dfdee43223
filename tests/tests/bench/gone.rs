//! Servers that close connections or go away while a load runs.

use std::time::Duration;

use dunlin_tests::dunlin;
use serde_json::json;

use super::{bench, expect_counts, report, serve};

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closes_are_counted_by_code_and_exit_with_8() {
    for verb in ["connect", "sub"] {
        let served = serve(&["disconnect=0x8b@300ms"]).await;
        let run = dunlin([
            "bench",
            verb,
            "--json",
            "--clients=3",
            "--duration=2s",
            "--reconnect=0",
        ])
        .connecting_to(&served.sandbox)
        .run()
        .await;
        run.exits(8);
        let report = report(&run);
        expect_counts(&report, &json!({"connected": 3, "exit_code": 8}));
        assert_eq!(
            report["errors"],
            json!({"DISCONNECT 0x8b Server shutting down": 3}),
            "{report:#}"
        );
        assert!(run.stderr.contains("connections end: "), "{}", run.stderr);
        assert!(
            run.stderr.contains("error[E-DISCONNECTED]: "),
            "{}",
            run.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duration_ends_a_load_whose_server_is_gone() {
    for verb in ["pub", "pubsub"] {
        let served = serve(&[]).await;
        let child = bench(
            &served,
            &[verb, "--clients=2", "--duration=2s", "--rate=20"],
        )
        .spawn();
        tokio::time::sleep(Duration::from_secs(1)).await;
        served.sandbox.stop().await;
        let run = dunlin_tests::Finished::wait_for(child).await;
        run.exits(8);
        assert!(
            report(&run)["errors"]
                .as_object()
                .is_some_and(|errors| !errors.is_empty())
        );
        assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
    }
}
