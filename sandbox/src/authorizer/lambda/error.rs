//! Errors of a Lambda, one sentence each: for the log and for the reason string.

use core::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use dunlin_codec::Escaped;
use serde_json::Value;

use crate::authorizer::answer_error::AnswerError;
use crate::authorizer::calls::QueueError;

/// Error of a Lambda that gave no usable answer. The text contains nothing of the event and the
/// answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LambdaError {
    /// The Lambda wasn't called, because too many calls ran or waited.
    #[error(transparent)]
    NotCalled(#[from] QueueError),
    /// AWS IoT doesn't accept the answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The call timed out; holds the time-out.
    #[error("it gave no answer within {}", Seconds(.0))]
    TimedOut(Duration),
    /// The program doesn't start; holds its path and the error.
    #[error("its program can't be started: {0}")]
    NotStarted(Box<str>),
    /// The program ended in another way than with exit code 0; holds the exit status.
    #[error("its program ended with {0}")]
    Exit(Box<str>),
    /// No connection to the URL, or one that broke; holds the error.
    #[error("its URL can't be reached: {0}")]
    Unreachable(Box<str>),
    /// The URL answered with something else than 200.
    #[error("its URL answered with HTTP status {0}")]
    Status(u16),
    /// The answer has more than 256 KiB.
    #[error("its answer is larger than 256 KiB")]
    TooLarge,
    /// The answer has no bytes but white space.
    #[error("its answer is empty")]
    NoAnswer,
    /// The answer is JSON that isn't complete.
    #[error("its answer ends early, at line {line} column {column}")]
    EndsEarly {
        /// The line, from 1.
        line: usize,
        /// The column, from 0.
        column: usize,
    },
    /// The answer is JSON with more than 127 levels of objects and lists.
    #[error("its answer is nested too deeply: at most {MAX_DEPTH} levels are read")]
    TooDeep,
    /// The answer has a number that JSON lacks: NaN, Infinity or -Infinity.
    #[error("its answer has NaN or Infinity at line {line} column {column}; JSON has neither")]
    NotANumber {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The answer is something else than JSON; holds the place and what was expected there.
    #[error("its answer isn't JSON ({0}); a program must print nothing else on standard output")]
    NotJson(Box<str>),
    /// The sandbox stopped during the call.
    #[error("the sandbox stopped before it answered")]
    Stopped,
    /// An error in the form of Lambda's runtimes; holds its type.
    #[error("it failed with {}", Escaped(.0))]
    Reported(Box<str>),
}

impl LambdaError {
    /// Error of an answer that isn't JSON.
    pub(super) fn not_json(answer: &[u8], error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match JsonProblem::of(answer, error) {
            _ if answer.trim_ascii().is_empty() => Self::NoAnswer,
            JsonProblem::EndsEarly => Self::EndsEarly { line, column },
            JsonProblem::TooDeep => Self::TooDeep,
            JsonProblem::NotANumber => Self::NotANumber { line, column },
            JsonProblem::Other => Self::NotJson(error.to_string().into()),
        }
    }

    /// Error of a program that doesn't start.
    pub(super) fn not_started(program: &Path, error: &io::Error) -> Self {
        Self::NotStarted(format!("{}: {error}", Escaped(program.display())).into())
    }

    /// Error that a runtime reports in place of an answer: `{"errorMessage": .., "errorType":
    /// ..}`.
    pub(super) fn reported(answer: &Value) -> Option<Self> {
        // An answer that has both fields is an answer: AWS looks for isAuthenticated.
        let is_error =
            answer.get("errorMessage").is_some() && answer.get("isAuthenticated").is_none();
        let kind = answer
            .get("errorType")
            .and_then(Value::as_str)
            .unwrap_or("an error");
        is_error.then(|| Self::reported_type(kind))
    }

    /// Error of the handler with this `errorType`.
    pub(super) fn reported_type(kind: &str) -> Self {
        // The type comes from the handler and goes into a Reason String: it is bounded.
        Self::Reported(kind.chars().take(MAX_ERROR_TYPE).collect())
    }
}

/// The problem of a text that isn't JSON, in words.
pub(in crate::authorizer) fn json_problem(text: &[u8], error: &serde_json::Error) -> String {
    let place = format!("at line {} column {}", error.line(), error.column());
    match JsonProblem::of(text, error) {
        JsonProblem::EndsEarly => format!("it ends early, {place}"),
        JsonProblem::TooDeep => {
            format!("it is nested too deeply: at most {MAX_DEPTH} levels are read")
        }
        JsonProblem::NotANumber => format!("it has NaN or Infinity {place}; JSON has neither"),
        JsonProblem::Other => error.to_string(),
    }
}

/// Mistake of a text that isn't JSON.
enum JsonProblem {
    EndsEarly,
    TooDeep,
    NotANumber,
    Other,
}

impl JsonProblem {
    fn of(text: &[u8], error: &serde_json::Error) -> Self {
        if error.is_eof() {
            return Self::EndsEarly;
        }
        // serde_json has no kind for it.
        if error.to_string().starts_with("recursion limit exceeded") {
            return Self::TooDeep;
        }

        // The column is that of the first byte that doesn't fit: the N of NaN, the I of -Infinity.
        // serde_json only says "expected value", so the text at the place of the error decides.
        let line = text
            .split(|byte| *byte == b'\n')
            .nth(error.line().saturating_sub(1));
        let rest = line.and_then(|line| line.get(error.column().saturating_sub(1)..));
        let is_word = |word: &[u8]| rest.is_some_and(|rest| rest.starts_with(word));
        if is_word(b"NaN") || is_word(b"Infinity") {
            Self::NotANumber
        } else {
            Self::Other
        }
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
/// Limit of serde_json: the 128th level is an error.
const MAX_DEPTH: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    fn error_text(answer: &str) -> String {
        let error = serde_json::from_str::<Value>(answer).unwrap_err();
        let fault = LambdaError::not_json(answer.as_bytes(), &error).to_string();
        let problem = json_problem(answer.as_bytes(), &error);
        // The text of an answer is judged in the same words as the answer.
        assert_eq!(
            fault.strip_prefix("its answer"),
            problem.strip_prefix("it"),
            "{fault}\n{problem}"
        );
        fault
    }

    #[test]
    fn numbers_that_json_lacks_are_named() {
        for (answer, column) in [
            ("{\"a\": NaN}", 7),
            ("[Infinity]", 2),
            ("{\"a\": -Infinity}", 8),
        ] {
            assert_eq!(
                error_text(answer),
                format!(
                    "its answer has NaN or Infinity at line 1 column {column}; JSON has neither"
                )
            );
        }
        assert!(error_text("{\n\"a\": NaN}").contains("at line 2 column 6"));
    }

    #[test]
    fn an_answer_that_is_nested_too_deeply_has_an_error_of_its_own() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(
            error_text(&nested(MAX_DEPTH + 1)),
            "its answer is nested too deeply: at most 127 levels are read"
        );
    }
}
