//! What can go wrong with a Lambda, one sentence each: for the log and for the reason string.

use serde_json::Value;

/// Why a Lambda gave no answer. Its text shows nothing of what the Lambda was given or said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LambdaFault {
    /// Five seconds are over.
    #[error("it gave no answer within 5 s")]
    TimedOut,
    /// As many calls as may run at once are running, and none of them ended in time.
    #[error("it wasn't called: 16 other calls were running for 5 s")]
    Busy,
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
    /// Something else than JSON; holds where.
    #[error("its answer isn't JSON ({0}); a program must print nothing else on standard output")]
    NotJson(Box<str>),
    /// An error in the form of Lambda's runtimes; holds its type.
    #[error("it failed with {0}")]
    Reported(Box<str>),
}

impl LambdaFault {
    pub(super) fn not_json(error: serde_json::Error) -> Self {
        if error.is_eof() && error.column() == 0 {
            Self::NoAnswer
        } else {
            Self::NotJson(error.to_string().into())
        }
    }

    /// The error that a runtime reports in place of an answer: `{"errorMessage": .., "errorType": ..}`.
    pub(super) fn reported(answer: &Value) -> Option<Self> {
        let is_error = answer.get("errorMessage").is_some() && answer.get("isAuthenticated").is_none();
        let kind = answer.get("errorType").and_then(Value::as_str).unwrap_or("an error");
        is_error.then(|| Self::Reported(kind.chars().take(MAX_ERROR_TYPE).collect()))
    }
}

const MAX_ERROR_TYPE: usize = 64;
