//! The answer of an authorizer's Lambda, checked as AWS IoT checks it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::authorizer::answer_error::{AnswerError, AnswerProblem, PRINCIPAL_ID};
use crate::authorizer::grant::Grant;
use crate::policy::{MAX_DOCUMENT_LENGTH, MAX_DOCUMENTS, Policy, PolicyDocument};

/// Answer of a Lambda, in AWS's JSON. The values aren't checked before it is used.
///
/// ```
/// use dunlin_sandbox::{Answer, AnswerError};
///
/// let answer = Answer::from_value(serde_json::json!({"isAuthenticated": false}))?;
/// assert_eq!(answer, Answer::not_authenticated());
///
/// let wrong = Answer::from_value(serde_json::json!({"isAuthenticated": "yes", "principalId": 7})).unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "isAuthenticated must be true or false; principalId must be a string; policyDocuments is missing"
/// );
/// # Ok::<(), AnswerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Decision about the credentials; if false, no other field counts.
    pub is_authenticated: bool,
    /// Principal id: 1 to 128 ASCII letters and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// At most 10 documents of 2048 characters, each an object or the text of one.
    pub policy_documents: Vec<Value>,
    /// Seconds until the connection ends, 300 to 86,400; `None` means 86,400, AWS's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_after_in_seconds: Option<i64>,
    /// Seconds until the Lambda is asked again, 300 to 86,400; `None` means never (AWS documents
    /// no default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_after_in_seconds: Option<i64>,
}

impl Answer {
    /// Creates an answer that grants `policy` for 86,400 seconds, the longest time that AWS IoT takes.
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

    /// Creates an answer that denies.
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

    /// Reads what a Lambda returned: an object, or the JSON text of one, as AWS's own samples
    /// return it.
    ///
    /// Fields that AWS doesn't know are left out. With `isAuthenticated: false` no other field is
    /// looked at.
    ///
    /// # Errors
    /// [`AnswerError`] with all problems of the answer.
    pub fn from_value(value: Value) -> Result<Self, AnswerError> {
        Self::read(value, false)
    }

    /// Reads what a Lambda returned, as [`from_value`](Self::from_value). Beside a certificate
    /// (`has_certificate`), whose policies count too, `policyDocuments` may be missing.
    pub(super) fn read(value: Value, has_certificate: bool) -> Result<Self, AnswerError> {
        // A denial needs no other field, so a denial with an empty principalId or no documents is
        // in order.
        let fields = object(value)?;
        if fields.get(IS_AUTHENTICATED) == Some(&Value::Bool(false)) {
            return Ok(Self::not_authenticated());
        }
        // An answer for API Gateway: one problem that says so helps more than a list of missing
        // fields.
        let foreign = FOREIGN_FIELDS
            .into_iter()
            .find(|field| fields.contains_key(*field));
        if let Some(field) = foreign.filter(|_| !fields.contains_key(IS_AUTHENTICATED)) {
            return Err(AnswerProblem::ApiGateway(field).into());
        }

        // Each field is read, whatever is wrong with the others: all problems are reported at once.
        let mut reader = FieldReader {
            fields,
            problems: Vec::new(),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |value: &Value| value.as_array().cloned();
        let whole = "a whole number of seconds";
        let is_authenticated = reader.required(IS_AUTHENTICATED, "true or false", Value::as_bool);
        let principal_id = reader.required(PRINCIPAL_ID, "a string", text);
        let documents = if has_certificate && reader.has_no(POLICY_DOCUMENTS) {
            Some(Vec::new())
        } else {
            reader.required(POLICY_DOCUMENTS, "a list of policy documents", list)
        };
        let disconnect_after = reader.optional(DISCONNECT_AFTER, whole, whole_number);
        let refresh_after = reader.optional(REFRESH_AFTER, whole, whole_number);
        let mut problems = reader.problems;
        let answer = Self {
            // A field without a usable value gets one that adds no problem of its own below;
            // `problems` has its problem already.
            is_authenticated: is_authenticated.unwrap_or(true),
            principal_id,
            policy_documents: documents.unwrap_or_default(),
            disconnect_after_in_seconds: disconnect_after,
            refresh_after_in_seconds: refresh_after,
        };
        if problems.is_empty() {
            return Ok(answer);
        }
        // The ranges and policies of the fields that could be read are checked, too, so that one
        // run shows all mistakes. A principalId that couldn't be read is `None` here and would be
        // reported twice.
        let has_principal_id = problems
            .iter()
            .any(|problem| problem.field() == Some(PRINCIPAL_ID));
        let of_values = answer.grant("").err().into_iter().flat_map(|error| error.0);
        problems.extend(
            of_values
                .filter(|problem| !(has_principal_id && problem.field() == Some(PRINCIPAL_ID))),
        );
        Err(AnswerError(problems))
    }

    /// Checks that AWS IoT would take the answer; one that denies is taken.
    ///
    /// # Errors
    /// [`AnswerError`] with all problems of its values.
    pub fn check(&self) -> Result<(), AnswerError> {
        // The name of the authorizer goes into the grant, which is dropped.
        match self.clone().grant("") {
            Err(error) if !error.is_denial() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(super) fn grant(self, authorizer: &str) -> Result<Grant, AnswerError> {
        if !self.is_authenticated {
            return Err(AnswerProblem::NotAuthenticated.into());
        }
        // Every field is checked before the first problem is returned.
        let mut problems = Vec::new();
        let principal_id = principal_id(self.principal_id, &mut problems);
        let policy = policy(self.policy_documents, &mut problems);
        let disconnect_after = seconds(
            DISCONNECT_AFTER,
            self.disconnect_after_in_seconds,
            &mut problems,
        );
        let refresh_after = seconds(REFRESH_AFTER, self.refresh_after_in_seconds, &mut problems);
        if !problems.is_empty() {
            return Err(AnswerError(problems));
        }
        Ok(Grant {
            authorizer: authorizer.into(),
            principal_id,
            policy,
            // AWS documents a default for the end of the connection, and none for the refresh.
            disconnect_after: disconnect_after.unwrap_or(DEFAULT_DISCONNECT_AFTER),
            refresh_after,
        })
    }
}

/// Fields of an answer, from the object or from its text.
fn object(value: Value) -> Result<Map<String, Value>, AnswerProblem> {
    let value = match value {
        // A text is parsed once: a text within the text isn't an answer.
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            AnswerProblem::Text(super::lambda::json_problem(text.as_bytes(), &error).into())
        })?,
        value => value,
    };
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null => Err(AnswerProblem::Nothing),
        _ => Err(AnswerProblem::NotAnObject),
    }
}

/// Reads the fields of an answer one after another, and collects their problems.
struct FieldReader {
    /// Fields that weren't read yet.
    fields: Map<String, Value>,
    problems: Vec<AnswerProblem>,
}

impl FieldReader {
    /// Value of a field; `None` and a problem if it is absent, null or wrong.
    fn required<T>(
        &mut self,
        field: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(field);
        if value.is_none() {
            // Only unknown fields are left in the map besides those still to be read, so a similar
            // name is most likely a misspelling.
            let problem = match self.fields.keys().find(|key| is_similar(key, field)) {
                Some(found) => AnswerProblem::Misspelled {
                    field,
                    found: found.chars().take(64).collect(),
                },
                None => AnswerProblem::Missing(field),
            };
            self.problems.push(problem);
        }
        self.read(field, wanted, &value?, read)
    }

    /// Returns true if a field is absent, and not there under a similar name.
    fn has_no(&self, field: &str) -> bool {
        !self
            .fields
            .iter()
            .any(|(key, value)| !value.is_null() && is_similar(key, field))
    }

    /// Value of a field that has a default; `None` if it is absent or null, and `None` with a
    /// problem if it is wrong.
    fn optional<T>(
        &mut self,
        field: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(field)?;
        self.read(field, wanted, &value, read)
    }

    /// Value of a field as JSON; `None` if it is absent or null.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|value| !value.is_null())
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        wanted: &'static str,
        value: &Value,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = read(value);
        if value.is_none() {
            self.problems.push(AnswerProblem::Type { field, wanted });
        }
        value
    }
}

/// Whole number: 300, or 300.0 as Python writes the numbers of DynamoDB.
fn whole_number(value: &Value) -> Option<i64> {
    // Below 1e9 every whole number has an exact f64, and the conversion can't overflow.
    let is_whole = |number: &f64| number.fract() == 0.0 && number.abs() < 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    let of_float = || value.as_f64().filter(is_whole).map(|number| number as i64);
    value.as_i64().or_else(of_float)
}

/// True if a key differs from a field's name only in case, underscores, hyphens or a plural.
fn is_similar(key: &str, field: &str) -> bool {
    // `principal_id`, `PrincipalId` and `policyDocument` are the usual misspellings.
    let plain = |text: &str| {
        let letters = text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase());
        letters.collect::<String>().trim_end_matches('s').to_owned()
    };
    plain(key) == plain(field)
}

fn principal_id(id: Option<String>, problems: &mut Vec<AnswerProblem>) -> String {
    let Some(id) = id else {
        problems.push(AnswerProblem::Missing(PRINCIPAL_ID));
        return String::new();
    };
    // AWS: `([a-zA-Z0-9]){1,128}`.
    let is_valid =
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_valid {
        problems.push(AnswerProblem::PrincipalId);
    }
    id
}

fn policy(documents: Vec<Value>, problems: &mut Vec<AnswerProblem>) -> Policy {
    // AWS: at most 10 documents. Beyond that none is parsed, which bounds the work for one answer.
    if documents.len() > MAX_DOCUMENTS {
        problems.push(AnswerProblem::TooManyDocuments(documents.len()));
        return Policy::new(Vec::new());
    }
    let mut parsed = Vec::with_capacity(documents.len());
    for (value, number) in documents.into_iter().zip(1..) {
        // A document counts as text, as AWS takes it; an object is written without white space.
        let text = match value {
            Value::String(text) => text,
            object => object.to_string(),
        };
        // AWS counts characters, not bytes: at most 2,048.
        let length = text.chars().count();
        if length > MAX_DOCUMENT_LENGTH {
            problems.push(AnswerProblem::DocumentTooLong { number, length });
            continue;
        }
        match PolicyDocument::parse_all(&text) {
            Ok(document) => parsed.push(document),
            Err(errors) => {
                problems.extend(
                    errors
                        .into_iter()
                        .map(|error| AnswerProblem::Document { number, error }),
                );
            }
        }
    }
    Policy::new(parsed)
}

fn seconds(
    field: &'static str,
    value: Option<i64>,
    problems: &mut Vec<AnswerProblem>,
) -> Option<Duration> {
    let seconds = value?;
    match u64::try_from(seconds) {
        // A negative number fails the conversion, any other one the range.
        Ok(valid) if (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) => {
            Some(Duration::from_secs(valid))
        }
        _ => {
            problems.push(AnswerProblem::Seconds { field, seconds });
            None
        }
    }
}

const IS_AUTHENTICATED: &str = "isAuthenticated";
const POLICY_DOCUMENTS: &str = "policyDocuments";
const DISCONNECT_AFTER: &str = "disconnectAfterInSeconds";
const REFRESH_AFTER: &str = "refreshAfterInSeconds";
/// Fields of answers for API Gateway: a policy, a simple answer, and an HTTP response.
const FOREIGN_FIELDS: [&str; 3] = ["policyDocument", "isAuthorized", "statusCode"];
const MIN_SECONDS: i64 = 300;
const MAX_SECONDS: i64 = 86_400;
/// AWS's default of `disconnectAfterInSeconds`.
const DEFAULT_DISCONNECT_AFTER: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
