//! Keys of what has changed since a store last took the changes.

use std::collections::BTreeSet;

/// Set of changed keys. It records nothing until a store is in use.
///
/// Requests, received messages and subscriptions each have one, so that the code that changes them
/// also marks them. Boxed, because most clients have no store.
#[derive(Debug)]
pub(in crate::engine) struct DirtySet<K>(Option<Box<Changed<K>>>);

#[derive(Debug)]
struct Changed<K> {
    keys: BTreeSet<K>,
    /// `true` since the first mark, even if all keys were removed again: a commit that somebody
    /// waits for has to happen.
    is_dirty: bool,
}

impl<K: Ord> DirtySet<K> {
    /// Starts to record, with nothing changed so far.
    pub(in crate::engine) fn start(&mut self) {
        self.0 = Some(Box::default());
    }

    /// Forgets everything and records no more.
    pub(in crate::engine) fn stop(&mut self) {
        self.0 = None;
    }

    /// Moves the recorded keys to another set; this one records no more.
    pub(in crate::engine) fn move_out(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Returns `true` if changes are recorded.
    #[inline(always)]
    pub(in crate::engine) const fn is_recording(&self) -> bool {
        self.0.is_some()
    }

    /// Returns `true` if anything was marked since the keys were last taken.
    pub(in crate::engine) fn is_dirty(&self) -> bool {
        self.0.as_ref().is_some_and(|changed| changed.is_dirty)
    }

    /// Records that the value under `key` has changed, or has ended.
    pub(in crate::engine) fn mark(&mut self, key: K) {
        self.mark_all([key]);
    }

    /// Records that the values under all of `keys` have changed.
    pub(in crate::engine) fn mark_all(&mut self, keys: impl IntoIterator<Item = K>) {
        if let Some(changed) = &mut self.0 {
            changed.keys.extend(keys);
            changed.is_dirty |= !changed.keys.is_empty();
        }
    }

    /// Drops a key whose value needs no record any more.
    pub(in crate::engine) fn unmark(&mut self, key: &K) {
        if let Some(changed) = &mut self.0 {
            changed.keys.remove(key);
        }
    }

    /// The keys that were marked since they were last taken.
    pub(in crate::engine) fn take(&mut self) -> BTreeSet<K> {
        self.0
            .as_deref_mut()
            .map(std::mem::take)
            .unwrap_or_default()
            .keys
    }
}

impl<K> Default for DirtySet<K> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K> Default for Changed<K> {
    fn default() -> Self {
        Self {
            keys: BTreeSet::new(),
            is_dirty: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_stays_dirty_until_its_keys_are_taken() {
        let mut set = DirtySet::default();
        set.mark(1);
        assert!(!set.is_dirty() && set.take().is_empty(), "not recording");
        set.start();
        assert!(!set.is_dirty());
        set.mark(1);
        set.mark(2);
        set.unmark(&1);
        assert!(set.is_dirty());
        assert_eq!(set.take(), BTreeSet::from([2]));
        assert!(!set.is_dirty());
        set.mark(3);
        set.unmark(&3);
        assert!(set.is_dirty() && set.take().is_empty());
    }
}
