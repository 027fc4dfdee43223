//! What is known of the connection, and how often it was lost in the same way.

use std::time::Duration;

use dunlin_client::transport::Opened;
use dunlin_client::{ConnectError, ConnectionError, Observer};
use dunlin_codec::ReasonCode;
use tokio::time::Instant;

use crate::diagnosis::{
    ConnectionFacts, Diagnosis, Operation, Progress, RunContext, connect, lost, network, operation,
};

/// The connection as its events tell of it.
#[derive(Debug)]
pub(crate) struct ConnectionHistory {
    context: RunContext,
    facts: ConnectionFacts,
    phase: Phase,
    /// Why the last attempt failed or the last connection ended.
    trouble: Option<Diagnosis>,
    /// How often in a row the server closed the connection on the same operation.
    drops: u32,
    /// Number of the current attempt since the last connection.
    attempt: u32,
    /// Number of refusals (CONNACK) before the first connection.
    refusals: u32,
    has_connected: bool,
    /// Number of connections that the server closed without a DISCONNECT.
    closes: u32,
    ignored_alpn: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection: the first one is being opened, or the last one is lost.
    Down,
    /// TLS is up and CONNECT was sent.
    Opened(Instant),
    Up(Instant),
}

/// An operation on the wire, or on its way there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outstanding {
    pub(crate) operation: Operation,
    pub(crate) since: Instant,
}

impl ConnectionHistory {
    pub(crate) fn new(context: RunContext) -> Self {
        Self {
            context,
            facts: ConnectionFacts::default(),
            phase: Phase::Down,
            trouble: None,
            drops: 0,
            attempt: 0,
            refusals: 0,
            has_connected: false,
            closes: 0,
            ignored_alpn: false,
        }
    }

    /// Observer that keeps what E-PROTOCOL shows.
    pub(crate) fn observer(&self) -> Observer {
        self.facts.received.observer()
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    pub(crate) fn context(&self) -> &RunContext {
        &self.context
    }

    /// Whether the server ignored our offer of a protocol, for the first time.
    pub(crate) fn opened(&mut self, opened: Opened) -> bool {
        (self.facts.peer, self.facts.tls) = (Some(opened.peer), opened.tls);
        let ignored = self.facts.lacks_alpn() && self.context.alpn_offered.is_some();
        let is_news = ignored && !self.ignored_alpn;
        self.ignored_alpn |= ignored;
        self.phase = Phase::Opened(Instant::now());
        is_news
    }

    pub(crate) fn connected(&mut self) {
        self.phase = Phase::Up(Instant::now());
        self.trouble = None;
        self.has_connected = true;
    }

    /// An attempt to connect begins.
    pub(crate) fn begins_attempt(&mut self) {
        self.attempt = if self.is_up() { 1 } else { self.attempt + 1 };
    }

    /// Number of the current attempt, or of the last one.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Why the last attempt failed or the last connection ended; `None` after a connection was
    /// made.
    pub(crate) fn trouble(&self) -> Option<&Diagnosis> {
        self.trouble.as_ref()
    }

    /// Whether to try again after a refusal: a server that has refused [`MOST_REFUSALS`] times and
    /// has never accepted will refuse again. `is_limited` says that the user has set the number
    /// of attempts.
    pub(crate) fn may_try_again(&mut self, error: &ConnectError, is_limited: bool) -> bool {
        self.refusals += u32::from(matches!(error, ConnectError::Refused(_)));
        self.has_connected || is_limited || self.refusals < MOST_REFUSALS
    }

    /// What is due now, before there is a connection.
    pub(crate) fn waits_for(&self) -> String {
        match self.phase {
            Phase::Opened(_) => {
                "CONNECT was sent, no CONNACK yet: the server or its authorizer is slow, or silent"
                    .to_owned()
            }
            _ => format!(
                "no connection to {} yet ({})",
                self.context.address(),
                self.context.stages()
            ),
        }
    }

    pub(crate) fn failed(&mut self, error: &ConnectError) -> Diagnosis {
        let diagnosis = connect::failed(&self.context, &self.facts, error, self.elapsed());
        self.down(diagnosis)
    }

    /// The connection ended during `outstanding`, if something was. An error here is worth no
    /// further attempt.
    pub(crate) fn ended(
        &mut self,
        error: &ConnectionError,
        outstanding: Option<Outstanding>,
        progress: Progress<'_>,
        is_last: bool,
    ) -> Result<(), Diagnosis> {
        let elapsed = self.elapsed();
        let mut diagnosis = lost::ended(&self.context, &self.facts, error, elapsed);
        self.closes += u32::from(is_silent_close(error));
        if is_silent_close(error) && self.closes >= 2 {
            // Some servers don't say 0x8E: mosquitto 2.0.11 doesn't.
            diagnosis
                .likely
                .insert(0, lost::maybe_taken_over(&self.context));
        }
        let at = diagnosis.at.clone();
        let Some(Outstanding { operation, since }) = outstanding else {
            let diagnosis = self.down(diagnosis);
            return if is_last { Err(diagnosis) } else { Ok(()) };
        };
        // After a reconnect the operation goes out again, at once.
        let after = since.elapsed().min(elapsed);
        let context = &self.context;
        let verdict = match error {
            ConnectionError::Disconnected(reason)
                if reason.reason_code == ReasonCode::NotAuthorized =>
            {
                Some(operation::refused(context, operation, progress, reason))
            }
            error if is_silent_close(error) && after < RIGHT_AFTER => {
                self.drops += 1;
                (is_last || self.drops >= MOST_DROPS).then(|| {
                    let mut dropped =
                        operation::dropped(context, operation, progress, self.drops, after);
                    if self.drops >= 2 {
                        dropped.likely.push(lost::maybe_taken_over(context));
                    }
                    dropped
                })
            }
            _ => is_last.then(|| diagnosis.clone()),
        };
        self.down(diagnosis);
        verdict.map_or(Ok(()), |verdict| Err(Diagnosis { at, ..verdict }))
    }

    /// The operation succeeded: whatever was lost before wasn't its fault.
    pub(crate) fn forget_drops(&mut self) {
        self.drops = 0;
    }

    /// Nothing came for too long while connecting.
    pub(crate) fn not_connected(&self, timeout: Duration) -> Diagnosis {
        match (&self.trouble, self.phase) {
            (Some(trouble), _) => trouble.clone(),
            (None, Phase::Opened(_)) => connect::unanswered(&self.context, &self.facts, timeout),
            (None, _) => network::timed_out(&self.context, timeout),
        }
    }

    fn elapsed(&self) -> Duration {
        match self.phase {
            Phase::Down => Duration::ZERO,
            Phase::Opened(at) | Phase::Up(at) => at.elapsed(),
        }
    }

    fn down(&mut self, trouble: Diagnosis) -> Diagnosis {
        self.phase = Phase::Down;
        self.trouble = Some(trouble.clone());
        trouble
    }
}

/// As AWS IoT answers what a policy doesn't allow.
fn is_silent_close(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::Closed | ConnectionError::Reset | ConnectionError::Transport(_)
    )
}

/// Refusals that may pass, after which the sample gives up if it has never been accepted. In the
/// help of `--reconnect`.
const MOST_REFUSALS: u32 = 5;
/// Lost that often on the same operation, it will be lost every time.
const MOST_DROPS: u32 = 3;
/// A close later than this after an operation has another cause.
const RIGHT_AFTER: Duration = Duration::from_secs(5);
