//! Evaluation: one request against all documents of an identity, and which statement decided.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::policy::document::{Effect, PolicyDocument, PolicyError, Statement};

/// All policy documents of one identity.
///
/// ```
/// use dunlin_sandbox::{Action, Policy, PolicyDocument, Request};
///
/// let document = PolicyDocument::parse(
///     r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Subscribe",
///         "Resource":"arn:aws:iot:eu-west-1:123456789012:topicfilter/lamp/*"}]}"#,
/// )?;
/// let policy = Policy::new(vec![document]);
/// let request = Request { action: Action::Subscribe, name: "lamp/+", client_id: "lamp-7" };
/// assert!(policy.evaluate(request).is_allowed());
/// # Ok::<(), dunlin_sandbox::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    documents: Vec<PolicyDocument>,
}

/// What a client wants to do. The first word of the resource follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `iot:Connect` on `client/<client id>`.
    Connect,
    /// `iot:Publish` on `topic/<topic name>`.
    Publish,
    /// `iot:RetainPublish` on `topic/<topic name>`, asked besides [`Action::Publish`].
    RetainPublish,
    /// `iot:Receive` on `topic/<topic name>`.
    Receive,
    /// `iot:Subscribe` on `topicfilter/<topic filter>`: not `topic/`, the commonest mistake.
    Subscribe,
}

/// One question to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is wanted.
    pub action: Action,
    /// The client id, topic name or topic filter that it is wanted on.
    pub name: &'a str,
    /// Who asks, for `${iot:ClientId}`.
    pub client_id: &'a str,
}

/// The answer, and the statement that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This statement allows it and none denies it.
    Allowed(StatementRef),
    /// This statement denies it, whatever others allow.
    ExplicitDeny(StatementRef),
    /// No statement allows it. Holds the request as `iot:Action on resource`.
    ImplicitDeny(Box<str>),
}

/// Which statement of which document; both count from 1, as people do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRef {
    /// The document, in the order of the answer.
    pub document: usize,
    /// The statement within it.
    pub statement: usize,
    /// Its `Sid`, where it has one.
    pub sid: Option<Arc<str>>,
    /// The resource of it that matched, behind the account.
    pub resource: Box<str>,
}

impl Policy {
    /// A policy of these documents; the order doesn't matter to the decision.
    #[must_use]
    pub fn new(documents: Vec<PolicyDocument>) -> Self {
        Self { documents }
    }

    /// A policy of one document.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        Ok(Self::new(vec![PolicyDocument::parse(json)?]))
    }

    /// Decides one request.
    #[must_use]
    pub fn evaluate(&self, request: Request<'_>) -> Decision {
        let resource = format!("{}/{}", request.action.resource_kind(), request.name);
        let mut allowed = None;
        for (document, statement, found) in self.statements() {
            let Some(resource) = found.matching_resource(request, &resource) else { continue };
            let by = StatementRef { document, statement, sid: found.sid.clone(), resource: resource.into() };
            match found.effect {
                Effect::Deny => return Decision::ExplicitDeny(by),
                Effect::Allow => allowed = allowed.or(Some(by)),
            }
        }
        match allowed {
            Some(by) => Decision::Allowed(by),
            None => Decision::ImplicitDeny(format!("{} on {resource}", request.action).into()),
        }
    }

    /// What it allows, in a few words for a log line: `connect as lamp-*; publish, receive on lamp/on`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut groups: BTreeMap<(Effect, &str), Vec<Action>> = BTreeMap::new();
        for (_, _, statement) in self.statements() {
            for resource in &statement.resources {
                let name = resource.name();
                let kind = name.split_once('/').map(|(kind, _)| kind);
                let covered = Action::ALL.into_iter().filter(|action| {
                    statement.covers(*action) && kind.is_none_or(|kind| kind == action.resource_kind())
                });
                let name = name.split_once('/').map_or(name, |(_, name)| name);
                groups.entry((statement.effect, name)).or_default().extend(covered);
            }
        }
        let said: Vec<String> = groups
            .into_iter()
            .filter(|(_, actions)| !actions.is_empty())
            .map(|((effect, name), mut actions)| {
                actions.sort_unstable();
                actions.dedup();
                summarise(effect, &actions, name)
            })
            .collect();
        if said.is_empty() { "nothing allowed".into() } else { said.join("; ") }
    }

    fn statements(&self) -> impl Iterator<Item = (usize, usize, &Statement)> {
        self.documents.iter().zip(1..).flat_map(|(document, number)| {
            document.statements.iter().zip(1..).map(move |(statement, index)| (number, index, statement))
        })
    }
}

impl Statement {
    fn matching_resource(&self, request: Request<'_>, resource: &str) -> Option<&str> {
        if !self.covers(request.action) {
            return None;
        }
        let matching = self.resources.iter().find(|pattern| pattern.matches(resource, request.client_id))?;
        Some(matching.name())
    }

    fn covers(&self, action: Action) -> bool {
        self.actions.iter().any(|pattern| pattern.matches(action.lowercase_name(), ""))
    }
}

impl Action {
    const ALL: [Self; 5] =
        [Self::Connect, Self::Publish, Self::RetainPublish, Self::Receive, Self::Subscribe];

    /// The first word of the resource that the action is asked on.
    #[must_use]
    pub const fn resource_kind(self) -> &'static str {
        match self {
            Self::Connect => "client",
            Self::Publish | Self::RetainPublish | Self::Receive => "topic",
            Self::Subscribe => "topicfilter",
        }
    }

    /// What action patterns are matched with: letters count in either case.
    const fn lowercase_name(self) -> &'static str {
        match self {
            Self::Connect => "iot:connect",
            Self::Publish => "iot:publish",
            Self::RetainPublish => "iot:retainpublish",
            Self::Receive => "iot:receive",
            Self::Subscribe => "iot:subscribe",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Publish => "publish",
            Self::RetainPublish => "retain",
            Self::Receive => "receive",
            Self::Subscribe => "subscribe",
        }
    }
}

impl Decision {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "iot:Connect",
            Self::Publish => "iot:Publish",
            Self::RetainPublish => "iot:RetainPublish",
            Self::Receive => "iot:Receive",
            Self::Subscribe => "iot:Subscribe",
        })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(by) => write!(f, "allowed by {by}"),
            Self::ExplicitDeny(by) => write!(f, "denied by {by}"),
            Self::ImplicitDeny(request) => write!(f, "no statement allows {request}"),
        }
    }
}

impl fmt::Display for StatementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy document {}, statement {}", self.document, self.statement)?;
        if let Some(sid) = &self.sid {
            write!(f, " {sid:?}")?;
        }
        write!(f, " ({})", self.resource)
    }
}

fn summarise(effect: Effect, actions: &[Action], name: &str) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    let deny = if effect == Effect::Deny { "never " } else { "" };
    let preposition = if actions == [Action::Connect] { "as" } else { "on" };
    format!("{deny}{} {preposition} {name}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:r:a:topic/test/topic"]},
        {"Effect":"Allow","Action":["iot:Subscribe"],"Resource":["arn:aws:iot:r:a:topicfilter/test/topic"]},
        {"Sid":"Door","Effect":"Allow","Action":["iot:Connect"],"Resource":["arn:aws:iot:r:a:client/mqtt5-sample-*"]}]}"#;

    fn ask(policy: &str, action: Action, name: &str) -> Decision {
        Policy::parse(policy).unwrap().evaluate(Request { action, name, client_id: "lamp-7" })
    }

    #[test]
    fn the_sample_policy_allows_what_the_sample_does_and_nothing_else() {
        assert!(ask(SAMPLE, Action::Connect, "mqtt5-sample-1a2b").is_allowed());
        assert!(ask(SAMPLE, Action::Publish, "test/topic").is_allowed());
        assert!(ask(SAMPLE, Action::Receive, "test/topic").is_allowed());
        assert!(ask(SAMPLE, Action::Subscribe, "test/topic").is_allowed());
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
        let deny = r#"{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/secret/*"}"#;
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
        let policy = Policy::new(vec![allow, deny]);
        let request = Request { action: Action::Publish, name: "test/topic", client_id: "x" };
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
        let request = Request { action: Action::Connect, name: "x", client_id: "x" };
        assert!(!Policy::default().evaluate(request).is_allowed());
    }

    #[test]
    fn a_summary_fits_a_log_line() {
        let summary = Policy::parse(SAMPLE).unwrap().summary();
        assert_eq!(summary, "connect as mqtt5-sample-*; publish, receive, subscribe on test/topic");
        assert_eq!(Policy::default().summary(), "nothing allowed");
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        assert_eq!(
            Policy::parse(all).unwrap().summary(),
            "connect, publish, retain, receive, subscribe on *"
        );
    }
}
