//! What can go wrong with a Lambda, one sentence each: for the log and for the reason string.

use core::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Why a Lambda gave no answer. Its text shows nothing of what the Lambda was given or said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LambdaFault {
    /// The time of one call is over; holds how long that is.
    #[error("it gave no answer within {}", Seconds(.0))]
    TimedOut(Duration),
    /// The program doesn't start; holds why.
    #[error("its program can't be started: {0}")]
    NotStarted(Box<str>),
    /// The program ended in another way than with exit code 0; holds how.
    #[error("its program ended with {0}")]
    Exit(Box<str>),
    /// No connection to the URL, or one that broke; holds why.
    #[error("its URL can't be reached: {0}")]
    Unreachable(Box<str>),
    /// The URL answered with something else than 200.
    #[error("its URL answered with HTTP status {0}")]
    Status(u16),
    /// More than anybody's policies need.
    #[error("its answer is larger than 256 KiB")]
    TooLarge,
    /// Nothing at all.
    #[error("its answer is empty")]
    NoAnswer,
    /// JSON that isn't complete.
    #[error("its answer ends early, at line {line} column {column}")]
    EndsEarly {
        /// The line, from 1.
        line: usize,
        /// The column, from 0.
        column: usize,
    },
    /// Something else than JSON; holds where.
    #[error("its answer isn't JSON ({0}); a program must print nothing else on standard output")]
    NotJson(Box<str>),
    /// An error in the form of Lambda's runtimes; holds its type.
    #[error("it failed with {0}")]
    Reported(Box<str>),
}

impl LambdaFault {
    /// What is wrong with an answer that isn't JSON.
    pub(super) fn not_json(answer: &[u8], error: &serde_json::Error) -> Self {
        if answer.trim_ascii().is_empty() {
            Self::NoAnswer
        } else if error.is_eof() {
            Self::EndsEarly {
                line: error.line(),
                column: error.column(),
            }
        } else {
            Self::NotJson(error.to_string().into())
        }
    }

    /// A program that doesn't start.
    pub(super) fn not_started(program: &Path, error: &io::Error) -> Self {
        Self::NotStarted(format!("{}: {error}", program.display()).into())
    }

    /// The error that a runtime reports in place of an answer: `{"errorMessage": .., "errorType":
    /// ..}`.
    pub(super) fn reported(answer: &Value) -> Option<Self> {
        let is_error =
            answer.get("errorMessage").is_some() && answer.get("isAuthenticated").is_none();
        let kind = answer
            .get("errorType")
            .and_then(Value::as_str)
            .unwrap_or("an error");
        is_error.then(|| Self::reported_type(kind))
    }

    /// An error of this type.
    pub(super) fn reported_type(kind: &str) -> Self {
        Self::Reported(kind.chars().take(MAX_ERROR_TYPE).collect())
    }
}

/// The problem of a text that isn't JSON, in words.
pub(in crate::authorizer) fn json_problem(error: &serde_json::Error) -> String {
    if error.is_eof() {
        format!(
            "it ends early, at line {} column {}",
            error.line(),
            error.column()
        )
    } else {
        error.to_string()
    }
}

/// A time as seconds, with as many digits as it needs.
struct Seconds<'a>(&'a Duration);

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

const MAX_ERROR_TYPE: usize = 64;
