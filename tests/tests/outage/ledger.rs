//! Records of one direction: published messages, their outcomes, and received messages.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use dunlin_client::engine::Published;
use dunlin_client::{QoS, ReceivedMessage, RequestError};

/// Messages of one direction; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<[Vec<Entry>; 2]>>);

/// Arrivals and outcomes of a message of QoS 1 or 2.
#[derive(Debug, Clone, Default)]
struct Entry {
    arrivals: usize,
    /// True if the broker sent it again after it had released it, which only brokers that forget
    /// do. [MQTT-4.3.3-6]
    is_repeated_by_broker: bool,
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Acknowledged,
    /// The client stopped; the session may still deliver the message.
    Stopped,
    SessionLost,
    /// The broker refused the message.
    Refused,
    Other(String),
}

/// QoS levels whose messages are recorded.
pub(crate) const CHECKED_QOS: [QoS; 2] = [QoS::AtLeastOnce, QoS::ExactlyOnce];

impl Ledger {
    /// Adds a message that the client accepts, and returns its number.
    pub(crate) fn add_message(&self, qos: QoS) -> usize {
        let mut ledger = self.lock();
        let entries = &mut ledger[index_of(qos)];
        entries.push(Entry::default());
        entries.len() - 1
    }

    /// Removes the last message, which the client did not accept.
    pub(crate) fn remove_last(&self, qos: QoS) {
        self.lock()[index_of(qos)].pop();
    }

    pub(crate) fn add_outcome(
        &self,
        qos: QoS,
        number: usize,
        outcome: Result<Published, RequestError>,
    ) {
        let outcome = match outcome {
            Ok(_) => Outcome::Acknowledged,
            Err(RequestError::Stopped(_)) => Outcome::Stopped,
            Err(RequestError::SessionLost) => Outcome::SessionLost,
            Err(RequestError::Refused(_)) => Outcome::Refused,
            Err(other) => Outcome::Other(other.to_string()),
        };
        self.lock()[index_of(qos)][number].outcomes.push(outcome);
    }

    pub(crate) fn add_arrival(&self, message: &ReceivedMessage) {
        let number = number_of(message.payload());
        self.lock()[index_of(message.qos())][number].arrivals += 1;
    }

    /// Records that the broker sent a message of QoS 2 again after its PUBREL.
    pub(crate) fn mark_repeated_by_broker(&self, number: usize) {
        self.lock()[index_of(QoS::ExactlyOnce)][number].is_repeated_by_broker = true;
    }

    /// Number of messages that have arrived, each counted once.
    pub(crate) fn received(&self) -> usize {
        self.lock()
            .iter()
            .flatten()
            .filter(|entry| entry.arrivals > 0)
            .count()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.lock().iter().flatten().all(|entry| entry.arrivals > 0)
    }

    /// Checks that each message has one outcome, and that none is lost or repeated but by the broker.
    pub(crate) fn check(&self, losses_are_the_brokers: bool) {
        for (qos, entries) in CHECKED_QOS.into_iter().zip(self.lock().iter()) {
            for (number, entry) in entries.iter().enumerate() {
                let told = || format!("{qos} {number}: {entry:?}");
                let [outcome] = &entry.outcomes[..] else {
                    panic!("{}", told())
                };
                assert!(!matches!(outcome, Outcome::Other(_)), "{}", told());
                if losses_are_the_brokers {
                    continue;
                }
                assert!(entry.arrivals > 0, "lost: {}", told());
                let may_repeat = qos == QoS::AtLeastOnce || entry.is_repeated_by_broker;
                assert!(entry.arrivals == 1 || may_repeat, "repeated: {}", told());
                let fine = matches!(outcome, Outcome::Acknowledged | Outcome::Stopped);
                assert!(fine, "{}", told());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Vec<Entry>; 2]> {
        self.0.lock().unwrap()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (qos, entries) in CHECKED_QOS.into_iter().zip(self.lock().iter()) {
            let count = |holds: &dyn Fn(&Entry) -> bool| {
                entries.iter().filter(|entry| holds(entry)).count()
            };
            let with = |outcome| count(&|entry: &Entry| entry.outcomes.contains(&outcome));
            let lost = count(&|entry| {
                entry.arrivals == 0 && entry.outcomes.contains(&Outcome::Acknowledged)
            });
            write!(
                f,
                "\n  {qos}: {} published, {} acknowledged, {} stopped or handed on, {} refused, {} with a lost session; \
                 {} arrived, {} more than once ({} repeated by the broker after PUBREL), {lost} acknowledged and lost",
                entries.len(),
                with(Outcome::Acknowledged),
                with(Outcome::Stopped),
                with(Outcome::Refused),
                with(Outcome::SessionLost),
                count(&|entry| entry.arrivals > 0),
                count(&|entry| entry.arrivals > 1),
                count(&|entry| entry.is_repeated_by_broker),
            )?;
        }
        Ok(())
    }
}

/// Number in a payload.
pub(crate) fn number_of(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

fn index_of(qos: QoS) -> usize {
    usize::from(qos == QoS::ExactlyOnce)
}
