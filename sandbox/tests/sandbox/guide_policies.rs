//! Condition keys of the AWS IoT developer guide: each is evaluated, or refused with the reason why
//! it can't apply. The kinds of policies of the guide are in `guide_policy_table`.

use std::time::UNIX_EPOCH;

use dunlin_sandbox::{Action, Policy, Request, Subject};
use serde_json::{Value, json};

/// A statement that allows these actions on a resource, under a condition.
fn allow(actions: Value, resource: Value, condition: Value) -> String {
    let statement =
        json!({"Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

const ARN: &str = "arn:aws:iot:us-east-1:123456789012";

/// `true` if the policy allows this request.
fn allows(policy: &str, action: Action, name: &str, subject: &Subject) -> bool {
    Policy::parse(policy)
        .unwrap()
        .evaluate(Request::new(action, name, subject, UNIX_EPOCH))
        .is_allowed()
}

fn with_will(topic: &str) -> Subject {
    let mut subject = Subject::new("client1");
    subject.connect.last_will = true;
    subject.last_will_topic = Some(topic.into());
    subject
}

/// "Policy with LastWillTopic" of the guide, with each operator that its pages use for it.
#[test]
fn the_topic_of_a_will_is_compared_as_an_arn() {
    for (operator, topic) in [
        ("ArnEquals", "my/*"),
        ("ArnLike", "my/*"),
        ("StringEquals", "my/will"),
        ("StringLike", "my/*"),
    ] {
        let condition = json!({operator: {"iot:LastWillTopic": format!("{ARN}:topic/{topic}")}});
        let policy = allow(
            json!("iot:Connect"),
            json!(format!("{ARN}:client/client1")),
            condition,
        );
        assert!(
            allows(&policy, Action::Connect, "client1", &with_will("my/will")),
            "{operator}"
        );
        assert!(
            !allows(
                &policy,
                Action::Connect,
                "client1",
                &with_will("other/will")
            ),
            "{operator}"
        );
        assert!(
            !allows(
                &policy,
                Action::Connect,
                "client1",
                &Subject::new("client1")
            ),
            "{operator}"
        );
    }
    // Wildcards are for the other operators.
    let condition = json!({"StringEquals": {"iot:LastWillTopic": format!("{ARN}:topic/my/*")}});
    let policy = allow(json!("iot:Connect"), json!("*"), condition);
    assert!(!allows(
        &policy,
        Action::Connect,
        "client1",
        &with_will("my/will")
    ));
    let condition = json!({"ArnNotEquals": {"iot:LastWillTopic": format!("{ARN}:topic/my/will")}});
    let policy = allow(json!("iot:Connect"), json!("*"), condition);
    assert!(!allows(
        &policy,
        Action::Connect,
        "client1",
        &with_will("my/will")
    ));
    assert!(allows(
        &policy,
        Action::Connect,
        "client1",
        &with_will("other")
    ));
}

#[test]
fn conditions_on_vpcs_apply_if_the_keys_are_set() {
    for key in ["aws:SourceVpc", "aws:SourceVpce", "aws:sourceVpce"] {
        let policy = allow(
            json!("iot:*"),
            json!("*"),
            json!({"StringEquals": {key: "vpc-1a2b3c4d"}}),
        );
        let mut subject = Subject::new("client1");
        assert!(
            !allows(&policy, Action::Connect, "client1", &subject),
            "{key}"
        );
        subject.set(key, "vpc-1a2b3c4d").unwrap();
        assert!(
            allows(&policy, Action::Connect, "client1", &subject),
            "{key}"
        );
    }
}

/// Behind a custom authorizer there are no things and certificates: such a policy is taken, and
/// allows nothing.
#[test]
fn policies_of_things_and_certificates_are_taken_and_allow_nothing() {
    let client = Subject::new("client1");
    for (resource, condition) in [
        ("client/${iot:Connection.Thing.ThingName}", json!({})),
        (
            "client/*",
            json!({"Bool": {"iot:Connection.Thing.IsAttached": "true"}}),
        ),
        (
            "client/*",
            json!({"StringEquals": {"iot:Certificate.Subject.CommonName.1": "x"}}),
        ),
        (
            "client/*",
            json!({"ForAnyValue:StringEquals": {"iot:Certificate.AvailableKeys": ["x"]}}),
        ),
        (
            "client/${iot:Certificate.Subject.Organization.List}",
            json!({}),
        ),
        ("client/${iot:CertificateId}", json!({})),
        (
            "client/*",
            json!({"StringLike": {"iot:Connection.Thing.Attributes[room]": "*"}}),
        ),
    ] {
        let policy = allow(
            json!(["iot:Connect"]),
            json!([format!("{ARN}:{resource}")]),
            condition,
        );
        assert!(
            !allows(&policy, Action::Connect, "client1", &client),
            "{policy}"
        );
    }
    let mut client = client;
    let refused = client
        .set("iot:Certificate.SerialNumber", "1")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("no client certificates"), "{refused}");
}

#[test]
fn condition_keys_of_iam_are_refused_with_the_reason() {
    for (key, reason) in [
        (
            "aws:ResourceTag/owner",
            "tags are for calls of the AWS API with IAM",
        ),
        ("iot:ThingGroupArn", "it is a key of IAM"),
        (
            "cognito-identity.amazonaws.com:sub",
            "it needs a Cognito identity",
        ),
    ] {
        let policy = allow(
            json!("iot:Connect"),
            json!("*"),
            json!({"StringEquals": {key: "x"}}),
        );
        let refused = Policy::parse(&policy).unwrap_err().to_string();
        assert!(
            refused.contains(key) && refused.contains(reason),
            "{refused}"
        );
    }
    let policy = allow(
        json!("iot:Connect"),
        json!(format!(
            "{ARN}:client/${{cognito-identity.amazonaws.com:sub}}"
        )),
        json!({}),
    );
    let refused = Policy::parse(&policy).unwrap_err().to_string();
    assert!(refused.contains("it needs a Cognito identity"), "{refused}");
}
