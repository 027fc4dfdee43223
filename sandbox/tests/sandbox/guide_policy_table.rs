//! One policy for each kind that the AWS IoT developer guide describes: requests that it allows,
//! requests that it denies, and what the linter says about it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dunlin_sandbox::{Action, Policy, PolicyDocument, Request, Subject, lint};
use serde_json::{Value, json};

use Action::{Connect, Publish, Receive, RetainPublish, Subscribe};

/// One kind of policy.
struct Kind {
    name: &'static str,
    statements: Value,
    allowed: Vec<Asked>,
    denied: Vec<Asked>,
    /// Start of each sentence of the linter about a statement, behind the number of the statement.
    lint: &'static [&'static str],
}

/// A request of the client `lamp-7`.
struct Asked {
    action: Action,
    name: &'static str,
    subject: Subject,
    time: SystemTime,
}

fn ask(action: Action, name: &'static str) -> Asked {
    Asked {
        action,
        name,
        subject: Subject::new("lamp-7"),
        time: UNIX_EPOCH,
    }
}

impl Asked {
    fn from(mut self, ip: [u8; 4]) -> Self {
        self.subject.source_ip = Some(ip.into());
        self
    }

    fn at(mut self, days: u64) -> Self {
        self.time = UNIX_EPOCH + Duration::from_secs(days * 86_400);
        self
    }

    fn to(mut self, domain_name: &str) -> Self {
        self.subject.domain_name = Some(domain_name.into());
        self
    }

    fn with_will(mut self, topic: &str) -> Self {
        self.subject.connect.last_will = true;
        self.subject.last_will_topic = Some(topic.into());
        self
    }

    fn persistent(mut self) -> Self {
        self.subject.connect.persistent = true;
        self
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:iot:eu-west-1:123456789012:{name}")
}

fn allow(actions: Value, resources: &[&str]) -> Value {
    statement("Allow", actions, resources, json!({}))
}

fn deny(actions: Value, resources: &[&str]) -> Value {
    statement("Deny", actions, resources, json!({}))
}

fn statement(effect: &str, actions: Value, resources: &[&str], condition: Value) -> Value {
    let resources: Vec<String> = resources.iter().map(|name| arn(name)).collect();
    json!({"Effect": effect, "Action": actions, "Resource": resources, "Condition": condition})
}

fn connecting() -> Vec<Kind> {
    vec![
        Kind {
            name: "client ids by name",
            statements: json!([allow(
                json!("iot:Connect"),
                &["client/lamp-7", "client/lamp-8"]
            )]),
            allowed: vec![ask(Connect, "lamp-7"), ask(Connect, "lamp-8")],
            denied: vec![ask(Connect, "lamp-9"), ask(Connect, "lamp-77")],
            lint: &[],
        },
        Kind {
            name: "client ids by prefix",
            statements: json!([allow(json!("iot:Connect"), &["client/lamp-?"])]),
            allowed: vec![ask(Connect, "lamp-7")],
            denied: vec![ask(Connect, "lamp-77"), ask(Connect, "door-7")],
            lint: &[],
        },
        Kind {
            name: "the client id as a variable",
            statements: json!([
                allow(json!("iot:Connect"), &["client/${iot:ClientId}"]),
                allow(json!("iot:Publish"), &["topic/${iot:ClientId}/state"]),
            ]),
            allowed: vec![ask(Connect, "lamp-7"), ask(Publish, "lamp-7/state")],
            denied: vec![ask(Connect, "lamp-8"), ask(Publish, "lamp-8/state")],
            lint: &["client/${iot:ClientId} allows every client id"],
        },
        Kind {
            name: "any session, with or without a will",
            statements: json!([allow(json!("iot:Connect"), &["client/lamp-7"])]),
            allowed: vec![
                ask(Connect, "lamp-7").persistent(),
                ask(Connect, "lamp-7").with_will("gone"),
            ],
            denied: vec![],
            lint: &[],
        },
        Kind {
            name: "no session that outlives its connection",
            statements: json!([statement(
                "Allow",
                json!("iot:Connect"),
                &["client/lamp-7"],
                json!({"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}}),
            )]),
            allowed: vec![
                ask(Connect, "lamp-7"),
                ask(Connect, "lamp-7").with_will("gone"),
            ],
            denied: vec![ask(Connect, "lamp-7").persistent()],
            lint: &[],
        },
        Kind {
            name: "a will on its own topic alone",
            statements: json!([
                statement(
                    "Allow",
                    json!("iot:Connect"),
                    &["client/lamp-7"],
                    json!({"ArnEquals": {"iot:LastWillTopic": arn("topic/gone/*")}}),
                ),
                allow(
                    json!(["iot:Publish", "iot:RetainPublish"]),
                    &["topic/gone/*"]
                ),
            ]),
            allowed: vec![
                ask(Connect, "lamp-7").with_will("gone/lamp-7"),
                ask(Publish, "gone/lamp-7"),
                ask(RetainPublish, "gone/lamp-7"),
            ],
            denied: vec![
                ask(Connect, "lamp-7").with_will("other"),
                ask(Connect, "lamp-7"),
            ],
            lint: &[],
        },
        Kind {
            name: "no wills",
            statements: json!([
                allow(json!("iot:Connect"), &["client/lamp-7"]),
                statement(
                    "Deny",
                    json!("iot:Connect"),
                    &["client/*"],
                    json!({"ForAnyValue:StringEquals": {"iot:ConnectAttributes": "LastWill"}}),
                ),
            ]),
            allowed: vec![ask(Connect, "lamp-7")],
            denied: vec![ask(Connect, "lamp-7").with_will("gone")],
            lint: &[],
        },
    ]
}

fn topics() -> Vec<Kind> {
    let all = json!(["iot:Publish", "iot:Receive"]);
    vec![
        Kind {
            name: "one topic",
            statements: json!([
                allow(all.clone(), &["topic/lamps/7"]),
                allow(json!("iot:Subscribe"), &["topicfilter/lamps/7"]),
            ]),
            allowed: vec![
                ask(Publish, "lamps/7"),
                ask(Receive, "lamps/7"),
                ask(Subscribe, "lamps/7"),
            ],
            denied: vec![
                ask(Publish, "lamps/8"),
                ask(Subscribe, "lamps/+"),
                ask(RetainPublish, "lamps/7"),
            ],
            lint: &[],
        },
        Kind {
            name: "all topics below one",
            statements: json!([
                allow(all, &["topic/lamps/*"]),
                allow(json!("iot:Subscribe"), &["topicfilter/lamps/*"]),
            ]),
            allowed: vec![
                ask(Publish, "lamps/7/state"),
                ask(Subscribe, "lamps/#"),
                ask(Subscribe, "lamps/+/state"),
                ask(Receive, "lamps/7/state"),
            ],
            denied: vec![
                ask(Publish, "lamps"),
                ask(Subscribe, "#"),
                ask(Receive, "doors/7"),
            ],
            lint: &[],
        },
        Kind {
            name: "MQTT wildcards in a filter are letters",
            statements: json!([
                allow(
                    json!("iot:Subscribe"),
                    &["topicfilter/lamps/+/state", "topicfilter/doors/#"]
                ),
                allow(
                    json!("iot:Receive"),
                    &["topic/lamps/*/state", "topic/doors/*"]
                ),
            ]),
            allowed: vec![
                ask(Subscribe, "lamps/+/state"),
                ask(Subscribe, "doors/#"),
                ask(Receive, "doors/1/open"),
            ],
            denied: vec![ask(Subscribe, "lamps/7/state"), ask(Subscribe, "doors/1")],
            lint: &[],
        },
        Kind {
            name: "MQTT wildcards in a topic match nothing",
            statements: json!([allow(
                json!("iot:Publish"),
                &["topic/lamps/+", "topic/doors/#"]
            )]),
            allowed: vec![],
            denied: vec![ask(Publish, "lamps/7"), ask(Publish, "doors/1")],
            lint: &["+ and # are plain letters", "+ and # are plain letters"],
        },
        Kind {
            name: "topic in place of topicfilter",
            statements: json!([allow(json!(["iot:Subscribe"]), &["topic/lamps/7"])]),
            allowed: vec![],
            denied: vec![ask(Subscribe, "lamps/7")],
            lint: &["iot:Subscribe is asked on topicfilter/"],
        },
        Kind {
            name: "retained messages need both actions",
            statements: json!([allow(
                json!(["iot:Publish", "iot:RetainPublish"]),
                &["topic/lamps/7"]
            )]),
            allowed: vec![ask(Publish, "lamps/7"), ask(RetainPublish, "lamps/7")],
            denied: vec![ask(RetainPublish, "lamps/8")],
            lint: &[],
        },
        Kind {
            name: "shared subscriptions, with and without the prefix",
            statements: json!([
                allow(
                    json!("iot:Subscribe"),
                    &["topicfilter/lamps/*", "topicfilter/$share/*/lamps/*"]
                ),
                allow(
                    json!("iot:Receive"),
                    &["topic/lamps/*", "topic/$share/*/lamps/*"]
                ),
            ]),
            allowed: vec![
                ask(Subscribe, "lamps/#"),
                ask(Subscribe, "$share/group/lamps/#"),
                ask(Receive, "lamps/7"),
                ask(Receive, "$share/group/lamps/7"),
            ],
            denied: vec![ask(Subscribe, "$share/group/doors/#")],
            lint: &[],
        },
        Kind {
            name: "a filter doesn't allow its shared form",
            statements: json!([
                allow(json!("iot:Subscribe"), &["topicfilter/lamps/#"]),
                allow(json!("iot:Receive"), &["topic/lamps/*"]),
            ]),
            allowed: vec![ask(Subscribe, "lamps/#")],
            denied: vec![ask(Subscribe, "$share/group/lamps/#")],
            lint: &[],
        },
        Kind {
            name: "publishing on a shared filter",
            statements: json!([allow(json!("iot:Publish"), &["topic/$share/group/lamps"])]),
            allowed: vec![],
            denied: vec![ask(Publish, "lamps")],
            lint: &["nobody publishes on topic/$share/group/lamps"],
        },
        Kind {
            name: "Basic Ingest",
            statements: json!([allow(json!("iot:Publish"), &["topic/$aws/rules/store/*"])]),
            allowed: vec![ask(Publish, "$aws/rules/store/lamps/7")],
            denied: vec![
                ask(Publish, "$aws/rules/other/lamps/7"),
                ask(Publish, "lamps/7"),
            ],
            lint: &[],
        },
        Kind {
            name: "wildcards as letters",
            statements: json!([allow(json!("iot:Publish"), &["topic/a${*}b${?}${$}"])]),
            allowed: vec![ask(Publish, "a*b?$")],
            denied: vec![ask(Publish, "axb?$")],
            lint: &[],
        },
        Kind {
            name: "everything",
            statements: json!([{"Effect": "Allow", "Action": ["iot:*"], "Resource": ["*"]}]),
            allowed: vec![
                ask(Connect, "lamp-7"),
                ask(Publish, "a"),
                ask(Subscribe, "#"),
            ],
            denied: vec![],
            lint: &["* allows every MQTT action on everything"],
        },
        Kind {
            name: "everything but one topic",
            statements: json!([
                allow(
                    json!(["iot:Publish", "iot:Connect"]),
                    &["client/lamp-*", "topic/lamps/*"]
                ),
                deny(json!("iot:Publish"), &["topic/lamps/secret"]),
            ]),
            allowed: vec![ask(Publish, "lamps/7")],
            denied: vec![ask(Publish, "lamps/secret")],
            lint: &[],
        },
        Kind {
            name: "a Deny that always wins",
            statements: json!([
                allow(json!(["iot:Publish"]), &["topic/lamps/7"]),
                deny(json!("iot:*"), &["topic/lamps/*"]),
            ]),
            allowed: vec![],
            denied: vec![ask(Publish, "lamps/7")],
            lint: &["iot:Publish is never allowed: policy document 1, statement 2"],
        },
    ]
}

fn conditions() -> Vec<Kind> {
    let connect =
        |condition| statement("Allow", json!("iot:Connect"), &["client/lamp-7"], condition);
    vec![
        Kind {
            name: "an address or a network",
            statements: json!([connect(
                json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.1"]}})
            )]),
            allowed: vec![
                ask(Connect, "lamp-7").from([10, 1, 2, 3]),
                ask(Connect, "lamp-7").from([192, 0, 2, 1]),
            ],
            denied: vec![
                ask(Connect, "lamp-7").from([192, 0, 2, 2]),
                ask(Connect, "lamp-7"),
            ],
            lint: &[],
        },
        Kind {
            name: "the address in a topic",
            statements: json!([allow(json!("iot:Publish"), &["topic/from/${aws:SourceIp}"])]),
            allowed: vec![ask(Publish, "from/10.1.2.3").from([10, 1, 2, 3])],
            denied: vec![ask(Publish, "from/10.1.2.4").from([10, 1, 2, 3])],
            lint: &[],
        },
        Kind {
            name: "all addresses but some",
            statements: json!([
                allow(json!("iot:Connect"), &["client/lamp-7"]),
                statement(
                    "Deny",
                    json!("iot:Connect"),
                    &["client/lamp-7"],
                    json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
                ),
            ]),
            allowed: vec![ask(Connect, "lamp-7").from([10, 1, 2, 3])],
            denied: vec![ask(Connect, "lamp-7").from([192, 0, 2, 2])],
            lint: &[],
        },
        Kind {
            name: "a period",
            statements: json!([connect(json!({
                "DateGreaterThanEquals": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
                "DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"},
            }))]),
            allowed: vec![
                ask(Connect, "lamp-7").at(20_454),
                ask(Connect, "lamp-7").at(20_818),
            ],
            denied: vec![
                ask(Connect, "lamp-7").at(20_453),
                ask(Connect, "lamp-7").at(20_819),
            ],
            lint: &[],
        },
        Kind {
            name: "seconds since 1970",
            statements: json!([connect(
                json!({"NumericLessThan": {"aws:EpochTime": "86400"}})
            )]),
            allowed: vec![ask(Connect, "lamp-7")],
            denied: vec![ask(Connect, "lamp-7").at(1)],
            lint: &[],
        },
        Kind {
            name: "the endpoint",
            statements: json!([connect(
                json!({"StringEquals": {"iot:DomainName": "iot.example.com"}})
            )]),
            allowed: vec![ask(Connect, "lamp-7").to("iot.example.com")],
            denied: vec![
                ask(Connect, "lamp-7").to("localhost"),
                ask(Connect, "lamp-7"),
            ],
            lint: &[],
        },
        Kind {
            name: "TLS alone",
            statements: json!([connect(json!({"Bool": {"aws:SecureTransport": "true"}}))]),
            allowed: vec![ask(Connect, "lamp-7")],
            denied: vec![],
            lint: &[],
        },
        Kind {
            name: "the client id in a condition",
            statements: json!([statement(
                "Allow",
                json!("iot:Publish"),
                &["topic/lamps/*"],
                json!({"StringLike": {"iot:ClientId": ["lamp-*", "door-*"]}}),
            )]),
            allowed: vec![ask(Publish, "lamps/7")],
            denied: vec![Asked {
                subject: Subject::new("spy"),
                ..ask(Publish, "lamps/7")
            }],
            lint: &[],
        },
    ]
}

/// Things and client certificates don't exist behind a custom authorizer: such a policy is taken
/// and allows nothing by them. The linter says so of variables.
fn things_and_certificates() -> Vec<Kind> {
    let attached = json!({"Bool": {"iot:Connection.Thing.IsAttached": "true"}});
    vec![
        Kind {
            name: "a thing that is attached",
            statements: json!([statement(
                "Allow",
                json!("iot:Connect"),
                &["client/${iot:Connection.Thing.ThingName}"],
                attached,
            )]),
            allowed: vec![],
            denied: vec![ask(Connect, "lamp-7"), ask(Connect, "")],
            lint: &["a variable in client/${iot:Connection.Thing.ThingName} has no value"],
        },
        Kind {
            name: "type and attributes of a thing",
            statements: json!([
                allow(
                    json!("iot:Publish"),
                    &[
                        "topic/${iot:Connection.Thing.ThingTypeName}/${iot:Connection.Thing.Attributes[room]}"
                    ]
                ),
                allow(json!("iot:Publish"), &["topic/open"]),
            ]),
            allowed: vec![ask(Publish, "open")],
            denied: vec![ask(Publish, "lamp/kitchen")],
            lint: &["a variable in topic/${iot:Connection.Thing.ThingTypeName}"],
        },
        Kind {
            name: "shadows of a thing",
            statements: json!([
                allow(
                    json!(["iot:Publish", "iot:Receive"]),
                    &["topic/$aws/things/lamp-7/shadow/*"]
                ),
                allow(
                    json!("iot:Subscribe"),
                    &["topicfilter/$aws/things/lamp-7/shadow/*"]
                ),
                allow(
                    json!(["iot:GetThingShadow", "iot:UpdateThingShadow"]),
                    &["thing/lamp-7"]
                ),
            ]),
            allowed: vec![
                ask(Publish, "$aws/things/lamp-7/shadow/update"),
                ask(Subscribe, "$aws/things/lamp-7/shadow/update/+"),
            ],
            denied: vec![ask(Publish, "$aws/things/lamp-8/shadow/update")],
            lint: &[],
        },
        Kind {
            name: "jobs, provisioning and roles",
            statements: json!([
                allow(
                    json!("iotjobsdata:GetPendingJobExecutions"),
                    &["thing/lamp-7"]
                ),
                allow(
                    json!("iot:AssumeRoleWithCertificate"),
                    &["rolealias/upload"]
                ),
                allow(json!("greengrass:Discover"), &["thing/lamp-7"]),
                allow(
                    json!(["iot:Publish", "iot:Receive"]),
                    &[
                        "topic/$aws/certificates/create/*",
                        "topic/$aws/provisioning-templates/t/*"
                    ]
                ),
            ]),
            allowed: vec![ask(Publish, "$aws/certificates/create/json")],
            denied: vec![ask(Publish, "thing/lamp-7"), ask(Connect, "lamp-7")],
            lint: &[],
        },
        Kind {
            name: "the certificate",
            statements: json!([
                allow(json!("iot:Connect"), &["client/${iot:CertificateId}"]),
                statement(
                    "Allow",
                    json!("iot:Connect"),
                    &["client/lamp-*"],
                    json!({"StringEquals": {"iot:Certificate.Subject.Organization.1": "Lamps"}}),
                ),
                statement(
                    "Allow",
                    json!("iot:Connect"),
                    &["client/lamp-*"],
                    json!({"StringNotEquals": {"iot:Certificate.Issuer.CommonName": "Lamps"}}),
                ),
            ]),
            // As in IAM, a negated condition is met by what has no value.
            allowed: vec![ask(Connect, "lamp-7")],
            denied: vec![ask(Connect, "door-7")],
            lint: &["a variable in client/${iot:CertificateId} has no value"],
        },
        Kind {
            name: "the API for retained messages",
            statements: json!([
                allow(json!("iot:GetRetainedMessage"), &["topic/lamps/*"]),
                {"Effect": "Allow", "Action": "iot:ListRetainedMessages", "Resource": "*"},
            ]),
            allowed: vec![],
            denied: vec![ask(Receive, "lamps/7")],
            lint: &[],
        },
    ]
}

fn document(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[test]
fn each_kind_of_policy_of_the_guide_is_evaluated() {
    let kinds = [
        connecting(),
        topics(),
        conditions(),
        things_and_certificates(),
    ];
    for kind in kinds.into_iter().flatten() {
        let document = PolicyDocument::from_value(document(&kind.statements)).unwrap();
        let policy = Policy::new(vec![document]);
        let cases = kind.allowed.iter().map(|asked| (asked, true));
        for (asked, expected) in cases.chain(kind.denied.iter().map(|asked| (asked, false))) {
            let request = Request::new(asked.action, asked.name, &asked.subject, asked.time);
            let decision = policy.evaluate(request);
            let asked = format!("{}: {} on {:?}", kind.name, asked.action, asked.name);
            assert_eq!(decision.is_allowed(), expected, "{asked}: {decision}");
        }
    }
}

#[test]
fn each_kind_of_policy_of_the_guide_is_linted() {
    let kinds = [
        connecting(),
        topics(),
        conditions(),
        things_and_certificates(),
    ];
    for kind in kinds.into_iter().flatten() {
        let findings = lint(&[document(&kind.statements)], None, UNIX_EPOCH);
        // Some kinds are a part of a policy: without iot:Connect nobody would get in.
        let of_statements: Vec<String> = findings
            .iter()
            .filter(|finding| finding.statement.is_some())
            .map(|finding| finding.problem.to_string())
            .collect();
        let matches = |(found, start): (&String, &&str)| found.starts_with(start);
        assert!(
            of_statements.len() == kind.lint.len()
                && of_statements.iter().zip(kind.lint).all(matches),
            "{}: {findings:#?}",
            kind.name
        );
    }
}

/// Elements and keys of IAM that AWS IoT policies don't have, and what needs a Cognito identity.
#[test]
fn each_kind_of_policy_that_cannot_apply_is_refused_with_the_reason() {
    let with = |name: &str, value: Value| {
        let mut statement = allow(json!("iot:Connect"), &["client/lamp-7"]);
        statement[name] = value;
        statement
    };
    let on = |key: &str| with("Condition", json!({"StringEquals": {key: "x"}}));
    let cognito = allow(
        json!("iot:Connect"),
        &["client/${cognito-identity.amazonaws.com:sub}"],
    );
    for (statement, reason) in [
        (
            with("NotAction", json!("iot:Publish")),
            "have no element \"NotAction\": list the actions",
        ),
        (
            with("NotResource", json!("*")),
            "have no element \"NotResource\": list the resources",
        ),
        (
            with("Principal", json!("*")),
            "have no element \"Principal\": the policy is for the identity",
        ),
        (
            on("aws:ResourceTag/team"),
            "tags are for calls of the AWS API",
        ),
        (on("iot:ClientMode"), "it is a key of IAM"),
        (
            on("cognito-identity.amazonaws.com:sub"),
            "it needs a Cognito identity",
        ),
        (cognito, "it needs a Cognito identity"),
        (
            on("aws:username"),
            "the condition key \"aws:username\" isn't supported",
        ),
    ] {
        let document = document(&json!([
            allow(json!("iot:Publish"), &["topic/a"]),
            statement
        ]));
        let findings = lint(std::slice::from_ref(&document), None, UNIX_EPOCH);
        let refused = PolicyDocument::from_value(document).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.starts_with("statement 2: ") && text.contains(reason),
            "{text}"
        );
        assert_eq!(refused.statement, Some(2));
        let told = findings
            .iter()
            .any(|finding| finding.to_string().contains(reason));
        assert!(told, "{findings:?}");
    }
}
