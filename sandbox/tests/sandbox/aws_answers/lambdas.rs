//! Points 1 to 6: Lambdas as they run at AWS.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use dunlin_codec::ReasonCode;
use dunlin_sandbox::{Answer, Authorizer, Handler, Lambda, LambdaLimits, Program, SandboxOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::client::{self, TestSandbox, allow, connect};

pub(super) async fn bare_file_name() {
    let text = format!(
        "[[authorizer]]\nname = 'Test'\nlambda.exec = ['echo', '{}']",
        answer()
    );
    let config = SandboxOptions::from_toml(&text, Path::new("authorizers.toml")).unwrap();
    let sandbox = sandbox_with_authorizer(config.authorizers.into_iter().next().unwrap()).await;
    sandbox.connected_to_default("c").await;
}

pub(super) async fn slow_lambda() {
    // Connections wait in its backlog for ever.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let limits = LambdaLimits {
        timeout: Duration::from_secs(600),
        ..LambdaLimits::default()
    };
    let slow = Authorizer {
        limits,
        ..Authorizer::new("Test", Lambda::Url(url.parse().unwrap()))
    };
    let sandbox = sandbox_with_authorizer(slow).await;
    let mut waiting = Vec::new();
    for number in 0..60 {
        let mut client = sandbox.open().await;
        client.sends(connect(&format!("c{number}"), "", "")).await;
        waiting.push(client);
    }
    sandbox.connected("mqtt5-sample-1").await;
}

pub(super) async fn handler() {
    if !is_installed("python3") {
        return;
    }
    let dir = TempDir::new().unwrap();
    let code = format!(
        "import json\ncalls = 0\n\ndef lambda_handler(event, context):\n    global calls\n    calls += 1\n    \
         print('call', calls)\n    return json.loads('''{}''')\n",
        answer()
    );
    std::fs::write(dir.path().join("handler.py"), code).unwrap();
    let handler = Handler::from_file("handler.py", dir.path()).unwrap();
    let sandbox = sandbox_with_authorizer(Authorizer::new("Test", Lambda::Handler(handler))).await;
    for number in 1..=3 {
        sandbox.connected_to_default(&format!("c{number}")).await;
        assert!(sandbox.logged(&format!("lambda    Test  call {number}")));
    }
}

pub(super) async fn environment() {
    // Cargo's variables stand for the secrets of a shell.
    let script = format!(
        "test -n \"$PATH\" && test -z \"$CARGO_MANIFEST_DIR\" && echo '{}'",
        answer()
    );
    let sandbox = sandbox_with_authorizer(Authorizer::new("Test", shell(&script))).await;
    sandbox.connected_to_default("c").await;
}

pub(super) async fn long_output() {
    let script = format!("printf '%065536d\\nsecond\\n' 0 >&2; echo '{}'", answer());
    let sandbox = sandbox_with_authorizer(Authorizer::new("Test", shell(&script))).await;
    sandbox.connected_to_default("c").await;
    assert!(sandbox.logged(&format!("lambda    Test  {}", "0".repeat(65_536))));
    assert!(sandbox.logged("lambda    Test  second"));
}

pub(super) async fn json_text() {
    // AWS's own sample Lambdas return `json.dumps(..)`.
    let text = serde_json::Value::String(answer()).to_string();
    let sandbox = sandbox_with_authorizer(Authorizer::new(
        "Test",
        shell(&format!("cat <<'END'\n{text}\nEND")),
    ))
    .await;
    sandbox.connected_to_default("c").await;
    let denied = Answer::from_value(json!({"isAuthenticated": false, "principalId": 7})).unwrap();
    let sandbox = TestSandbox::with_answer(denied).await;
    let mut client = sandbox.open().await;
    client.sends(connect("c", "", "")).await;
    assert_eq!(client.receives_connack().await.0, ReasonCode::NotAuthorized);
}

async fn sandbox_with_authorizer(authorizer: Authorizer) -> TestSandbox {
    TestSandbox::start_with(|options| client::with_default_authorizer(authorizer, options)).await
}

/// An answer that leaves out both times.
fn answer() -> String {
    let answer =
        json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": [allow("iot:*")]});
    answer.to_string()
}

fn shell(script: &str) -> Lambda {
    Lambda::Exec(Program {
        arguments: vec!["-c".into(), script.into()],
        ..Program::new("sh")
    })
}

/// Returns true if a program is on the search path. If not, a line on the terminal says so; with
/// `CI=true` the test fails.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{program} isn't installed"
        );
        // Not eprintln!, which libtest keeps back.
        let line =
            format!("left out in sandbox: a row that needs {program}, which isn't installed\n");
        let _: Result<_, _> = std::io::stderr().write_all(line.as_bytes());
    }
    found
}
