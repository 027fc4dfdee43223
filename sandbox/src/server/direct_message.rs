//! Direct messages: sent to one client by its client id, without a subscription.

use std::sync::Arc;

use tokio::sync::watch;

use crate::server::request_refusal::RequestRefusal;

/// Progress of a direct message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectProgress {
    Queued,
    /// PUBLISH is in the output of the connection; without confirmation that is the end.
    Sent,
    /// PUBACK came.
    Acknowledged,
    /// The receiver's policy doesn't allow `iot:Receive`.
    Denied,
    /// The packet is larger than the client takes.
    TooLarge,
    /// The receiver's rate of messages of QoS 0 is used up.
    RateExceeded,
    /// The connection of the receiver has ended.
    Disconnected,
}

/// Place to which the receiver's connection reports the progress of one message.
#[derive(Debug, Clone)]
pub(crate) struct DirectReport(Arc<watch::Sender<DirectProgress>>);

impl DirectReport {
    /// Makes the report of a message that is queued, and the end that its sender waits at.
    pub(super) fn new() -> (Self, watch::Receiver<DirectProgress>) {
        let (report, progress) = watch::channel(DirectProgress::Queued);
        (Self(Arc::new(report)), progress)
    }

    /// Reports the progress, unless the last one was final.
    pub(super) fn report(&self, progress: DirectProgress) {
        self.0.send_if_modified(|last| {
            let goes_on = matches!(last, DirectProgress::Queued | DirectProgress::Sent);
            if goes_on {
                *last = progress;
            }
            goes_on
        });
    }
}

/// Reason for which a direct message isn't queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DirectError {
    /// The client isn't connected. `has_session` is true if its session waits for it.
    NotConnected {
        has_session: bool,
    },
    Refused(RequestRefusal),
}
