//! Errors of a config file: the line, the key, and the problem there.

use core::fmt;
use core::ops::Range;
use std::io;
use std::path::{Path, PathBuf};

use dunlin_codec::Escaped;
use toml::Spanned;

use crate::authorizer::{AnswerError, HandlerError, LambdaUrlError, PublicKeyError};
use crate::fault::FaultError;
use crate::policy::{ArnScopeError, PolicyError, ThingError};

/// Error of a config file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: {source}", Escaped(path.display()))]
    Read {
        /// Path of the config file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A key or a value of the file isn't valid.
    #[error("{}:{line}: {}{}", Escaped(path.display()), Key(key), Escaped(problem))]
    Invalid {
        /// Path of the config file.
        path: PathBuf,
        /// Line of the problem, from 1.
        line: usize,
        /// Key of the problem; empty if the problem names it, or isn't about one key.
        key: String,
        /// Problem of the value.
        problem: ConfigProblem,
    },
}

/// Problem at one place of a config file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// No TOML, an unknown key, or another type than the key wants.
    #[error("{0}")]
    Toml(String),
    /// A name that `aws iot create-authorizer` doesn't take.
    #[error("it must be 1 to 128 of {0}")]
    Name(&'static str),
    /// The same name again.
    #[error("there is an authorizer of that name already")]
    DuplicateName,
    /// A second authorizer with `default = true`; holds the name of the first one.
    #[error("{0:?} is the default already; there can be one")]
    SecondDefault(String),
    /// Signing is on, and the parameter that carries the token has no name.
    #[error("signing needs it: the name of the parameter that carries the token")]
    NoTokenKeyName,
    /// Signing is on, and nothing could verify a signature.
    #[error("signing needs one: an RSA public key in PEM, or the file that holds it")]
    NoPublicKey,
    /// Signing is off, and there are keys.
    #[error("a key is for signing = true")]
    KeyWithoutSigning,
    /// A file that can't be read.
    #[error("{}: {source}", Escaped(path.display()))]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A public key that can't verify tokens.
    #[error("{0}")]
    PublicKey(PublicKeyError),
    /// `exec` without a program.
    #[error("exec needs a program: [\"python3\", \"handler.py\"]")]
    NoProgram,
    /// `handler`, `runtime` and `code` name no handler.
    #[error("{0}")]
    Handler(HandlerError),
    /// `url` isn't the URL of a Lambda.
    #[error("{0}")]
    Url(LambdaUrlError),
    /// `static`: a file that holds no JSON.
    #[error("{}: not JSON: {}", Escaped(path.display()), Escaped(error))]
    NotJson {
        /// Path of the file.
        path: PathBuf,
        /// Error of the JSON parser.
        error: serde_json::Error,
    },
    /// `static`: an answer that AWS IoT would not take.
    #[error("{0}")]
    Answer(AnswerError),
    /// A policy of `[[certificate]]` that AWS IoT would not take.
    #[error("{0}")]
    Policy(Box<PolicyError>),
    /// A `[[thing]]` that the registry of AWS IoT doesn't take.
    #[error("{0}")]
    Thing(ThingError),
    /// The name of a `[[thing]]` again.
    #[error("there is a thing of that name already")]
    DuplicateThing,
    /// A text in `faults` that is no fault.
    #[error("{0}")]
    Fault(FaultError),
    /// `strict_arns` isn't `REGION:ACCOUNT`.
    #[error("{0}")]
    Scope(ArnScopeError),
    /// `time_scale` isn't 1 to 1,000.
    #[error("it must be 1 to 1000")]
    TimeScale,
    /// `max_connections` isn't 1 to 1,000,000.
    #[error("it must be 1 to 1000000")]
    MaxConnections,
}

struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, "{}: ", Escaped(self.0))
        }
    }
}

/// A file as it is being read: what its errors point into.
pub(super) struct Source<'a> {
    text: &'a str,
    path: &'a Path,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, path: &'a Path) -> Self {
        Self { text, path }
    }

    /// Resolves a path of the file against the folder of the file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    /// The absolute path of the folder that the file is in: programs run there, wherever the
    /// sandbox was started.
    pub(super) fn folder(&self) -> PathBuf {
        // Made absolute before its parent is taken: the parent of a bare file name is empty, which
        // is no folder.
        let path = std::path::absolute(self.path).unwrap_or_else(|_| self.path.into());
        path.parent()
            .map_or_else(|| path.clone(), Path::to_path_buf)
    }

    /// A problem of one value.
    pub(super) fn error<T>(
        &self,
        key: &str,
        value: &Spanned<T>,
        problem: ConfigProblem,
    ) -> ConfigError {
        self.at(value.span(), key.into(), problem)
    }

    /// Error of the TOML library, with its line and key.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or_default();
        // One line: the message ends up in a log line and after `error:`.
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        // An unknown or missing field is named already.
        let names_it = message.starts_with("unknown field") || message.starts_with("missing field");
        let key = if names_it {
            String::new()
        } else {
            self.key_at(span.start)
        };
        self.at(span, key, ConfigProblem::Toml(message))
    }

    fn at(&self, span: Range<usize>, key: String, problem: ConfigProblem) -> ConfigError {
        // Lines count from 1, as in editors.
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::Invalid {
            path: self.path.into(),
            line,
            key,
            problem,
        }
    }

    /// Key of the line of a position: the text before its `=`.
    fn key_at(&self, position: usize) -> String {
        // From the last line feed before the position, or from the beginning of the file.
        let start = self
            .text
            .get(..position)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let line = self
            .text
            .get(start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        line.split_once('=')
            .map_or(String::new(), |(key, _)| key.trim().to_owned())
    }
}
