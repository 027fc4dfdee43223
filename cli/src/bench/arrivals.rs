//! `Arrivals`: the messages that one receiver got from each sender, and which of them are missing,
//! duplicated or out of order.

use std::collections::HashMap;

use super::stamp::Stamp;

/// Counts over all senders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    /// Messages without their repetitions.
    pub(super) distinct: u64,
    pub(super) duplicated: u64,
    /// Messages that came after a later one of the same sender.
    pub(super) out_of_order: u64,
    /// Numbers below the highest one of their sender that never came.
    pub(super) missing: u64,
}

/// Messages of all senders at one receiver.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    senders: HashMap<(u32, u32), Sender>,
    duplicated: u64,
    out_of_order: u64,
}

/// Messages of one sender.
#[derive(Debug, Default)]
struct Sender {
    /// One bit for each number that came.
    seen: Vec<u64>,
    /// One above the highest number.
    next: u32,
    distinct: u64,
}

/// Largest gap between two numbers. A greater one is no gap but a foreign number, for which no bits
/// are allocated.
const FARTHEST: u32 = 1 << 24;

impl Arrivals {
    /// Counts a message; false for a foreign number, which isn't counted.
    pub(super) fn count(&mut self, stamp: Stamp) -> bool {
        let sender = self.senders.entry((stamp.run, stamp.sender)).or_default();
        if stamp.sequence.saturating_sub(sender.next) > FARTHEST {
            return false;
        }
        // One bit a number: a million messages of a sender take 125 kB.
        let (word, bit) = (stamp.sequence as usize / 64, 1_u64 << (stamp.sequence % 64));
        if sender.seen.len() <= word {
            sender.seen.resize(word + 1, 0);
        }
        let Some(seen) = sender.seen.get_mut(word) else {
            return false;
        };
        if *seen & bit != 0 {
            self.duplicated += 1;
            return true;
        }
        *seen |= bit;
        sender.distinct += 1;
        // A message after a gap is not counted as late; the one that fills the gap is.
        if stamp.sequence < sender.next {
            self.out_of_order += 1;
        } else {
            sender.next = stamp.sequence.saturating_add(1);
        }
        true
    }

    /// Counts of all senders together.
    pub(super) fn total(&self) -> Arrived {
        let distinct = self.senders.values().map(|sender| sender.distinct).sum();
        let highest: u64 = self
            .senders
            .values()
            .map(|sender| u64::from(sender.next))
            .sum();
        let (duplicated, out_of_order) = (self.duplicated, self.out_of_order);
        Arrived {
            distinct,
            duplicated,
            out_of_order,
            // A message that is missing at the end leaves no gap; the sender's count tells about
            // it.
            missing: highest - distinct,
        }
    }
}

impl std::iter::Sum for Arrived {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, each| Self {
            distinct: sum.distinct + each.distinct,
            duplicated: sum.duplicated + each.duplicated,
            out_of_order: sum.out_of_order + each.out_of_order,
            missing: sum.missing + each.missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(sequences: &[u32]) -> Arrived {
        let mut arrivals = Arrivals::default();
        for sequence in sequences {
            arrivals.count(Stamp {
                run: 1,
                sender: 2,
                sequence: *sequence,
                at: 0,
            });
        }
        arrivals.total()
    }

    #[test]
    fn missing_duplicated_and_late_messages_are_told_apart() {
        let all = |distinct, duplicated, out_of_order, missing| Arrived {
            distinct,
            duplicated,
            out_of_order,
            missing,
        };
        assert_eq!(arrived(&[0, 1, 2]), all(3, 0, 0, 0));
        assert_eq!(arrived(&[0, 2, 3]), all(3, 0, 0, 1));
        assert_eq!(arrived(&[0, 2, 1]), all(3, 0, 1, 0));
        assert_eq!(arrived(&[0, 1, 1, 0, 2]), all(3, 2, 0, 0));
        assert_eq!(arrived(&[65, 0, 64]), all(3, 0, 2, 63));
    }

    #[test]
    fn a_number_of_another_sender_uses_no_memory() {
        let mut arrivals = Arrivals::default();
        assert!(!arrivals.count(Stamp {
            run: 1,
            sender: 2,
            sequence: u32::MAX,
            at: 0
        }));
        assert_eq!(arrivals.total(), Arrived::default());
    }
}
