//! One process that runs a handler, call after call: what AWS calls an execution environment.

use core::pin::pin;
use std::io;
use std::time::Duration;

use dunlin_codec::Escaped;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use crate::authorizer::lambda::LambdaError;
use crate::authorizer::lambda::function::FunctionFacts;
use crate::authorizer::lambda::handler::Handler;
use crate::authorizer::lambda::output::OutputLog;
use crate::authorizer::lambda::process::Process;
use crate::authorizer::lambda::program::{DRAINING, MAX_ANSWER};
use crate::authorizer::lambda::watchdog::Watchdog;
use crate::uuid;

/// A process with the handler in it. Dropped, it is killed with all that it has started.
pub(super) struct Instance {
    process: Process,
    requests: ChildStdin,
    output: BufReader<Output>,
    facts: FunctionFacts,
    /// Random text before an answer, which tells it from the output of the handler.
    marker: String,
}

/// Outcome of one event.
pub(super) enum Reply {
    /// The handler returned this value.
    Answer(Value),
    /// The handler failed with an error of this type. The process can take the next call.
    Failed(String),
}

/// A line of the runner: an answer or an error. The one that says that the handler is loaded has
/// neither.
#[derive(Deserialize)]
struct Frame {
    /// The id of the request that it is for.
    #[serde(default)]
    id: Value,
    #[serde(default)]
    answer: Value,
    error: Option<String>,
    /// The process ends now.
    #[serde(default)]
    ends: bool,
}

impl Instance {
    /// Starts a process, which loads the handler.
    pub(super) async fn start(
        handler: &Handler,
        facts: FunctionFacts,
        watchdog: Option<&Watchdog>,
    ) -> Result<Self, LambdaError> {
        let not_started = |error: io::Error| {
            LambdaError::NotStarted(
                format!(
                    "{}: {error}",
                    Escaped(handler.code.join(&handler.file).display())
                )
                .into(),
            )
        };
        let mut command = handler.command(&facts);
        let (mut process, output) = spawn(&mut command, watchdog).map_err(not_started)?;
        // The other end of the output closes with the process, and not with the description of it.
        drop(command);
        let (requests, stdout, _) = process.take_pipes();
        let output = output.or_else(|| stdout.map(|stdout| Box::new(stdout) as _));
        let (Some(requests), Some(output)) = (requests, output) else {
            return Err(not_started(io::ErrorKind::BrokenPipe.into()));
        };
        // The handler may print anything, but it isn't told the random marker: only the runner's
        // own lines count as answers.
        let marker = uuid::random();
        let setup = handler.setup(&marker);
        let mut instance = Self {
            process,
            requests,
            output: BufReader::new(output),
            facts,
            marker,
        };
        // A process that has ended already is found out by its first call.
        let _ = instance.send(&setup).await;
        Ok(instance)
    }

    /// Waits until the handler is loaded, or has failed to load: the first call says which. An
    /// error means that the process is of no more use, as does dropping this future.
    pub(super) async fn wait_until_loaded(
        &mut self,
        log: &mut OutputLog<'_>,
    ) -> Result<(), LambdaError> {
        self.answer(log).await.map(|_| ())
    }

    /// Returns whether it can take a call.
    pub(super) fn is_alive(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// Kills it and what it started.
    pub(super) async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Runs the handler once; it is told how much time is left. An error means that the process is
    /// of no more use, as does dropping this future.
    pub(super) async fn call(
        &mut self,
        event: &Value,
        remaining: Duration,
        log: &mut OutputLog<'_>,
    ) -> Result<Reply, LambdaError> {
        // The runner answers context.getRemainingTimeInMillis() from this.
        let remaining_ms = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        let context = self.facts.context();
        let id = context.get("awsRequestId").cloned().unwrap_or_default();
        let request = json!({"event": event, "context": context, "remainingMs": remaining_ms});
        // It fails if the process has ended; why it did is told below.
        let _ = self.send(&request).await;
        let frame = loop {
            let line = self.answer(log).await?;
            let frame: Frame = serde_json::from_slice(&line)
                .map_err(|error| LambdaError::not_json(&line, &error))?;
            if frame.id == id {
                break frame;
            }
            // A handler that forks answers one request twice. The decision belongs to another
            // client.
            log.write(b"[dunlin] a second answer to an earlier request is ignored\n");
        };
        // `ends`: the runner exits after this error, for example because the module can't be
        // loaded.
        match frame.error {
            Some(error) if frame.ends => Err(LambdaError::reported_type(&error)),
            Some(error) => Ok(Reply::Failed(error)),
            None => Ok(Reply::Answer(frame.answer)),
        }
    }

    async fn send(&mut self, line: &Value) -> io::Result<()> {
        let mut text = line.to_string();
        text.push('\n');
        self.requests.write_all(text.as_bytes()).await?;
        self.requests.flush().await
    }

    /// Returns the text after the next marker, up to the end of its line.
    ///
    /// # Errors
    /// The exit status if the process ended without an answer.
    async fn answer(&mut self, log: &mut OutputLog<'_>) -> Result<Vec<u8>, LambdaError> {
        let Self {
            process,
            output,
            marker,
            ..
        } = self;
        let answer = {
            let mut reading = pin!(next_answer(output, marker, log));
            tokio::select! {
                answer = &mut reading => answer?,
                // What it has written is in the pipe, which stays open if something that it started has it, too.
                _ = process.wait() => timeout(DRAINING, reading).await.unwrap_or(Ok(None))?,
            }
        };
        match answer {
            Some(line) => Ok(line),
            None => Err(self.ended().await),
        }
    }

    /// Exit of the process in place of an answer.
    async fn ended(&mut self) -> LambdaError {
        match timeout(ENDING, self.process.wait()).await {
            Ok(Ok(status)) => LambdaError::Exit(status.to_string().into()),
            Ok(Err(error)) => LambdaError::Exit(error.to_string().into()),
            // It has closed its output and goes on.
            Err(_) => LambdaError::NoAnswer,
        }
    }
}

/// Returns the text after the next marker, up to the end of its line; `None` at the end of the
/// output. Output before the marker is logged.
async fn next_answer(
    output: &mut BufReader<Output>,
    marker: &str,
    log: &mut OutputLog<'_>,
) -> Result<Option<Vec<u8>>, LambdaError> {
    let mut line = Vec::new();
    loop {
        // A read error counts as the end: the exit status then says what happened.
        let chunk = output.fill_buf().await.unwrap_or_default();
        if chunk.is_empty() {
            log.write(&line);
            return Ok(None);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        line.extend_from_slice(chunk.get(..taken).unwrap_or(chunk));
        output.consume(taken);

        // The marker may stand anywhere in the line, and the line may come in several pieces.
        let found = find(&line, marker.as_bytes());
        if line.len() > MAX_ANSWER + found.unwrap_or_default() {
            if found.is_some() {
                return Err(LambdaError::TooLarge);
            }
            // A long line of the log, all but the end, where a marker may have begun.
            let rest = line.split_off(line.len().saturating_sub(marker.len()));
            log.write(&line);
            line = rest;
        } else if end.is_some() {
            let Some(at) = found else {
                log.write(&line);
                line.clear();
                continue;
            };
            // A handler may have printed something without ending the line.
            log.write(line.get(..at).unwrap_or_default());
            log.finish();
            return Ok(Some(line.split_off(at + marker.len())));
        }
    }
}

/// Starts a process whose outputs are one stream, in the order in which things are printed.
#[cfg(unix)]
fn spawn(
    command: &mut Command,
    watchdog: Option<&Watchdog>,
) -> io::Result<(Process, Option<Output>)> {
    // Both outputs share one pipe, so that log lines keep the order in which they were written.
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let process = Process::spawn(command, watchdog)?;
    let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    Ok((process, Some(Box::new(reader))))
}

/// The runners send both to standard output themselves, but for what the interpreter says on its
/// own.
#[cfg(not(unix))]
fn spawn(
    command: &mut Command,
    watchdog: Option<&Watchdog>,
) -> io::Result<(Process, Option<Output>)> {
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::inherit());
    Ok((Process::spawn(command, watchdog)?, None))
}

type Output = Box<dyn AsyncRead + Send + Unpin>;

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Between the end of the output and that of the process.
const ENDING: Duration = Duration::from_secs(1);
