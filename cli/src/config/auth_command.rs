//! `AuthCommand`: the command of `--auth-cmd`, which prints the credentials of the next connection.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dunlin_client::secret::Secret;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::diagnosis::{Diagnosis, duration, quoted};

/// Program and arguments; no shell reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthCommand {
    program: String,
    arguments: Vec<String>,
}

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
struct Printed {
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    signature: Option<String>,
}

/// Failure of a command. Its display has no part of the command's standard output.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthCommandError {
    #[error("{program} can't be started: {error}")]
    Start { program: String, error: io::Error },
    #[error("the output of {program} can't be read: {error}")]
    Read { program: String, error: io::Error },
    #[error("{program} took longer than {}", duration(LONGEST_RUN))]
    Timeout { program: String },
    /// Exit code, or the signal that ended the command, with the last line of standard error.
    #[error("{program} ended with {status}{told}", told = told(.last_line))]
    Failed {
        program: String,
        status: ExitStatus,
        last_line: String,
    },
    #[error("{program} printed more than {LARGEST} bytes")]
    TooLarge { program: String },
    #[error("{program} printed {what}")]
    Output { program: String, what: String },
}

impl AuthCommand {
    /// Splits the words of `--auth-cmd` as a shell would.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for no words, or for a quotation mark without its
    /// end.
    pub(super) fn new(text: &str) -> Result<Self, Diagnosis> {
        let mut words = shlex::split(text)
            .ok_or_else(|| {
                Diagnosis::usage("--auth-cmd: a quotation mark or a backslash has no counterpart")
            })?
            .into_iter();
        let program = words
            .next()
            .ok_or_else(|| Diagnosis::usage("--auth-cmd is empty"))?;
        Ok(Self {
            program,
            arguments: words.collect(),
        })
    }

    /// Runs the command to its end, within [`LONGEST_RUN`]. Dropped, the command is killed.
    ///
    /// # Errors
    /// The command can't be started, fails, takes too long, or prints no credentials.
    pub(super) async fn run(&self) -> Result<FreshCredentials, AuthCommandError> {
        let program = || quoted(&self.program);
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| AuthCommandError::Start {
                program: program(),
                error,
            })?;
        let (mut out, mut err) = (child.stdout.take(), child.stderr.take());

        // Both outputs are read while the command runs: a full pipe would stop it.
        let ended = timeout(LONGEST_RUN, async {
            tokio::try_join!(read(&mut out), read(&mut err), child.wait())
        });
        let (printed, complaints, status) = match ended.await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(AuthCommandError::TooLarge { program: program() });
            }
            Ok(Err(error)) => {
                return Err(AuthCommandError::Read {
                    program: program(),
                    error,
                });
            }
            Err(_) => return Err(AuthCommandError::Timeout { program: program() }),
        };
        if !status.success() {
            return Err(AuthCommandError::Failed {
                program: program(),
                status,
                last_line: last_line(&complaints),
            });
        }
        FreshCredentials::parse(printed.expose()).map_err(|what| AuthCommandError::Output {
            program: program(),
            what,
        })
    }
}

impl FreshCredentials {
    /// Credentials in the output of a command: a JSON object with some of `username`, `password`,
    /// `token` and `signature`, or else the password itself, without one line end.
    ///
    /// # Errors
    /// What is wrong with the output, without any part of it.
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
        let printed: Printed = serde_json::from_str(text).map_err(|error| {
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

/// Reads a pipe to its end.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] for more than [`LARGEST`] bytes.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>) -> io::Result<Secret<Vec<u8>>> {
    // Allocated at full size: a buffer that grows would leave copies of a secret in memory.
    let mut bytes = Vec::with_capacity(LARGEST + 1);
    if let Some(pipe) = pipe {
        pipe.take(LARGEST as u64 + 1)
            .read_to_end(&mut bytes)
            .await?;
    }
    let bytes = Secret::from(bytes);
    if bytes.expose().len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Last line of standard error that isn't empty.
fn last_line(complaints: &Secret<Vec<u8>>) -> String {
    let text = String::from_utf8_lossy(complaints.expose());
    let mut lines = text.lines().rev().map(str::trim);
    lines
        .find(|line| !line.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// The last line of standard error, as an addition to a sentence.
fn told(last_line: &str) -> String {
    match last_line {
        "" => String::new(),
        line => format!("; it says {}", quoted(line)),
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

    #[test]
    fn words_are_split_without_a_shell() {
        let command = AuthCommand::new("pass show 'my mqtt' $HOME").unwrap();
        assert_eq!(command.program, "pass");
        assert_eq!(command.arguments, ["show", "my mqtt", "$HOME"]);
        assert!(AuthCommand::new("pass 'show").is_err());
        assert!(AuthCommand::new(" ").is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_that_fails_is_explained_by_its_last_words() {
        let run = |script: &str| {
            let text = format!("sh -c '{script}'");
            async move { AuthCommand::new(&text).unwrap().run().await }
        };
        let found = run("echo s3cret").await.unwrap();
        assert_eq!(exposed(&found)[1], Some("s3cret"));
        let error = run("echo canary; echo no key >&2; exit 3")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("exit status: 3; it says \"no key\""),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
        let error = run("head -c 300000 /dev/zero").await.unwrap_err();
        assert!(
            matches!(error, AuthCommandError::TooLarge { .. }),
            "{error}"
        );
        let error = AuthCommand::new("./no-such-program").unwrap().run().await;
        assert!(matches!(error, Err(AuthCommandError::Start { .. })));
    }
}
