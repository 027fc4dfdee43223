//! The end of a run over HTTP: error and summary, as for a run with a connection of MQTT.

use dunlin_client::aws::http_publish::{HttpPublishError, HttpPublished};
use tokio::time::Instant;

use super::event_json::{ErrorJson, JsonEvent};
use super::outcome::{self, RunOutcome};
use super::output::Output;
use super::report::Report;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;

/// Counts of a run over HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpCounts {
    /// Number of requests, answered or not.
    pub(crate) sent: u64,
    /// Number of messages that the server has accepted.
    pub(crate) accepted: u64,
    begun: Instant,
}

impl HttpCounts {
    /// Counts of a run that begins now.
    pub(crate) fn new() -> Self {
        Self {
            sent: 0,
            accepted: 0,
            begun: Instant::now(),
        }
    }

    /// Counts a message by the outcome of its request; one of which nothing left this computer isn't
    /// counted.
    pub(crate) const fn count(&mut self, outcome: &Result<HttpPublished, HttpPublishError>) {
        match outcome {
            Ok(_) => {
                self.sent += 1;
                self.accepted += 1;
            }
            Err(
                HttpPublishError::Message(_)
                | HttpPublishError::NotOverHttp(_)
                | HttpPublishError::InvalidRequest(_)
                | HttpPublishError::Signing(_)
                | HttpPublishError::Connect(_),
            ) => {}
            Err(_) => self.sent += 1,
        }
    }
}

/// Writes the error and the summary of a run over HTTP, and the rest of the output.
///
/// # Errors
/// [`Failure::Diagnosed`] with the explanation of a failure, [`Failure::Local`] if standard output
/// can't be written.
pub(crate) async fn finish_http(
    report: &mut Report,
    output: &Output,
    counts: HttpCounts,
    outcome: Result<(), RunOutcome>,
    stop: &mut StopSignal,
) -> Result<Exit, Failure> {
    let exit = outcome::exit(&outcome);
    // The error and the summary are the last lines of JSON.
    if let Err(RunOutcome::Failed(diagnosis)) = &outcome {
        let error = ErrorJson::new(diagnosis, None, false);
        report.json(&JsonEvent::Error(error))?;
    }
    report.json(&JsonEvent::Summary {
        sent: counts.sent,
        acked: counts.accepted,
        received: 0,
        duration_ms: u64::try_from(counts.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        exit_code: exit.code(),
    })?;
    outcome::write_and_end(outcome, output, stop).await
}
