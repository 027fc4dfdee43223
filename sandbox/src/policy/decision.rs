//! The answer of a policy: allowed or denied, by which statement of which document, and why.

use core::fmt;
use std::sync::Arc;

use dunlin_codec::Escaped;

/// The answer, and the statement that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This statement allows it and none denies it.
    Allowed(StatementRef),
    /// This statement denies it, whatever others allow.
    ExplicitDeny(StatementRef),
    /// No statement allows it.
    ImplicitDeny(Box<NearMisses>),
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
    /// The resource of it that matched, behind the account. Where none did: the resources that it
    /// names.
    pub resource: Box<str>,
}

/// What wasn't allowed, and the statements that would allow that action if it weren't for
/// something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMisses {
    /// `iot:Action on resource`.
    pub request: Box<str>,
    /// In the order of the documents; 16 at most. Empty: no statement allows that action on
    /// anything.
    pub statements: Vec<(StatementRef, Miss)>,
}

/// Why a statement that allows an action doesn't allow it here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Miss {
    /// No resource of it matches.
    Resource,
    /// It names another kind of resource than the action is asked on; holds the right one:
    /// `topicfilter`.
    Kind(&'static str),
    /// A policy variable of it has no value here.
    NoValue,
    /// The name matches, and region or account don't; holds what they are here.
    Scope(Box<str>),
    /// A condition isn't met; holds which, and what was found.
    Condition(Box<str>),
}

impl Decision {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The statement that decided; `None` where no statement did.
    #[must_use]
    pub const fn statement(&self) -> Option<&StatementRef> {
        match self {
            Self::Allowed(by) | Self::ExplicitDeny(by) => Some(by),
            Self::ImplicitDeny(_) => None,
        }
    }

    /// The decision, then each statement that came near it; one line each.
    #[must_use]
    pub fn explanation(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        if let Self::ImplicitDeny(near) = self {
            lines.extend(
                near.statements
                    .iter()
                    .map(|(statement, miss)| explain(statement, miss)),
            );
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

impl StatementRef {
    fn name(&self) -> String {
        let Self {
            document,
            statement,
            sid,
            ..
        } = self;
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
