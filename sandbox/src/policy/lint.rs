//! What is usually wrong with a policy, found before a device finds it.

mod problem;
mod statement;

use core::fmt;

use dunlin_codec::Escaped;
use serde_json::Value;

pub use problem::PolicyProblem;

use crate::policy::document::{Effect, PolicyDocument, Statement};
use crate::policy::evaluation::Policy;
use crate::policy::request::{Action, Request, Subject};
use crate::policy::{MAX_DOCUMENT_LENGTH, MAX_DOCUMENTS};

/// One thing to mend, and where it is. `Display` writes it on one line, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which document, from 1; `None` where it is about all of them.
    pub document: Option<usize>,
    /// Which statement of it, from 1.
    pub statement: Option<usize>,
    /// What is wrong.
    pub problem: PolicyProblem,
}

impl Finding {
    fn of_all(problem: PolicyProblem) -> Self {
        Self {
            document: None,
            statement: None,
            problem,
        }
    }

    fn of_document(document: usize, problem: PolicyProblem) -> Self {
        Self {
            document: Some(document),
            statement: None,
            problem,
        }
    }
}

/// Looks for the usual mistakes in the policy documents of one identity, each an object or the text
/// of one.
///
/// `client_id` is one that should be able to connect.
///
/// ```
/// let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
///     {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:eu-west-1:123456789012:client/lamp-*"},
///     {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:eu-west-1:123456789012:topic/lamp"},
/// ]});
/// let findings = dunlin_sandbox::lint(&[document], Some("lamp-7"));
/// assert_eq!(
///     findings[0].to_string(),
///     "policy document 1, statement 2: iot:Subscribe is asked on topicfilter/, so that topic/lamp never applies: \
///      write topicfilter/lamp"
/// );
/// ```
#[must_use]
pub fn lint(documents: &[Value], client_id: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut parsed = Vec::new();
    if documents.len() > MAX_DOCUMENTS {
        findings.push(Finding::of_all(PolicyProblem::TooManyDocuments(
            documents.len(),
        )));
    }
    for (document, number) in documents.iter().zip(1..) {
        let text = match document {
            Value::String(text) => text.clone(),
            object => object.to_string(),
        };
        let length = text.chars().count();
        if length > MAX_DOCUMENT_LENGTH {
            findings.push(Finding::of_document(number, PolicyProblem::TooLong(length)));
        }
        match PolicyDocument::parse(&text) {
            Ok(document) => parsed.push(document),
            Err(error) => {
                findings.push(Finding::of_document(number, PolicyProblem::Refused(error)));
            }
        }
    }
    let is_whole = parsed.len() == documents.len();
    let policy = Policy::new(parsed);
    for (document, number, statement) in policy.statements() {
        let problems = statement::problems(statement).into_iter();
        findings.extend(problems.map(|problem| Finding {
            document: Some(document),
            statement: Some(number),
            problem,
        }));
    }
    // What a refused document would have allowed isn't known.
    if is_whole {
        findings.extend(
            of_policy(&policy, client_id)
                .into_iter()
                .map(Finding::of_all),
        );
    }
    findings
}

/// What is missing in all documents together.
fn of_policy(policy: &Policy, client_id: Option<&str>) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    if !allows_somewhere(policy, Action::Connect) {
        problems.push(PolicyProblem::NoConnect);
    } else if let Some(client_id) = client_id {
        let subject = Subject::new(client_id);
        let decision = policy.evaluate(Request::new(Action::Connect, client_id, &subject));
        if !decision.is_allowed() {
            problems.push(PolicyProblem::ClientId {
                client_id: client_id.into(),
                decision,
            });
        }
    }
    problems.extend(undelivered(policy).map(PolicyProblem::NoReceive));
    if allows_somewhere(policy, Action::RetainPublish) && !allows_somewhere(policy, Action::Publish)
    {
        problems.push(PolicyProblem::RetainWithoutPublish);
    }
    problems.extend(open_to_plus(policy).map(PolicyProblem::PlusClientId));
    problems
}

fn allows_somewhere(policy: &Policy, action: Action) -> bool {
    allowing(policy, action).next().is_some()
}

fn allowing(policy: &Policy, action: Action) -> impl Iterator<Item = &Statement> {
    policy
        .statements()
        .map(|(_, _, statement)| statement)
        .filter(move |statement| statement.effect == Effect::Allow && statement.covers(action))
}

/// The filters that may be subscribed to, of which nothing is ever delivered; the first is told.
fn undelivered(policy: &Policy) -> Option<Box<str>> {
    let filters = allowing(policy, Action::Subscribe)
        .flat_map(|statement| &statement.resources)
        .map(|resource| problem::behind_kind(resource.name()));
    let subject = Subject::new("");
    let can_receive = allows_somewhere(policy, Action::Receive);
    let mut undelivered = filters.filter(|filter| {
        // Only of a plain topic can be said what it receives.
        let is_plain = !filter.contains(['*', '?', '$', '+', '#']);
        let receives = |topic| {
            policy
                .evaluate(Request::new(Action::Receive, topic, &subject))
                .is_allowed()
        };
        !can_receive || (is_plain && !receives(filter))
    });
    undelivered.next().map(Into::into)
}

/// A filter with the client id in it, and clients that may call themselves `+`.
fn open_to_plus(policy: &Policy) -> Option<Box<str>> {
    let plus = Subject::new("+");
    if !policy
        .evaluate(Request::new(Action::Connect, "+", &plus))
        .is_allowed()
    {
        return None;
    }
    let resources = allowing(policy, Action::Subscribe).flat_map(|statement| &statement.resources);
    let mut names = resources.map(|resource| resource.name());
    names
        .find(|name| name.starts_with("topicfilter/") && name.contains("${iot:ClientId}"))
        .map(Into::into)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = Escaped(&self.problem);
        match (self.document, self.statement) {
            (Some(document), Some(statement)) => {
                write!(
                    f,
                    "policy document {document}, statement {statement}: {problem}"
                )
            }
            (Some(document), None) => write!(f, "policy document {document}: {problem}"),
            (None, _) => write!(f, "policy: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::DEMO_POLICY;
    use serde_json::json;

    fn arn(name: &str) -> String {
        format!("arn:aws:iot:eu-west-1:123456789012:{name}")
    }

    fn allow(action: impl Into<Value>, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action.into(), "Resource": arn(resource)})
    }

    fn document(statements: impl IntoIterator<Item = Value>) -> Value {
        json!({"Version": "2012-10-17", "Statement": statements.into_iter().collect::<Vec<_>>()})
    }

    /// What is found besides a client that may connect, subscribe and receive.
    fn found(statement: Value) -> Vec<String> {
        let sound = [
            allow("iot:Connect", "client/lamp-*"),
            allow("iot:Subscribe", "topicfilter/lamp"),
            allow("iot:Receive", "topic/lamp"),
        ];
        let findings = lint(&[document(sound), document([statement])], Some("lamp-7"));
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
        assert_eq!(lint(&[DEMO_POLICY.into()], Some("mqtt5-sample-1a2b")), []);
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
        assert_eq!(found(allow("iot:*", "topic/a")), [""; 0]);
        assert_eq!(found(allow("iot:GetThingShadow", "thing/lamp")), [""; 0]);
    }

    #[test]
    fn mqtt_wildcards_in_a_topic_are_letters() {
        assert_eq!(
            problem(allow("iot:Publish", "topic/a/+/b/#")),
            "+ and # are plain letters in a policy, so that topic/a/+/b/# matches no topic: write topic/a/*/b/*"
        );
        assert_eq!(found(allow("iot:Publish", "topic/c++")), [""; 0]);
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
    fn what_is_missing_in_all_documents_is_told() {
        let texts = |statements: Vec<Value>| -> Vec<String> {
            lint(&[document(statements)], Some("lamp-7"))
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
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
    fn too_many_too_long_and_refused_documents_are_told() {
        let sound: Value = DEMO_POLICY.into();
        let eleven = lint(&vec![sound.clone(); 11], None);
        assert_eq!(eleven[0].problem, PolicyProblem::TooManyDocuments(11));
        let long = document([allow("iot:Publish", &format!("topic/{}", "x".repeat(2048)))]);
        assert!(matches!(
            lint(&[sound.clone(), long], None)[0].problem,
            PolicyProblem::TooLong(2049..)
        ));
        let refused = lint(
            &[sound, json!({"Version": "2008-10-17", "Statement": []})],
            None,
        );
        assert!(
            refused[0]
                .to_string()
                .starts_with("policy document 2: the policy version \"2008-10-17\"")
        );
        assert_eq!(refused.len(), 1);
    }
}
