//! Mistakes in a policy document, each with its place in the JSON.

use core::fmt;

use dunlin_codec::Escaped;
use serde_json::Value;

use crate::policy::key::why_unsupported;

/// A mistake in a policy document. The document is refused, and with it every connection that it
/// comes for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", StatementPrefix(*statement))]
#[non_exhaustive]
pub struct PolicyError {
    /// Number of the statement, from 1; `None` for a mistake of the document itself.
    pub statement: Option<usize>,
    /// JSON Pointer (RFC 6901) to the mistake, such as `/Statement/0/Resource`; empty for the whole
    /// document.
    pub pointer: Box<str>,
    /// Description of the mistake.
    pub kind: PolicyErrorKind,
}

/// Description of a mistake in a policy document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// The text isn't JSON; holds the reason with line and column.
    #[error("the policy document isn't JSON: {}", Escaped(.0))]
    Json(Box<str>),
    /// A key that one object has twice; holds the key with line and column. Either value could be
    /// meant.
    #[error("the policy document names a key more than once: {}", Escaped(.0))]
    RepeatedKey(Box<str>),
    /// A value of the wrong JSON type.
    #[error("{element} must be {expected}, not {found}")]
    Type {
        /// Element of the policy language: `"Action"`, `a statement`.
        element: Box<str>,
        /// Types that it may have.
        expected: &'static str,
        /// Type that it has.
        found: &'static str,
    },
    /// An element that every document or statement needs; holds its name.
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
    /// An element that AWS IoT policies don't have; holds its name.
    #[error("AWS IoT policies have no element {name:?}{instead}", name = .0, instead = Instead(.0))]
    UnknownElement(Box<str>),
    /// A name in another case than it must have: AWS ignores no case in the names of elements.
    #[error("{found:?} must be written {wanted:?}")]
    KeyCase {
        /// Name in the document.
        found: Box<str>,
        /// Name as it must be written.
        wanted: &'static str,
    },
    /// A version other than 2012-10-17, the only one that is evaluated.
    #[error("the policy version {0:?} isn't supported; write \"2012-10-17\"")]
    Version(Box<str>),
    /// An effect that is neither `Allow` nor `Deny`, in exactly this case.
    #[error("\"Effect\" must be \"Allow\" or \"Deny\", not {0:?}")]
    Effect(Box<str>),
    /// An unknown operator; ignoring it could allow what the service denies.
    #[error("the condition operator {0:?} isn't supported by this sandbox")]
    Condition(Box<str>),
    /// An unknown condition key.
    #[error("the condition key {0:?} isn't supported by this sandbox{because}", because = Because(.0))]
    ConditionKey(Box<str>),
    /// A value that the operator can't compare with.
    #[error(
        "the condition {} on {} can't be compared with {}",
        Escaped(operator),
        Escaped(key),
        Escaped(value)
    )]
    ConditionValue {
        /// Operator, with its set operator and `IfExists`.
        operator: Box<str>,
        /// Condition key.
        key: Box<str>,
        /// Value in JSON.
        value: Box<str>,
    },
    /// A policy variable, `${..}`, that has no value here.
    #[error("the policy variable ${{{name}}} isn't supported by this sandbox{because}", name = Escaped(.0), because = Because(.0))]
    UnsupportedVariable(Box<str>),
    /// A `${` without its `}`.
    #[error("the resource {0:?} opens a policy variable and doesn't close it")]
    UnclosedVariable(Box<str>),
    /// A resource not of the form `arn:aws:iot:region:account:name`.
    #[error("the resource {0:?} isn't an ARN of AWS IoT (arn:aws:iot:region:account:topic/name)")]
    NotAnArn(Box<str>),
}

/// Place of a value in a document: its statement and its JSON Pointer.
#[derive(Debug, Clone, Default)]
pub(super) struct JsonPlace {
    statement: Option<usize>,
    pointer: String,
}

impl JsonPlace {
    /// Place of a member of the object here.
    pub(super) fn member(&self, name: &str) -> Self {
        // RFC 6901 section 3: `~` becomes ~0 first, then `/` becomes ~1, or a `/` would end as ~01.
        let token = name.replace('~', "~0").replace('/', "~1");
        self.child(&token)
    }

    /// Place of an item of the list here; `index` counts from 0.
    pub(super) fn item(&self, index: usize) -> Self {
        self.child(&index.to_string())
    }

    /// Same place, as part of a statement; `number` counts from 1.
    pub(super) fn in_statement(self, number: usize) -> Self {
        Self {
            statement: Some(number),
            ..self
        }
    }

    /// A mistake at this place.
    pub(super) fn error(&self, kind: PolicyErrorKind) -> PolicyError {
        PolicyError {
            statement: self.statement,
            pointer: self.pointer.as_str().into(),
            kind,
        }
    }

    fn child(&self, token: &str) -> Self {
        Self {
            statement: self.statement,
            pointer: format!("{}/{token}", self.pointer),
        }
    }
}

/// JSON type of a value, in words.
pub(super) const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `statement 2: `, or nothing for a mistake of the document itself.
struct StatementPrefix(Option<usize>);

impl fmt::Display for StatementPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |number| write!(f, "statement {number}: "))
    }
}

/// Reason why a key can't apply here, if it is known.
struct Because<'a>(&'a str);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        why_unsupported(self.0).map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

/// Advice for an element of IAM policies that AWS IoT policies don't have.
struct Instead<'a>(&'a str);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            // Elements of IAM that AWS IoT lacks, each with the way to say the same.
            "NotAction" => ": list the actions in \"Action\", or deny the others",
            "NotResource" => ": list the resources in \"Resource\", or deny the others",
            "Principal" | "NotPrincipal" => ": the policy is for the identity that it comes with",
            _ => "",
        })
    }
}
