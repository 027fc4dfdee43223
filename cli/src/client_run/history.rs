//! `ConnectionHistory`: the state of the connection, and the failures before it.

use std::time::Duration;

use dunlin_client::transport::Opened;
use dunlin_client::{ConnectError, ConnectionError, Observer};
use dunlin_codec::ReasonCode;
use tokio::time::Instant;

use super::packets;
use crate::args::PacketPrint;
use crate::capture::{CaptureFile, ClientCapture};
use crate::diagnosis::{
    ConnectionFacts, Diagnosis, Operation, Progress, RunContext, connect, lost, network, operation,
};

/// State of the connection and of the attempts before it, by the client's events.
#[derive(Debug)]
pub(crate) struct ConnectionHistory {
    context: RunContext,
    facts: ConnectionFacts,
    phase: Phase,
    /// Cause of the last failed attempt or lost connection; `None` once there is a connection.
    last_failure: Option<Diagnosis>,
    /// Number of connections in a row that the server closed on the same operation.
    drops: u32,
    /// Number of the current attempt since the last connection.
    attempt: u32,
    /// Number of refusals (CONNACK) before the first connection.
    refusals: u32,
    /// True once a connection was made.
    has_connected: bool,
    /// Number of connections that the server closed without a DISCONNECT.
    closes: u32,
    /// True once the server has ignored the ALPN offer.
    ignored_alpn: bool,
    /// Capture of the connections; `None` without `--capture`.
    capture: Option<ClientCapture>,
}

/// Phase of the connection, with the time at which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection, and no attempt: the credentials of the next one are awaited, or its pause.
    Down,
    /// The transport is being opened.
    Opening,
    /// TLS is up and CONNECT was sent.
    Opened(Instant),
    /// The server has sent CONNACK.
    Up(Instant),
}

/// Request that was sent, or is about to be sent.
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
            last_failure: None,
            drops: 0,
            attempt: 0,
            refusals: 0,
            has_connected: false,
            closes: 0,
            ignored_alpn: false,
            capture: None,
        }
    }

    /// Observer that keeps the bytes that E-PROTOCOL shows.
    pub(crate) fn observer(&self) -> Observer {
        self.facts.received.observer()
    }

    /// Observer that also prints each packet in this form, and writes it to the capture.
    pub(crate) fn printing_observer(&self, print: Option<PacketPrint>) -> Observer {
        let capture = self.capture.clone();
        if print.is_none() && capture.is_none() {
            return self.observer();
        }
        let record = self.facts.received.recorder();
        Observer::new(move |seen| {
            if let Some(print) = print {
                packets::print(&seen, print);
            }
            if let Some(capture) = &capture {
                capture.record(&seen);
            }
            record(&seen);
        })
    }

    /// Writes the packets of the connections to this file, from the next observer on.
    pub(crate) fn capture_to(&mut self, file: CaptureFile) {
        self.capture = Some(ClientCapture::new(file));
    }

    /// Writes the end of the connection to the capture, if there is one.
    pub(crate) fn close_capture(&self) {
        if let Some(capture) = &self.capture {
            capture.close(Instant::now().into_std());
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    pub(crate) fn context(&self) -> &RunContext {
        &self.context
    }

    /// Records an open transport; true if the server ignored the ALPN offer for the first time.
    pub(crate) fn opened(&mut self, opened: Opened) -> bool {
        (self.facts.peer, self.facts.tls) = (opened.peer.socket_addr(), opened.tls);
        // The warning is printed once, not for each connection.
        let ignored = self.facts.lacks_alpn() && self.context.alpn_offered.is_some();
        let is_first = ignored && !self.ignored_alpn;
        self.ignored_alpn |= ignored;
        self.phase = Phase::Opened(Instant::now());
        is_first
    }

    /// Records a CONNACK.
    pub(crate) fn connected(&mut self) {
        self.phase = Phase::Up(Instant::now());
        self.last_failure = None;
        self.has_connected = true;
    }

    /// Records the start of an attempt to connect.
    pub(crate) fn begin_attempt(&mut self) {
        self.attempt = if self.is_up() { 1 } else { self.attempt + 1 };
        self.phase = Phase::Opening;
    }

    /// Number of the current attempt, or of the last one.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Cause of the last failed attempt or lost connection; `None` once there is a connection.
    pub(crate) fn last_failure(&self) -> Option<&Diagnosis> {
        self.last_failure.as_ref()
    }

    /// Decides whether to try again after a refusal: a server that has refused [`MAX_REFUSALS`]
    /// times and has never accepted a connection will refuse again. `is_limited` is true if the user
    /// has set the number of attempts.
    pub(crate) fn may_try_again(&mut self, error: &ConnectError, is_limited: bool) -> bool {
        self.refusals += u32::from(matches!(error, ConnectError::Refused(_)));
        self.has_connected || is_limited || self.refusals < MAX_REFUSALS
    }

    /// Stage that is waited for, before there is a connection.
    pub(crate) fn waits_for(&self) -> String {
        match self.phase {
            Phase::Opened(_) => {
                "CONNECT was sent, no CONNACK yet: the server or its authorizer is slow, or silent"
                    .to_owned()
            }
            Phase::Down if self.context.choices.auth_cmd && self.last_failure.is_none() => {
                "the command of --auth-cmd still runs".to_owned()
            }
            _ => format!(
                "no connection to {} yet ({})",
                self.context.address(),
                self.context.stages()
            ),
        }
    }

    /// Records a failed attempt, and explains it.
    pub(crate) fn failed(&mut self, error: &ConnectError) -> Diagnosis {
        let diagnosis = connect::failed(&self.context, &self.facts, error, self.elapsed());
        self.down(diagnosis)
    }

    /// Records the end of a connection, during the request `outstanding` if there was one.
    ///
    /// # Errors
    /// The diagnosis, if no other attempt follows: the client makes none (`is_last`), the server has
    /// denied the request, or it has closed the connection [`MAX_DROPS`] times on the same request.
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
                // The likeliest guess after two such ends, and only a guess.
                .insert(0, lost::maybe_taken_over(&self.context));
        }
        let at = diagnosis.at.clone();
        // Without a request, the end of the connection is the whole story: the client may try
        // again.
        let Some(Outstanding { operation, since }) = outstanding else {
            let diagnosis = self.down(diagnosis);
            return if is_last { Err(diagnosis) } else { Ok(()) };
        };
        // After a reconnect the request is sent again at once, so that the shorter time counts.
        let after = since.elapsed().min(elapsed);
        let context = &self.context;
        // Three ends: denied by DISCONNECT, closed without a word, or unrelated to the request.
        let final_diagnosis = match error {
            ConnectionError::Disconnected(reason)
                if reason.reason_code == ReasonCode::NotAuthorized =>
            {
                Some(operation::refused(context, operation, progress, reason))
            }
            error if is_silent_close(error) && after < RIGHT_AFTER => {
                // A close right after a request: AWS IoT denies like that, and once proves
                // nothing.
                self.drops += 1;
                // The client may still try again: the diagnosis waits until it doesn't.
                (is_last || self.drops >= MAX_DROPS).then(|| {
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
        final_diagnosis.map_or(Ok(()), |final_diagnosis| {
            Err(Diagnosis {
                at,
                ..final_diagnosis
            })
        })
    }

    /// Records that a request succeeded: earlier losses had other causes.
    pub(crate) fn forget_drops(&mut self) {
        self.drops = 0;
    }

    /// Diagnosis of a time-out while connecting.
    pub(crate) fn not_connected(&self, timeout: Duration) -> Diagnosis {
        match (&self.last_failure, self.phase) {
            // The last failure explains more than the time-out.
            (Some(last_failure), _) => last_failure.clone(),
            (None, Phase::Opened(_)) => connect::unanswered(&self.context, &self.facts, timeout),
            // Nothing was sent: no guess about the network.
            (None, Phase::Down) if self.context.choices.auth_cmd => connect::slow_command(timeout),
            (None, _) => network::timed_out(&self.context, timeout),
        }
    }

    fn elapsed(&self) -> Duration {
        match self.phase {
            Phase::Down | Phase::Opening => Duration::ZERO,
            Phase::Opened(at) | Phase::Up(at) => at.elapsed(),
        }
    }

    fn down(&mut self, last_failure: Diagnosis) -> Diagnosis {
        self.phase = Phase::Down;
        self.close_capture();
        self.last_failure = Some(last_failure.clone());
        last_failure
    }
}

/// True for an end without DISCONNECT, which is how AWS IoT answers a request that a policy denies.
fn is_silent_close(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::Closed | ConnectionError::Reset | ConnectionError::Transport(_)
    )
}

/// Number of refusals after which the sample gives up if no connection was ever accepted; named in
/// the help of `--reconnect`.
const MAX_REFUSALS: u32 = 5;
/// Number of connections closed on the same request after which the sample gives up.
const MAX_DROPS: u32 = 3;
/// Time after a request in which a closed connection is the answer to it.
const RIGHT_AFTER: Duration = Duration::from_secs(5);
