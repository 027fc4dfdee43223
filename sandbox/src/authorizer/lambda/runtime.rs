//! Runtimes of AWS Lambda that the sandbox has: interpreters and the rules for names of handlers.

use core::str::FromStr;
use std::path::PathBuf;

use crate::authorizer::lambda::handler_error::HandlerError;

/// The runtimes of handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LambdaRuntime {
    /// `python3`, from `PATH`; `python` on Windows.
    Python,
    /// `node`, from `PATH`: CommonJS and ES modules.
    Node,
}

impl LambdaRuntime {
    /// Name of the interpreter, looked for in `PATH`.
    pub(super) const fn interpreter(self) -> &'static str {
        match self {
            Self::Python if cfg!(windows) => "python",
            Self::Python => "python3",
            Self::Node => "node",
        }
    }

    /// Arguments of the interpreter: the runner as its program.
    pub(super) const fn arguments(self) -> &'static [&'static str] {
        match self {
            // Unbuffered, so that what the handler and its children print is in its order.
            Self::Python => &["-u", "-c", include_str!("runner.py")],
            Self::Node => &["--input-type=module", "--eval", include_str!("runner.mjs")],
        }
    }

    /// Name of the function where none is named.
    pub(super) const fn default_function(self) -> &'static str {
        match self {
            Self::Python => "lambda_handler",
            Self::Node => "handler",
        }
    }

    /// Value of `AWS_EXECUTION_ENV`.
    pub(super) const fn execution_environment(self) -> &'static str {
        match self {
            Self::Python => "AWS_Lambda_python3",
            Self::Node => "AWS_Lambda_nodejs",
        }
    }

    /// The name that AWS's console gives to new functions.
    pub(crate) const fn default_handler(self) -> &'static str {
        match self {
            Self::Python => "lambda_function.lambda_handler",
            Self::Node => "index.handler",
        }
    }

    /// Module and function of a handler's name, as AWS's runtimes split it.
    pub(super) fn split(self, name: &str) -> (String, String) {
        // Dots in the folder don't separate: `src.v2/index.handler`.
        let (folder, base) = name
            .rsplit_once('/')
            .map_or((None, name), |(folder, base)| (Some(folder), base));
        let (module, function) = match self {
            Self::Python => base.rsplit_once('.'),
            Self::Node => base.split_once('.'),
        }
        .unwrap_or_else(|| (base, self.default_function()));
        // The folder is part of the module in both runtimes.
        let module =
            folder.map_or_else(|| module.to_owned(), |folder| format!("{folder}/{module}"));
        (module, function.to_owned())
    }

    /// The files that a module may be in, the first one that is there counts.
    pub(super) fn files(self, module: &str) -> Vec<PathBuf> {
        match self {
            Self::Python => {
                let path = module.replace('.', "/");
                vec![
                    format!("{path}.py").into(),
                    format!("{path}/__init__.py").into(),
                ]
            }
            Self::Node => ["js", "mjs", "cjs"]
                .map(|kind| format!("{module}.{kind}").into())
                .into(),
        }
    }
}

impl FromStr for LambdaRuntime {
    type Err = HandlerError;

    /// `python` and `node`, and the names of AWS: `python3.13`, `nodejs22.x`.
    fn from_str(text: &str) -> Result<Self, HandlerError> {
        // AWS's names carry a version, which the interpreter in PATH decides here.
        let name = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == 'x');
        match name {
            "python" => Ok(Self::Python),
            "node" | "nodejs" => Ok(Self::Node),
            _ => Err(HandlerError::Runtime(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_have_their_names_and_those_of_aws() {
        for (text, runtime) in [
            ("python", LambdaRuntime::Python),
            ("python3.13", LambdaRuntime::Python),
            ("node", LambdaRuntime::Node),
            ("nodejs22.x", LambdaRuntime::Node),
        ] {
            assert_eq!(text.parse(), Ok(runtime));
        }
        assert!("ruby3.3".parse::<LambdaRuntime>().is_err());
    }
}
