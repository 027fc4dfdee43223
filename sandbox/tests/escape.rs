//! Text of clients, policies, Lambdas and config files: none of it may steer a terminal, whoever
//! prints it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dunlin_codec::needs_escape;
use dunlin_sandbox::{
    Action, Event, Policy, PolicyDocument, Request, SandboxOptions, Subject, lint,
};
use serde_json::{Value, json};

fn hostile_text() -> String {
    ('\0'..=char::MAX).filter(|c| needs_escape(*c)).collect()
}

#[track_caller]
fn assert_harmless(text: &str) {
    assert!(
        !text.chars().any(|c| c != '\n' && needs_escape(c)),
        "{text:?}"
    );
    assert!(
        text.contains("\\u{7f}") && text.contains("\\u{202e}"),
        "{text:?}"
    );
}

fn document(action: &str, resource: &str, more: &Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
    statement
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[test]
fn text_in_policy_errors_is_escaped() {
    let text = hostile_text();
    let none = json!({});
    let condition = json!({"Condition": {"StringEquals": {text.as_str(): text}}});
    let refused = [
        json!({text.as_str(): 1}),
        json!({"Version": text, "Statement": []}),
        document("iot:Publish", "*", &json!({"Effect": text})),
        document(
            "iot:Publish",
            "*",
            &json!({"Condition": {text.as_str(): 1}}),
        ),
        document("iot:Publish", &text, &none),
        document(
            "iot:Publish",
            &format!("arn:aws:iot:r:1:topic/${{{text}}}"),
            &none,
        ),
        document("iot:Publish", "*", &condition),
        document("iot:Publish", "*", &json!({text.as_str(): 1})),
    ];
    for document in refused {
        assert_harmless(
            &PolicyDocument::from_value(document)
                .unwrap_err()
                .to_string(),
        );
    }
    let found = lint(
        &[
            document(&text, "*", &none),
            document(
                "iot:Connect",
                &format!("arn:aws:iot:r:1:topic/{text}"),
                &none,
            ),
        ],
        None,
        std::time::UNIX_EPOCH,
    );
    assert!(found.len() >= 2, "{found:?}");
    // The linter's sentence is escaped with and without its place.
    let whole = found.iter().map(ToString::to_string);
    let problems = found.iter().map(|finding| finding.problem.to_string());
    for told in whole.chain(problems).filter(|text| text.contains('\\')) {
        assert_harmless(&told);
    }
}

#[test]
fn text_in_policy_decisions_is_escaped() {
    let text = hostile_text();
    let sid = json!({"Sid": text});
    let resource = format!("arn:aws:iot:r:1:topic/{text}");
    let document = PolicyDocument::from_value(document("iot:Publish", &resource, &sid)).unwrap();
    let policy = Policy::new(vec![document]);
    let subject = Subject::new(text.as_str());
    for topic in [text.as_str(), &format!("{text}/a")] {
        let decision = policy.evaluate(Request::new(
            Action::Publish,
            topic,
            &subject,
            std::time::UNIX_EPOCH,
        ));
        assert_harmless(&decision.to_string());
        assert_harmless(&decision.explanation().join("\n"));
    }
}

#[test]
fn text_of_config_files_is_escaped() {
    let text = hostile_text();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.toml");
    std::fs::write(&file, format!("{} = 1\n", json!(text))).unwrap();
    assert_harmless(&SandboxOptions::from_file(&file).unwrap_err().to_string());
}

#[test]
fn text_in_the_sandbox_log_is_escaped() {
    let text = hostile_text();
    // Cut after 256 characters, so that the whole text fits.
    for event in [
        Event::Rejected {
            peer: "127.0.0.1:1".parse().unwrap(),
            reason: text.clone(),
        },
        Event::Lambda {
            authorizer: text.clone(),
            text: text.clone(),
        },
        Event::Unsubscribe {
            client_id: text.clone(),
            filter: text.clone(),
        },
        Event::Disconnect {
            client_id: text.clone(),
            reason: text,
        },
    ] {
        assert_harmless(&event.to_string());
    }
}
