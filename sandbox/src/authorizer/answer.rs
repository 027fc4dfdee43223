//! The answer of an authorizer's Lambda, checked as AWS IoT checks it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::authorizer::Grant;
use crate::policy::{MAX_DOCUMENT_LENGTH, MAX_DOCUMENTS, Policy, PolicyDocument, PolicyError};

/// What a Lambda answers, in AWS's JSON. Its values aren't checked until it is used.
///
/// ```
/// use dunlin_sandbox::{Answer, AnswerFault};
///
/// let answer = Answer::from_value(serde_json::json!({"isAuthenticated": false}))?;
/// assert_eq!(answer, Answer::not_authenticated());
///
/// let wrong = Answer::from_value(serde_json::json!({"isAuthenticated": "yes"})).unwrap_err();
/// assert_eq!(wrong.to_string(), "isAuthenticated must be true or false");
/// # Ok::<(), AnswerFault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether the client is who it says; nothing else counts if not.
    pub is_authenticated: bool,
    /// Who it is: 1 to 128 letters and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// At most 10 documents of 2048 characters, each an object or the text of one.
    pub policy_documents: Vec<Value>,
    /// 300 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_after_in_seconds: Option<i64>,
    /// 300 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_after_in_seconds: Option<i64>,
}

/// Why an answer gives nobody access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerFault {
    /// The Lambda said no.
    #[error("isAuthenticated is false")]
    NotAuthenticated,
    /// No JSON object.
    #[error("it must be a JSON object")]
    NotAnObject,
    /// A field of another type.
    #[error("{field} must be {wanted}")]
    Type {
        /// Which field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A field that must be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// `principalId` isn't 1 to 128 letters and digits.
    #[error("principalId must be 1 to 128 ASCII letters and digits")]
    PrincipalId,
    /// More than 10 documents; holds how many.
    #[error("policyDocuments has {0} documents; at most 10 are allowed")]
    TooManyDocuments(usize),
    /// A document of more than 2048 characters.
    #[error("policy document {number} has {length} characters; at most 2048 are allowed")]
    DocumentTooLong {
        /// Which one, from 1.
        number: usize,
        /// How many characters.
        length: usize,
    },
    /// A document that can't be evaluated.
    #[error("policy document {number}: {error}")]
    Document {
        /// Which one, from 1.
        number: usize,
        /// Why not.
        error: PolicyError,
    },
    /// Seconds out of range.
    #[error("{field} is {seconds}; it must be 300 to 86400")]
    Seconds {
        /// Which field.
        field: &'static str,
        /// What it says.
        seconds: i64,
    },
}

impl Answer {
    /// An answer that grants `policy` for as long as AWS IoT allows.
    #[must_use]
    pub fn allow(principal_id: &str, policy: Value) -> Self {
        Self {
            is_authenticated: true,
            principal_id: Some(principal_id.into()),
            policy_documents: vec![policy],
            disconnect_after_in_seconds: Some(MAX_SECONDS),
            refresh_after_in_seconds: Some(MAX_SECONDS),
        }
    }

    /// The answer that lets nobody in.
    #[must_use]
    pub const fn not_authenticated() -> Self {
        Self {
            is_authenticated: false,
            principal_id: None,
            policy_documents: Vec::new(),
            disconnect_after_in_seconds: None,
            refresh_after_in_seconds: None,
        }
    }

    /// Reads the JSON of a Lambda. Fields that AWS doesn't know are left out; one of the wrong type is named.
    pub fn from_value(value: Value) -> Result<Self, AnswerFault> {
        let Value::Object(mut fields) = value else { return Err(AnswerFault::NotAnObject) };
        let is_authenticated =
            take(&mut fields, "isAuthenticated", "true or false", |value| value.as_bool())?;
        if !is_authenticated.ok_or(AnswerFault::Missing("isAuthenticated"))? {
            return Ok(Self::not_authenticated());
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let documents = |value: &Value| value.as_array().cloned();
        let list = "a list of policy documents";
        Ok(Self {
            is_authenticated: true,
            principal_id: take(&mut fields, "principalId", "a string", text)?,
            policy_documents: take(&mut fields, "policyDocuments", list, documents)?.unwrap_or_default(),
            disconnect_after_in_seconds: take(
                &mut fields,
                DISCONNECT_AFTER,
                "a whole number",
                Value::as_i64,
            )?,
            refresh_after_in_seconds: take(&mut fields, REFRESH_AFTER, "a whole number", Value::as_i64)?,
        })
    }

    /// Whether AWS IoT would take it; one that says no is taken.
    pub fn check(&self) -> Result<(), AnswerFault> {
        match self.clone().grant("") {
            Ok(_) | Err(AnswerFault::NotAuthenticated) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn grant(self, authorizer: &str) -> Result<Grant, AnswerFault> {
        if !self.is_authenticated {
            return Err(AnswerFault::NotAuthenticated);
        }
        Ok(Grant {
            authorizer: authorizer.into(),
            principal_id: principal_id(self.principal_id)?,
            policy: policy(self.policy_documents)?,
            disconnect_after: seconds(DISCONNECT_AFTER, self.disconnect_after_in_seconds)?,
            refresh_after: seconds(REFRESH_AFTER, self.refresh_after_in_seconds)?,
        })
    }
}

/// `None` where it is absent or null.
fn take<T>(
    fields: &mut Map<String, Value>,
    field: &'static str,
    wanted: &'static str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, AnswerFault> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(&value).map(Some).ok_or(AnswerFault::Type { field, wanted }),
    }
}

fn principal_id(id: Option<String>) -> Result<String, AnswerFault> {
    let id = id.ok_or(AnswerFault::Missing("principalId"))?;
    let is_valid = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_valid { Ok(id) } else { Err(AnswerFault::PrincipalId) }
}

fn policy(documents: Vec<Value>) -> Result<Policy, AnswerFault> {
    if documents.len() > MAX_DOCUMENTS {
        return Err(AnswerFault::TooManyDocuments(documents.len()));
    }
    let parsed = documents.into_iter().zip(1..).map(|(value, number)| {
        let text = match value {
            Value::String(text) => text,
            object => object.to_string(),
        };
        let length = text.chars().count();
        if length > MAX_DOCUMENT_LENGTH {
            return Err(AnswerFault::DocumentTooLong { number, length });
        }
        PolicyDocument::parse(&text).map_err(|error| AnswerFault::Document { number, error })
    });
    parsed.collect::<Result<_, _>>().map(Policy::new)
}

fn seconds(field: &'static str, value: Option<i64>) -> Result<Duration, AnswerFault> {
    let seconds = value.ok_or(AnswerFault::Missing(field))?;
    match u64::try_from(seconds) {
        Ok(valid) if (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) => Ok(Duration::from_secs(valid)),
        _ => Err(AnswerFault::Seconds { field, seconds }),
    }
}

const DISCONNECT_AFTER: &str = "disconnectAfterInSeconds";
const REFRESH_AFTER: &str = "refreshAfterInSeconds";
const MIN_SECONDS: i64 = 300;
const MAX_SECONDS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}})
    }

    fn answer() -> Answer {
        Answer::allow("demo", document())
    }

    fn fault(answer: Answer) -> AnswerFault {
        answer.grant("A").unwrap_err()
    }

    #[test]
    fn a_document_may_be_an_object_or_its_text() {
        let text = Answer { policy_documents: vec![document().to_string().into()], ..answer() };
        assert_eq!(text.grant("A"), answer().grant("A"));
    }

    #[test]
    fn an_answer_reads_the_json_of_aws() {
        let json = json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": [],
            "disconnectAfterInSeconds": 300, "refreshAfterInSeconds": 86400, "context": {}});
        let grant = Answer::from_value(json).unwrap().grant("A").unwrap();
        assert_eq!((grant.disconnect_after.as_secs(), grant.refresh_after.as_secs()), (300, 86_400));
    }

    #[test]
    fn nothing_else_counts_when_nobody_is_authenticated() {
        let no = Answer::from_value(json!({"isAuthenticated": false, "principalId": 5})).unwrap();
        assert_eq!(no.check(), Ok(()));
        assert_eq!(fault(no), AnswerFault::NotAuthenticated);
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        for (wrong, text) in [
            (json!([]), "it must be a JSON object"),
            (json!({}), "isAuthenticated is missing"),
            (json!({"isAuthenticated": "true"}), "isAuthenticated must be true or false"),
            (json!({"isAuthenticated": true, "principalId": 7}), "principalId must be a string"),
            (
                json!({"isAuthenticated": true, "policyDocuments": {}}),
                "policyDocuments must be a list of policy documents",
            ),
            (
                json!({"isAuthenticated": true, "refreshAfterInSeconds": "300"}),
                "refreshAfterInSeconds must be a whole number",
            ),
        ] {
            assert_eq!(Answer::from_value(wrong).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_principal_id_is_letters_and_digits() {
        for id in ["", "a-b", "ä", &"a".repeat(129)] {
            assert_eq!(fault(Answer { principal_id: Some(id.into()), ..answer() }), AnswerFault::PrincipalId);
        }
        assert_eq!(fault(Answer { principal_id: None, ..answer() }), AnswerFault::Missing("principalId"));
    }

    #[test]
    fn more_or_longer_documents_than_aws_takes_are_refused() {
        let eleven = Answer { policy_documents: vec![document(); 11], ..answer() };
        assert_eq!(fault(eleven), AnswerFault::TooManyDocuments(11));
        let long = Answer { policy_documents: vec![document(), "x".repeat(2049).into()], ..answer() };
        assert_eq!(fault(long), AnswerFault::DocumentTooLong { number: 2, length: 2049 });
    }

    #[test]
    fn a_document_that_cannot_be_evaluated_is_named_by_its_number() {
        let bad = Answer { policy_documents: vec![document(), json!({"Version": "1"})], ..answer() };
        assert!(fault(bad).to_string().starts_with("policy document 2: "));
    }

    #[test]
    fn seconds_must_be_within_the_range_of_aws() {
        for seconds in [-1, 0, 299, 86_401] {
            let refresh = Answer { refresh_after_in_seconds: Some(seconds), ..answer() };
            assert_eq!(fault(refresh), AnswerFault::Seconds { field: "refreshAfterInSeconds", seconds });
        }
        let absent = Answer { disconnect_after_in_seconds: None, ..answer() };
        assert_eq!(fault(absent), AnswerFault::Missing("disconnectAfterInSeconds"));
    }
}
