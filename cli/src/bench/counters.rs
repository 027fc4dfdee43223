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

/// Failures by name, and explanations of the first ones.
#[derive(Debug, Default)]
struct Errors {
    by_name: BTreeMap<String, u64>,
    first_of_connections: Option<Diagnosis>,
    first_of_requests: Option<Diagnosis>,
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
        let name = diagnosis.id.name().to_owned();
        let mut errors = self.lock();
        errors.first_of_connections.get_or_insert(diagnosis);
        errors.count(name);
    }

    /// Counts a connection that ended without a request of this program. True if it is the first
    /// one with this name.
    pub(super) fn connection_ended(&self, name: String, diagnosis: &Diagnosis) -> bool {
        let mut errors = self.lock();
        errors
            .first_of_connections
            .get_or_insert_with(|| diagnosis.clone());
        errors.count(name)
    }

    /// Counts a request that failed; `explain` is called for the first failure of the run.
    ///
    /// A request that ends with its client is not counted: the end of the client has its own cause.
    pub(super) fn request_failed(&self, error: &RequestError, explain: impl FnOnce() -> Diagnosis) {
        let name = match error {
            RequestError::Stopped(_) => return,
            // PUBACK and PUBREC refuse a message; SUBACK and UNSUBACK refuse no message.
            RequestError::Refused(reason) => {
                let is_message =
                    matches!(reason.packet_type, PacketType::PubAck | PacketType::PubRec);
                self.refused.add(u64::from(is_message));
                reason_name(reason)
            }
            error => error.to_string(),
        };
        let mut errors = self.lock();
        errors.first_of_requests.get_or_insert_with(explain);
        errors.count(name);
    }

    /// Number of failures by name. At most 20 names are kept; further ones count as "others".
    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        self.lock().by_name.clone()
    }

    /// Explanation of the first connection that failed, or else of the first request; `None` if
    /// nothing failed.
    pub(super) fn first_failure(&self) -> Option<Diagnosis> {
        let errors = self.lock();
        let first = errors.first_of_connections.as_ref();
        first.or(errors.first_of_requests.as_ref()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Errors> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Errors {
    /// Counts a failure; true if it is the first one with this name.
    fn count(&mut self, name: String) -> bool {
        // Names may hold numbers, and thousands of clients can make thousands of names.
        let is_known = self.by_name.contains_key(&name);
        let has_space = is_known || self.by_name.len() < MOST_NAMES;
        let name = if has_space { name } else { "others".to_owned() };
        *self.by_name.entry(name).or_default() += 1;
        has_space && !is_known
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
