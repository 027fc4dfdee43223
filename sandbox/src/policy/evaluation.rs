//! Evaluation of one request against all documents of an identity.

#[cfg(test)]
mod tests;

use crate::policy::decision::{Decision, Miss, NearMisses, SkippedDenial, StatementRef};
use crate::policy::document::PolicyDocument;
use crate::policy::error::PolicyError;
use crate::policy::request::{Action, Request};
use crate::policy::resource::{ArnScope, Resource};
use crate::policy::statement::{Effect, Statement};

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

    /// Policy that allows every action on every resource.
    pub(crate) fn unrestricted() -> Self {
        // The constant is a valid document; without it nothing would be allowed.
        Self::parse(ALLOW_ALL).unwrap_or_else(|_| Self::new(Vec::new()))
    }

    /// Adds the documents of another policy: their statements count alike.
    pub(crate) fn with_documents(mut self, documents: Vec<PolicyDocument>) -> Self {
        self.documents.extend(documents);
        self
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
            // Statements of all documents count alike: AWS evaluates their union.
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
            // The explanation is put together only for denials, which are rare.
            None => Decision::ImplicitDeny(Box::new(self.near_misses(&request, &resource))),
        }
    }

    /// Statements that deny the action of the request and don't apply, because a variable or a
    /// condition key in them has no value here; at most 16.
    #[must_use]
    pub fn skipped_denials(&self, request: Request<'_>) -> Vec<SkippedDenial> {
        let resource = request.resource();
        // A Deny that can't apply here would apply to a client with a certificate, so the log names
        // it.
        let skipped = self.statements().filter_map(|(document, statement)| {
            let reason = statement.lacked_value(&request, &resource, self.scope.as_ref())?;
            let statement = statement.reference(document, &statement.resource_names());
            Some(SkippedDenial { statement, reason })
        });
        skipped.take(MAX_NEAR_MISSES).collect()
    }

    fn near_misses(&self, request: &Request<'_>, resource: &str) -> NearMisses {
        // Statements with another action or effect would only hide the near ones.
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
        // The name is right and only region or account differ: a policy of another account.
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
        // Only denials that don't apply can be skipped ones.
        let denies = self.effect == Effect::Deny && self.covers(request.action);
        if !denies || self.applies(request, resource, scope).is_ok() {
            return None;
        }
        // No resource matches: the reason is a lacking value only if a resource has such a
        // variable.
        let matches = |pattern: &Resource| pattern.matches(resource, request, scope);
        if !self.resources.iter().any(matches) {
            let mut of_kind = self.of_kind(request.action);
            let lacks = of_kind.any(|pattern| pattern.lacks_a_value(request));
            return lacks.then_some(Miss::NoValue);
        }
        // A resource matches, so a condition failed.
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

/// Maximum number of statements that an explanation names.
const MAX_NEAR_MISSES: usize = 16;

/// Document of a policy that allows everything.
pub(crate) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
