//! The handlers of `examples/`, run by the interpreters that they are written for.

use dunlin_tests::Program;

use crate::{Process, examples};

async fn allows_one_user_and_denies_another(authorizer: &str) {
    let config = examples().join("authorizers.toml");
    let process =
        Process::start(&["--config", config.to_str().unwrap(), "--explain-decisions"]).await;

    process
        .sample(authorizer, "alice", "open-sesame")
        .run()
        .await
        .exits(0);
    let denied = process
        .sample(authorizer, "mallory", "canary-4711")
        .run()
        .await;
    denied.exits(5);
    assert!(
        denied.stderr.contains("error[E-AUTH-DENIED]"),
        "{}",
        denied.stderr
    );
    process
        .sample(authorizer, "alice", "canary-4711")
        .run()
        .await
        .exits(5);

    let log = process.stop().await.stdout;
    for line in [
        format!(
            "{authorizer} → allow (policy: connect as mqtt5-sample-*; publish, receive, subscribe on test/topic)"
        ),
        format!(
            "{authorizer} → refuse 0x87 (the Lambda of the authorizer \"{authorizer}\" answered isAuthenticated=false)"
        ),
        format!("lambda    {authorizer}  "),
        "mallory".to_owned(),
        "allowed by policy document 1, statement 1 (client/mqtt5-sample-*)".to_owned(),
        "allowed by policy document 1, statement 3 (topic/test/topic)".to_owned(),
    ] {
        assert!(log.contains(&line), "{line}\n{log}");
    }
    assert!(
        !log.contains("canary-4711") && !log.contains("open-sesame"),
        "{log}"
    );
}

#[tokio::test]
async fn the_python_handler_allows_one_user_and_denies_another() {
    if Program::Python.is_installed() {
        allows_one_user_and_denies_another("PythonHandler").await;
    }
}

#[tokio::test]
async fn the_node_handler_allows_one_user_and_denies_another() {
    if Program::Node.is_installed() {
        allows_one_user_and_denies_another("NodeHandler").await;
    }
}
