//! What all clients have done so far; read while they go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use dunlin_client::RequestError;

use super::latency::Latency;
use crate::diagnosis::Diagnosis;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connected: Counter,
    pub(super) sent: Counter,
    pub(super) acknowledged: Counter,
    pub(super) received: Counter,
    /// From when it was due to CONNACK.
    pub(super) connect: Latency,
    /// From when the message was due, or sent, to its acknowledgement.
    pub(super) acknowledge: Latency,
    /// From there to the application of the receiver, or to the response.
    pub(super) end_to_end: Latency,
    errors: Mutex<BTreeMap<String, u64>>,
    first: Mutex<Option<Diagnosis>>,
    denied: Counter,
}

/// Something that is counted.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The number before it is one more.
    pub(super) fn take(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// A connection that wasn't made. The first one is told whole in the end.
    pub(super) fn not_connected(&self, diagnosis: Diagnosis) {
        self.error(diagnosis.id.name().to_owned());
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(diagnosis);
    }

    /// A request that failed.
    pub(super) fn failed(&self, error: &RequestError) {
        if let RequestError::Refused(reason) = error {
            self.denied.add(1);
            let code = reason.reason_code;
            return self.error(format!("{} {:#04x} {}", reason.packet_type, code.code(), code.name()));
        }
        self.error(error.to_string());
    }

    fn error(&self, name: String) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        // Texts may hold numbers, and thousands of clients thousands of them.
        if errors.len() < MOST_KINDS || errors.contains_key(&name) {
            *errors.entry(name).or_default() += 1;
        } else {
            *errors.entry("others".to_owned()).or_default() += 1;
        }
    }

    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the first connection that wasn't made wasn't.
    pub(super) fn first_failure(&self) -> Option<Diagnosis> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that the server refused.
    pub(super) fn denied(&self) -> u64 {
        self.denied.get()
    }
}

const MOST_KINDS: usize = 20;
