//! Decision of a policy: allowed or denied, by which statement of which document, and why.

use core::fmt;
use std::sync::Arc;

use dunlin_codec::Escaped;

/// Decision of a policy, and the statement that made it.
///
/// ```
/// use dunlin_sandbox::{Action, Decision, Policy, Request, Subject};
///
/// let policy = Policy::parse(
///     r#"{"Version":"2012-10-17","Statement":[
///         {"Sid":"Lamps","Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/lamp-*"}]}"#,
/// )?;
/// let lamp = Subject::new("lamp-7");
/// let request = Request::new(Action::Connect, "lamp-7", &lamp, std::time::SystemTime::now());
/// match policy.evaluate(request) {
///     Decision::Allowed(statement) => assert_eq!(statement.sid.as_deref(), Some("Lamps")),
///     Decision::ExplicitDeny(_) | Decision::ImplicitDeny(_) => unreachable!(),
/// }
/// # Ok::<(), dunlin_sandbox::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This statement allows the request and none denies it.
    Allowed(StatementRef),
    /// This statement denies the request, whatever others allow.
    ExplicitDeny(StatementRef),
    /// No statement allows the request.
    ImplicitDeny(Box<NearMisses>),
}

/// Reference to a statement. Documents and statements count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRef {
    /// Number of the document, in the order of the answer.
    pub document: usize,
    /// Number of the statement in the document.
    pub statement: usize,
    /// `Sid` of the statement; `None` if it has none.
    pub sid: Option<Arc<str>>,
    /// Resource of the statement that matched, after the account; all its resources if none did.
    pub resource: Box<str>,
}

/// Denied request, and the statements that allow the action but don't apply to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMisses {
    /// `iot:Action on resource`.
    pub request: Box<str>,
    /// Statements with the reason why they don't apply, in the order of the documents; at most 16.
    /// Empty if no statement allows that action on anything.
    pub statements: Vec<(StatementRef, Miss)>,
}

/// Statement that denies the action and is skipped, because something in it has no value here.
///
/// Things and client certificates have no values behind a custom authorizer, so such a denial
/// holds at AWS IoT with a client certificate and not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedDenial {
    /// The statement.
    pub statement: StatementRef,
    /// Reason: [`Miss::NoValue`] or [`Miss::Condition`].
    pub reason: Miss,
}

/// Reason why a statement with the right action doesn't apply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Miss {
    /// No resource of the statement matches.
    Resource,
    /// Every resource is of another kind than the action is evaluated on; holds the right kind,
    /// such as `topicfilter`.
    Kind(&'static str),
    /// A policy variable of the resource has no value here.
    NoValue,
    /// The name matches, and region or account don't; holds those of the sandbox.
    Scope(Box<str>),
    /// A condition isn't met; holds a sentence with the condition and the value of the request.
    Condition(Box<str>),
}

impl Decision {
    /// `true` if the request is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Statement that decided; `None` for an implicit deny.
    #[must_use]
    pub const fn statement(&self) -> Option<&StatementRef> {
        match self {
            Self::Allowed(by) | Self::ExplicitDeny(by) => Some(by),
            Self::ImplicitDeny(_) => None,
        }
    }

    /// Text of the decision, then one line for each statement that allows the action and doesn't
    /// apply.
    #[must_use]
    pub fn explanation(&self) -> Vec<String> {
        // An explicit denial names its statement and needs no more. An implicit one shows each
        // statement that could have allowed the request.
        let mut lines = vec![self.to_string()];
        if let Self::ImplicitDeny(near) = self {
            lines.extend(
                near.statements
                    .iter()
                    .map(|(statement, miss)| explain(statement, miss)),
            );
            // Not even the action is allowed: usually a missing statement, and not a wrong
            // resource.
            if near.statements.is_empty() {
                lines.push("no statement with \"Effect\": \"Allow\" has that action".into());
            }
        }
        lines
    }
}

fn explain(statement: &StatementRef, miss: &Miss) -> String {
    let name = statement.name();
    let resource = &statement.resource;
    // One sentence for each reason; the text is escaped once, below.
    let text = match miss {
        Miss::Resource => format!("{name} allows it on {resource} only"),
        Miss::Kind(kind) => {
            format!("{name} allows it on {resource}, where {kind}/ is needed: it never applies")
        }
        Miss::NoValue => format!("{name} has a variable without a value here ({resource})"),
        Miss::Scope(here) => format!("{name} is for another region or account than {here}"),
        Miss::Condition(complaint) => format!("{name} ({resource}): {complaint}"),
    };
    Escaped(text).to_string()
}

impl fmt::Display for SkippedDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.statement.name();
        let resource = Escaped(&self.statement.resource);
        write!(f, "{name} is skipped, though it denies that action: ")?;
        match &self.reason {
            Miss::Condition(complaint) => write!(f, "{}", Escaped(complaint)),
            // Only NoValue is left: see `SkippedDenial::reason`.
            _ => write!(f, "a variable in {resource} has no value here"),
        }
    }
}

impl StatementRef {
    fn name(&self) -> String {
        let Self {
            document,
            statement,
            sid,
            ..
        } = self;
        // The Sid is quoted with its control characters escaped.
        let sid = sid
            .as_ref()
            .map_or(String::new(), |sid| format!(" {sid:?}"));
        format!("policy document {document}, statement {statement}{sid}")
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(by) => write!(f, "allowed by {by}"),
            Self::ExplicitDeny(by) => write!(f, "denied by {by}"),
            Self::ImplicitDeny(near) => write!(f, "no statement allows {}", Escaped(&near.request)),
        }
    }
}

impl fmt::Display for StatementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), Escaped(&self.resource))
    }
}
