//! The sandbox over WebSocket, found by its name, with an authorizer's parameters in each way.

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::dunlin;

use crate::CANARY;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sandbox_is_found_and_takes_the_parameters_in_each_way() {
    let state = tempfile::tempdir().unwrap();
    let lambda = Lambda::Password {
        username: "demo".into(),
        password: CANARY.into(),
        answer: Answer::allow("demo", DEMO_POLICY.into()),
    };
    let sandbox = Sandbox::start(SandboxOptions {
        port: 0,
        wss_port: Some(0),
        ws_port: Some(0),
        state_dir: Some(state.path().into()),
        authorizers: vec![Authorizer::new("Demo", lambda)],
        ..SandboxOptions::default()
    })
    .await
    .unwrap();

    let mut number = 0;
    for (endpoint, transport) in [
        ("wss://sandbox", None),
        ("sandbox", Some("--transport=wss")),
        ("ws://sandbox/mqtt", None),
    ] {
        for way in ["connect", "headers", "query"] {
            // The sandbox takes one CONNECT a second for a client identifier.
            number += 1;
            let run = dunlin(["connect", "--duration=0", "--reconnect=0", "-H", endpoint])
                .args([
                    "--authorizer-name=Demo",
                    "--auth-username=demo",
                    "--timeout=10s",
                ])
                .args([
                    "-i",
                    &format!("mqtt5-sample-{number}"),
                    "--authorizer-as",
                    way,
                ])
                .args(transport)
                .args(["--state-dir", state.path().to_str().unwrap()])
                .env("DUNLIN_AUTH_PASSWORD", CANARY)
                .run()
                .await;
            run.exits(0);
            assert!(!run.stderr.contains(CANARY), "{}", run.stderr);
        }
    }
    drop(sandbox);
}
