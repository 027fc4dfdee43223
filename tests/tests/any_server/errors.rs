//! The table of verbs, exit codes and error ids; and the secrets that no output may have.

use std::sync::Arc;

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, dunlin};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::other_verbs;

/// Password that must not appear in any output.
const CANARY: &str = "canary-7f3a";

/// Verbs with the flags that they need.
pub(super) const VERBS: [(&str, &[&str]); 5] = [
    ("connect", &["--duration=2s"]),
    (
        "pub",
        &[
            "-t",
            "test/topic",
            "-m",
            "x",
            "-q",
            "1",
            "--repeat=2",
            "--interval=300ms",
        ],
    ),
    ("sub", &["-t", "test/topic", "-q", "1", "-C", "1"]),
    // The request is its own response; a second one never comes.
    (
        "request",
        &["-t", "test/topic", "-e", "test/topic", "-m", "x", "-C", "2"],
    ),
    ("respond", &["-t", "test/topic", "-q", "1"]),
];

/// A run without an end: it waits for requests.
const ENDLESS: (i32, &str) = (-1, "waits for requests");

/// A fault of the sandbox, and the exit code and error id of each verb in [`VERBS`]; "-" for a run
/// without an error.
const FAULTS: [(&str, [(i32, &str); 5]); 14] = [
    (
        "",
        [
            (0, "-"),
            (0, "-"),
            (9, "E-NOT-RECEIVED"),
            (9, "E-NOT-RECEIVED"),
            ENDLESS,
        ],
    ),
    ("connack=0x87:no", [(5, "E-AUTH-DENIED"); 5]),
    ("connack=0x89", [(6, "E-CONN-REFUSED"); 5]),
    ("drop-on-connect", [(5, "E-HANGUP"); 5]),
    ("malformed", [(10, "E-PROTOCOL"); 5]),
    ("silent", [(9, "E-CONNACK-TIMEOUT"); 5]),
    ("no-alpn", [(4, "E-ALPN"); 5]),
    ("cert=expired", [(4, "E-TLS-EXPIRED"); 5]),
    (
        "suback=0x87",
        [
            (0, "-"),
            (0, "-"),
            (7, "E-SUB-DENIED"),
            (7, "E-SUB-DENIED"),
            (7, "E-SUB-DENIED"),
        ],
    ),
    (
        "drop-on-subscribe",
        [
            (0, "-"),
            (0, "-"),
            (7, "E-SUB-DROPPED"),
            (7, "E-SUB-DROPPED"),
            (7, "E-SUB-DROPPED"),
        ],
    ),
    (
        "puback=0x87",
        [
            (0, "-"),
            (7, "E-PUB-DENIED"),
            (9, "E-NOT-RECEIVED"),
            (7, "E-PUB-DENIED"),
            ENDLESS,
        ],
    ),
    (
        "drop-on-publish",
        [
            (0, "-"),
            (7, "E-PUB-DROPPED"),
            (9, "E-NOT-RECEIVED"),
            (7, "E-PUB-DROPPED"),
            ENDLESS,
        ],
    ),
    (
        "no-puback",
        [
            (0, "-"),
            (9, "E-ACK-TIMEOUT"),
            (9, "E-NOT-RECEIVED"),
            (9, "E-ACK-TIMEOUT"),
            ENDLESS,
        ],
    ),
    ("disconnect=0x8e@100ms", [(8, "E-TAKEN-OVER"); 5]),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_verbs_exit_codes_and_error_ids() {
    println!("{:<38}{:<10}{:>4}  error", "cause", "verb", "exit");
    // The servers are independent of each other, and some runs wait: four at a time.
    let slots = Arc::new(Semaphore::new(4));
    let rows = FAULTS.map(|(fault, expected)| {
        let slots = Arc::clone(&slots);
        tokio::spawn(async move {
            let _slot = slots.acquire_owned().await.unwrap();
            runs_with(fault, expected).await
        })
    });
    for ((fault, expected), runs) in FAULTS.into_iter().zip(rows) {
        let runs = runs.await.unwrap();
        for ((run, (verb, _)), (code, id)) in runs.iter().zip(VERBS).zip(expected) {
            let cause = format!("sandbox --fault {fault}");
            match run {
                Some(run) => check(&cause, verb, run, code, id),
                None => println!("{cause:<38}{verb:<10}      {id}"),
            }
        }
    }
    // What needs no server, or none that answers.
    let closed = format!("mqtt://localhost:{}", closed_port());
    let rows: [(&str, &[&str], i32, &str); 12] = [
        ("no server there", &["-H", &closed], 3, "E-REFUSED"),
        (
            "no such host",
            &["-H", "mqtt://no-such-host.invalid"],
            3,
            "E-DNS",
        ),
        ("no endpoint", &[], 2, "E-USAGE"),
        (
            "no such flag",
            &["-H", "localhost", "--no-such-flag"],
            2,
            "E-USAGE",
        ),
        (
            "a path of WebSocket that isn't encoded",
            &["-H", "ws://localhost/a b"],
            2,
            "E-ENDPOINT",
        ),
        (
            "no socket there",
            &["-H", "unix:///no/such/socket"],
            3,
            "E-REFUSED",
        ),
        (
            "a password in the URL",
            &["-H", "mqtt://me:canary-7f3a@localhost"],
            2,
            "E-ENDPOINT",
        ),
        ("-h HOST", &["-h", "localhost"], 2, "E-USAGE"),
        ("-V 311", &["-H", "localhost", "-V", "311"], 2, "E-USAGE"),
        (
            "a will without a topic",
            &["-H", "localhost", "--will-retain"],
            2,
            "E-USAGE",
        ),
        (
            "no such file",
            &["-H", "localhost", "--ca", "/no/such/file"],
            2,
            "E-USAGE",
        ),
        (
            "no sandbox is running",
            &["-H", "sandbox", "--state-dir", "/no/such/folder"],
            3,
            "E-REFUSED",
        ),
    ];
    for (cause, given, code, id) in rows {
        for (verb, flags) in VERBS {
            let run = dunlin([verb]).args(given).args(flags);
            let run = without_secrets(run.env("DUNLIN_PASSWORD", CANARY).run().await);
            check(cause, verb, &run, code, id);
            assert!(code != 2 || run.stdout.is_empty(), "{cause} {verb}");
        }
    }
    other_verbs::check_rows(closed_port()).await;
}

#[tokio::test]
async fn flags_of_tls_are_refused_for_an_endpoint_without_tls() {
    for flag in ["ca", "cert", "key"] {
        let file = format!("--{flag}=/no/such/file");
        let run = dunlin(["pub", "-H=mqtt://localhost:1", "-t=a", "-m=x", &file])
            .run()
            .await;
        run.exits(2);
        let words = format!("--{flag} is for TLS, and mqtt:// is without");
        assert!(run.stderr.contains(&words), "{}", run.stderr);
    }
    // In the environment they may be for other servers.
    let run = dunlin(["pub", "-H=mqtt://localhost:1", "-t=a", "-m=x", "--dry-run"])
        .env("DUNLIN_CA", "/etc/hostname")
        .run()
        .await;
    assert!(!run.stderr.contains("is for TLS"), "{}", run.stderr);
}

/// Runs of all verbs at a sandbox with this fault; `None` for a run that has no end.
async fn runs_with(fault: &str, expected: [(i32, &str); 5]) -> Vec<Option<Finished>> {
    let (sandbox, _state) = serve(fault).await;
    let mut runs = Vec::new();
    for ((verb, flags), (code, id)) in VERBS.into_iter().zip(expected) {
        if (code, id) == ENDLESS {
            runs.push(None);
            continue;
        }
        // A server that closes the connection after a request is believed after three times.
        let is_dropped = id.ends_with("-DROPPED");
        let timeout = if is_dropped {
            "--timeout=20s"
        } else {
            "--timeout=5s"
        };
        let run = dunlin([verb])
            .connecting_to(&sandbox)
            .args(["--authorizer-name=Canary", "--auth-username=demo"])
            .args(["--client-id", &format!("mqtt5-sample-{verb}")])
            .args(["--reconnect=5", "--json"])
            .args(flags)
            .args([timeout])
            .env("DUNLIN_AUTH_PASSWORD", CANARY);
        runs.push(Some(without_secrets(run.run().await)));
    }
    runs
}

/// Checks exit code and error id, and that the JSON of the run says the same; prints the row.
#[track_caller]
fn check(cause: &str, verb: &str, run: &Finished, code: i32, id: &str) {
    println!("{cause:<38}{verb:<10}{code:>4}  {id}");
    run.exits(code);
    if id != "-" {
        assert!(
            run.stderr.contains(&format!("error[{id}]: ")),
            "{cause} {verb}\n{}",
            run.stderr
        );
    }
    let Some(last) = run
        .stdout
        .lines()
        .last()
        .filter(|line| line.starts_with('{'))
    else {
        return;
    };
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary: Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&summary["event"], &summary["exit_code"]),
        (&"summary".into(), &code.into())
    );
    let error = lines.iter().find(|line| line["event"] == "error");
    assert_eq!(error.map_or("-", |error| error["id"].as_str().unwrap()), id);
}

/// A reason that the server gives is in the JSON of the error.
#[tokio::test(flavor = "multi_thread")]
async fn reason_code_and_reason_string_are_in_the_json_of_an_error() {
    let (sandbox, _state) = serve("connack=0x87:ask the owner").await;
    let run = dunlin(["connect", "--json", "--alpn=mqtt"])
        .connecting_to(&sandbox)
        .run()
        .await;
    run.exits(5);
    let error = run
        .stdout
        .lines()
        .find(|line| line.contains("\"event\":\"error\""));
    let error: Value = serde_json::from_str(error.unwrap()).unwrap();
    assert_eq!(
        (&error["code"], &error["reason_string"], &error["stage"]),
        (&0x87.into(), &"ask the owner".into(), &"connect".into())
    );
}

/// No output shows a secret: packets in every form, logs, dry runs, JSON.
#[tokio::test(flavor = "multi_thread")]
async fn no_output_has_a_secret() {
    let (sandbox, _state) = serve("").await;
    // A responder waits for requests: its run ends with its connection.
    let (leaving, _leaving_state) = serve("disconnect=0x8e@1s").await;
    let packets = ["--packets", "--packets=full", "--packets=hex"];
    let more: [&[&str]; 3] = [&["-vvv"], &["--dry-run"], &["--json"]];
    for (verb, flags) in VERBS {
        let outputs = packets.iter().map(std::slice::from_ref).chain(more);
        for (number, flags_of_output) in outputs.enumerate() {
            let sandbox = if verb == "respond" {
                &leaving
            } else {
                &sandbox
            };
            let run = dunlin([verb])
                .connecting_to(sandbox)
                .args(["--authorizer-name=Canary", "--auth-username=demo"])
                .args(["--client-id", &format!("mqtt5-sample-{verb}{number}")])
                .args(["--auth-password", CANARY, "--auth-token-key-name=k"])
                .args(["--auth-token-key-value", "canary-token"])
                .args(flags)
                .args(["--timeout=3s"])
                .args(flags_of_output);
            let run = run.run().await;
            assert!(!run.stderr.contains("error[E-USAGE]"), "{}", run.stderr);
            without_secrets(run);
        }
        let plain = dunlin([verb]).args(["-H", "localhost", "-u", "me", "-P", CANARY]);
        let run = without_secrets(
            plain
                .args(["--dry-run", "--packets=full"])
                .args(flags)
                .run()
                .await,
        );
        run.exits(0);
        assert!(
            run.stdout.contains("CONNECT") && run.stdout.contains("**"),
            "{}",
            run.stdout
        );
    }
}

/// The password is neither in the output as text nor as hexadecimal digits.
#[track_caller]
fn without_secrets(run: Finished) -> Finished {
    let hex: Vec<String> = b"canary".iter().map(|byte| format!("{byte:02x}")).collect();
    for output in [&run.stdout, &run.stderr] {
        assert!(!output.contains("canary"), "{output}");
        assert!(
            !output.contains(&hex.join(" ")) && !output.contains(&hex.concat()),
            "{output}"
        );
    }
    run
}

async fn serve(fault: &str) -> (Sandbox, TempDir) {
    let state = TempDir::new().unwrap();
    let lambda = Lambda::Password {
        username: "demo".into(),
        password: CANARY.into(),
        answer: Answer::allow("canary", DEMO_POLICY.into()),
    };
    let options = SandboxOptions {
        port: 0,
        state_dir: Some(state.path().into()),
        authorizers: vec![Authorizer::new("Canary", lambda)],
        anonymous: true,
        faults: Some(fault)
            .filter(|fault| !fault.is_empty())
            .map(|fault| fault.parse().unwrap())
            .into_iter()
            .collect(),
        ..SandboxOptions::default()
    };
    (Sandbox::start(options).await.unwrap(), state)
}

fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
