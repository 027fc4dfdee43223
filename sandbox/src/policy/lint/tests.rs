//! Tests of the linter: each mistake with its sentence.

use super::*;
use crate::authorizer::DEMO_POLICY;
use serde_json::json;
use std::time::UNIX_EPOCH;

fn arn(name: &str) -> String {
    format!("arn:aws:iot:eu-west-1:123456789012:{name}")
}

fn allow(action: impl Into<Value>, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action.into(), "Resource": arn(resource)})
}

fn document(statements: impl IntoIterator<Item = Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements.into_iter().collect::<Vec<_>>()})
}

/// Findings for a statement beside those of a client that may connect, subscribe and receive.
fn found(statement: Value) -> Vec<String> {
    // Without these, each case would also have findings about all documents together.
    let sound = [
        allow("iot:Connect", "client/lamp-*"),
        allow("iot:Subscribe", "topicfilter/lamp"),
        allow("iot:Receive", "topic/lamp"),
    ];
    let findings = lint(
        &[document(sound), document([statement])],
        Some("lamp-7"),
        UNIX_EPOCH,
    );
    findings.iter().map(ToString::to_string).collect()
}

fn problem(statement: Value) -> String {
    let found = found(statement);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
        .strip_prefix("policy document 2, statement 1: ")
        .unwrap_or(&found[0])
        .to_owned()
}

#[test]
fn the_sample_policy_is_sound() {
    assert_eq!(
        lint(&[DEMO_POLICY.into()], Some("mqtt5-sample-1a2b"), UNIX_EPOCH),
        []
    );
}

#[test]
fn a_resource_of_the_wrong_kind_is_told_with_the_right_one() {
    for (action, resource, text) in [
        (
            "iot:Subscribe",
            "topic/a/#",
            "iot:Subscribe is asked on topicfilter/, so that topic/a/# never applies: write topicfilter/a/#",
        ),
        (
            "iot:Receive",
            "topicfilter/a",
            "iot:Receive is asked on topic/, so that topicfilter/a never applies: write topic/a",
        ),
        (
            "iot:Connect",
            "topic/a",
            "iot:Connect is asked on client/, so that topic/a never applies: write client/a",
        ),
    ] {
        assert_eq!(problem(allow(action, resource)), text);
    }
    // One resource fits the action, so only the other is reported.
    let useless = json!({"Effect": "Deny", "Action": "iot:Publish",
        "Resource": [arn("topic/a"), arn("topicfilter/a")]});
    assert_eq!(
        problem(useless),
        "topicfilter/a never applies: no action of the statement is asked on topicfilter/"
    );
}

#[test]
fn a_statement_may_have_resources_for_each_of_its_actions() {
    let mixed = json!({"Effect": "Allow", "Action": ["iot:Publish", "iot:Subscribe", "iot:Receive"],
        "Resource": [arn("topic/a"), arn("topicfilter/a")]});
    assert_eq!(found(mixed), [""; 0]);
    // `iot:*` covers actions of other kinds without being a mistake.
    assert_eq!(found(allow("iot:*", "topic/a")), [""; 0]);
    assert_eq!(found(allow("iot:GetThingShadow", "thing/lamp")), [""; 0]);
}

#[test]
fn mqtt_wildcards_in_a_topic_are_letters() {
    assert_eq!(
        problem(allow("iot:Publish", "topic/a/+/b/#")),
        "+ and # are plain letters in a policy, so that topic/a/+/b/# matches no topic: write topic/a/*/b/*"
    );
    assert_eq!(
        problem(allow("iot:Publish", "topic/c++/x")),
        "+ and # are plain letters in a policy, so that topic/c++/x matches no topic: write topic/c*/x"
    );
    // It is no wildcard for all topics either.
    assert!(problem(allow("iot:Publish", "topic/#")).starts_with("+ and #"));
}

#[test]
fn a_wildcard_that_allows_all_is_told() {
    for (action, resource, text) in [
        (
            "iot:Publish",
            "topic/*",
            "topic/* allows iot:Publish on every topic: name what the client needs",
        ),
        ("iot:Connect", "client/*", "client/* allows every client id"),
        (
            "iot:Connect",
            "client/${iot:ClientId}",
            "client/${iot:ClientId} allows every client id",
        ),
    ] {
        assert!(
            problem(allow(action, resource)).starts_with(text),
            "{}",
            problem(allow(action, resource))
        );
    }
    let all = found(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    assert_eq!(
        all,
        [
            "policy document 2, statement 1: * allows every MQTT action on everything: name what the client needs"
        ]
    );
    assert_eq!(
        found(json!({"Effect": "Deny", "Action": "iot:Publish", "Resource": arn("topic/*")})),
        [""; 0]
    );
    // A condition restricts the statement, and a Deny on everything is a usual last resort.
    let conditional = json!({"Effect": "Allow", "Action": "iot:Publish", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
    assert_eq!(found(conditional), [""; 0]);
}

#[test]
fn an_unknown_action_and_a_variable_without_a_value_are_told() {
    assert!(
        problem(allow("iot:Subcribe", "topicfilter/a"))
            .starts_with("there is no action \"iot:Subcribe\"")
    );
    assert!(
        problem(allow(
            "iot:Publish",
            "topic/${iot:Connection.Thing.ThingName}"
        ))
        .contains("no value behind a custom authorizer")
    );
}

#[test]
fn a_statement_that_is_missing_in_all_documents_is_reported() {
    let texts = |statements: Vec<Value>| -> Vec<String> {
        lint(&[document(statements)], Some("lamp-7"), UNIX_EPOCH)
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(
        // Of several findings that follow from one mistake, only the first is told.
        texts(vec![]),
        ["policy: no statement allows iot:Connect: nobody gets in; allow it on client/.."]
    );
    let connect = || allow("iot:Connect", "client/lamp-*");
    assert_eq!(
        texts(vec![connect(), allow("iot:Subscribe", "topicfilter/a")]),
        [
            "policy: iot:Subscribe is allowed on topicfilter/a and iot:Receive isn't, so that nothing is delivered: \
          allow iot:Receive on topic/a"
        ]
    );
    // iot:* on other things than topics is no subscription.
    let all = allow("iot:*", "client/lamp-*");
    let receiving = allow("iot:Receive", "topic/a");
    assert_eq!(texts(vec![all, receiving]), [""; 0]);
    // iot:Receive on another topic doesn't help.
    let elsewhere = texts(vec![
        connect(),
        allow("iot:Subscribe", "topicfilter/a"),
        allow("iot:Receive", "topic/b"),
    ]);
    assert_eq!(elsewhere.len(), 1, "{elsewhere:?}");
    assert_eq!(
        texts(vec![allow("iot:Connect", "client/door-*")]),
        [
            "policy: client id \"lamp-7\" can't connect (no statement allows iot:Connect on client/lamp-7): \
          allow iot:Connect on client/lamp-7"
        ]
    );
    assert_eq!(
        texts(vec![connect(), allow("iot:RetainPublish", "topic/a")]),
        [
            "policy: iot:RetainPublish is allowed and iot:Publish isn't: a retained message needs both"
        ]
    );
    // `?*` allows every client id, `+` among them.
    let plus = texts(vec![
        allow("iot:Connect", "client/?*"),
        allow("iot:Subscribe", "topicfilter/my/${iot:ClientId}/x"),
        allow("iot:Receive", "topic/my/${iot:ClientId}/x"),
    ]);
    assert!(
        plus.last()
            .unwrap()
            .starts_with("policy: a client that calls itself + could subscribe"),
        "{plus:?}"
    );
}

#[test]
fn too_many_too_long_and_invalid_documents_are_reported() {
    let sound: Value = DEMO_POLICY.into();
    let eleven = lint(&vec![sound.clone(); 11], None, UNIX_EPOCH);
    assert_eq!(eleven[0].problem, PolicyProblem::TooManyDocuments(11));
    // The topic alone has the limit of the whole document.
    let long = document([allow("iot:Publish", &format!("topic/{}", "x".repeat(2048)))]);
    assert!(matches!(
        lint(&[sound.clone(), long], None, UNIX_EPOCH)[0].problem,
        PolicyProblem::TooLong(2049..)
    ));
    let refused = lint(
        &[sound, json!({"Version": "2008-10-17", "Statement": []})],
        None,
        UNIX_EPOCH,
    );
    assert!(
        refused[0]
            .to_string()
            .starts_with("policy document 2: the policy version \"2008-10-17\"")
    );
    assert_eq!(refused.len(), 1);
}

#[test]
fn an_arn_that_is_not_filled_in_is_told() {
    let of =
        |arn: &str| problem(json!({"Effect": "Allow", "Action": "iot:Publish", "Resource": arn}));
    assert_eq!(
        of("arn:aws:iot:region:account:topic/a"),
        "arn:aws:iot:region:account:topic/a isn't filled in (\"region\" is no region, \"account\" is \
         no account of 12 digits): write what they are, or *"
    );
    // Placeholders in angle brackets, an empty region, and wrong accounts.
    for (arn, part) in [
        (
            "arn:aws:iot:<region>:123456789012:topic/a",
            "\"<region>\" is no region",
        ),
        ("arn:aws:iot::123456789012:topic/a", "\"\" is no region"),
        (
            "arn:aws:iot:eu-west-1:12345678901:topic/a",
            "\"12345678901\" is no account",
        ),
        (
            "arn:aws:iot:eu-west-1:YOUR_ACCOUNT:topic/a",
            "\"YOUR_ACCOUNT\" is no account",
        ),
        (
            "arn:aws:iot:eu-west-1:*:topic/<thing>/a",
            "\"<thing>\" is to be replaced",
        ),
    ] {
        assert!(of(arn).contains(part), "{}", of(arn));
    }
    for arn in [
        // Wildcards, regions of four words, and a `<` without its `>`.
        "arn:aws:iot:*:*:topic/a",
        "arn:aws-us-gov:iot:us-gov-west-1:123456789012:topic/a",
        "arn:aws:iot:ap-southeast-2:*:topic/a<b",
    ] {
        let statement = json!({"Effect": "Allow", "Action": "iot:Publish", "Resource": arn});
        assert_eq!(found(statement), [""; 0], "{arn}");
    }
    let condition =
        json!({"ArnEquals": {"iot:LastWillTopic": "arn:aws:iot:region:account:topic/a"}});
    let statement = json!({"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client/a"),
        "Condition": condition});
    assert!(problem(statement).contains("isn't filled in"));
}

#[test]
fn a_shared_filter_as_a_topic_to_publish_on_is_told() {
    assert_eq!(
        problem(allow("iot:Publish", "topic/$share/g/t")),
        "nobody publishes on topic/$share/g/t: a shared subscription receives messages of topic/t"
    );
    // AWS's samples grant iot:Receive on it.
    assert_eq!(found(allow("iot:Receive", "topic/$share/*/t")), [""; 0]);
}

#[test]
fn an_allow_that_a_deny_always_beats_is_told() {
    let deny = |action: &str, resource: Value| json!({"Effect": "Deny", "Action": action, "Resource": resource});
    let of = |deny: Value| -> Vec<String> {
        let statements = [
            allow("iot:Connect", "client/lamp-*"),
            allow(
                json!(["iot:Publish", "iot:RetainPublish"]),
                "topic/lamp/${iot:ClientId}",
            ),
            deny,
        ];
        let findings = lint(&[document(statements)], None, UNIX_EPOCH);
        findings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        of(deny("iot:*", json!(arn("topic/lamp/*")))),
        [
            "policy document 1, statement 2: iot:Publish and iot:RetainPublish are never allowed: policy \
             document 1, statement 3 (topic/lamp/*) denies the same, and a Deny beats every Allow"
        ]
    );
    assert_eq!(of(deny("iot:RetainPublish", json!("*"))).len(), 1);
    // A Deny of one topic leaves others allowed, and one with a condition may not apply.
    assert_eq!(of(deny("iot:Publish", json!(arn("topic/lamp/7")))), [""; 0]);
    let mut on_condition = deny("iot:Publish", json!("*"));
    on_condition["Condition"] = json!({"StringEquals": {"iot:ClientId": "x"}});
    assert_eq!(of(on_condition), [""; 0]);
    // `*` is asked about topics alone here.
    let all = [
        allow("iot:Connect", "client/a"),
        json!({"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}),
        deny("iot:Publish", json!(arn("topic/*"))),
    ];
    let findings = lint(&[document(all)], None, UNIX_EPOCH);
    assert!(
        findings
            .iter()
            .any(|found| found.to_string().contains("iot:Publish is never allowed")),
        "{findings:?}"
    );
}

#[test]
fn every_mistake_of_every_document_is_told_with_its_place() {
    let broken = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "allow", "Action": "iot:Connect", "Resource": "client/a"},
        allow("iot:Subscribe", "topic/a")]});
    let findings = lint(
        &[json!("{"), broken, document([allow("iot:Fly", "topic/a")])],
        None,
        UNIX_EPOCH,
    );
    let places: Vec<_> = findings
        .iter()
        .map(|found| (found.document, found.statement, &*found.pointer))
        .collect();
    assert_eq!(
        // Text that isn't JSON, two mistakes of one statement, a wrong kind, and an unknown action.
        places,
        [
            (Some(1), None, ""),
            (Some(2), Some(1), "/Statement/0/Effect"),
            (Some(2), Some(1), "/Statement/0/Resource"),
            (Some(2), Some(2), "/Statement/1/Resource"),
            (Some(3), Some(1), "/Statement/0/Action"),
        ],
        "{findings:#?}"
    );
    assert!(
        findings[1]
            .to_string()
            .starts_with("policy document 2: statement 1: \"Effect\" must")
    );
}
