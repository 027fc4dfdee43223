//! What kept messages weigh together, each for as long as it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The scales.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weight(Arc<AtomicUsize>);

/// Something on the scales; a copy of it weighs as much again.
#[derive(Debug)]
pub(crate) struct Weighed {
    scales: Weight,
    bytes: usize,
}

impl Weight {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn of(&self, bytes: usize) -> Weighed {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Weighed {
            scales: self.clone(),
            bytes,
        }
    }
}

impl Weighed {
    /// Something else on the same scales.
    pub(crate) fn another(&self, bytes: usize) -> Self {
        self.scales.of(bytes)
    }
}

impl Clone for Weighed {
    fn clone(&self) -> Self {
        self.another(self.bytes)
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.scales.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_weighs_nothing() {
        let scales = Weight::default();
        let one = scales.of(10);
        let (two, copy) = (one.another(5), one.clone());
        assert_eq!(scales.bytes(), 25);
        drop((one, two));
        assert_eq!(scales.bytes(), 10);
        drop(copy);
        assert_eq!(scales.bytes(), 0);
    }
}
