//! What all clients have done so far; read while they go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use dunlin_client::{RequestError, ServerReason};
use dunlin_codec::{PacketType, ReasonCode};

use super::latency::Latency;
use crate::diagnosis::{Diagnosis, Id, Try, quoted};

#[derive(Debug, Default)]
pub(super) struct Counters {
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
    first_refusal: Mutex<Option<Diagnosis>>,
    denied: Counter,
    /// Messages that the server refused.
    pub(super) refused: Counter,
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

impl Counters {
    /// A connection that wasn't made. The first one is told whole in the end.
    pub(super) fn not_connected(&self, diagnosis: Diagnosis) {
        let _ = self.error(diagnosis.id.name().to_owned());
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(diagnosis);
    }

    /// A request that failed.
    pub(super) fn failed(&self, error: &RequestError) {
        if let RequestError::Refused(reason) = error {
            self.denied.add(1);
            let is_message = matches!(reason.packet_type, PacketType::PubAck | PacketType::PubRec);
            self.refused.add(u64::from(is_message));
            let code = reason.reason_code;
            let name = format!(
                "{} {:#04x} {}",
                reason.packet_type,
                code.code(),
                code.name()
            );
            self.first_refusal
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert_with(|| bench_refused(reason));
            let _ = self.error(name);
            return;
        }
        if let RequestError::TooLarge { size, limit } = error {
            let diagnosis = Diagnosis {
                try_: vec![Try::advice(format!(
                    "a --size that is smaller by {}",
                    size - *limit as usize
                ))],
                ..Diagnosis::usage(format!(
                    "a packet has {size} bytes; the server accepts {limit} at most"
                ))
            };
            self.first_refusal
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(diagnosis);
        }
        let _ = self.error(error.to_string());
    }

    /// A connection that ended on its own. Whether it is the first of this kind.
    pub(super) fn connection_ended(&self, name: String, diagnosis: &Diagnosis) -> bool {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| diagnosis.clone());
        self.error(name)
    }

    /// Whether it is the first of this name.
    fn error(&self, name: String) -> bool {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        // Texts may hold numbers, and thousands of clients thousands of them.
        if errors.len() < MOST_KINDS || errors.contains_key(&name) {
            let count = errors.entry(name).or_default();
            *count += 1;
            *count == 1
        } else {
            *errors.entry("others".to_owned()).or_default() += 1;
            false
        }
    }

    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Why the first connection that wasn't made wasn't.
    pub(super) fn first_failure(&self) -> Option<Diagnosis> {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Why the first request that was refused was, with advice.
    pub(super) fn first_refusal(&self) -> Option<Diagnosis> {
        self.first_refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Requests that the server refused.
    pub(super) fn denied(&self) -> u64 {
        self.denied.get()
    }
}

/// A refusal, with what to change about the load.
fn bench_refused(reason: &ServerReason) -> Diagnosis {
    let (likely, advice) = match reason.reason_code {
        ReasonCode::QuotaExceeded | ReasonCode::MessageRateTooHigh => (
            "the server limits how many messages it accepts in a time",
            "a lower --rate, or fewer --in-flight",
        ),
        ReasonCode::NotAuthorized => (
            "the policy does not allow this topic to these client ids",
            "allow the topics below --topic, and client ids that begin with --client-id",
        ),
        ReasonCode::PacketTooLarge => (
            "the message is larger than the server's limit",
            "a smaller --size",
        ),
        _ => (
            "the server did not say more than the code",
            "look at the server's log",
        ),
    };
    let id = if reason.packet_type == PacketType::SubAck {
        Id::SubDenied
    } else {
        Id::PubDenied
    };
    let own = reason
        .reason_string
        .as_deref()
        .map_or_else(String::new, |text| {
            format!("; the server's reason: {}", quoted(text))
        });
    Diagnosis {
        likely: vec![likely.into()],
        try_: vec![Try::advice(advice)],
        ..Diagnosis::new(
            id,
            format!(
                "the server refused: {} ({} 0x{:02X}){own}",
                reason.reason_code.name(),
                reason.packet_type,
                reason.reason_code.code()
            ),
        )
    }
}

const MOST_KINDS: usize = 20;
