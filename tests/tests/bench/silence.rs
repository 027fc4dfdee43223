//! `bench sub` to whose topic nobody publishes.

use serde_json::json;

use super::{bench, expect_counts, report, serve};

#[tokio::test(flavor = "multi_thread")]
async fn sub_without_a_publisher_says_what_it_waits_for_and_ends_after_the_timeout() {
    let served = serve(&[]).await;
    let run = bench(&served, &["sub", "--count=5", "--timeout=4s"])
        .run()
        .await;
    run.exits(9);
    expect_counts(
        &report(&run),
        &json!({"connected": 1, "received": 0, "exit_code": 9}),
    );
    let waiting: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("waiting: "))
        .collect();
    let [waiting] = waiting[..] else {
        panic!("{}", run.stderr);
    };
    assert!(
        waiting.starts_with("waiting: received 0 of 5 messages on \"dunlin/bench/#\""),
        "{waiting}"
    );
    assert!(
        run.stderr
            .contains("error[E-NOT-RECEIVED]: none of 5 messages was received within 4"),
        "{}",
        run.stderr
    );
    assert!(
        (4..15).contains(&run.took.as_secs()),
        "as long as the flag says: {:?}",
        run.took
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_ends_by_the_timeout_only_after_so_long_without_a_message() {
    let served = serve(&[]).await;
    let child = bench(&served, &["sub", "--count=12", "--timeout=2s"]).spawn();
    // Publishing takes longer than --timeout, but is never silent for so long. The first messages
    // may come before the subscription.
    bench(&served, &["pub", "--count=12", "--rate=2"])
        .run()
        .await
        .exits(0);
    let report = report(&dunlin_tests::Finished::wait_for(child).await);
    assert!(report["received"].as_u64().unwrap() >= 7, "{report:#}");
}
