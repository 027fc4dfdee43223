//! Evaluation: one request against all documents of an identity, and which statement decided.

use crate::policy::decision::{Decision, Miss, NearMisses, StatementRef};
use crate::policy::document::{Effect, PolicyDocument, PolicyError, Statement};
use crate::policy::request::{Action, Request};
use crate::policy::resource::{ArnScope, Resource};

/// All policy documents of one identity.
///
/// ```
/// use dunlin_sandbox::{Action, Policy, PolicyDocument, Request, Subject};
///
/// let document = PolicyDocument::parse(
///     r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Subscribe",
///         "Resource":"arn:aws:iot:eu-west-1:123456789012:topicfilter/lamp/*"}]}"#,
/// )?;
/// let policy = Policy::new(vec![document]);
/// let lamp = Subject::new("lamp-7");
/// assert!(policy.evaluate(Request::new(Action::Subscribe, "lamp/+", &lamp)).is_allowed());
///
/// let denied = policy.evaluate(Request::new(Action::Subscribe, "door/+", &lamp));
/// assert_eq!(denied.to_string(), "no statement allows iot:Subscribe on topicfilter/door/+");
/// assert_eq!(denied.explanation()[1], "policy document 1, statement 1 allows it on topicfilter/lamp/* only");
/// # Ok::<(), dunlin_sandbox::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    documents: Vec<PolicyDocument>,
    scope: Option<ArnScope>,
}

impl Policy {
    /// A policy of these documents; the order doesn't matter to the decision.
    #[must_use]
    pub fn new(documents: Vec<PolicyDocument>) -> Self {
        Self {
            documents,
            scope: None,
        }
    }

    /// A policy of one document.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        Ok(Self::new(vec![PolicyDocument::parse(json)?]))
    }

    /// Compares region and account of every ARN with these; without a scope any matches.
    #[must_use]
    pub fn within(mut self, scope: Option<ArnScope>) -> Self {
        self.scope = scope;
        self
    }

    /// Decides one request.
    #[must_use]
    pub fn evaluate(&self, request: Request<'_>) -> Decision {
        let resource = request.resource();
        let mut allowed = None;
        for (document, statement, found) in self.statements() {
            let Ok(matching) = found.applies(&request, &resource, self.scope.as_ref()) else {
                continue;
            };
            let by = found.reference(document, statement, matching.name());
            match found.effect {
                Effect::Deny => return Decision::ExplicitDeny(by),
                Effect::Allow => allowed = allowed.or(Some(by)),
            }
        }
        match allowed {
            Some(by) => Decision::Allowed(by),
            None => Decision::ImplicitDeny(Box::new(self.near_misses(&request, &resource))),
        }
    }

    fn near_misses(&self, request: &Request<'_>, resource: &str) -> NearMisses {
        let allowing = self.statements().filter(|(_, _, statement)| {
            statement.effect == Effect::Allow && statement.covers(request.action)
        });
        let statements = allowing.filter_map(|(document, statement, found)| {
            let missed = found
                .applies(request, resource, self.scope.as_ref())
                .err()?;
            Some((
                found.reference(document, statement, &found.resource_names()),
                missed?,
            ))
        });
        NearMisses {
            request: format!("{} on {resource}", request.action).into(),
            statements: statements.take(MAX_NEAR_MISSES).collect(),
        }
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = (usize, usize, &Statement)> {
        self.documents
            .iter()
            .zip(1..)
            .flat_map(|(document, number)| {
                document
                    .statements
                    .iter()
                    .zip(1..)
                    .map(move |(statement, index)| (number, index, statement))
            })
    }
}

impl Statement {
    /// The resource of it that the request is about, or why it says nothing about it; `None`:
    /// another action.
    fn applies(
        &self,
        request: &Request<'_>,
        resource: &str,
        scope: Option<&ArnScope>,
    ) -> Result<&Resource, Option<Miss>> {
        if !self.covers(request.action) {
            return Err(None);
        }
        let matching = self
            .resources
            .iter()
            .find(|pattern| pattern.matches(resource, request, scope));
        let matching =
            matching.ok_or_else(|| Some(self.missed_resource(request, resource, scope)))?;
        match self
            .conditions
            .iter()
            .find(|condition| !condition.holds(request))
        {
            Some(unmet) => Err(Some(Miss::Condition(unmet.complaint(request).into()))),
            None => Ok(matching),
        }
    }

    fn missed_resource(
        &self,
        request: &Request<'_>,
        resource: &str,
        scope: Option<&ArnScope>,
    ) -> Miss {
        let wanted = request.action.resource_kind();
        let of_that_kind = |pattern: &&Resource| {
            pattern
                .kind()
                .is_none_or(|kind| kind.eq_ignore_ascii_case(wanted))
        };
        if let Some(scope) = scope
            && self
                .resources
                .iter()
                .any(|pattern| pattern.matches(resource, request, None))
        {
            Miss::Scope(scope.to_string().into())
        } else if !self.resources.iter().any(|pattern| of_that_kind(&pattern)) {
            Miss::Kind(wanted)
        } else if self
            .resources
            .iter()
            .filter(of_that_kind)
            .all(|pattern| pattern.lacks_a_value(request))
        {
            Miss::NoValue
        } else {
            Miss::Resource
        }
    }

    pub(super) fn covers(&self, action: Action) -> bool {
        self.actions
            .iter()
            .any(|named| named.pattern.matches_action(action.lowercase_name()))
    }

    fn resource_names(&self) -> String {
        let names: Vec<&str> = self.resources.iter().map(Resource::name).collect();
        names.join(", ")
    }

    fn reference(&self, document: usize, statement: usize, resource: &str) -> StatementRef {
        StatementRef {
            document,
            statement,
            sid: self.sid.clone(),
            resource: resource.into(),
        }
    }
}

/// As many as anybody reads.
const MAX_NEAR_MISSES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::request::Subject;

    const SAMPLE: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:r:a:topic/test/topic"]},
        {"Effect":"Allow","Action":["iot:Subscribe"],"Resource":["arn:aws:iot:r:a:topicfilter/test/topic"]},
        {"Sid":"Door","Effect":"Allow","Action":["iot:Connect"],"Resource":["arn:aws:iot:r:a:client/mqtt5-sample-*"]}]}"#;

    fn ask(policy: &str, action: Action, name: &str) -> Decision {
        let subject = Subject::new("lamp-7");
        Policy::parse(policy)
            .unwrap()
            .evaluate(Request::new(action, name, &subject))
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
            assert!(
                matches!(denied, Decision::ExplicitDeny(by) if &*by.resource == "topic/secret/*")
            );
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
        let subject = Subject::new("x");
        let request = Request::new(Action::Publish, "test/topic", &subject);
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
        let decision = Policy::default().evaluate(Request::new(Action::Connect, "x", &subject));
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
            policy.evaluate(Request::new(Action::Publish, "a", &subject))
        };
        assert!(evaluate(None).is_allowed());
        assert!(evaluate(Some("eu-west-1:123456789012")).is_allowed());
        let elsewhere = evaluate(Some("us-east-1:123456789012"));
        assert_eq!(
            elsewhere.explanation()[1],
            "policy document 1, statement 1 is for another region or account than us-east-1:123456789012"
        );
    }
}
