//! The sample against the sandbox: its output and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

#[cfg(unix)]
mod endings;
mod failures;
mod others;
mod proxied;

use std::time::Duration;

use dunlin_sandbox::{Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Tool, dunlin};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

/// A sandbox with a state directory of its own.
struct Served {
    sandbox: Sandbox,
    state: TempDir,
}

async fn serve(faults: &[&str]) -> Served {
    let state = TempDir::new().unwrap();
    let options = SandboxOptions {
        port: 0,
        state_dir: Some(state.path().into()),
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..SandboxOptions::default()
    };
    Served {
        sandbox: Sandbox::start(options).await.unwrap(),
        state,
    }
}

/// The unsigned sample with a known client id and short times.
fn sample(served: &Served) -> Tool {
    dunlin([
        "unsigned",
        "--client_id",
        "mqtt5-sample-0a1b2c3d",
        "--interval",
        "50ms",
        "--timeout",
        "5s",
    ])
    .connecting_to(&served.sandbox)
    .with_demo_credentials()
}

/// The golden output, with the acknowledgement in front of the message that it acknowledges: either
/// may come first.
fn golden(kind: &str, messages: &[&str]) -> String {
    let mut text = format!(
        "
==== Starting MQTT5 Custom Auth {kind} PubSub Sample ====

==== Creating MQTT5 Client ====

==== Starting client ====
Lifecycle Connection Attempt
Connecting to endpoint: 'localhost' with client ID'mqtt5-sample-0a1b2c3d'
Lifecycle Connection Success with reason code:<ConnectReasonCode.SUCCESS: 0>

==== Subscribing to topic 'test/topic' ====
Suback received with reason code:[<SubackReasonCode.GRANTED_QOS_1: 1>]

==== Sending {} message(s) ====

",
        messages.len()
    );
    for message in messages {
        text.push_str(&format!(
            "\
Publishing message to topic 'test/topic': {message}
PubAck received with <PubackReasonCode.SUCCESS: 0>

==== Received message from topic 'test/topic': {message} ====

"
        ));
    }
    text.push_str(&format!(
        "\
{} message(s) received.

==== Unsubscribing from topic 'test/topic' ====
Unsubscribed with [<UnsubackReasonCode.SUCCESS: 0>]

==== Stopping Client ====
Lifecycle Disconnected with reason code:None
Lifecycle Stopped

==== Client Stopped! ====
",
        messages.len()
    ));
    text
}

/// Puts each acknowledgement in front of the message that overtook it.
fn in_order(stdout: &str) -> String {
    const ACKNOWLEDGED: &str = "PubAck received with <PubackReasonCode.SUCCESS: 0>\n";
    let mut text = String::new();
    for block in stdout.split_inclusive("Publishing message") {
        match block.find("\n==== Received message") {
            Some(at) if block.contains(ACKNOWLEDGED) => {
                let (head, tail) = block.split_at(at);
                let head = head.replace(ACKNOWLEDGED, "");
                text.push_str(&format!(
                    "{head}{ACKNOWLEDGED}{}",
                    tail.replace(ACKNOWLEDGED, "")
                ));
            }
            _ => text.push_str(block),
        }
    }
    text
}

#[track_caller]
fn expect_golden(run: &Finished, kind: &str, messages: &[&str]) {
    run.exits(0);
    assert_eq!(
        in_order(&run.stdout),
        golden(kind, messages),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr, "");
}

const TWO: [&str; 2] = ["Hello from mqtt5 sample [1]", "Hello from mqtt5 sample [2]"];

#[tokio::test(flavor = "multi_thread")]
async fn the_unsigned_sample_prints_what_the_python_sample_prints() {
    let served = serve(&[]).await;
    expect_golden(
        &sample(&served).args(["--count", "2"]).run().await,
        "Unsigned",
        &TWO,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_signature_is_sent_and_the_run_is_called_unsigned() {
    let served = serve(&[]).await;
    let token = [
        "--auth_token_key_name",
        "tok",
        "--auth_token_key_value",
        "hello",
        "--count",
        "1",
    ];
    for verb in ["unsigned", "sample"] {
        let run = dunlin([verb, "--interval", "50ms"])
            .connecting_to(&served.sandbox)
            .with_demo_credentials()
            .args(token)
            .run()
            .await;
        run.exits(0);
        assert!(
            run.stdout
                .contains("==== Starting MQTT5 Custom Auth Unsigned PubSub Sample ====")
        );
        let printed = dunlin([
            "auth",
            "username",
            "--authorizer-name=A",
            "--auth-username=u",
        ])
        .args(&token[..4]);
        assert_eq!(
            printed.run().await.stdout,
            "u?x-amz-customauthorizer-name=A&tok=hello\n"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signed_sample_says_that_it_is_signed() {
    let flags = [
        "--authorizer_name",
        "DemoSigned",
        "--auth_token_key_name",
        "tok",
        "--auth_token_key_value",
        "hello",
    ];
    for verb in [&["signed"][..], &["sample"], &[]] {
        // One of its own for each: a client id may connect once a second.
        let served = serve(&[]).await;
        let signature = served.sandbox.sign("hello").unwrap();
        let run = dunlin(verb)
            .connecting_to(&served.sandbox)
            .args(flags)
            .args([
                "--auth_signature",
                &signature,
                "--client_id",
                "mqtt5-sample-0a1b2c3d",
            ])
            .args(["--count", "2", "--interval", "50ms"]);
        expect_golden(&run.run().await, "Signed", &TWO);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_computed_from_the_signing_key() {
    let served = serve(&[]).await;
    let key = served.sandbox.ready().signing_key.clone();
    let run = dunlin([
        "signed",
        "--authorizer-name=DemoSigned",
        "--auth-token-key-name=tok",
        "--auth-token-key-value=x",
    ])
    .connecting_to(&served.sandbox)
    .args(["--client-id=mqtt5-sample-0a1b2c3d", "--count=1"])
    .args(["--auth-signing-key".as_ref(), key.as_os_str()]);
    expect_golden(&run.run().await, "Signed", &TWO[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_is_the_sample_and_prefixes_are_enough() {
    let served = serve(&[]).await;
    let run = dunlin([
        "--autho",
        "DemoUnsigned",
        "--auth_u",
        "demo",
        "--cl",
        "mqtt5-sample-0a1b2c3d",
        "--cou",
        "1",
    ])
    .connecting_to(&served.sandbox)
    .env("DUNLIN_AUTH_PASSWORD", "demo");
    expect_golden(&run.run().await, "Unsigned", &TWO[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_message_is_sent_and_no_pause_follows_the_last_one() {
    let served = serve(&[]).await;
    let run = sample(&served)
        .args(["--message", "grüße 1", "--count", "1", "--interval", "20s"])
        .run()
        .await;
    expect_golden(&run, "Unsigned", &["grüße 1 [1]"]);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_sandbox_needs_no_port_and_no_ca() {
    let served = serve(&[]).await;
    let state = served.state.path();
    let found = |state: &std::path::Path| {
        dunlin([
            "--endpoint",
            "sandbox",
            "--client_id",
            "mqtt5-sample-0a1b2c3d",
            "--count",
            "1",
        ])
        .with_demo_credentials()
        .env("DUNLIN_STATE_DIR", state)
    };
    expect_golden(&found(state).run().await, "Unsigned", &TWO[..1]);

    // With two sandboxes the tool can't choose: it names the ports.
    let second = Sandbox::start(SandboxOptions {
        port: 0,
        state_dir: Some(state.into()),
        ..SandboxOptions::default()
    })
    .await
    .unwrap();
    let run = found(state).run().await;
    run.exits(2);
    for port in [served.sandbox.port(), second.port()] {
        assert!(
            run.error_line()
                .contains(&format!("--endpoint sandbox --port {port}")),
            "{}",
            run.stderr
        );
    }
    let port = second.port().to_string();
    expect_golden(
        &found(state).args(["--port", &port]).run().await,
        "Unsigned",
        &TWO[..1],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_does_not_depend_on_terminal_variables() {
    let served = serve(&[]).await;
    let run = sample(&served)
        .args(["--count", "1"])
        .env("CLICOLOR_FORCE", "1")
        .env("COLUMNS", "20")
        .run()
        .await;
    expect_golden(&run, "Unsigned", &TWO[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_runs_both_samples_and_names_the_next_commands() {
    let run = dunlin(["demo"]).run().await;
    run.exits(0);
    assert_eq!(
        run.stdout.matches("==== Client Stopped! ====\n").count(),
        2,
        "{}",
        run.stdout
    );
    assert_eq!(run.stdout.matches("3 message(s) received.").count(), 2);
    assert!(run.stdout.contains("Unsigned") && run.stdout.contains("Signed"));
    assert!(run.stderr.contains("[sandbox] "), "{}", run.stderr);
    assert!(
        run.stderr
            .trim_end()
            .ends_with("the flags for your own endpoint and authorizer"),
        "{}",
        run.stderr
    );
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
}

/// Reads standard output up to the line with `words`.
async fn read_until(child: &mut Child, words: &str) -> String {
    let mut seen = String::new();
    let mut out = BufReader::with_capacity(1, child.stdout.take().unwrap());
    let reading = async {
        while !seen.lines().last().is_some_and(|line| line.contains(words)) {
            assert_ne!(out.read_line(&mut seen).await.unwrap(), 0, "{seen}");
        }
    };
    timeout(Duration::from_secs(20), reading).await.unwrap();
    child.stdout = Some(out.into_inner());
    seen
}
