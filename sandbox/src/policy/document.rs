//! One policy document: its JSON, checked and parsed.

use core::fmt;
use std::sync::Arc;

use dunlin_codec::Escaped;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::policy::condition::Condition;
use crate::policy::key::why_unsupported;
use crate::policy::pattern::Pattern;
use crate::policy::resource::Resource;

/// A policy document as AWS IoT reads it: `Version`, `Statement`, and nothing that the sandbox
/// would have to ignore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    pub(super) statements: Vec<Statement>,
}

/// What a statement does with the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Effect {
    /// Allows, unless another statement denies.
    Allow,
    /// Denies, whatever the other statements say.
    Deny,
}

/// Why a policy document is refused. A refused document grants nothing: the connection that it came
/// for is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It isn't JSON, or lacks a field, or has one that isn't known.
    #[error("the policy document isn't valid: {}", Escaped(.0))]
    Json(Box<str>),
    /// A statement that isn't valid in itself.
    #[error("statement {number}: {}", Escaped(problem))]
    Statement {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// A key in another case than it must have: AWS ignores no case in keys.
    #[error("{}the key {found:?} must be written {wanted:?}", InStatement(*statement))]
    KeyCase {
        /// The statement, from 1; `None` for a key of the document itself.
        statement: Option<usize>,
        /// As the policy writes it.
        found: Box<str>,
        /// As it must be written.
        wanted: &'static str,
    },
    /// Only the current policy language is understood.
    #[error("the policy version {0:?} isn't supported; write \"2012-10-17\"")]
    Version(Box<str>),
    /// An operator that isn't known: ignoring it could allow what the service denies.
    #[error("the condition operator {0:?} isn't supported by this sandbox")]
    Condition(Box<str>),
    /// A key that isn't known.
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
        /// As the policy writes it.
        operator: Box<str>,
        /// As the policy writes it.
        key: Box<str>,
        /// In JSON.
        value: Box<str>,
    },
    /// A `${..}` that has no value here.
    #[error("the policy variable ${{{name}}} isn't supported by this sandbox{because}", name = Escaped(.0), because = Because(.0))]
    UnsupportedVariable(Box<str>),
    /// A `${` without its `}`.
    #[error("the resource {0:?} opens a policy variable and doesn't close it")]
    UnclosedVariable(Box<str>),
    /// Not of the form `arn:aws:iot:region:account:name`.
    #[error("the resource {0:?} isn't an ARN of AWS IoT (arn:aws:iot:region:account:topic/name)")]
    NotAnArn(Box<str>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sid: Option<Arc<str>>,
    pub(super) effect: Effect,
    pub(super) actions: Vec<ActionPattern>,
    pub(super) resources: Vec<Resource>,
    pub(super) conditions: Vec<Condition>,
}

/// One of the actions that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionPattern {
    /// As the policy writes it.
    pub(super) text: Box<str>,
    pub(super) pattern: Pattern,
}

impl PolicyDocument {
    /// Parses the JSON text of a document.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        let value: Value = serde_json::from_str(json).map_err(json_error)?;
        Self::from_value(value)
    }

    /// Parses a document that is JSON already, as the answer of a Lambda has it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn from_value(value: Value) -> Result<Self, PolicyError> {
        let mut errors = Vec::new();
        let document = Self::parse_noting(value, &mut errors);
        errors.into_iter().next().map_or(Ok(document), Err)
    }

    /// Parses the JSON text of a document; an error names all that is wrong, at least one thing for
    /// each statement that is.
    pub(crate) fn parse_all(json: &str) -> Result<Self, Vec<PolicyError>> {
        let value = serde_json::from_str(json).map_err(|error| vec![json_error(error)])?;
        let mut errors = Vec::new();
        let document = Self::parse_noting(value, &mut errors);
        if errors.is_empty() {
            Ok(document)
        } else {
            Err(errors)
        }
    }

    /// Parses what can be parsed, and notes what can't.
    fn parse_noting(mut value: Value, errors: &mut Vec<PolicyError>) -> Self {
        correct_case(&mut value, None, &DOCUMENT_KEYS, errors);
        let raw: RawDocument = match serde_json::from_value(value) {
            Ok(raw) => raw,
            Err(error) => {
                errors.push(json_error(error));
                return Self {
                    statements: Vec::new(),
                };
            }
        };
        if raw.version != "2012-10-17" {
            errors.push(PolicyError::Version(raw.version.into()));
        }
        let mut statements = Vec::with_capacity(raw.statement.0.len());
        for (mut value, number) in raw.statement.0.into_iter().zip(1..) {
            correct_case(&mut value, Some(number), &STATEMENT_KEYS, errors);
            let statement = serde_json::from_value(value)
                .map_err(|error| PolicyError::Statement {
                    number,
                    problem: error.to_string().into(),
                })
                .and_then(RawStatement::checked);
            match statement {
                Ok(statement) => statements.push(statement),
                Err(error) => errors.push(error),
            }
        }
        Self { statements }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawDocument {
    version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawStatement {
    sid: Option<String>,
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
    condition: Option<Map<String, Value>>,
}

/// Policies write one item bare and several as a list.
struct OneOrMany<T>(Vec<T>);

/// Renames keys that differ from a known one in case only, and notes each: what else is wrong is
/// then found as well.
fn correct_case(
    value: &mut Value,
    statement: Option<usize>,
    known: &[&'static str],
    errors: &mut Vec<PolicyError>,
) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for wanted in known.iter().copied() {
        let differs = |key: &&String| key.eq_ignore_ascii_case(wanted) && *key != wanted;
        let Some(found) = fields.keys().find(differs).cloned() else {
            continue;
        };
        if let Some(value) = fields.remove(&found) {
            fields.entry(wanted).or_insert(value);
        }
        errors.push(PolicyError::KeyCase {
            statement,
            found: found.into(),
            wanted,
        });
    }
}

/// The number of a statement before what is wrong in it.
struct InStatement(Option<usize>);

impl fmt::Display for InStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |number| write!(f, "statement {number}: "))
    }
}

const DOCUMENT_KEYS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_KEYS: [&str; 5] = ["Sid", "Effect", "Action", "Resource", "Condition"];

impl RawStatement {
    fn checked(self) -> Result<Statement, PolicyError> {
        Ok(Statement {
            sid: self.sid.map(Arc::from),
            effect: self.effect,
            actions: self
                .action
                .0
                .iter()
                .map(|action| ActionPattern::new(action))
                .collect(),
            resources: self
                .resource
                .0
                .iter()
                .map(|arn| Resource::parse(arn))
                .collect::<Result<_, _>>()?,
            conditions: Condition::parse_all(self.condition.unwrap_or_default())?,
        })
    }
}

impl ActionPattern {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            pattern: Pattern::parse_action(text),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    // By way of `Value`, since an untagged enum would lose which field was wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = match Value::deserialize(deserializer)? {
            Value::Array(items) => items,
            one => vec![one],
        };
        items
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(D::Error::custom)
    }
}

fn json_error(error: serde_json::Error) -> PolicyError {
    PolicyError::Json(error.to_string().into())
}

/// Why a key can't apply here, where that is known.
struct Because<'a>(&'a str);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        why_unsupported(self.0).map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        PolicyDocument::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn one_statement_and_a_list_of_statements_are_the_same() {
        let statement = r#"{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}"#;
        let listed = r#"{"Effect":"Allow","Action":["iot:Connect"],"Resource":["*"]}"#;
        assert_eq!(
            PolicyDocument::parse(&format!(
                r#"{{"Version":"2012-10-17","Statement":{statement}}}"#
            )),
            PolicyDocument::parse(&format!(
                r#"{{"Version":"2012-10-17","Statement":[{listed}]}}"#
            )),
        );
    }

    #[test]
    fn an_unknown_condition_refuses_the_document_by_the_name_of_its_operator() {
        let json = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*",
            "Condition":{"BinaryEquals":{"iot:ClientId":["x"]}}}]}"#;
        assert_eq!(
            refusal(json),
            "the condition operator \"BinaryEquals\" isn't supported by this sandbox"
        );
    }

    #[test]
    fn an_unknown_field_is_named() {
        let json = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iot:Connect","Resource":"*"}}"#;
        assert!(refusal(json).contains("unknown field `NotAction`"));
    }

    #[test]
    fn a_key_in_another_case_is_told_with_its_statement() {
        let statement = r#"{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}"#;
        let json = format!(
            r#"{{"Version":"2012-10-17","Statement":[{statement},{}]}}"#,
            statement.replace("Resource", "resource")
        );
        assert_eq!(
            refusal(&json),
            r#"statement 2: the key "resource" must be written "Resource""#
        );
        let json = format!(r#"{{"version":"2012-10-17","Statement":{statement}}}"#);
        assert_eq!(
            refusal(&json),
            r#"the key "version" must be written "Version""#
        );
        let json =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect"}]}"#;
        assert_eq!(refusal(json), "statement 1: missing field `Resource`");
    }

    #[test]
    fn all_that_is_wrong_can_be_told_at_once() {
        let json = r#"{"version":"2012-10-17","statement":[{"effect":"Allow","action":"iot:Connect","Resource":"*"},
            {"Effect":"Allow","Action":"iot:Connect"}]}"#;
        let errors = PolicyDocument::parse_all(json).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                r#"the key "version" must be written "Version""#,
                r#"the key "statement" must be written "Statement""#,
                r#"statement 1: the key "effect" must be written "Effect""#,
                r#"statement 1: the key "action" must be written "Action""#,
                "statement 2: missing field `Resource`",
            ]
        );
    }

    #[test]
    fn an_effect_is_allow_or_deny_exactly() {
        let json = r#"{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"iot:*","Resource":"*"}}"#;
        assert!(refusal(json).contains("unknown variant `allow`"));
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(
            refusal(r#"{"Version":"2008-10-17","Statement":[]}"#),
            "the policy version \"2008-10-17\" isn't supported; write \"2012-10-17\""
        );
    }
}
