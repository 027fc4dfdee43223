//! The environment variables of a Lambda's process: what was configured, and none of this shell's
//! secrets.

use core::fmt;
use std::env;
use std::ffi::OsString;

/// Environment variables that a Lambda's process gets besides those that every program needs.
///
/// Passed on from the sandbox's own environment without being asked for: `PATH`, `HOME`, `LANG`,
/// `TZ`, `TMPDIR`, `VIRTUAL_ENV`, `PYTHONPATH` and `NODE_PATH`. No other variable of it is, so
/// credentials of a shell stay there. `Debug` shows names only.
///
/// ```
/// use dunlin_sandbox::LambdaEnvironment;
///
/// let mut environment = LambdaEnvironment::default();
/// environment.add("TABLE=dev")?; // sets
/// environment.add("AWS_PROFILE")?; // passes on
/// assert!(environment.add("=x").is_err());
/// # Ok::<(), dunlin_sandbox::LambdaEnvironmentError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LambdaEnvironment(Vec<Variable>);

/// A text that is neither `NAME` nor `NAME=VALUE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write NAME to pass a variable on, or NAME=VALUE to set it")]
pub struct LambdaEnvironmentError;

#[derive(Clone, PartialEq, Eq)]
struct Variable {
    name: String,
    /// `None` passes the sandbox's own value on.
    value: Option<String>,
}

impl LambdaEnvironment {
    /// Adds one variable: `NAME` passes the sandbox's value on, `NAME=VALUE` sets it. A later one
    /// wins.
    ///
    /// # Errors
    /// If the name is empty, or a NUL is anywhere in the text.
    pub fn add(&mut self, text: &str) -> Result<(), LambdaEnvironmentError> {
        // A value may contain further `=`.
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        // The system's environment is a list of NAME=VALUE strings that end with a NUL.
        if name.is_empty() || text.contains('\0') {
            return Err(LambdaEnvironmentError);
        }
        self.0.push(Variable {
            name: name.to_owned(),
            value,
        });
        Ok(())
    }

    /// All variables of the process, in the order in which they are set.
    pub(super) fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables_with(|name| env::var_os(name))
    }

    /// The configured value of one variable, if it is text.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let variables = self.variables();
        let value = variables
            .into_iter()
            .rev()
            .find(|(other, _)| other == name)?
            .1;
        value.into_string().ok()
    }

    fn variables_with(&self, own: impl Fn(&str) -> Option<OsString>) -> Vec<(OsString, OsString)> {
        // First what every program needs, then what was configured, so that the latter wins.
        let passed = PASSED
            .iter()
            .filter_map(|name| Some((OsString::from(name), own(name)?)));
        let configured = self.0.iter().filter_map(|Variable { name, value }| {
            // A variable that is passed on and isn't set here is left out, not set to an empty
            // text.
            let value = value.as_ref().map(OsString::from).or_else(|| own(name))?;
            Some((OsString::from(name), value))
        });
        passed.chain(configured).collect()
    }
}

impl fmt::Debug for LambdaEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|variable| &variable.name))
            .finish()
    }
}

#[cfg(not(windows))]
const PASSED: [&str; 8] = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "NODE_PATH",
];
/// Windows finds no library without `SystemRoot` and no program without `PATHEXT`.
#[cfg(windows)]
const PASSED: [&str; 13] = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "NODE_PATH",
    "SystemRoot",
    "PATHEXT",
    "TEMP",
    "TMP",
    "USERPROFILE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lambda_gets_only_the_usual_and_the_named_variables() {
        let mut environment = LambdaEnvironment::default();
        // Passed on, set with an `=` in the value, passed on without being set, and one that
        // replaces a default.
        for text in ["AWS_PROFILE", "TABLE=a=b", "NOT_SET", "LANG=C"] {
            environment.add(text).unwrap();
        }
        let own = |name: &str| match name {
            "PATH" | "LANG" | "AWS_PROFILE" | "AWS_SECRET_ACCESS_KEY" | "DUNLIN_AUTH_PASSWORD" => {
                Some(OsString::from(format!("own {name}")))
            }
            _ => None,
        };
        let variables = environment.variables_with(own);
        let expected = [
            ("PATH", "own PATH"),
            ("LANG", "own LANG"),
            ("AWS_PROFILE", "own AWS_PROFILE"),
            ("TABLE", "a=b"),
            ("LANG", "C"),
        ];
        assert_eq!(
            variables,
            expected.map(|(name, value)| (name.into(), value.into()))
        );
        assert_eq!(
            format!("{environment:?}"),
            r#"["AWS_PROFILE", "TABLE", "NOT_SET", "LANG"]"#
        );
    }
}
