//! The answer of an authorizer's Lambda, checked as AWS IoT checks it.

use core::fmt;
use std::time::Duration;

use dunlin_codec::Escaped;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::authorizer::grant::Grant;
use crate::policy::{MAX_DOCUMENT_LENGTH, MAX_DOCUMENTS, Policy, PolicyDocument, PolicyError};

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

/// Everything that is wrong with one answer, at least one fault. `Display` writes up to 20 of them,
/// one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerError(Vec<AnswerFault>);

/// Fault of an answer, for which nobody gets access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerFault {
    /// The Lambda denied: `isAuthenticated` is false.
    #[error("isAuthenticated is false")]
    NotAuthenticated,
    /// JSON null: what a handler without a `return` gives.
    #[error(
        "it returned nothing (None in Python, undefined or null in Node); it must return its answer"
    )]
    Nothing,
    /// No JSON object, nor the text of one.
    #[error("it must be a JSON object, or the JSON text of one")]
    NotAnObject,
    /// A text that should have been JSON; holds where it goes wrong.
    #[error("it is a text that isn't JSON: {0}")]
    Text(Box<str>),
    /// The answer of an authorizer for API Gateway, or of a function URL; holds the field
    /// that shows it.
    #[error(
        "it is an answer for API Gateway ({0}); AWS IoT wants isAuthenticated, principalId, policyDocuments, \
         disconnectAfterInSeconds and refreshAfterInSeconds"
    )]
    ApiGateway(&'static str),
    /// A field of another type.
    #[error("{field} must be {wanted}")]
    Type {
        /// Name of the field.
        field: &'static str,
        /// Type that it must have.
        wanted: &'static str,
    },
    /// A field that must be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field that is there under a similar name.
    #[error("{field} is missing; {found:?} isn't it: the names of fields must be exact")]
    Misspelled {
        /// Name of the field that is missing.
        field: &'static str,
        /// The name that was found in its place.
        found: Box<str>,
    },
    /// `principalId` isn't 1 to 128 letters and digits.
    #[error("principalId must be 1 to 128 ASCII letters and digits")]
    PrincipalId,
    /// More than 10 documents; holds how many.
    #[error("policyDocuments has {0} documents; at most 10 are allowed")]
    TooManyDocuments(usize),
    /// A document of more than 2048 characters.
    #[error("policy document {number} has {length} characters; at most 2048 are allowed")]
    DocumentTooLong {
        /// Number of the document, from 1.
        number: usize,
        /// Number of characters.
        length: usize,
    },
    /// A document that can't be evaluated.
    #[error("policy document {number}: {error}")]
    Document {
        /// Number of the document, from 1.
        number: usize,
        /// Mistake in the document.
        error: PolicyError,
    },
    /// Seconds out of range.
    #[error("{field} is {seconds}; it must be 300 to 86400")]
    Seconds {
        /// Name of the field.
        field: &'static str,
        /// Value of the field.
        seconds: i64,
    },
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

    /// Reads what a Lambda returned: an object, or the JSON text of one, as AWS's own samples
    /// return it.
    ///
    /// Fields that AWS doesn't know are left out. With `isAuthenticated: false` no other field is
    /// looked at.
    ///
    /// # Errors
    /// All faults of the answer, those of its values too, if it can't be read.
    pub fn from_value(value: Value) -> Result<Self, AnswerError> {
        // A denial needs no other field, so a denial with an empty principalId or no documents is
        // in order.
        let mut fields = object(value)?;
        if fields.get(IS_AUTHENTICATED) == Some(&Value::Bool(false)) {
            return Ok(Self::not_authenticated());
        }
        // An authorizer of API Gateway was copied. One fault that says so helps more than a list of
        // fields that are missing.
        let foreign = FOREIGN_FIELDS
            .into_iter()
            .find(|field| fields.contains_key(*field));
        if let Some(field) = foreign.filter(|_| !fields.contains_key(IS_AUTHENTICATED)) {
            return Err(AnswerFault::ApiGateway(field).into());
        }

        // Each field is read, whatever is wrong with the others: all faults are told at once.
        let mut faults = Vec::new();
        let mut note = |fault: Option<AnswerFault>| faults.extend(fault);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |value: &Value| value.as_array().cloned();
        let (is_authenticated, fault) = take(
            &mut fields,
            IS_AUTHENTICATED,
            true,
            "true or false",
            Value::as_bool,
        );
        note(fault);
        let (principal_id, fault) = take(&mut fields, PRINCIPAL_ID, true, "a string", text);
        note(fault);
        let (documents, fault) = take(
            &mut fields,
            POLICY_DOCUMENTS,
            true,
            "a list of policy documents",
            list,
        );
        note(fault);
        let whole = "a whole number of seconds";
        let (disconnect_after, fault) =
            take(&mut fields, DISCONNECT_AFTER, false, whole, whole_number);
        note(fault);
        let (refresh_after, fault) = take(&mut fields, REFRESH_AFTER, false, whole, whole_number);
        note(fault);

        let answer = Self {
            // A field without a usable value gets one that adds no fault of its own below; `faults`
            // has its fault already.
            is_authenticated: is_authenticated.unwrap_or(true),
            principal_id,
            policy_documents: documents.unwrap_or_default(),
            disconnect_after_in_seconds: disconnect_after,
            refresh_after_in_seconds: refresh_after,
        };
        if faults.is_empty() {
            return Ok(answer);
        }
        // The ranges and policies of the fields that could be read are checked, too, so that one
        // run shows all mistakes. A principalId that couldn't be read is `None` here and would be
        // reported twice.
        let told_already = faults
            .iter()
            .any(|fault| fault.field() == Some(PRINCIPAL_ID));
        let of_values = answer.grant("").err().into_iter().flat_map(|error| error.0);
        faults.extend(
            of_values.filter(|fault| !(told_already && fault.field() == Some(PRINCIPAL_ID))),
        );
        Err(AnswerError(faults))
    }

    /// Checks that AWS IoT would take the answer; one that denies is taken.
    ///
    /// # Errors
    /// All faults of its values.
    pub fn check(&self) -> Result<(), AnswerError> {
        // The name of the authorizer goes into the grant, which is dropped.
        match self.clone().grant("") {
            Err(error) if !error.is_denial() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(super) fn grant(self, authorizer: &str) -> Result<Grant, AnswerError> {
        if !self.is_authenticated {
            return Err(AnswerFault::NotAuthenticated.into());
        }
        // Every field is checked before the first fault is returned.
        let mut faults = Vec::new();
        let principal_id = principal_id(self.principal_id, &mut faults);
        let policy = policy(self.policy_documents, &mut faults);
        let disconnect_after = seconds(
            DISCONNECT_AFTER,
            self.disconnect_after_in_seconds,
            &mut faults,
        );
        let refresh_after = seconds(REFRESH_AFTER, self.refresh_after_in_seconds, &mut faults);
        if !faults.is_empty() {
            return Err(AnswerError(faults));
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

impl AnswerError {
    /// The faults, at least one.
    #[must_use]
    pub fn faults(&self) -> &[AnswerFault] {
        &self.0
    }

    /// Returns whether the answer is in order and denies.
    pub(super) fn is_denial(&self) -> bool {
        self.0 == [AnswerFault::NotAuthenticated]
    }
}

impl AnswerFault {
    /// The field that it is about, where it is about one that is missing or wrong in itself.
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Type { field, .. } | Self::Missing(field) | Self::Misspelled { field, .. } => {
                Some(field)
            }
            Self::PrincipalId => Some(PRINCIPAL_ID),
            _ => None,
        }
    }
}

impl From<AnswerFault> for AnswerError {
    fn from(fault: AnswerFault) -> Self {
        Self(vec![fault])
    }
}

impl core::error::Error for AnswerError {}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().take(MAX_TOLD).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}", Escaped(fault))?;
        }
        // The text ends up in logs and, shortened, in a Reason String: it has to be bounded.
        match self.0.len().saturating_sub(MAX_TOLD) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// The fields of an answer, from the object or from its text.
fn object(value: Value) -> Result<Map<String, Value>, AnswerFault> {
    let value = match value {
        // A text is parsed once: a text within the text isn't an answer.
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            AnswerFault::Text(super::lambda::json_problem(text.as_bytes(), &error).into())
        })?,
        value => value,
    };
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null => Err(AnswerFault::Nothing),
        _ => Err(AnswerFault::NotAnObject),
    }
}

/// The value of a field, `None` where it is absent, null or wrong; and what is wrong with it.
fn take<T>(
    fields: &mut Map<String, Value>,
    field: &'static str,
    is_required: bool,
    wanted: &'static str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> (Option<T>, Option<AnswerFault>) {
    match fields.remove(field) {
        None | Some(Value::Null) => {
            // Only unknown fields are left in the map besides those still to be read, so a similar
            // name is most likely a misspelling.
            let fault = match fields.keys().find(|key| is_similar(key, field)) {
                Some(found) => AnswerFault::Misspelled {
                    field,
                    found: found.chars().take(64).collect(),
                },
                None => AnswerFault::Missing(field),
            };
            // A field that isn't required has a default; what stands beside it is taken, as AWS
            // does.
            (None, is_required.then_some(fault))
        }
        Some(value) => match read(&value) {
            Some(value) => (Some(value), None),
            None => (None, Some(AnswerFault::Type { field, wanted })),
        },
    }
}

/// 300, and 300.0 as Python writes the numbers of DynamoDB.
fn whole_number(value: &Value) -> Option<i64> {
    // Below 1e9 every whole number has an exact f64, and the conversion can't overflow.
    let is_whole = |number: &f64| number.fract() == 0.0 && number.abs() < 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    let of_float = || value.as_f64().filter(is_whole).map(|number| number as i64);
    value.as_i64().or_else(of_float)
}

/// Returns whether a key differs from a field's name only in case, underscores, hyphens or a plural.
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

fn principal_id(id: Option<String>, faults: &mut Vec<AnswerFault>) -> String {
    let Some(id) = id else {
        faults.push(AnswerFault::Missing(PRINCIPAL_ID));
        return String::new();
    };
    // AWS: `([a-zA-Z0-9]){1,128}`.
    let is_valid =
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_valid {
        faults.push(AnswerFault::PrincipalId);
    }
    id
}

fn policy(documents: Vec<Value>, faults: &mut Vec<AnswerFault>) -> Policy {
    // AWS: at most 10 documents. Beyond that none is parsed, which bounds the work for one answer.
    if documents.len() > MAX_DOCUMENTS {
        faults.push(AnswerFault::TooManyDocuments(documents.len()));
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
            faults.push(AnswerFault::DocumentTooLong { number, length });
            continue;
        }
        match PolicyDocument::parse_all(&text) {
            Ok(document) => parsed.push(document),
            Err(errors) => {
                faults.extend(
                    errors
                        .into_iter()
                        .map(|error| AnswerFault::Document { number, error }),
                );
            }
        }
    }
    Policy::new(parsed)
}

fn seconds(
    field: &'static str,
    value: Option<i64>,
    faults: &mut Vec<AnswerFault>,
) -> Option<Duration> {
    let seconds = value?;
    match u64::try_from(seconds) {
        // A negative number fails the conversion, any other one the range.
        Ok(valid) if (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) => {
            Some(Duration::from_secs(valid))
        }
        _ => {
            faults.push(AnswerFault::Seconds { field, seconds });
            None
        }
    }
}

/// Faults that are written out: an answer of its largest size may have thousands.
const MAX_TOLD: usize = 20;
const IS_AUTHENTICATED: &str = "isAuthenticated";
const PRINCIPAL_ID: &str = "principalId";
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
