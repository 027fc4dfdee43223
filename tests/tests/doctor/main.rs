//! `dunlin doctor` against the sandbox: a good run, each fault, and the ways of `--all`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod all;
mod http;
mod stages;

use std::path::Path;

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Tool, dunlin};
use serde_json::Value;
use tempfile::TempDir;

/// Password that must not appear in any output.
const CANARY: &str = "canary-7f3a";

/// Running sandbox with an authorizer that accepts [`CANARY`].
struct Served {
    sandbox: Sandbox,
    state: TempDir,
}

async fn serve(faults: &[&str]) -> Served {
    let state = TempDir::new().unwrap();
    Served {
        sandbox: serve_in(state.path(), faults).await,
        state,
    }
}

/// Sandbox with the CA of this folder.
async fn serve_in(state_dir: &Path, faults: &[&str]) -> Sandbox {
    let lambda = Lambda::Password {
        username: "demo".into(),
        password: CANARY.into(),
        answer: Answer::allow("canary", DEMO_POLICY.into()),
    };
    let options = SandboxOptions {
        port: 0,
        plain_port: Some(0),
        wss_port: Some(0),
        https_port: Some(0),
        state_dir: Some(state_dir.into()),
        authorizers: vec![Authorizer::new("Canary", lambda)],
        anonymous: true,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..SandboxOptions::default()
    };
    Sandbox::start(options).await.unwrap()
}

/// `dunlin doctor` with short times, as a user whom the sandbox accepts.
fn doctor() -> Tool {
    dunlin(["doctor", "--authorizer-name=Canary", "--auth-username=demo"])
        .args(["--timeout=2s", "--connect-timeout=2s", "--ping-timeout=1s"])
        .env("DUNLIN_AUTH_PASSWORD", CANARY)
}

fn at(served: &Served) -> Tool {
    doctor().connecting_to(&served.sandbox)
}

/// Objects of standard output.
fn objects(run: &Finished) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Names of the stages with this status, separated by spaces.
fn stages(run: &Finished, status: &str) -> String {
    let lines = objects(run);
    let names = lines
        .iter()
        .filter(|line| line["event"] == "stage" && line["status"] == status)
        .filter_map(|line| line["stage"].as_str());
    names.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn has_no_secret(run: &Finished) {
    assert!(
        !run.stdout.contains(CANARY) && !run.stderr.contains(CANARY),
        "{}\n{}",
        run.stdout,
        run.stderr
    );
}
