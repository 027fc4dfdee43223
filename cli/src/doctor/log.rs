//! `StageLog`: prints each stage when it is done, and knows which one comes next.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dunlin_client::transport::{FailedAttempt, IpVersion, OpenObserver, OpenStep};
use serde_json::Value;

use super::cause::Tried;
use super::change::Change;
use super::evidence::Evidence;
use super::stage::{Stage, Status};
use crate::client_run::Output;
use crate::client_run::event_json::{JsonEvent, millis};
use crate::diagnosis::{Diagnosis, RunContext, duration};
use crate::wrap::wrap;

/// Stages of one check. The client's task records those of the transport, the verb the others.
#[derive(Clone, Debug)]
pub(super) struct StageLog(Arc<Mutex<LogState>>);

#[derive(Debug)]
struct LogState {
    stages: Vec<Stage>,
    /// Number of stages that are done.
    done: usize,
    /// End of the stage before.
    since: Instant,
    /// Addresses that failed since the name was resolved.
    failed: Vec<FailedAttempt>,
    ignores_alpn: bool,
    is_json: bool,
    /// Writer of the run; `None` until the run begins, and lines are kept until then.
    out: Option<Output>,
    lines: Vec<u8>,
}

impl StageLog {
    pub(super) fn new(stages: Vec<Stage>, is_json: bool) -> Self {
        Self(Arc::new(Mutex::new(LogState {
            stages,
            done: 0,
            since: Instant::now(),
            failed: Vec::new(),
            ignores_alpn: false,
            is_json,
            out: None,
            lines: Vec::new(),
        })))
    }

    /// Observer that records the stages of the transport.
    pub(super) fn observer(&self, context: &RunContext) -> OpenObserver {
        let (log, context) = (self.clone(), context.clone());
        OpenObserver::new(move |step| log.lock().handle_step(step, &context))
    }

    /// Writes all lines from now on to `out`, beginning with those that were kept.
    pub(super) fn attach(&self, mut out: Output) {
        let mut inner = self.lock();
        // What was recorded before the run began comes first.
        let lines = std::mem::take(&mut inner.lines);
        // A reader that is gone is found at the end of the run.
        let _ = out.write_all(&lines);
        inner.out = Some(out);
    }

    /// Writes the lines that were kept to standard output, for a check that ends before its run.
    ///
    /// # Errors
    /// Errors of standard output.
    pub(super) fn print_kept(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(&self.lock().lines)?;
        out.flush()
    }

    /// Records a stage that has passed in `time`; `None` stands for the time since the stage before.
    ///
    /// A stage that is not the next one is left out: another attempt to connect repeats stages.
    pub(super) fn passed(&self, stage: Stage, evidence: &Evidence, time: Option<Duration>) {
        self.lock().passed(stage, evidence, time);
    }

    /// Records that the next `stages` are left out, for this reason.
    pub(super) fn skipped(&self, stages: &[Stage], reason: &str) {
        let mut inner = self.lock();
        if inner.is_json {
            for stage in stages {
                inner.write_json(*stage, Status::Skipped, None, None, reason, &Value::Null);
            }
        } else {
            inner.write_rest(stages, reason, None);
        }
        inner.done += stages.len();
        inner.since = Instant::now();
    }

    /// Records that the next stage has failed, and that those after it are not reached.
    pub(super) fn failed(&self, diagnosis: &Diagnosis) {
        let mut inner = self.lock();
        let lap = inner.lap();
        let (id, exit) = (diagnosis.id.name(), diagnosis.id.exit().code());
        let Some((stage, rest)) = inner.rest() else {
            return;
        };
        // Nothing happens on the network during the first stage.
        let time = (stage != Stage::Flags).then_some(lap);
        // The failed stage, and then all that it keeps from being checked.
        if inner.is_json {
            let text = &diagnosis.headline;
            inner.write_json(stage, Status::Failed, Some(id), time, text, &Value::Null);
            for stage in rest {
                inner.write_json(
                    stage,
                    Status::Skipped,
                    None,
                    None,
                    NOT_REACHED,
                    &Value::Null,
                );
            }
        } else {
            let text = format!("{id}  {}", shortened(&diagnosis.headline));
            inner.write_line(stage, Status::Failed, &text, time);
            inner.write_rest(&rest, NOT_REACHED, Some(exit));
        }
        inner.done = inner.stages.len();
    }

    /// True if the server has selected none of the ALPN protocols that were offered.
    pub(super) fn ignores_alpn(&self) -> bool {
        self.lock().ignores_alpn
    }

    /// Prints the outcome of another way to connect.
    pub(super) fn tried(&self, way: &Tried, context: &RunContext, time: Duration) {
        let mut inner = self.lock();
        // Mark, error id and words are those of a stage.
        let failure = way.outcome.failure.as_ref();
        let status = match failure {
            Some(_) => Status::Failed,
            None => Status::Passed,
        };
        let text = match failure {
            Some(failure) => shortened(&failure.headline),
            None => "connected",
        };
        let id = failure.map(|failure| failure.id.name());
        if inner.is_json {
            let alpn = match &way.change {
                Change::Alpn(name) => name.as_deref(),
                Change::WebSocket(_) => None,
                _ => context.alpn_offered.as_deref(),
            };
            inner.write_event(&JsonEvent::Way {
                port: way.change.port().unwrap_or(context.port),
                tls: context.choices.is_tls,
                websocket: matches!(way.change, Change::WebSocket(_)),
                alpn,
                proxy: context.proxy.is_some() && way.change != Change::Direct,
                ip_version: match way.change {
                    Change::Ip(IpVersion::V4) => Some(4),
                    Change::Ip(IpVersion::V6) => Some(6),
                    _ => None,
                },
                status: status.name(),
                id,
                ms: millis(time),
                text,
            });
        } else {
            let text = match id {
                Some(id) => format!("{id}  {text}"),
                None => text.to_owned(),
            };
            let name = format!("{:<17}", way.change.name());
            inner.write_row(status, &name, &text, Some(time));
        }
    }

    /// Prints the sentence that names the cause.
    pub(super) fn conclusion(&self, sentence: &str) {
        let mut inner = self.lock();
        if inner.is_json {
            inner.write_event(&JsonEvent::Conclusion { text: sentence });
        } else {
            inner.write(&format!("conclusion: {sentence}\n"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogState {
    /// Records a step of the transport.
    fn handle_step(&mut self, step: OpenStep<'_>, context: &RunContext) {
        let is_proxy = context.proxy.is_some();
        match step {
            // A name is resolved once an attempt: the addresses that failed before are history.
            OpenStep::Resolved { host, addresses } => {
                self.failed.clear();
                self.passed(Stage::Dns, &Evidence::addresses(host, addresses), None);
            }
            // Several addresses are tried at once, so that those that fail belong to the one stage.
            OpenStep::AddressFailed(attempt) => self.failed.push(attempt),
            OpenStep::Connected { peer } => {
                let failed = std::mem::take(&mut self.failed);
                self.passed(Stage::Tcp, &Evidence::tcp(peer, &failed, is_proxy), None);
            }
            OpenStep::Tunnelled { peer } => {
                self.passed(Stage::Proxy, &Evidence::tunnel(context, peer), None);
            }
            OpenStep::Secured { tls } => {
                self.ignores_alpn = !tls.alpn_offered.is_empty() && tls.alpn_selected.is_none();
                self.passed(Stage::Tls, &Evidence::tls(tls, SystemTime::now()), None);
            }
            OpenStep::Upgraded { .. } => self.passed(Stage::WebSocket, &Evidence::upgrade(), None),
            _ => {}
        }
    }

    fn passed(&mut self, stage: Stage, evidence: &Evidence, time: Option<Duration>) {
        if self.stages.get(self.done) != Some(&stage) {
            return;
        }
        // The next stage begins now, whatever time this one is said to have taken.
        let since = self.lap();
        let time = time.unwrap_or(since);
        let status = if evidence.is_warning {
            Status::Warned
        } else {
            Status::Passed
        };
        // Nothing happens on the network during the first stage.
        let time = (stage != Stage::Flags).then_some(time);
        if self.is_json {
            let (text, details) = (&evidence.text, &evidence.details);
            self.write_json(stage, status, None, time, text, details);
        } else {
            self.write_line(stage, status, &evidence.text, time);
            for line in evidence.more.iter().flat_map(|line| wrap(line, MORE, "")) {
                self.write(&format!("{:INDENT$}{line}\n", ""));
            }
        }
        self.done += 1;
    }

    /// Stage that comes next, and those after it; `None` if all are done.
    fn rest(&self) -> Option<(Stage, Vec<Stage>)> {
        let (stage, rest) = self.stages.get(self.done..)?.split_first()?;
        Some((*stage, rest.to_vec()))
    }

    /// Time since the stage before, with which the next one begins.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.since, now))
    }

    fn write_line(&mut self, stage: Stage, status: Status, text: &str, time: Option<Duration>) {
        self.write_row(status, stage.name(), text, time);
    }

    fn write_row(&mut self, status: Status, name: &str, text: &str, time: Option<Duration>) {
        let time = time.map_or_else(String::new, duration);
        // The time stands after the first line of the evidence, at the same column for all stages.
        let mut lines = wrap(text, TEXT, "").into_iter();
        let first = lines.next().unwrap_or_default();
        let line = format!("{} {name:<10} {first:<TEXT$} {time}", status.mark());
        self.write(&format!("{}\n", line.trim_end()));
        for line in lines {
            self.write(&format!("{:INDENT$}{line}\n", ""));
        }
    }

    /// Writes one line for stages that are left out; `exit` is the exit code of the failure before
    /// them.
    fn write_rest(&mut self, stages: &[Stage], reason: &str, exit: Option<u8>) {
        let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
        let rest = match (names.is_empty(), exit) {
            (true, None) => return,
            (true, Some(exit)) => format!("{:<INDENT$}exit {exit}", ""),
            (false, None) => format!("{} {} {reason}", Status::Skipped.mark(), names.join(", ")),
            (false, Some(exit)) => format!(
                "{} {} {reason}  exit {exit}",
                Status::Skipped.mark(),
                names.join(", ")
            ),
        };
        self.write(&format!("{rest}\n"));
    }

    fn write_json(
        &mut self,
        stage: Stage,
        status: Status,
        id: Option<&str>,
        time: Option<Duration>,
        text: &str,
        details: &Value,
    ) {
        let event = JsonEvent::Stage {
            stage: stage.name(),
            status: status.name(),
            id,
            ms: time.map(millis),
            text,
            details,
        };
        self.write_event(&event);
    }

    fn write_event(&mut self, event: &JsonEvent<'_>) {
        let mut line = Vec::new();
        // Writing to memory doesn't fail.
        let _ = event.write(&mut line);
        self.write_bytes(&line);
    }

    fn write(&mut self, text: &str) {
        self.write_bytes(text.as_bytes());
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        match &mut self.out {
            // A reader that is gone is found at the end of the run.
            Some(out) => drop(out.write_all(bytes)),
            None => self.lines.extend_from_slice(bytes),
        }
    }
}

/// Headline without its second part: the whole error follows on standard error.
fn shortened(headline: &str) -> &str {
    headline.split("; ").next().unwrap_or(headline)
}

/// Width of the evidence, after which the time stands: a line fits a terminal of 80 columns.
const TEXT: usize = 56;
/// Width of further lines of evidence, which have no time.
const MORE: usize = 80 - INDENT;
/// Columns of mark and name.
const INDENT: usize = 13;
/// Text about stages after a failure.
const NOT_REACHED: &str = "not reached";
