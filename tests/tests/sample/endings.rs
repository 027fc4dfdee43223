//! Ends by signals, and by readers that close the pipe.

use std::time::Duration;

use dunlin_tests::{Finished, Signal, dunlin, send_signal};
use tokio::process::Child;

use super::{read_until, sample, serve};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_ends_the_run_cleanly_with_its_own_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        // One of its own for each: a client id may connect once a second.
        let served = serve(&[]).await;
        let mut child = sample(&served)
            .args(["--count", "0", "--interval", "10s"])
            .spawn();
        let mut seen = read_until(&mut child, "PubAck received").await;
        kill(&child, signal);
        let run = Finished::wait_for(child).await;
        run.exits(code);
        // Output from the beginning to the end of the process.
        seen.push_str(&run.stdout);
        assert!(
            seen.contains("==== Sending messages until program killed ===="),
            "{seen}"
        );
        assert!(
            seen.contains("Unsubscribed with [<UnsubackReasonCode.SUCCESS: 0>]"),
            "{seen}"
        );
        assert!(seen.ends_with("==== Client Stopped! ====\n"), "{seen}");
        assert_eq!(run.stderr, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_connection_ends_the_run() {
    let served = serve(&["silent"]).await;
    let mut child = sample(&served).spawn();
    read_until(&mut child, "Connecting to endpoint").await;
    kill(&child, Signal::TERM);
    Finished::wait_for(child).await.exits(143);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_arrives_twice_at_once_ends_the_run_cleanly() {
    for _ in 0..3 {
        let served = serve(&[]).await;
        let mut child = sample(&served)
            .args(["--count", "0", "--interval", "10s"])
            .spawn();
        read_until(&mut child, "PubAck received").await;
        kill(&child, Signal::TERM);
        kill(&child, Signal::TERM);
        let run = Finished::wait_for(child).await;
        run.exits(143);
        assert!(
            run.stdout.ends_with("==== Client Stopped! ====\n"),
            "{}",
            run.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_that_is_ignored_at_the_start_stays_ignored() {
    let served = serve(&[]).await;
    let mut child = sample(&served)
        .args(["--count", "0", "--interval", "10s"])
        .under_nohup()
        .spawn();
    read_until(&mut child, "PubAck received").await;
    kill(&child, Signal::HUP);
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill(&child, Signal::TERM);
    Finished::wait_for(child).await.exits(143);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_delays_no_signal_and_no_time_out() {
    let served = serve(&["no-deliver"]).await;
    // More than a pipe holds, and nobody reads.
    let long = "x".repeat(100_000);
    let child = sample(&served)
        .args(["--count", "3", "--message", &long, "--timeout", "1s"])
        .spawn();
    let mut child = child;
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await;
    assert_eq!(
        ended.expect("it ends by its time-out").unwrap().code(),
        Some(9)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_run_at_once() {
    let served = serve(&["no-puback", "delay=2s"]).await;
    let mut child = sample(&served).args(["--timeout", "20s"]).spawn();
    read_until(&mut child, "Publishing").await;
    kill(&child, Signal::INT);
    // A repetition within half a second is the same signal.
    kill(&child, Signal::INT);
    tokio::time::sleep(Duration::from_millis(700)).await;
    kill(&child, Signal::INT);
    let run = Finished::wait_for(child).await;
    run.exits(130);
    assert!(!run.stdout.contains("Client Stopped!"), "{}", run.stdout);
    assert!(run.took < Duration::from_secs(1), "{:?}", run.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_closes_the_pipe_is_no_error() {
    let served = serve(&[]).await;
    let mut child = sample(&served)
        .args(["--count", "0", "--interval", "50ms"])
        .spawn();
    read_until(&mut child, "PubAck received").await;
    drop(child.stdout.take());
    let run = Finished::wait_for(child).await;
    run.exits(0);
    assert_eq!(run.stderr, "");

    let mut demo = dunlin(["demo"]).spawn();
    read_until(&mut demo, "Starting client").await;
    drop(demo.stdout.take());
    let run = Finished::wait_for(demo).await;
    run.exits(0);
    assert!(!run.stderr.contains("both samples ran"), "{}", run.stderr);
}

fn kill(child: &Child, signal: Signal) {
    send_signal(child.id().unwrap(), signal);
}
