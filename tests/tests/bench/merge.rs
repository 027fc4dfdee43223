//! `dunlin bench merge`: reports of several machines.

use std::fs;

use dunlin_tests::dunlin;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{bench, expect_counts, report, serve};

/// Number of durations in the buckets of a histogram.
fn durations(report: &Value, stage: &str) -> u64 {
    let buckets = report["histograms"][stage].as_array().unwrap();
    buckets
        .iter()
        .map(|bucket| bucket[1].as_u64().unwrap())
        .sum()
}

/// All buckets of several reports, added.
fn summed_buckets(reports: &[&Value], stage: &str) -> std::collections::BTreeMap<u64, u64> {
    let mut sum = std::collections::BTreeMap::new();
    for report in reports {
        for bucket in report["histograms"][stage].as_array().unwrap() {
            *sum.entry(bucket[0].as_u64().unwrap()).or_default() += bucket[1].as_u64().unwrap();
        }
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_added_and_their_histograms_lose_nothing() {
    let served = serve(&[]).await;
    let folder = TempDir::new().unwrap();
    let mut reports = Vec::new();
    for (name, words) in [
        ("a.json", ["pubsub", "--clients=2", "--count=100"]),
        ("b.json", ["pubsub", "--clients=3", "--count=50"]),
    ] {
        let run = bench(&served, &words).run().await;
        run.exits(0);
        fs::write(folder.path().join(name), &run.stdout).unwrap();
        reports.push(report(&run));
    }
    let files = ["a.json", "b.json"].map(|name| folder.path().join(name));
    let run = dunlin(["bench", "merge", "--json"])
        .args(&files)
        .run()
        .await;
    run.exits(0);
    let merged = report(&run);
    expect_counts(
        &merged,
        &json!({
            "v": 1, "event": "bench", "verb": "pubsub", "connected": 5, "sent": 150, "acknowledged": 150,
            "received": 150, "lost": 0, "errors": {}, "exit_code": 0,
        }),
    );
    assert_eq!(merged["load"]["clients"], 5);
    assert_eq!(merged["merged"].as_array().unwrap().len(), 2);
    for (stage, count) in [
        ("connect_us", 5),
        ("acknowledge_us", 150),
        ("end_to_end_us", 150),
    ] {
        assert_eq!(durations(&merged, stage), count, "{stage}");
        assert_eq!(
            summed_buckets(&[&merged], stage),
            summed_buckets(&[&reports[0], &reports[1]], stage),
            "{stage}"
        );
    }
    assert_eq!(merged["end_to_end_ms"]["count"], 150);
    let slowest = reports
        .iter()
        .map(|report| report["end_to_end_ms"]["max"].as_f64().unwrap())
        .fold(0.0, f64::max);
    assert_eq!(merged["end_to_end_ms"]["max"], slowest);

    // As a table, and of a merged report again.
    let again = folder.path().join("ab.json");
    fs::write(&again, &run.stdout).unwrap();
    let run = dunlin(["bench", "merge"])
        .args([&again, &files[0]])
        .run()
        .await;
    run.exits(0);
    for words in [
        "merged        3 reports",
        "sent          250 (",
        "end to end",
    ] {
        assert!(run.stdout.contains(words), "{words:?} in\n{}", run.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_all_machines_are_added() {
    let served = serve(&[]).await;
    let folder = TempDir::new().unwrap();
    for name in ["a.json", "b.json"] {
        let run = bench(&served, &["pub", "--count=2", "--topic=forbidden"])
            .run()
            .await;
        run.exits(7);
        fs::write(folder.path().join(name), &run.stdout).unwrap();
    }
    let run = dunlin(["bench", "merge", "--json"])
        .args(["a.json", "b.json"].map(|name| folder.path().join(name)))
        .run()
        .await;
    run.exits(0);
    expect_counts(
        &report(&run),
        &json!({
            "sent": 4, "refused": 4, "lost": 0, "exit_code": 7,
            "errors": {"PUBACK 0x87 Not authorized": 4},
        }),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_merged_are_named() {
    let served = serve(&[]).await;
    let folder = TempDir::new().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let run = dunlin(["bench", "connect", "--json"])
        .connecting_to(&served.sandbox)
        .run()
        .await;
    let connect = file("connect.json", &run.stdout);
    let run = bench(&served, &["pub", "--count=1"]).run().await;
    let publish = file("pub.json", &run.stdout);
    let mut old: Value = serde_json::from_str(&run.stdout).unwrap();
    old.as_object_mut().unwrap().remove("histograms");
    let old = file("old.json", &old.to_string());
    let other = file("other.json", "{}");
    let missing = folder.path().join("missing.json");
    for (second, words) in [
        (&connect, "is a report of connect"),
        (&old, "has no histograms"),
        (&other, "not a report of a load test"),
        (&missing, "can't be read"),
    ] {
        let run = dunlin(["bench", "merge"])
            .args([&publish, second])
            .run()
            .await;
        run.exits(2);
        let line = run.error_line();
        assert!(line.contains(words), "{line}");
        assert!(
            line.contains(second.file_name().unwrap().to_str().unwrap()),
            "{line}"
        );
    }
}
