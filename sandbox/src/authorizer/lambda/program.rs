//! A Lambda that is a program: the event on its standard input, the answer on its standard output.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::authorizer::lambda::LambdaFault;

/// What is started for each event. What it says on standard error becomes events of the sandbox's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Looked for in `PATH` where it has no slash.
    pub program: PathBuf,
    /// Its arguments, as they are: no shell reads them.
    pub arguments: Vec<OsString>,
    /// Where it runs; `None`: where the sandbox does.
    pub folder: Option<PathBuf>,
}

impl Program {
    /// Runs it once. When `limit` is over, or whoever waits has gone, it and what it started are killed.
    pub(super) async fn run(
        &self,
        event: &[u8],
        limit: Duration,
        log: &(dyn Fn(String) + Sync),
    ) -> Result<Vec<u8>, LambdaFault> {
        let mut run = Run::start(self)?;
        let outcome = timeout(limit, run.talk(event, log)).await;
        if !matches!(outcome, Ok(Ok(_))) {
            run.kill().await;
        }
        outcome.unwrap_or(Err(LambdaFault::TimedOut(limit)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        // A group of its own, so that what it starts can be killed with it.
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

/// One process. Dropped before it has ended, its whole group is killed.
struct Run {
    child: Child,
    has_ended: bool,
}

impl Run {
    fn start(program: &Program) -> Result<Self, LambdaFault> {
        let name = program.program.display();
        let spawned = program.command().spawn();
        let child = spawned.map_err(|error| LambdaFault::NotStarted(format!("{name}: {error}").into()))?;
        Ok(Self { child, has_ended: false })
    }

    /// Writes, reads both outputs and waits, all at once: a full pipe must not stop the others.
    async fn talk(&mut self, event: &[u8], log: &(dyn Fn(String) + Sync)) -> Result<Vec<u8>, LambdaFault> {
        let (stdin, stdout, stderr) =
            (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // Whoever answers without reading may.
                let _ = stdin.write_all(event).await;
            }
            Ok(())
        };
        let read = async {
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                let _ = stdout.take(MAX_ANSWER + 1).read_to_end(&mut answer).await;
            }
            if answer.len() as u64 > MAX_ANSWER { Err(LambdaFault::TooLarge) } else { Ok(answer) }
        };
        let forward = async {
            if let Some(stderr) = stderr {
                forward(stderr, log).await;
            }
            Ok(())
        };
        let ((), answer, ()) = tokio::try_join!(write, read, forward)?;
        let status = self.child.wait().await;
        self.has_ended = status.is_ok();
        match status {
            Ok(status) if status.success() => Ok(answer),
            Ok(status) => Err(LambdaFault::Exit(status.to_string().into())),
            Err(error) => Err(LambdaFault::Exit(error.to_string().into())),
        }
    }

    /// Kills it and what it started, and takes its exit status, so that no zombie stays.
    async fn kill(&mut self) {
        self.kill_group();
        self.has_ended = timeout(REAPING, self.child.wait()).await.is_ok();
    }

    fn kill_group(&mut self) {
        if self.has_ended {
            return;
        }
        #[cfg(unix)]
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok())
            && let Some(group) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // tokio reaps what is dropped while it runs.
        self.kill_group();
    }
}

/// Standard error as lines of the log, so many and so long; the rest is read and left out.
async fn forward(stderr: impl AsyncRead + Unpin, log: &(dyn Fn(String) + Sync)) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut lines = 0;
    while let Ok(chunk) = reader.fill_buf().await {
        if chunk.is_empty() {
            break;
        }
        let length = chunk.len();
        for byte in chunk {
            match byte {
                b'\n' => end_line(&mut line, &mut lines, log),
                byte if line.len() < MAX_LINE => line.push(*byte),
                _ => {}
            }
        }
        reader.consume(length);
    }
    if !line.is_empty() {
        end_line(&mut line, &mut lines, log);
    }
}

fn end_line(line: &mut Vec<u8>, lines: &mut usize, log: &(dyn Fn(String) + Sync)) {
    *lines += 1;
    if *lines <= MAX_LINES {
        log(String::from_utf8_lossy(line).trim_end().to_owned());
    } else if *lines == MAX_LINES + 1 {
        log(format!("(more than {MAX_LINES} lines)"));
    }
    line.clear();
}

/// Ten policies of 2,048 characters fit, however they are escaped.
pub(super) const MAX_ANSWER: u64 = 256 * 1024;
const MAX_LINE: usize = 1000;
const MAX_LINES: usize = 100;
/// What is killed ends at once.
const REAPING: Duration = Duration::from_secs(1);

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn shell(script: &str) -> Program {
        Program { program: "sh".into(), arguments: vec!["-c".into(), script.into()], folder: None }
    }

    async fn run(script: &str, limit: Duration) -> (Result<String, LambdaFault>, Vec<String>) {
        let lines = Mutex::new(Vec::new());
        let log = |line| lines.lock().unwrap().push(line);
        let answer = shell(script).run(b"event", limit, &log).await;
        (answer.map(|bytes| String::from_utf8(bytes).unwrap()), lines.into_inner().unwrap())
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn it_reads_the_event_and_its_standard_error_is_logged_line_by_line() {
        let (answer, log) = run("cat; echo one >&2; printf two >&2", PATIENCE).await;
        assert_eq!((answer, log), (Ok("event".into()), vec!["one".into(), "two".into()]));
    }

    #[tokio::test]
    async fn it_may_answer_without_reading() {
        assert_eq!(run("exec <&-; echo {}", PATIENCE).await.0, Ok("{}\n".into()));
    }

    #[tokio::test]
    async fn another_exit_code_and_a_program_that_is_not_there_are_faults() {
        assert_eq!(run("exit 3", PATIENCE).await.0, Err(LambdaFault::Exit("exit status: 3".into())));
        let nowhere = Program { program: "no-such-program".into(), ..shell("") };
        let fault = nowhere.run(b"", PATIENCE, &|_| ()).await.unwrap_err();
        assert!(fault.to_string().contains("no-such-program"), "{fault}");
    }

    #[tokio::test]
    async fn it_and_what_it_started_are_killed_and_reaped_when_the_time_is_over() {
        let (answer, log) = run("sleep 600 & echo $$ $! >&2; wait", Duration::from_millis(500)).await;
        assert_eq!(answer, Err(LambdaFault::TimedOut(Duration::from_millis(500))));
        for pid in log[0].split(' ') {
            assert!(is_gone(pid).await, "{pid} is still there");
        }
    }

    #[tokio::test]
    async fn it_is_killed_when_nobody_waits_for_it_any_more() {
        let lines = Mutex::new(Vec::new());
        let log = |line| lines.lock().unwrap().push(line);
        let program = shell("echo $$ >&2; exec sleep 600");
        let waits = timeout(Duration::from_millis(500), program.run(b"", PATIENCE, &log));
        assert!(waits.await.is_err());
        let pid = lines.lock().unwrap()[0].clone();
        assert!(is_gone(&pid).await, "{pid} is still there");
    }

    #[tokio::test]
    async fn an_endless_answer_and_endless_lines_are_cut() {
        assert_eq!(run("yes", PATIENCE).await.0, Err(LambdaFault::TooLarge));
        let (answer, log) = run("yes | head -n 5000 >&2; printf '%070000d' 0 >&2; echo {}", PATIENCE).await;
        assert_eq!((answer, log.len()), (Ok("{}\n".into()), MAX_LINES + 1));
        assert_eq!(log.last().unwrap(), "(more than 100 lines)");
    }

    /// No such process, or one that init has still to reap: an orphan is no child of ours.
    async fn is_gone(pid: &str) -> bool {
        for _ in 0..200 {
            match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => return true,
            }
        }
        false
    }
}
