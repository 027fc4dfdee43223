//! Provokes every error of the tool, and checks its id, exit code and words.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod certificates;
mod commands;
mod connected;
mod http;
mod reaching;
mod secrets;
mod situation_tables;
mod situations;

use std::collections::BTreeMap;

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Fault, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Tool, dunlin};
use tempfile::TempDir;

/// Error id, exit code, and cause: a fault of the sandbox, the flags, or the network.
const TABLE: [(&str, i32, &str); 35] = [
    ("E-IO", 1, "standard output is full"),
    ("E-USAGE", 2, "flags"),
    ("E-ENDPOINT", 2, "flags"),
    ("E-SIGNATURE", 2, "flags"),
    ("E-AUTH-CMD", 2, "a command that prints no credentials"),
    ("E-DNS", 3, "a host that doesn't exist"),
    ("E-REFUSED", 3, "a port that nobody listens on"),
    ("E-CONNECT-TIMEOUT", 3, "a server that never answers in TLS"),
    ("E-PROXY", 3, "proxy=407"),
    ("E-TLS-CA", 4, "cert=unknown-ca"),
    ("E-TLS-NAME", 4, "cert=wrong-host"),
    ("E-TLS-EXPIRED", 4, "cert=expired"),
    ("E-TLS-TIME", 4, "cert=notyet"),
    ("E-TLS-HANDSHAKE", 4, "a server without TLS"),
    (
        "E-TLS-INTERCEPTED",
        4,
        "a host of AWS at the sandbox's address",
    ),
    ("E-ALPN", 4, "no-alpn"),
    ("E-AUTH-DENIED", 5, "connack=0x87:reason"),
    ("E-HANGUP", 5, "drop-on-connect"),
    ("E-UPGRADE", 6, "a port without WebSocket"),
    ("E-CONN-REFUSED", 6, "connack=0x89"),
    ("E-HTTP-DENIED", 5, "HTTP without credentials"),
    ("E-HTTP-UNAVAILABLE", 6, "puback=0x87"),
    ("E-HTTP-REFUSED", 7, "a payload above the limit, over HTTP"),
    ("E-SUB-DENIED", 7, "suback=0x87"),
    ("E-SUB-DROPPED", 7, "drop-on-subscribe"),
    ("E-PUB-DENIED", 7, "puback=0x87"),
    ("E-PUB-DROPPED", 7, "drop-on-publish"),
    ("E-KEEPALIVE", 8, "no-pingresp"),
    ("E-DISCONNECTED", 8, "disconnect=0x8b@T"),
    ("E-TAKEN-OVER", 8, "disconnect=0x8e@T"),
    ("E-LOST", 8, "reset@T"),
    ("E-CONNACK-TIMEOUT", 9, "silent"),
    ("E-ACK-TIMEOUT", 9, "no-puback"),
    ("E-NOT-RECEIVED", 9, "no-deliver"),
    ("E-PROTOCOL", 10, "malformed"),
];

/// Password that must not appear in any output.
const CANARY: &str = "canary-7f3a";

struct Served {
    sandbox: Sandbox,
    _state: TempDir,
}

async fn serve(fault: &str) -> Served {
    serve_fast(fault, 1).await
}

async fn serve_fast(fault: &str, time_scale: u32) -> Served {
    let state = TempDir::new().unwrap();
    let lambda = Lambda::Password {
        username: "demo".into(),
        password: CANARY.into(),
        answer: Answer::allow("canary", DEMO_POLICY.into()),
    };
    let authorizer = Authorizer::new("Canary", lambda);
    let faults = Some(fault).filter(|fault| !fault.is_empty());
    let options = SandboxOptions {
        port: 0,
        plain_port: Some(0),
        https_port: Some(0),
        state_dir: Some(state.path().into()),
        authorizers: vec![authorizer],
        anonymous: true,
        time_scale,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..SandboxOptions::default()
    };
    Served {
        sandbox: Sandbox::start(options).await.unwrap(),
        _state: state,
    }
}

/// The sample with short times, as a user whom the sandbox accepts.
fn sample_with_short_timeouts() -> Tool {
    dunlin([
        "sample",
        "--authorizer-name=Canary",
        "--auth-username=demo",
        "--count=2",
    ])
    .args(["--interval=100ms", "--timeout=3s", "--connect-timeout=1s"])
    .env("DUNLIN_AUTH_PASSWORD", CANARY)
}

fn at(served: &Served) -> Tool {
    sample_with_short_timeouts().connecting_to(&served.sandbox)
}

/// Checks for one error of the table, within twelve lines, with these words and without the password.
#[track_caller]
fn expect_error(run: &Finished, id: &str, words: &[&str]) {
    let (_, exit, _) = TABLE.iter().find(|(listed, ..)| *listed == id).unwrap();
    run.exits(*exit);
    // Warnings and lines about waiting may come before the error.
    let lines: Vec<&str> = run
        .stderr
        .lines()
        .skip_while(|line| !line.starts_with("error["))
        .collect();
    assert!(
        lines
            .first()
            .is_some_and(|line| line.starts_with(&format!("error[{id}]: "))),
        "{}",
        run.stderr
    );
    assert!(lines.len() <= 12, "{}", run.stderr);
    let line = run.error_line();
    for word in words {
        assert!(
            line.contains(word),
            "{word:?} is missing in\n{}",
            run.stderr
        );
    }
    assert!(
        !run.stderr.contains(CANARY) && !run.stdout.contains(CANARY),
        "{}",
        run.stderr
    );
    // Standard error is a pipe here: no colours.
    assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
}

/// Each fault of the sandbox has an error in the table.
#[test]
fn every_fault_of_the_sandbox_provokes_an_error_of_the_table() {
    let name = |fault: &str| {
        fault
            .split([':', '[', '@'])
            .next()
            .unwrap_or(fault)
            .to_owned()
    };
    // A delay breaks nothing.
    let of_none = ["delay=T"];
    for spelling in Fault::spellings() {
        let kind = name(spelling)
            .split("=0x")
            .next()
            .unwrap_or(spelling)
            .to_owned();
        let provoked: Vec<&str> = TABLE
            .iter()
            .filter(|(_, _, by)| name(by).split("=0x").next() == Some(&kind))
            .map(|(id, ..)| *id)
            .collect();
        println!(
            "{spelling:<24} {}",
            if provoked.is_empty() {
                "-".into()
            } else {
                provoked.join(", ")
            }
        );
        assert_eq!(
            provoked.is_empty(),
            of_none.contains(&spelling),
            "{spelling}"
        );
    }
}

#[tokio::test]
async fn the_table_lists_every_error_of_the_tool_with_its_exit_code() {
    let help = dunlin(["--help"]).run().await;
    // A number begins the row of an exit code; the ids of its errors follow.
    let (_, codes) = help.stdout.split_once("Exit codes:\n").unwrap();
    let mut listed = BTreeMap::new();
    let mut code = 0;
    for word in codes.split_whitespace() {
        code = word.parse().unwrap_or(code);
        if word.starts_with("E-") {
            listed.insert(word, code);
        }
    }
    for (id, exit, provoked_by) in TABLE {
        println!("{exit:>3}  {id:<18} {provoked_by}");
    }
    assert_eq!(
        listed,
        TABLE.iter().map(|(id, exit, _)| (*id, *exit)).collect()
    );
}
