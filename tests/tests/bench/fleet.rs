//! `dunlin bench fleet`: connections, a trickle, and a server that goes away.

use dunlin_tests::dunlin;
use serde_json::json;

use super::{report, serve};

const SHORT: [&str; 4] = [
    "--clients=20",
    "--duration=1s",
    "--interval=500ms",
    "--connect-rate=0",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_connects_publishes_and_reconnects_when_its_server_restarts() {
    let run = dunlin(["bench", "fleet", "--json"]).args(SHORT).run().await;
    run.exits(0);
    let report = report(&run);
    assert_eq!(report["connect"]["connected"], 20);
    assert_eq!(
        (&report["publish"]["sent"], &report["publish"]["lost"]),
        (&json!(40), &json!(0))
    );
    assert_eq!(report["reconnect"]["connected"], 20, "{report:#}");
    assert_eq!(report["reconnect"]["ms"]["count"], 20);
    if cfg!(target_os = "linux") {
        assert!(
            report["server_process"]["resident_kib"].as_u64().unwrap() > 1000,
            "{report:#}"
        );
        assert!(report["memory_each_kib"].as_f64().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_external_server_the_devices_disconnect_and_reconnect() {
    let served = serve(&[]).await;
    let run = dunlin(["bench", "fleet", "--json"])
        .args(SHORT)
        .connecting_to(&served.sandbox)
        .run()
        .await;
    run.exits(0);
    let report = report(&run);
    assert_eq!(
        (
            &report["connect"]["connected"],
            &report["reconnect"]["connected"]
        ),
        (&json!(20), &json!(20))
    );
    assert_eq!(report["server_process"], json!(null));
}

/// A limit on the size of files stands for a full disk.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_once_with_one_suggestion() {
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" bench fleet --clients=1";
    let run = tokio::process::Command::new(dunlin_tests::system_program("sh"))
        .args(["-c", script])
        .arg(dunlin_tests::tool_path())
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.matches("error[").count(), 1, "{stderr}");
    assert_eq!(stderr.matches("try:").count(), 1, "{stderr}");
    assert!(
        stderr.contains("export TMPDIR=") && !stderr.contains("DUNLIN_STATE_DIR"),
        "{stderr}"
    );
}
