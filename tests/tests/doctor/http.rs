//! `dunlin doctor --transport http`: a good run, and each fault of the sandbox that changes HTTP.

use dunlin_tests::{Tool, dunlin};

use super::{Served, has_no_secret, objects, serve, stages};

/// `dunlin doctor` over HTTPS at a sandbox.
fn doctor(served: &Served) -> Tool {
    let url = format!("https://localhost:{}", served.sandbox.https_port().unwrap());
    dunlin(["doctor", "--json", "-H", &url, "--ca"])
        .args([&served.sandbox.ready().ca])
        .args(["--timeout=2s", "--connect-timeout=2s"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_run_over_http_passes_every_stage() {
    let served = serve(&[]).await;
    let run = doctor(&served).args(["-t=test/topic"]).run().await;
    run.exits(0);
    assert_eq!(stages(&run, "passed"), "flags dns tcp tls http publish");
    let lines = objects(&run);
    let http = lines.iter().find(|line| line["stage"] == "http").unwrap();
    assert_eq!(http["details"]["status"], 200);
    assert!(http["details"]["request_id"].is_string());
    let summary = lines.last().unwrap();
    assert_eq!(
        (&summary["sent"], &summary["acked"]),
        (&1.into(), &1.into())
    );
}

/// Fault, flags, stage that fails, error id and exit code.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    i32,
);

const ROWS: [Row; 9] = [
    ("cert=unknown-ca", &[], "tls", "E-TLS-CA", 4),
    ("cert=wrong-host", &[], "tls", "E-TLS-NAME", 4),
    ("cert=expired", &[], "tls", "E-TLS-EXPIRED", 4),
    ("cert=notyet", &[], "tls", "E-TLS-TIME", 4),
    ("puback=0x87", &[], "publish", "E-HTTP-UNAVAILABLE", 6),
    // Faults of MQTT change nothing.
    ("no-deliver", &[], "", "-", 0),
    // An authorizer that refuses, and a topic that the service doesn't take.
    (
        "",
        &["--authorizer-name=Canary"],
        "publish",
        "E-HTTP-DENIED",
        5,
    ),
    (
        "",
        &["--topic=a/b/c/d/e/f/g/h/i"],
        "publish",
        "E-HTTP-REFUSED",
        7,
    ),
    // The flags.
    ("", &["--all"], "flags", "E-USAGE", 2),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_that_changes_http_stops_its_stage() {
    for (fault, flags, stage, id, exit) in ROWS {
        let faults: Vec<&str> = fault.split_whitespace().collect();
        let served = serve(&faults).await;
        let run = doctor(&served)
            .args(["-t=test/topic"])
            .args(flags)
            .run()
            .await;
        println!("{fault:<20} {stage:<10} {id:<20} {exit:>4}");
        run.exits(exit);
        has_no_secret(&run);
        assert_eq!(stages(&run, "failed"), stage, "{fault}\n{}", run.stdout);
        if id != "-" {
            let start = format!("error[{id}]: ");
            assert!(run.stderr.contains(&start), "{}", run.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_does_not_speak_http_fails_at_the_request() {
    let served = serve(&[]).await;
    let url = format!("http://localhost:{}", served.sandbox.plain_port().unwrap());
    let run = dunlin(["doctor", "--json", "-H", &url, "-t=t", "--timeout=2s"])
        .run()
        .await;
    assert_eq!(stages(&run, "failed"), "http", "{}", run.stdout);
    assert_eq!(stages(&run, "passed"), "flags dns tcp");
}
