//! Evaluation of one request against all documents of an identity.

use crate::policy::decision::{Decision, Miss, NearMisses, SkippedDenial, StatementRef};
use crate::policy::document::{Effect, PolicyDocument, Statement};
use crate::policy::error::PolicyError;
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
/// let now = std::time::SystemTime::now();
/// assert!(policy.evaluate(Request::new(Action::Subscribe, "lamp/+", &lamp, now)).is_allowed());
///
/// let denied = policy.evaluate(Request::new(Action::Subscribe, "door/+", &lamp, now));
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
    ///
    /// # Errors
    /// The first [`PolicyError`] of the document.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        Ok(Self::new(vec![PolicyDocument::parse(json)?]))
    }

    /// Compares region and account of every ARN with these; without a scope any matches.
    #[must_use]
    pub fn within(mut self, scope: Option<ArnScope>) -> Self {
        self.scope = scope;
        self
    }

    /// Decides one request: denied by the first statement that denies it, else allowed by the first
    /// one that allows it, else denied.
    #[must_use]
    pub fn evaluate(&self, request: Request<'_>) -> Decision {
        // A Deny ends the search; the first Allow is kept for the explanation.
        let resource = request.resource();
        let mut allowed = None;
        for (document, statement) in self.statements() {
            let Ok(matching) = statement.applies(&request, &resource, self.scope.as_ref()) else {
                continue;
            };
            let by = statement.reference(document, matching.name());
            match statement.effect {
                Effect::Deny => return Decision::ExplicitDeny(by),
                Effect::Allow => allowed = allowed.or(Some(by)),
            }
        }
        match allowed {
            Some(by) => Decision::Allowed(by),
            None => Decision::ImplicitDeny(Box::new(self.near_misses(&request, &resource))),
        }
    }

    /// Statements that deny the action of the request and don't apply, because a variable or a
    /// condition key in them has no value here; at most 16.
    #[must_use]
    pub fn skipped_denials(&self, request: Request<'_>) -> Vec<SkippedDenial> {
        let resource = request.resource();
        let skipped = self.statements().filter_map(|(document, statement)| {
            let reason = statement.lacked_value(&request, &resource, self.scope.as_ref())?;
            let statement = statement.reference(document, &statement.resource_names());
            Some(SkippedDenial { statement, reason })
        });
        skipped.take(MAX_NEAR_MISSES).collect()
    }

    fn near_misses(&self, request: &Request<'_>, resource: &str) -> NearMisses {
        let allowing = self.statements().filter(|(_, statement)| {
            statement.effect == Effect::Allow && statement.covers(request.action)
        });
        let statements = allowing.filter_map(|(document, statement)| {
            let missed = statement
                .applies(request, resource, self.scope.as_ref())
                .err()?;
            Some((
                statement.reference(document, &statement.resource_names()),
                missed?,
            ))
        });
        NearMisses {
            request: format!("{} on {resource}", request.action).into(),
            statements: statements.take(MAX_NEAR_MISSES).collect(),
        }
    }

    /// Statements of all documents, each with the number of its document, from 1.
    pub(super) fn statements(&self) -> impl Iterator<Item = (usize, &Statement)> {
        self.documents
            .iter()
            .zip(1..)
            .flat_map(|(document, number)| {
                document
                    .statements
                    .iter()
                    .map(move |statement| (number, statement))
            })
    }
}

impl Statement {
    /// Resource of the statement that matches the request.
    ///
    /// # Errors
    /// The reason why the statement doesn't apply; `None` if it has another action.
    fn applies(
        &self,
        request: &Request<'_>,
        resource: &str,
        scope: Option<&ArnScope>,
    ) -> Result<&Resource, Option<Miss>> {
        if !self.covers(request.action) {
            return Err(None);
        }

        // One of the resources must match, and then all conditions must hold.
        let matching = self
            .resources
            .iter()
            .find(|pattern| pattern.matches(resource, request, scope));
        let matching =
            matching.ok_or_else(|| Some(self.missed_resource(request, resource, scope)))?;
        let unmet = self
            .conditions
            .iter()
            .find(|condition| !condition.holds(request, scope));
        match unmet {
            Some(unmet) => {
                let complaint = unmet.complaint(request, scope);
                Err(Some(Miss::Condition(complaint.into())))
            }
            None => Ok(matching),
        }
    }

    /// Reason why no resource matches, the most helpful one first.
    fn missed_resource(
        &self,
        request: &Request<'_>,
        resource: &str,
        scope: Option<&ArnScope>,
    ) -> Miss {
        let matches_elsewhere = |pattern: &Resource| pattern.matches(resource, request, None);
        if let Some(scope) = scope
            && self.resources.iter().any(matches_elsewhere)
        {
            return Miss::Scope(scope.to_string().into());
        }

        // Wrong kind, then a variable without a value, then another name.
        let mut of_kind = self.of_kind(request.action).peekable();
        if of_kind.peek().is_none() {
            Miss::Kind(request.action.resource_kind())
        } else if of_kind.all(|pattern| pattern.lacks_a_value(request)) {
            Miss::NoValue
        } else {
            Miss::Resource
        }
    }

    /// Reason why a statement that denies the action doesn't apply for want of a value; `None` if
    /// it applies, or for another reason doesn't.
    fn lacked_value(
        &self,
        request: &Request<'_>,
        resource: &str,
        scope: Option<&ArnScope>,
    ) -> Option<Miss> {
        let denies = self.effect == Effect::Deny && self.covers(request.action);
        if !denies || self.applies(request, resource, scope).is_ok() {
            return None;
        }
        let matches = |pattern: &Resource| pattern.matches(resource, request, scope);
        if !self.resources.iter().any(matches) {
            let mut of_kind = self.of_kind(request.action);
            let lacks = of_kind.any(|pattern| pattern.lacks_a_value(request));
            return lacks.then_some(Miss::NoValue);
        }
        let mut unmet = self
            .conditions
            .iter()
            .filter(|condition| !condition.holds(request, scope));
        let lacking = unmet.find(|condition| condition.lacks_a_value(request))?;
        Some(Miss::Condition(lacking.complaint(request, scope).into()))
    }

    /// Resources that the action can be evaluated on.
    pub(super) fn of_kind(&self, action: Action) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |resource| {
            resource
                .kind()
                .is_none_or(|kind| kind.eq_ignore_ascii_case(action.resource_kind()))
        })
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

    pub(super) fn reference(&self, document: usize, resource: &str) -> StatementRef {
        StatementRef {
            document,
            statement: self.number,
            sid: self.sid.clone(),
            resource: resource.into(),
        }
    }
}

/// Statements that an explanation names; more than anybody reads.
const MAX_NEAR_MISSES: usize = 16;

#[cfg(test)]
mod tests {
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
        assert!(ask(Some(here), &arn("eu-west-1"), true).is_allowed());
        assert!(!ask(Some(here), &arn("eu-west-2"), true).is_allowed());
        assert!(ask(None, &arn("eu-west-2"), true).is_allowed());
    }

    #[test]
    fn a_denial_that_is_skipped_for_want_of_a_value_is_named() {
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
        assert_eq!(skipped(Action::Subscribe, "a").len(), 1);
    }
}
