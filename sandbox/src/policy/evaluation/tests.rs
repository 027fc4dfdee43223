//! Tests of decisions and their explanations.

use super::*;
use crate::policy::request::Subject;
use std::time::UNIX_EPOCH;

const SAMPLE: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:r:a:topic/test/topic"]},
        {"Effect":"Allow","Action":["iot:Subscribe"],"Resource":["arn:aws:iot:r:a:topicfilter/test/topic"]},
        {"Sid":"Door","Effect":"Allow","Action":["iot:Connect"],"Resource":["arn:aws:iot:r:a:client/mqtt5-sample-*"]}]}"#;

fn ask(policy: &str, action: Action, name: &str) -> Decision {
    let subject = Subject::new("lamp-7");
    Policy::parse(policy)
        .unwrap()
        .evaluate(Request::new(action, name, &subject, UNIX_EPOCH))
}

#[test]
fn the_sample_policy_allows_what_the_sample_does_and_nothing_else() {
    assert!(ask(SAMPLE, Action::Connect, "mqtt5-sample-1a2b").is_allowed());
    assert!(ask(SAMPLE, Action::Publish, "test/topic").is_allowed());
    assert!(ask(SAMPLE, Action::Receive, "test/topic").is_allowed());
    assert!(ask(SAMPLE, Action::Subscribe, "test/topic").is_allowed());
    // Another client id, another action, and a filter with a wildcard.
    assert!(!ask(SAMPLE, Action::Connect, "lamp-7").is_allowed());
    assert!(!ask(SAMPLE, Action::RetainPublish, "test/topic").is_allowed());
    assert!(!ask(SAMPLE, Action::Subscribe, "test/#").is_allowed());
}

#[test]
fn a_decision_says_which_statement_gave_it() {
    assert_eq!(
        ask(SAMPLE, Action::Connect, "mqtt5-sample-1a2b").to_string(),
        "allowed by policy document 1, statement 3 \"Door\" (client/mqtt5-sample-*)"
    );
    assert_eq!(
        ask(SAMPLE, Action::Subscribe, "other/topic").to_string(),
        "no statement allows iot:Subscribe on topicfilter/other/topic"
    );
}

#[test]
fn an_explicit_deny_wins_in_any_order() {
    let allow = r#"{"Effect":"Allow","Action":"iot:*","Resource":"*"}"#;
    let deny =
        r#"{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/secret/*"}"#;
    // The order of statements must not matter.
    for (first, second) in [(allow, deny), (deny, allow)] {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{first},{second}]}}"#);
        assert!(ask(&policy, Action::Publish, "open").is_allowed());
        let denied = ask(&policy, Action::Publish, "secret/x");
        assert!(matches!(denied, Decision::ExplicitDeny(by) if &*by.resource == "topic/secret/*"));
    }
}

#[test]
fn a_deny_in_one_document_beats_an_allow_in_another() {
    let allow = PolicyDocument::parse(SAMPLE).unwrap();
    let deny = PolicyDocument::parse(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#,
    )
    .unwrap();
    // The sample allows this; the second document denies everything.
    let policy = Policy::new(vec![allow, deny]);
    let subject = Subject::new("x");
    let request = Request::new(Action::Publish, "test/topic", &subject, UNIX_EPOCH);
    assert!(matches!(policy.evaluate(request), Decision::ExplicitDeny(by) if by.document == 2));
}

#[test]
fn topic_in_a_subscribe_statement_allows_no_subscription() {
    let policy = r#"{"Version":"2012-10-17","Statement":
            {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:a:topic/a"}}"#;
    assert!(!ask(policy, Action::Subscribe, "a").is_allowed());
}

#[test]
fn no_document_allows_nothing() {
    let subject = Subject::new("x");
    let decision =
        Policy::default().evaluate(Request::new(Action::Connect, "x", &subject, UNIX_EPOCH));
    assert!(!decision.is_allowed());
}

#[test]
fn a_denial_says_what_each_statement_lacks() {
    let policy = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:a:topic/a"},
            {"Effect":"Allow","Action":"iot:Subscribe","Resource":["arn:aws:iot:r:a:topicfilter/b","arn:aws:iot:r:a:topicfilter/c"]},
            {"Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:r:a:topicfilter/${iot:Connection.Thing.ThingName}"},
            {"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
            {"Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:a:topicfilter/d"},
            {"Effect":"Allow","Action":"iot:Publish","Resource":"*"}]}"#;
    assert_eq!(
        ask(policy, Action::Subscribe, "a").explanation(),
        [
            "no statement allows iot:Subscribe on topicfilter/a",
            "policy document 1, statement 1 allows it on topic/a, where topicfilter/ is needed: it never applies",
            "policy document 1, statement 2 allows it on topicfilter/b, topicfilter/c only",
            "policy document 1, statement 3 has a variable without a value here \
             (topicfilter/${iot:Connection.Thing.ThingName})",
            "policy document 1, statement 4 (*): the condition Bool on aws:SecureTransport isn't met: true",
        ]
    );
    assert_eq!(
        ask(SAMPLE, Action::RetainPublish, "test/topic")
            .explanation()
            .last()
            .unwrap(),
        "no statement with \"Effect\": \"Allow\" has that action"
    );
}

#[test]
fn a_scope_refuses_the_arns_of_other_accounts() {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish",
            "Resource":"arn:aws:iot:eu-west-1:123456789012:topic/a"}}"#;
    let subject = Subject::new("c");
    let evaluate = |scope: Option<&str>| {
        let policy = Policy::parse(policy)
            .unwrap()
            .within(scope.map(|scope| scope.parse().unwrap()));
        policy.evaluate(Request::new(Action::Publish, "a", &subject, UNIX_EPOCH))
    };
    // Without a scope any account matches.
    assert!(evaluate(None).is_allowed());
    assert!(evaluate(Some("eu-west-1:123456789012")).is_allowed());
    let elsewhere = evaluate(Some("us-east-1:123456789012"));
    assert_eq!(
        elsewhere.explanation()[1],
        "policy document 1, statement 1 is for another region or account than us-east-1:123456789012"
    );
}

#[test]
fn a_scope_counts_in_conditions_as_well() {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect",
            "Resource":"*","Condition":{"ArnEquals":
                {"iot:LastWillTopic":"arn:aws:iot:eu-west-1:123456789012:topic/gone"}}}}"#;
    let ask = |scope: Option<&str>, will: &str, by_hand: bool| {
        let mut subject = Subject::new("c");
        // By hand the value is a whole ARN; the topic of a will gets the scope's region and
        // account.
        if by_hand {
            subject.set("iot:LastWillTopic", will).unwrap();
        } else {
            subject.last_will_topic = Some(will.into());
        }
        let scope = scope.map(|scope| scope.parse().unwrap());
        let policy = Policy::parse(policy).unwrap().within(scope);
        policy.evaluate(Request::new(Action::Connect, "c", &subject, UNIX_EPOCH))
    };
    let (here, elsewhere) = ("eu-west-1:123456789012", "us-east-1:123456789012");
    assert!(ask(None, "gone", false).is_allowed());
    assert!(ask(Some(here), "gone", false).is_allowed());
    let denied = ask(Some(elsewhere), "gone", false);
    assert_eq!(
        denied.explanation()[1],
        "policy document 1, statement 1 (*): the condition ArnEquals on iot:LastWillTopic isn't \
         met: arn:aws:iot:us-east-1:123456789012:topic/gone"
    );
    let arn = |region| format!("arn:aws:iot:{region}:123456789012:topic/gone");
    // A whole ARN is compared as it is, and without a scope by its name only.
    assert!(ask(Some(here), &arn("eu-west-1"), true).is_allowed());
    assert!(!ask(Some(here), &arn("eu-west-2"), true).is_allowed());
    assert!(ask(None, &arn("eu-west-2"), true).is_allowed());
}

#[test]
fn a_denial_that_is_skipped_because_a_value_is_missing_is_named() {
    let policy = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"iot:*","Resource":"*"},
            {"Sid":"Own","Effect":"Deny","Action":"iot:Publish",
             "Resource":["arn:aws:iot:r:a:topic/x","arn:aws:iot:r:a:topic/${iot:Connection.Thing.ThingName}"]},
            {"Effect":"Deny","Action":"iot:*","Resource":"*",
             "Condition":{"StringEquals":{"iot:Certificate.Subject.CommonName":"old"}}},
            {"Effect":"Deny","Action":"iot:Publish","Resource":"*",
             "Condition":{"StringEquals":{"iot:ClientId":"${iot:CertificateId}"}}},
            {"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:r:a:topic/y"}]}"#;
    let policy = Policy::parse(policy).unwrap();
    let subject = Subject::new("c");
    let skipped = |action, name| -> Vec<String> {
        let request = Request::new(action, name, &subject, UNIX_EPOCH);
        let skipped = policy.skipped_denials(request);
        skipped.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        skipped(Action::Publish, "a"),
        [
            "policy document 1, statement 2 \"Own\" is skipped, though it denies that action: a variable \
             in topic/x, topic/${iot:Connection.Thing.ThingName} has no value here",
            "policy document 1, statement 3 is skipped, though it denies that action: the condition \
             StringEquals on iot:Certificate.Subject.CommonName isn't met: it has no value here",
            "policy document 1, statement 4 is skipped, though it denies that action: the condition \
             StringEquals on iot:ClientId isn't met: c (a variable in it has no value here)",
        ]
    );
    // Only statement 3 denies every action.
    assert_eq!(skipped(Action::Subscribe, "a").len(), 1);
}
