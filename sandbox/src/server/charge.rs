//! What kept messages weigh together, each for as long as it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The scales.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryCounter(Arc<AtomicUsize>);

/// Something on the scales; a copy of it weighs as much again.
#[derive(Debug)]
pub(crate) struct Charge {
    counter: MemoryCounter,
    bytes: usize,
}

impl MemoryCounter {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn of(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge {
            counter: self.clone(),
            bytes,
        }
    }
}

impl Charge {
    /// Something else on the same scales.
    pub(crate) fn another(&self, bytes: usize) -> Self {
        self.counter.of(bytes)
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
    fn what_is_dropped_weighs_nothing() {
        let counter = MemoryCounter::default();
        let one = counter.of(10);
        let (two, copy) = (one.another(5), one.clone());
        assert_eq!(counter.bytes(), 25);
        drop((one, two));
        assert_eq!(counter.bytes(), 10);
        drop(copy);
        assert_eq!(counter.bytes(), 0);
    }
}
