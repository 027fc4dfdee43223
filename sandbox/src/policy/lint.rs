//! Usual mistakes in policies, found before a device finds them.

mod arn;
mod denied;
mod problem;
mod statement;
#[cfg(test)]
mod tests;

use core::fmt;
use std::time::SystemTime;

use serde_json::Value;

pub use problem::PolicyProblem;

use crate::policy::document::PolicyDocument;
use crate::policy::evaluation::Policy;
use crate::policy::request::{Action, Request, Subject};
use crate::policy::statement::{Effect, Statement};
use crate::policy::{MAX_DOCUMENT_LENGTH, MAX_DOCUMENTS};

/// One mistake and its place. `Display` writes both on one line, with the way to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Number of the document, from 1; `None` for a mistake of all documents together.
    pub document: Option<usize>,
    /// Number of the statement in the document, from 1; `None` for a mistake of the document.
    pub statement: Option<usize>,
    /// JSON Pointer (RFC 6901) to the mistake in the document, such as `/Statement/0/Resource/1`;
    /// empty for the document itself.
    pub pointer: Box<str>,
    /// Description of the mistake.
    pub problem: PolicyProblem,
}

impl Finding {
    fn of_all(problem: PolicyProblem) -> Self {
        Self {
            document: None,
            statement: None,
            pointer: "".into(),
            problem,
        }
    }

    fn of_document(document: usize, problem: PolicyProblem) -> Self {
        Self {
            document: Some(document),
            ..Self::of_all(problem)
        }
    }
}

/// Looks for the usual mistakes in the policy documents of one identity, each an object or the text
/// of one.
///
/// `client_id` is one that should be able to connect. `time` is the time for conditions on
/// `aws:CurrentTime` and `aws:EpochTime`.
///
/// ```
/// let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
///     {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:eu-west-1:123456789012:client/lamp-*"},
///     {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:eu-west-1:123456789012:topic/lamp"},
/// ]});
/// let findings = dunlin_sandbox::lint(&[document], Some("lamp-7"), std::time::SystemTime::now());
/// assert_eq!(
///     findings[0].to_string(),
///     "policy document 1, statement 2: iot:Subscribe is asked on topicfilter/, so that topic/lamp never applies: \
///      write topicfilter/lamp"
/// );
/// assert_eq!(&*findings[0].pointer, "/Statement/1/Resource");
/// ```
#[must_use]
pub fn lint(documents: &[Value], client_id: Option<&str>, time: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if documents.len() > MAX_DOCUMENTS {
        findings.push(Finding::of_all(PolicyProblem::TooManyDocuments(
            documents.len(),
        )));
    }

    // Everything that a document is refused for. The other statements are looked at all the same.
    let mut parsed = Vec::new();
    let mut is_whole = true;
    for (document, number) in documents.iter().zip(1..) {
        // The limit counts the text that a Lambda would answer with: an object without white space.
        let text = text_of(document);
        let length = text.chars().count();
        if length > MAX_DOCUMENT_LENGTH {
            findings.push(Finding::of_document(number, PolicyProblem::TooLong(length)));
        }
        let (document, errors) = PolicyDocument::read(&text);
        is_whole &= errors.is_empty();
        findings.extend(errors.into_iter().map(|error| Finding {
            document: Some(number),
            statement: error.statement,
            pointer: error.pointer.clone(),
            problem: PolicyProblem::Refused(error),
        }));
        parsed.push(document);
    }

    // Each statement by itself, and beside those that deny.
    let policy = Policy::new(parsed);
    for (document, statement) in policy.statements() {
        // Only documents that are objects have pointers into them; a text has lines instead.
        let json = documents.get(document - 1);
        let mut problems = statement::problems(statement);
        problems.extend(denied::problems(statement, &policy));
        findings.extend(problems.into_iter().map(|found| Finding {
            document: Some(document),
            statement: Some(statement.number),
            pointer: pointer(json, statement.number, found.text).into(),
            problem: found.problem,
        }));
    }

    // All documents together. What a refused statement would have allowed isn't known.
    if is_whole {
        let problems = of_policy(&policy, client_id, time).into_iter();
        findings.extend(problems.map(Finding::of_all));
    }
    findings
}

/// Text of a document that is an object, or a string that holds one.
fn text_of(document: &Value) -> String {
    match document {
        Value::String(text) => text.clone(),
        object => object.to_string(),
    }
}

/// JSON Pointer to a statement, or to the string in it that is `text`.
fn pointer(document: Option<&Value>, number: usize, text: Option<&str>) -> String {
    let Some(statements) = document.and_then(|document| document.get("Statement")) else {
        return String::new();
    };
    // A single statement may stand without a list, and then has no index.
    let statement = if statements.is_array() {
        format!("/Statement/{}", number - 1)
    } else {
        "/Statement".into()
    };
    let value = document.and_then(|document| document.pointer(&statement));
    let inner = value
        .zip(text)
        .and_then(|(value, text)| pointer_to_string(value, text));
    statement + &inner.unwrap_or_default()
}

/// JSON Pointer to the first string that is `text`.
fn pointer_to_string(value: &Value, text: &str) -> Option<String> {
    // Depth first, in the order of the document.
    let below = |token: &str, value| Some(format!("/{token}{}", pointer_to_string(value, text)?));
    match value {
        Value::String(string) => (string == text).then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| below(&index.to_string(), item)),
        Value::Object(members) => members
            .iter()
            .find_map(|(name, value)| below(&name.replace('~', "~0").replace('/', "~1"), value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Mistakes of all documents together.
fn of_policy(policy: &Policy, client_id: Option<&str>, time: SystemTime) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    // If no client may connect, the client id doesn't matter.
    if !allows_somewhere(policy, Action::Connect) {
        problems.push(PolicyProblem::NoConnect);
    } else if let Some(client_id) = client_id {
        let subject = Subject::new(client_id);
        let request = Request::new(Action::Connect, client_id, &subject, time);
        let decision = policy.evaluate(request);
        if !decision.is_allowed() {
            problems.push(PolicyProblem::ClientId {
                client_id: client_id.into(),
                decision,
            });
        }
    }
    // AWS IoT evaluates iot:Receive for each delivery: a subscription without it stays silent.
    problems.extend(undelivered(policy, time).map(PolicyProblem::NoReceive));
    // A retained PUBLISH is evaluated for both actions.
    if allows_somewhere(policy, Action::RetainPublish) && !allows_somewhere(policy, Action::Publish)
    {
        problems.push(PolicyProblem::RetainWithoutPublish);
    }
    problems.extend(open_to_plus(policy, time).map(PolicyProblem::PlusClientId));
    problems
}

fn allows_somewhere(policy: &Policy, action: Action) -> bool {
    allowing(policy, action).next().is_some()
}

fn allowing(policy: &Policy, action: Action) -> impl Iterator<Item = &Statement> {
    policy
        .statements()
        .map(|(_, statement)| statement)
        .filter(move |statement| statement.effect == Effect::Allow && statement.covers(action))
}

/// First filter that may be subscribed to and of which nothing is ever delivered.
fn undelivered(policy: &Policy, time: SystemTime) -> Option<Box<str>> {
    let filters = allowing(policy, Action::Subscribe)
        .flat_map(|statement| &statement.resources)
        // topic/ is written by mistake in place of topicfilter/; it has a finding of its own.
        .filter(|resource| matches!(resource.kind(), None | Some("topic" | "topicfilter")))
        .map(|resource| problem::behind_kind(resource.name()));
    // An empty client id: only filters without variables are evaluated with it.
    let subject = Subject::new("");
    let can_receive = allows_somewhere(policy, Action::Receive);
    let mut undelivered = filters.filter(|filter| {
        // Messages of a filter with wildcards may have any of many topics.
        let is_plain = !filter.contains(['*', '?', '$', '+', '#']);
        let receives = |topic| {
            let request = Request::new(Action::Receive, topic, &subject, time);
            policy.evaluate(request).is_allowed()
        };
        // Without iot:Receive on anything every filter is silent; otherwise only plain filters can
        // be judged.
        !can_receive || (is_plain && !receives(filter))
    });
    undelivered.next().map(Into::into)
}

/// First filter with the client id in it, if a client may call itself `+`.
fn open_to_plus(policy: &Policy, time: SystemTime) -> Option<Box<str>> {
    // `${iot:ClientId}` in a filter is replaced by `+`, which MQTT then reads as a wildcard.
    let plus = Subject::new("+");
    let request = Request::new(Action::Connect, "+", &plus, time);
    if !policy.evaluate(request).is_allowed() {
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
        let problem = &self.problem;
        match (self.document, self.statement, problem) {
            // The error names its statement.
            (Some(document), _, PolicyProblem::Refused(_)) | (Some(document), None, _) => {
                write!(f, "policy document {document}: {problem}")
            }
            (Some(document), Some(statement), _) => {
                write!(
                    f,
                    "policy document {document}, statement {statement}: {problem}"
                )
            }
            (None, _, _) => write!(f, "policy: {problem}"),
        }
    }
}
