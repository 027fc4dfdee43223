//! Subscription identifiers of a client: which are in use, and which comes next.

use std::collections::BTreeMap;

use dunlin_codec::SubscriptionIdentifier;

/// Largest subscription identifier (§3.8.2.1.2).
pub(crate) const LAST_IDENTIFIER: u32 = 268_435_455;

/// Identifiers that were issued. They rotate, so that a message that was sent for a subscription
/// that has ended doesn't reach a new one.
#[derive(Debug)]
pub(super) struct Identifiers {
    first: u32,
    next: u32,
    /// Number of identifiers from `first` on that were issued or skipped.
    issued: u32,
}

impl Identifiers {
    /// Identifiers from `first` (1 to 268,435,455) on.
    pub(super) const fn starting_at(first: u32) -> Self {
        Self {
            first,
            next: first,
            issued: 0,
        }
    }

    /// The next identifier that isn't in `used`; `None` if all are.
    pub(super) fn peek<T>(&self, used: &BTreeMap<u32, T>) -> Option<SubscriptionIdentifier> {
        // Beginning after the one issued last, once around all of them.
        let rotated = (self.next..=LAST_IDENTIFIER).chain(1..self.next);
        rotated
            .into_iter()
            .find(|each| !used.contains_key(each))
            .and_then(SubscriptionIdentifier::new)
    }

    /// Issues the next identifier that isn't in `used`; `None` if all are.
    pub(super) fn issue<T>(&mut self, used: &BTreeMap<u32, T>) -> Option<SubscriptionIdentifier> {
        let identifier = self.peek(used)?;
        // Distances on the circle of 1 to 268,435,455. Identifiers that are skipped are in use
        // already.
        let skipped = (identifier.get() + LAST_IDENTIFIER - self.next) % LAST_IDENTIFIER;
        self.issued = self.issued.saturating_add(skipped + 1).min(LAST_IDENTIFIER);
        self.next = identifier.get() % LAST_IDENTIFIER + 1;
        Some(identifier)
    }

    /// True if this client has issued an identifier.
    pub(super) const fn has_issued(&self, identifier: u32) -> bool {
        (identifier + LAST_IDENTIFIER - self.first) % LAST_IDENTIFIER < self.issued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_rotate_and_skip_those_in_use() {
        let mut identifiers = Identifiers::starting_at(LAST_IDENTIFIER - 1);
        let mut used = BTreeMap::new();
        used.insert(1, ());
        let issued: Vec<_> = (0..3)
            .map(|_| identifiers.issue(&used).unwrap().get())
            .collect();
        assert_eq!(issued, [LAST_IDENTIFIER - 1, LAST_IDENTIFIER, 2]);
        assert!(identifiers.has_issued(LAST_IDENTIFIER) && identifiers.has_issued(2));
        assert!(!identifiers.has_issued(3) && !identifiers.has_issued(LAST_IDENTIFIER - 2));
    }
}
