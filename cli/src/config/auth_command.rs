//! `AuthCommand`: the command of `--auth-cmd`, which prints the credentials of the next connection.

use std::time::Duration;

use dunlin_client::secret::Secret;
use serde::Deserialize;

use crate::diagnosis::Diagnosis;
use crate::program::{Program, Run};

/// Command that prints credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthCommand(Program);

/// Credentials that a command has printed; those that it has not printed are `None`.
#[derive(Debug, Default)]
pub(super) struct FreshCredentials {
    pub(super) username: Option<Secret<String>>,
    pub(super) password: Option<Secret<String>>,
    pub(super) token: Option<Secret<String>>,
    pub(super) signature: Option<Secret<String>>,
}

/// JSON object that a command may print; other members are ignored.
#[derive(Deserialize)]
struct CommandOutput {
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    signature: Option<String>,
}

impl AuthCommand {
    /// Command of the value of `--auth-cmd`.
    ///
    /// # Errors
    /// Errors of [`Program::parse`].
    pub(super) fn new(text: &str) -> Result<Self, Diagnosis> {
        Program::parse("--auth-cmd", text).map(Self)
    }

    /// Runs the command to its end, within [`LONGEST_RUN`]. Dropped, the command is killed.
    ///
    /// # Errors
    /// Text about a command that fails or prints no credentials, without any part of its output.
    pub(super) async fn run(&self) -> Result<FreshCredentials, String> {
        let run = Run {
            input: b"",
            variables: Vec::new(),
            within: LONGEST_RUN,
            largest: LARGEST,
        };
        let printed = self.0.run(run).await.map_err(|error| error.to_string())?;
        FreshCredentials::parse(printed.expose())
            .map_err(|what| format!("{} printed {what}", self.0.name()))
    }
}

impl FreshCredentials {
    /// Credentials in the output of a command: a JSON object with some of `username`, `password`,
    /// `token` and `signature`, or else the password itself, without one line end.
    ///
    /// # Errors
    /// Text about the fault of the output, without any part of it.
    fn parse(printed: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(printed).map_err(|_| "bytes that aren't UTF-8".to_owned())?;
        if !text.trim_start().starts_with('{') {
            let password = text.strip_suffix('\n').unwrap_or(text);
            let password = password.strip_suffix('\r').unwrap_or(password);
            return match password {
                "" => Err("nothing".to_owned()),
                password => Ok(Self {
                    password: Some(password.to_owned().into()),
                    ..Self::default()
                }),
            };
        }
        // The text of the parser's error may repeat a value, so only its place is told.
        let printed: CommandOutput = serde_json::from_str(text).map_err(|error| {
            format!(
                "a JSON object that can't be read, at line {} column {}: username, password, token \
                 and signature are strings",
                error.line(),
                error.column()
            )
        })?;
        let found = Self {
            username: printed.username.map(Secret::from),
            password: printed.password.map(Secret::from),
            token: printed.token.map(Secret::from),
            signature: printed.signature.map(Secret::from),
        };
        if found.is_empty() {
            return Err("a JSON object without username, password, token and signature".to_owned());
        }
        Ok(found)
    }

    const fn is_empty(&self) -> bool {
        self.username.is_none()
            && self.password.is_none()
            && self.token.is_none()
            && self.signature.is_none()
    }
}

/// Longest run of a command.
pub(super) const LONGEST_RUN: Duration = Duration::from_secs(30);
/// Bytes that a command may print.
const LARGEST: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(found: &FreshCredentials) -> [Option<&str>; 4] {
        [
            &found.username,
            &found.password,
            &found.token,
            &found.signature,
        ]
        .map(|secret| secret.as_ref().map(|secret| secret.expose().as_str()))
    }

    #[test]
    fn the_output_is_a_password_or_an_object() {
        for (printed, expected) in [
            ("s3cret\n", [None, Some("s3cret"), None, None]),
            (" s3 cret \r\n", [None, Some(" s3 cret "), None, None]),
            (
                r#"{"username":"u","password":"p","engine":"x"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                "\n{\"token\":\"t\",\n\"signature\":\"s\"}\n",
                [None, None, Some("t"), Some("s")],
            ),
        ] {
            let found = FreshCredentials::parse(printed.as_bytes()).unwrap();
            assert_eq!(exposed(&found), expected, "{printed}");
        }
    }

    #[test]
    fn a_fault_of_the_output_repeats_no_part_of_it() {
        for (printed, words) in [
            (&b"\xffcanary"[..], "aren't UTF-8"),
            (b"\n", "nothing"),
            (b"{\"password\":\"canary\"", "line 1"),
            (b"{\"password\":[\"canary\"]}", "line 1"),
            (b"{\"canary\":\"canary\"}", "without username"),
        ] {
            let fault = FreshCredentials::parse(printed).unwrap_err();
            assert!(
                fault.contains(words) && !fault.contains("canary"),
                "{fault}"
            );
        }
    }
}
