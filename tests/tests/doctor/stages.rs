//! The stages: all of them in a good run, and the one that each fault of the sandbox stops.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_sandbox::Fault;
use dunlin_tests::{Finished, dunlin};
use tokio::net::TcpListener;

use super::{Served, at, doctor, has_no_secret, objects, serve, stages};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_run_passes_every_stage() {
    let served = serve(&[]).await;
    let run = at(&served).run().await;
    println!("{}", run.stdout);
    run.exits(0);
    has_no_secret(&run);
    let marks: Vec<&str> = run
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("✔ ")?.split_whitespace().next())
        .collect();
    assert_eq!(
        marks.join(" "),
        "flags dns tcp tls connect subscribe publish receive ping"
    );
    for words in [
        "password 11 bytes",
        "days left, ALPN mqtt",
        "names localhost",
        "key ECDSA P-256",
        "CONNACK 0x00, receive maximum 100, maximum QoS 1 ",
        "packets up to 149504 B, client id",
        "SUBACK 0x01, granted QoS 1 on \"test/topic\"",
        "our own message",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
    fits_80_columns(&run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_websocket_the_upgrade_is_a_stage() {
    let served = serve(&[]).await;
    let over = |path: &str| {
        let port = served.sandbox.ready().wss_port.unwrap();
        doctor()
            .args([format!("--endpoint=wss://localhost:{port}{path}")])
            .args(["--ca".as_ref(), served.sandbox.ca_path().as_os_str()])
            .args(["--json"])
    };
    let run = over("/mqtt").run().await;
    run.exits(0);
    has_no_secret(&run);
    assert_eq!(
        stages(&run, "passed"),
        "flags dns tcp tls websocket connect subscribe publish receive ping"
    );
    // The sandbox has MQTT at one path.
    let run = over("/other").run().await;
    run.exits(6);
    assert_eq!(stages(&run, "failed"), "websocket");
    let lines = objects(&run);
    let error = lines.iter().find(|line| line["event"] == "error");
    assert_eq!(error.unwrap()["id"], "E-UPGRADE");
}

/// Checks that no line is wider than a terminal of 80 columns.
fn fits_80_columns(output: &str) {
    for line in output.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_one_object_for_each_stage_and_then_the_summary() {
    let served = serve(&[]).await;
    let run = at(&served).args(["--json"]).run().await;
    run.exits(0);
    has_no_secret(&run);
    assert_eq!(
        stages(&run, "passed"),
        "flags dns tcp tls connect subscribe publish receive ping"
    );
    let lines = objects(&run);
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[3]["details"]["alpn_selected"], "mqtt");
    assert_eq!(lines[4]["details"]["receive_maximum"], 100);
    let summary = lines.last().unwrap();
    assert_eq!(
        (
            &summary["sent"],
            &summary["received"],
            &summary["exit_code"]
        ),
        (&1.into(), &1.into(), &0.into())
    );
}

/// Fault, flags beyond the usual ones, stage that fails, error id and exit code.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    i32,
);

const FAULTS: [Row; 23] = [
    ("cert=unknown-ca", &[], "tls", "E-TLS-CA", 4),
    ("cert=wrong-host", &[], "tls", "E-TLS-NAME", 4),
    ("cert=expired", &[], "tls", "E-TLS-EXPIRED", 4),
    ("cert=notyet", &[], "tls", "E-TLS-TIME", 4),
    ("no-alpn", &[], "connect", "E-ALPN", 4),
    ("connack=0x87", &[], "connect", "E-AUTH-DENIED", 5),
    ("connack=0x89", &[], "connect", "E-CONN-REFUSED", 6),
    ("drop-on-connect", &[], "connect", "E-HANGUP", 5),
    ("silent", &[], "connect", "E-CONNACK-TIMEOUT", 9),
    ("malformed", &[], "connect", "E-PROTOCOL", 10),
    ("suback=0x87", &[], "subscribe", "E-SUB-DENIED", 7),
    ("drop-on-subscribe", &[], "subscribe", "E-SUB-DROPPED", 7),
    ("puback=0x87", &[], "publish", "E-PUB-DENIED", 7),
    ("drop-on-publish", &[], "publish", "E-PUB-DROPPED", 7),
    ("no-puback", &[], "publish", "E-ACK-TIMEOUT", 9),
    ("no-deliver", &[], "receive", "E-NOT-RECEIVED", 9),
    ("no-pingresp", &[], "ping", "E-KEEPALIVE", 8),
    // The connection ends while the message is waited for.
    (
        "disconnect=0x8b@500ms no-deliver",
        &[],
        "receive",
        "E-DISCONNECTED",
        8,
    ),
    (
        "disconnect=0x8e@500ms no-deliver",
        &[],
        "receive",
        "E-TAKEN-OVER",
        8,
    ),
    ("reset@500ms no-deliver", &[], "receive", "E-LOST", 8),
    ("proxy=407", &[], "proxy", "E-PROXY", 3),
    // A policy of the authorizer, not a fault: the sample policy has one topic.
    ("", &["--topic=other/topic"], "subscribe", "E-SUB-DENIED", 7),
    ("delay=50ms", &[], "", "-", 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_sandbox_stops_its_stage() {
    println!("{:<36} {:<11} {:<18} exit", "fault", "stage", "id");
    let mut provoked = BTreeSet::new();
    for (faults, flags, stage, id, exit) in FAULTS {
        let words: Vec<&str> = faults.split_whitespace().collect();
        let served = serve(&words).await;
        // A port of a proxy speaks HTTP: it is the proxy on the way to another server.
        let tool = if faults.starts_with("proxy") {
            let proxy = format!("http://localhost:{}", served.sandbox.port());
            doctor().args(["--endpoint=iot.example", "--proxy", &proxy])
        } else {
            at(&served)
        };
        let run = tool.args(flags).args(["--json"]).run().await;
        println!("{faults:<36} {stage:<11} {id:<18} {exit:>4}");
        run.exits(exit);
        has_no_secret(&run);
        assert_eq!(stages(&run, "failed"), stage, "{faults}\n{}", run.stdout);
        check_error(&run, faults, id, exit);
        provoked.extend(words.iter().map(|fault| kind(fault)));
    }
    // A new fault needs a row.
    let all: BTreeSet<String> = Fault::spellings().map(kind).collect();
    assert_eq!(provoked, all);
}

/// Name of a fault, without its value and time, but with the kind of a certificate.
fn kind(fault: &str) -> String {
    let name = fault.split(['[', '@', ':']).next().unwrap_or(fault);
    match name.split_once('=') {
        Some(("cert", _)) | None => name.to_owned(),
        Some((name, _)) => name.to_owned(),
    }
}

/// The stage, the error line and standard error name the same id; what comes after is skipped.
#[track_caller]
fn check_error(run: &Finished, faults: &str, id: &str, exit: i32) {
    let lines = objects(run);
    let failed = lines.iter().find(|line| line["status"] == "failed");
    let error = lines.iter().find(|line| line["event"] == "error");
    if exit == 0 {
        assert!(failed.is_none() && error.is_none(), "{faults}");
        return;
    }
    assert_eq!(failed.unwrap()["id"], id, "{faults}");
    assert_eq!(error.unwrap()["id"], id, "{faults}");
    assert!(run.stderr.contains(&format!("error[{id}]: ")), "{faults}");
    let place = lines.iter().position(|line| line["status"] == "failed");
    let after = lines.iter().skip(place.unwrap() + 1);
    assert!(
        after
            .filter(|line| line["event"] == "stage")
            .all(|line| line["status"] == "skipped"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_the_stages_that_are_not_reached() {
    let served = serve(&["suback=0x87"]).await;
    let run = at(&served).run().await;
    run.exits(7);
    fits_80_columns(&run.stdout);
    let (_, rest) = run.stdout.split_once("✖ subscribe ").unwrap();
    assert!(rest.trim_start().starts_with("E-SUB-DENIED "), "{rest}");
    assert!(
        rest.contains("– publish, receive, ping not reached  exit 7\n"),
        "{rest}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_is_used_only_where_it_is_asked_for_or_harmless() {
    let served = serve(&[]).await;
    let url = format!("mqtt://localhost:{}", served.sandbox.plain_port().unwrap());
    let other = dunlin(["doctor", "--endpoint", &url]).run().await;
    other.exits(0);
    assert!(
        other
            .stdout
            .contains("– subscribe, publish, receive skipped: -t TOPIC includes them\n"),
        "{}",
        other.stdout
    );
    assert!(other.stdout.contains("✔ ping "), "{}", other.stdout);
    let asked = dunlin(["doctor", "--endpoint", &url, "-t=my/topic"])
        .run()
        .await;
    asked.exits(0);
    assert!(asked.stdout.contains("✔ receive "), "{}", asked.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_is_not_retained_and_only_our_own_counts() {
    let served = serve(&[]).await;
    let packets = at(&served).args(["--packets"]).run().await;
    packets.exits(0);
    assert!(
        packets.stderr.contains("PUBLISH QoS 1"),
        "{}",
        packets.stderr
    );
    assert!(!packets.stderr.contains("retain"), "{}", packets.stderr);

    // A retained message of another client is there before ours.
    let url = format!("mqtt://localhost:{}", served.sandbox.plain_port().unwrap());
    let words = [
        "pub",
        "-q1",
        "-r",
        "-t=my/topic",
        "-m=other",
        "--endpoint",
        &url,
    ];
    dunlin(words).run().await.exits(0);
    let words = ["doctor", "-t=my/topic", "--json", "--endpoint", &url];
    let run = dunlin(words).run().await;
    run.exits(0);
    let lines = objects(&run);
    let received = lines
        .iter()
        .find(|line| line["stage"] == "receive")
        .unwrap();
    assert_eq!(received["details"]["others"], 1, "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_names_and_ports_are_stages_of_their_own() {
    // Flags.
    let usage = doctor().args(["--json"]).run().await;
    usage.exits(2);
    assert_eq!(stages(&usage, "failed"), "flags");
    // The name.
    let name = doctor()
        .args(["--endpoint=no-such-host.invalid", "--json"])
        .run()
        .await;
    name.exits(3);
    assert_eq!(stages(&name, "failed"), "dns");
    // The port: it was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let refused = doctor()
        .args(["--endpoint=localhost", "--json", "--port", &port])
        .run()
        .await;
    refused.exits(3);
    assert_eq!(stages(&refused, "failed"), "tcp");
    assert_eq!(stages(&refused, "passed"), "flags dns");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_packets_and_sends_nothing() {
    let run = doctor()
        .args(["--endpoint=localhost:1", "--dry-run"])
        .run()
        .await;
    run.exits(0);
    has_no_secret(&run);
    for packet in [
        "CONNECT client",
        "SUBSCRIBE id 1 \"test/topic\"",
        "PUBLISH QoS 1",
    ] {
        assert!(run.stdout.contains(packet), "{}", run.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_seconds_of_silence_are_explained() {
    for (fault, words) in [
        ("silent", "waiting: CONNECT was sent, no CONNACK yet"),
        ("no-deliver", "waiting: the message has not come back"),
        ("no-pingresp", "waiting: no PINGRESP yet"),
    ] {
        let served: Served = serve(&[fault]).await;
        let run = at(&served)
            .args(["--timeout=4s", "--ping-timeout=4s"])
            .run()
            .await;
        assert_ne!(run.code, Some(0));
        assert!(run.stderr.contains(words), "{fault}\n{}", run.stderr);
        assert!(
            run.took >= Duration::from_secs(3),
            "{fault}: {:?}",
            run.took
        );
    }
}
