//! A Lambda that is a program: the event on its standard input, the answer on its standard output.

use core::fmt;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use crate::authorizer::lambda::LambdaError;
use crate::authorizer::lambda::environment::LambdaEnvironment;
use crate::authorizer::lambda::lookup::{self, LambdaMissing};
use crate::authorizer::lambda::output::OutputLog;
use crate::authorizer::lambda::process::Process;
use crate::authorizer::lambda::watchdog::Watchdog;
use crate::shell::shell_quoted;

/// A program that is started for each event. What it writes to standard error becomes events of the
/// sandbox's log.
///
/// The program runs in a process group of its own, which is killed when the program ends, times out, or its
/// client hangs up. A process that the program starts and that leaves the group, by `setsid` or as
/// a daemon, is in no group that the sandbox knows, and goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Looked for in `PATH` where it has no slash.
    pub program: PathBuf,
    /// Arguments, passed on as they are: no shell reads them.
    pub arguments: Vec<OsString>,
    /// The folder where it runs; `None` means the sandbox's own.
    pub folder: Option<PathBuf>,
    /// Environment variables of the process.
    pub environment: LambdaEnvironment,
}

impl Program {
    /// A program without arguments that runs where the sandbox does.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            folder: None,
            environment: LambdaEnvironment::default(),
        }
    }

    /// Checks that the program exists and, if it is an interpreter, its script.
    ///
    /// # Errors
    /// The program, script or folder that is missing.
    pub(super) fn find(&self) -> Result<(), LambdaMissing> {
        lookup::program(&self.program, self.folder.as_deref(), &self.environment)?;
        // `python3 run.py` starts python3 in any case: whether run.py exists is worth knowing
        // before the first client does.
        let script = self
            .arguments
            .first()
            .filter(|_| lookup::is_interpreter(&self.program));
        script.map_or(Ok(()), |script| {
            lookup::script(script, self.folder.as_deref())
        })
    }

    /// Runs it once. When `limit` is over, or whoever waits has gone, it is killed; when it has
    /// ended, so is what it started.
    pub(super) async fn run(
        &self,
        event: &[u8],
        limit: Duration,
        watchdog: Option<&Watchdog>,
        log: &(dyn Fn(String) + Sync),
    ) -> Result<Vec<u8>, LambdaError> {
        let started = Process::spawn(&mut self.command(), watchdog);
        let mut process =
            started.map_err(|error| LambdaError::not_started(&self.program, &error))?;
        // One deadline for writing, reading and the exit together.
        let outcome = timeout(limit, converse(&mut process, event, log)).await;
        // Killed here and not by Drop, so that its exit status is taken while we can wait.
        if !matches!(outcome, Ok(Ok(_))) {
            process.kill().await;
        }
        outcome.unwrap_or(Err(LambdaError::TimedOut(limit)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            // None of the sandbox's own variables but those of `LambdaEnvironment`.
            .env_clear()
            .envs(self.environment.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shell_quoted(&self.program.to_string_lossy()))?;
        for argument in &self.arguments {
            write!(f, " {}", shell_quoted(&argument.to_string_lossy()))?;
        }
        match &self.folder {
            // The folder matters to relative paths among the arguments.
            Some(folder) => write!(f, " in {}", folder.display()),
            None => Ok(()),
        }
    }
}

/// Writes the event, reads both outputs and waits for the end, all at once: a full pipe must not
/// stop the others.
async fn converse(
    process: &mut Process,
    event: &[u8],
    log: &(dyn Fn(String) + Sync),
) -> Result<Vec<u8>, LambdaError> {
    let (stdin, stdout, stderr) = process.take_pipes();
    let mut answer = Vec::new();
    let mut output = OutputLog::new(log);
    let pipes = async {
        tokio::try_join!(
            write(stdin, event),
            read(stdout, &mut answer),
            forward(stderr, &mut output)
        )
    };
    let mut pipes = Box::pin(pipes);

    // The program's end, or that of its outputs, whichever comes first.
    let status = tokio::select! {
        closed = &mut pipes => {
            closed?;
            process.wait().await
        }
        status = process.wait() => {
            // What it has written is in the pipes. They stay open if something that it started has them, too.
            match timeout(DRAINING, &mut pipes).await {
                Ok(closed) => drop(closed?),
                Err(_) => process.kill_group(),
            }
            status
        }
    };
    drop(pipes);
    output.finish();
    match status {
        Ok(status) if status.success() => Ok(answer),
        Ok(status) => Err(LambdaError::Exit(status.to_string().into())),
        Err(error) => Err(LambdaError::Exit(error.to_string().into())),
    }
}

/// Writes the event and closes the pipe. A program may answer without reading.
async fn write(stdin: Option<ChildStdin>, event: &[u8]) -> Result<(), LambdaError> {
    // A broken pipe is no fault. Dropping `stdin` at the end closes it, which ends the event for
    // programs that read to the end.
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(event).await;
    }
    Ok(())
}

async fn read(
    stdout: Option<impl AsyncRead + Unpin>,
    answer: &mut Vec<u8>,
) -> Result<(), LambdaError> {
    let Some(mut stdout) = stdout else {
        return Ok(());
    };
    // A read error counts as the end of the output; the exit status decides.
    while matches!(stdout.read_buf(answer).await, Ok(1..)) {
        // Checked after each read, so at most one read more than the limit is in memory.
        if answer.len() > MAX_ANSWER {
            return Err(LambdaError::TooLarge);
        }
    }
    Ok(())
}

async fn forward(
    stderr: Option<impl AsyncRead + Unpin>,
    output: &mut OutputLog<'_>,
) -> Result<(), LambdaError> {
    let Some(mut stderr) = stderr else {
        return Ok(());
    };
    // One buffer for all reads; OutputLog copies what it keeps.
    let mut chunk = Vec::with_capacity(CHUNK);
    while matches!(stderr.read_buf(&mut chunk).await, Ok(1..)) {
        output.write(&chunk);
        chunk.clear();
    }
    Ok(())
}

/// Ten policies of 2,048 characters fit, however they are escaped.
pub(super) const MAX_ANSWER: usize = 256 * 1024;
/// Time to read what a program has written before it ended.
pub(super) const DRAINING: Duration = Duration::from_millis(250);
const CHUNK: usize = 8 * 1024;

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn shell(script: &str) -> Program {
        Program {
            arguments: vec!["-c".into(), script.into()],
            ..Program::new("sh")
        }
    }

    async fn run(script: &str, limit: Duration) -> (Result<String, LambdaError>, Vec<String>) {
        let lines = Mutex::new(Vec::new());
        let log = |line| lines.lock().unwrap().push(line);
        let answer = shell(script).run(b"event", limit, None, &log).await;
        (
            answer.map(|bytes| String::from_utf8(bytes).unwrap()),
            lines.into_inner().unwrap(),
        )
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_program_reads_the_event_and_its_standard_error_is_logged_by_line() {
        let (answer, log) = run("cat; echo one >&2; printf two >&2", PATIENCE).await;
        assert_eq!(
            (answer, log),
            (Ok("event".into()), vec!["one".into(), "two".into()])
        );
    }

    #[tokio::test]
    async fn a_program_may_answer_without_reading_its_input() {
        assert_eq!(
            run("exec <&-; echo {}", PATIENCE).await.0,
            Ok("{}\n".into())
        );
    }

    #[tokio::test]
    async fn another_exit_code_and_a_program_that_is_not_there_are_faults() {
        assert_eq!(
            run("exit 3", PATIENCE).await.0,
            Err(LambdaError::Exit("exit status: 3".into()))
        );
        let nowhere = Program {
            program: "no-such-program".into(),
            ..shell("")
        };
        let fault = nowhere.run(b"", PATIENCE, None, &|_| ()).await.unwrap_err();
        assert!(fault.to_string().contains("no-such-program"), "{fault}");
    }

    #[tokio::test]
    async fn a_program_and_its_children_are_killed_and_reaped_at_the_timeout() {
        let (answer, log) = run(
            "sleep 600 & echo $$ $! >&2; wait",
            Duration::from_millis(500),
        )
        .await;
        assert_eq!(
            answer,
            Err(LambdaError::TimedOut(Duration::from_millis(500)))
        );
        // The shell's own id and that of its child.
        for pid in log[0].split(' ') {
            assert!(is_gone(pid).await, "{pid} is still there");
        }
    }

    #[tokio::test]
    async fn a_program_is_killed_when_its_call_is_dropped() {
        let lines = Mutex::new(Vec::new());
        let log = |line| lines.lock().unwrap().push(line);
        let program = shell("echo $$ >&2; exec sleep 600");
        let waits = timeout(
            Duration::from_millis(500),
            program.run(b"", PATIENCE, None, &log),
        );
        assert!(waits.await.is_err());
        let pid = lines.lock().unwrap()[0].clone();
        assert!(is_gone(&pid).await, "{pid} is still there");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        assert_eq!(run("yes", PATIENCE).await.0, Err(LambdaError::TooLarge));
    }

    #[tokio::test]
    async fn a_program_that_has_ended_is_read_to_its_end_whatever_it_left_running() {
        // The child holds the pipes open: without the drain timeout reading would last ten minutes.
        let script = "sleep 600 & echo $! >&2; echo {}; exit 0";
        let (answer, log) = run(script, PATIENCE).await;
        assert_eq!(answer, Ok("{}\n".into()));
        assert!(is_gone(&log[0]).await, "{} is still there", log[0]);
    }

    #[tokio::test]
    async fn background_processes_of_a_program_are_killed_too() {
        // The child has none of the pipes, so only the process group leads to it.
        let script = "sleep 600 <&- >/dev/null 2>&1 & echo $! >&2; echo {}";
        let (answer, log) = run(script, PATIENCE).await;
        assert_eq!(answer, Ok("{}\n".into()));
        assert!(is_gone(&log[0]).await, "{} is still there", log[0]);
    }

    #[tokio::test]
    async fn a_line_of_the_length_of_an_event_is_not_cut() {
        let (answer, log) = run("printf '%05000d' 0 >&2; echo {}", PATIENCE).await;
        assert_eq!((answer, log), (Ok("{}\n".into()), vec!["0".repeat(5000)]));
    }

    #[tokio::test]
    async fn a_program_has_only_the_configured_environment() {
        let mut program =
            shell("env | grep -v -E '^(PWD|SHLVL|_|OLDPWD)=' | cut -d= -f1 | sort | tr '\\n' ' '");
        for variable in ["TABLE=dev", "CARGO_PKG_NAME"] {
            program.environment.add(variable).unwrap();
        }
        // Cargo gives a test dozens of variables; PATH is one of the few that are passed on.
        let answer = program.run(b"", PATIENCE, None, &|_| ()).await.unwrap();
        let names = String::from_utf8(answer).unwrap();
        let passed = [
            "CARGO_PKG_NAME",
            "HOME",
            "LANG",
            "NODE_PATH",
            "PATH",
            "PYTHONPATH",
            "TABLE",
            "TMPDIR",
            "TZ",
            "VIRTUAL_ENV",
        ];
        assert!(
            names.split_whitespace().all(|name| passed.contains(&name)),
            "{names}"
        );
        for name in ["CARGO_PKG_NAME", "PATH", "TABLE"] {
            assert!(
                names.split_whitespace().any(|set| set == name),
                "{name}: {names}"
            );
        }
    }

    /// No such process, or one that init has still to reap: an orphan is no child of ours.
    async fn is_gone(pid: &str) -> bool {
        for _ in 0..200 {
            match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) if !stat.contains(") Z ") => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                _ => return true,
            }
        }
        false
    }
}
