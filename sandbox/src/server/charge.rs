//! Memory of messages, counted for as long as each is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counter of bytes, shared by all messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryCounter(Arc<AtomicUsize>);

/// Bytes that count until this is dropped; a clone counts as much again.
#[derive(Debug)]
pub(crate) struct Charge {
    counter: MemoryCounter,
    bytes: usize,
}

impl MemoryCounter {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes.
    pub(crate) fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge {
            counter: self.clone(),
            bytes,
        }
    }
}

impl Charge {
    /// Counts more bytes at the same counter.
    pub(crate) fn another(&self, bytes: usize) -> Self {
        self.counter.charge(bytes)
    }
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        self.another(self.bytes)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_charge_counts_no_more() {
        let counter = MemoryCounter::default();
        let one = counter.charge(10);
        let (two, copy) = (one.another(5), one.clone());
        assert_eq!(counter.bytes(), 25);
        drop((one, two));
        assert_eq!(counter.bytes(), 10);
        drop(copy);
        assert_eq!(counter.bytes(), 0);
    }
}
