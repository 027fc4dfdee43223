//! `Counters`: what all clients of a load test have done so far, read while they go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_client::{RequestError, ServerReason};
use dunlin_codec::PacketType;

use super::latency::Latency;
use crate::diagnosis::Diagnosis;

/// Counters and histograms of all clients together.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Connections that a server accepted for the first time.
    pub(super) connected: Counter,
    /// Connections that followed on one that was lost.
    pub(super) reconnected: Counter,
    /// Messages that were handed to a client.
    pub(super) sent: Counter,
    /// Messages of QoS 1 and 2 that the server accepted.
    pub(super) acknowledged: Counter,
    /// Messages, or responses, that the application received.
    pub(super) received: Counter,
    /// Published messages that the server refused.
    pub(super) refused: Counter,
    /// Received messages that this program refused as invalid.
    pub(super) invalid: Counter,
    /// From the planned start of a connection to CONNACK.
    pub(super) connect: Latency,
    /// From the loss of a connection to the CONNACK of the next one.
    pub(super) reconnect: Latency,
    /// From the planned sending of a message, or the sending without a rate, to its
    /// acknowledgement.
    pub(super) acknowledge: Latency,
    /// From the same moment to the application of the receiver, or to the response.
    pub(super) end_to_end: Latency,
    errors: Mutex<Errors>,
}

/// Failures by name, and the first one with its explanation.
#[derive(Debug, Default)]
struct Errors {
    by_name: BTreeMap<String, u64>,
    first: Option<Diagnosis>,
}

/// A number that several tasks increase.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Adds one and returns the number before.
    pub(super) fn take(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Counts a connection that wasn't made.
    pub(super) fn not_connected(&self, diagnosis: Diagnosis) {
        self.error(diagnosis.id.name().to_owned(), || diagnosis);
    }

    /// Counts a connection that ended without a request of this program. True if it is the first
    /// one with this name.
    pub(super) fn connection_ended(&self, name: String, diagnosis: &Diagnosis) -> bool {
        self.error(name, || diagnosis.clone())
    }

    /// Counts a request that failed; `explain` is called for the first failure of the run.
    ///
    /// A request that ends with its client is not counted: the end of the client has its own cause.
    pub(super) fn request_failed(&self, error: &RequestError, explain: impl FnOnce() -> Diagnosis) {
        let name = match error {
            RequestError::Stopped(_) => return,
            RequestError::Refused(reason) => {
                let is_message =
                    matches!(reason.packet_type, PacketType::PubAck | PacketType::PubRec);
                self.refused.add(u64::from(is_message));
                reason_name(reason)
            }
            error => error.to_string(),
        };
        self.error(name, explain);
    }

    /// Number of failures by name. At most 20 names are kept; further ones count as "others".
    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        self.lock().by_name.clone()
    }

    /// Explanation of the first failure; `None` if nothing failed.
    pub(super) fn first_failure(&self) -> Option<Diagnosis> {
        self.lock().first.clone()
    }

    /// Counts a failure; true if it is the first one with this name.
    fn error(&self, name: String, explain: impl FnOnce() -> Diagnosis) -> bool {
        let mut errors = self.lock();
        errors.first.get_or_insert_with(explain);
        // Names may hold numbers, and thousands of clients can make thousands of names.
        let is_known = errors.by_name.contains_key(&name);
        if is_known || errors.by_name.len() < MOST_NAMES {
            *errors.by_name.entry(name).or_default() += 1;
            !is_known
        } else {
            *errors.by_name.entry("others".to_owned()).or_default() += 1;
            false
        }
    }

    fn lock(&self) -> MutexGuard<'_, Errors> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of a refusal in reports, such as `PUBACK 0x87 Not authorized`.
pub(super) fn reason_name(reason: &ServerReason) -> String {
    let code = reason.reason_code;
    format!(
        "{} {:#04x} {}",
        reason.packet_type,
        code.code(),
        code.name()
    )
}

/// Names of failures that are counted apart.
const MOST_NAMES: usize = 20;
