//! Errors of an answer: everything that is wrong with it.

use core::fmt;

use dunlin_codec::Escaped;

use crate::policy::PolicyError;

/// Error of an answer: at least one problem. `Display` writes up to 20 of them, separated by "; ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerError(pub(super) Vec<AnswerProblem>);

/// Problem of an answer, which grants no access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerProblem {
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

impl AnswerError {
    /// Problems of the answer, at least one.
    #[must_use]
    pub fn problems(&self) -> &[AnswerProblem] {
        &self.0
    }

    /// True if the answer is valid and denies.
    pub(super) fn is_denial(&self) -> bool {
        self.0 == [AnswerProblem::NotAuthenticated]
    }
}

impl AnswerProblem {
    /// Field that is missing or has a wrong type or form; `None` for all other problems.
    pub(super) fn field(&self) -> Option<&'static str> {
        match self {
            Self::Type { field, .. } | Self::Missing(field) | Self::Misspelled { field, .. } => {
                Some(field)
            }
            Self::PrincipalId => Some(PRINCIPAL_ID),
            _ => None,
        }
    }
}

impl From<AnswerProblem> for AnswerError {
    fn from(problem: AnswerProblem) -> Self {
        Self(vec![problem])
    }
}

impl core::error::Error for AnswerError {}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(MAX_WRITTEN).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}", Escaped(problem))?;
        }
        // The text ends up in logs and, shortened, in a Reason String: it has to be bounded.
        match self.0.len().saturating_sub(MAX_WRITTEN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Number of problems that `Display` writes: an answer of the largest size may have thousands.
const MAX_WRITTEN: usize = 20;
pub(super) const PRINCIPAL_ID: &str = "principalId";
