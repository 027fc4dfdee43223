//! `Program`: a program of the user that is run without a shell, with bounded time and output.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dunlin_client::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::diagnosis::{Diagnosis, duration, quoted};
use crate::process_group::ProcessGroup;

/// Program and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    name: String,
    arguments: Vec<String>,
}

/// Input, environment and limits of a run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// Bytes for standard input, which then ends.
    pub(crate) input: &'a [u8],
    /// Variables besides those of this process.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Longest run.
    pub(crate) within: Duration,
    /// Largest output in bytes.
    pub(crate) largest: usize,
}

/// Failure of a program. Its display has no part of the program's standard output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("{program} can't be started: {error}")]
    Start { program: String, error: io::Error },
    #[error("{program} can't be written to or read from: {error}")]
    Pipe { program: String, error: io::Error },
    #[error("{program} took longer than {}", duration(*.within))]
    Timeout { program: String, within: Duration },
    /// Exit code, or the signal that ended the program, with the last line of standard error.
    #[error("{program} ended with {status}{told}", told = told(.last_line))]
    Failed {
        program: String,
        status: ExitStatus,
        last_line: String,
    },
    #[error("{program} printed more than {largest} bytes")]
    TooLarge { program: String, largest: usize },
}

impl Program {
    /// Splits the value of `flag` into words as a shell would.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for no words, or for a quotation mark without its
    /// end.
    pub(crate) fn parse(flag: &str, text: &str) -> Result<Self, Diagnosis> {
        let unfinished = || {
            Diagnosis::usage(format!(
                "{flag}: a quotation mark or a backslash has no counterpart"
            ))
        };
        let mut words = shlex::split(text).ok_or_else(unfinished)?.into_iter();
        let name = words
            .next()
            .ok_or_else(|| Diagnosis::usage(format!("{flag} is empty")))?;
        Ok(Self {
            name,
            arguments: words.collect(),
        })
    }

    /// Name of the program in quotation marks, for an error.
    pub(crate) fn name(&self) -> String {
        quoted(&self.name)
    }

    /// Runs the program to its end and returns its standard output.
    ///
    /// A program that takes too long is asked to end (SIGTERM), and killed one second later. One that
    /// prints too much, and one whose run is dropped, is killed at once. On Unix all of this goes for
    /// the processes that it has started, too; children of a program that ends by itself are left
    /// alone.
    ///
    /// # Errors
    /// [`ProgramError::Start`], [`ProgramError::Pipe`], [`ProgramError::Timeout`],
    /// [`ProgramError::TooLarge`], or [`ProgramError::Failed`] for an exit code other than 0.
    pub(crate) async fn run(&self, run: Run<'_>) -> Result<Secret<Vec<u8>>, ProgramError> {
        let program = self.name();
        let mut command = Command::new(&self.name);
        command
            .args(&self.arguments)
            .envs(run.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut group = match ProcessGroup::spawn(&mut command) {
            Ok(group) => group,
            Err(error) => return Err(ProgramError::Start { program, error }),
        };
        let child = &mut group.child;
        let (input, mut out, mut err) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());

        // All pipes are served while the program runs: a full one would stop it.
        let ended = timeout(run.within, async {
            tokio::try_join!(
                write(input, run.input),
                read(&mut out, run.largest),
                read(&mut err, LARGEST_COMPLAINT),
                child.wait()
            )
        });
        let (printed, complaints, status) = match ended.await {
            Ok(Ok(((), printed, complaints, status))) => (printed, complaints, status),
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(ProgramError::TooLarge {
                    program,
                    largest: run.largest,
                });
            }
            Ok(Err(error)) => return Err(ProgramError::Pipe { program, error }),
            Err(_) => {
                group.terminate().await;
                return Err(ProgramError::Timeout {
                    program,
                    within: run.within,
                });
            }
        };
        group.release();
        if !status.success() {
            return Err(ProgramError::Failed {
                program,
                status,
                last_line: last_line(&complaints),
            });
        }
        Ok(printed)
    }
}

/// Writes all of the input and closes the pipe. A program needn't read it.
async fn write(pipe: Option<impl AsyncWrite + Unpin>, input: &[u8]) -> io::Result<()> {
    match pipe {
        Some(mut pipe) => match pipe.write_all(input).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        },
        None => Ok(()),
    }
}

/// Reads a pipe to its end.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] for more than `largest` bytes.
async fn read(
    pipe: &mut Option<impl AsyncRead + Unpin>,
    largest: usize,
) -> io::Result<Secret<Vec<u8>>> {
    // Allocated at full size: a buffer that grows would leave copies of a secret in memory.
    let mut bytes = Vec::with_capacity(largest + 1);
    if let Some(pipe) = pipe {
        pipe.take(largest as u64 + 1)
            .read_to_end(&mut bytes)
            .await?;
    }
    let bytes = Secret::from(bytes);
    if bytes.expose().len() > largest {
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

/// Bytes that a program may print on standard error.
const LARGEST_COMPLAINT: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_without_a_shell() {
        let program = Program::parse("--exec", "pass show 'my mqtt' $HOME").unwrap();
        assert_eq!(program.name, "pass");
        assert_eq!(program.arguments, ["show", "my mqtt", "$HOME"]);
        assert!(Program::parse("--exec", "pass 'show").is_err());
        assert!(Program::parse("--exec", " ").is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn input_output_and_failures_of_a_program() {
        let run = |script: &'static str| async move {
            let program = Program::parse("--exec", &format!("sh -c '{script}'")).unwrap();
            let run = Run {
                input: b"in",
                variables: vec![("DUNLIN_TEST", "value".to_owned())],
                within: Duration::from_secs(20),
                largest: 64,
            };
            let printed = program.run(run).await;
            printed.map(|printed| printed.expose().clone())
        };
        assert_eq!(
            run("cat; printf \"<%s>\" \"$DUNLIN_TEST\"").await.unwrap(),
            b"in<value>"
        );
        // A program that reads nothing succeeds as well.
        assert_eq!(run("true").await.unwrap(), b"");
        let error = run("echo canary; echo no key >&2; exit 3")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("exit status: 3; it says \"no key\""),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
        let error = run("head -c 65 /dev/zero").await.unwrap_err();
        assert!(matches!(error, ProgramError::TooLarge { .. }), "{error}");
    }
}
