//! Records of one direction: published messages, their outcomes, and received messages.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use dunlin_client::engine::Published;
use dunlin_client::{QoS, ReceivedMessage, RequestError};

/// The ledger of one direction; clones are the same ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<[Vec<Entry>; 2]>>);

/// A message of QoS 1 or 2.
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
    /// The client ended: the message went on in its session, or nowhere.
    Stopped,
    SessionLost,
    /// The broker said no.
    Refused,
    Other(String),
}

/// The QoS that is checked.
pub(crate) const BOTH: [QoS; 2] = [QoS::AtLeastOnce, QoS::ExactlyOnce];

impl Ledger {
    /// The number of the next message, which is accepted.
    pub(crate) fn enter(&self, qos: QoS) -> usize {
        let mut ledger = self.lock();
        let entries = &mut ledger[page(qos)];
        entries.push(Entry::default());
        entries.len() - 1
    }

    /// The last one wasn't accepted after all.
    pub(crate) fn withdraw(&self, qos: QoS) {
        self.lock()[page(qos)].pop();
    }

    pub(crate) fn ended(&self, qos: QoS, number: usize, outcome: Result<Published, RequestError>) {
        let outcome = match outcome {
            Ok(_) => Outcome::Acknowledged,
            Err(RequestError::Stopped(_)) => Outcome::Stopped,
            Err(RequestError::SessionLost) => Outcome::SessionLost,
            Err(RequestError::Refused(_)) => Outcome::Refused,
            Err(other) => Outcome::Other(other.to_string()),
        };
        self.lock()[page(qos)][number].outcomes.push(outcome);
    }

    pub(crate) fn arrived(&self, message: &ReceivedMessage) {
        let number = number_of(message.payload());
        self.lock()[page(message.qos())][number].arrivals += 1;
    }

    /// The broker sent a message of QoS 2 again whose exchange was over.
    pub(crate) fn repeated_by_broker(&self, number: usize) {
        self.lock()[page(QoS::ExactlyOnce)][number].is_repeated_by_broker = true;
    }

    /// Messages that arrived, each counted once.
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

    /// One outcome for each message, and nothing lost or repeated but what the broker may be blamed
    /// for.
    pub(crate) fn check(&self, losses_are_the_brokers: bool) {
        for (qos, entries) in BOTH.into_iter().zip(self.lock().iter()) {
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
        for (qos, entries) in BOTH.into_iter().zip(self.lock().iter()) {
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

/// The number that a payload is.
pub(crate) fn number_of(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

fn page(qos: QoS) -> usize {
    usize::from(qos == QoS::ExactlyOnce)
}
