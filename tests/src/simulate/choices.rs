//! Source of every choice in a run: a seed, or the bytes of a fuzzer.

use fastrand::Rng;

/// Choices, one after another. The same source gives the same choices.
#[derive(Debug)]
pub(super) enum Choices {
    Seed(Rng),
    Bytes { bytes: Vec<u8>, at: usize },
}

impl Choices {
    pub(super) fn of_seed(seed: u64) -> Self {
        Self::Seed(Rng::with_seed(seed))
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::Bytes {
            bytes: bytes.to_vec(),
            at: 0,
        }
    }

    /// Returns `true` if the source is used up: all further choices are 0.
    pub(super) const fn is_over(&self) -> bool {
        match self {
            Self::Seed(_) => false,
            Self::Bytes { bytes, at } => *at >= bytes.len(),
        }
    }

    /// A number below `bound`, which isn't 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        match self {
            Self::Seed(rng) => rng.usize(..bound),
            Self::Bytes { bytes, at } => {
                let width = if bound <= 1 << 8 { 1 } else { 2 };
                let taken = bytes.get(*at..).unwrap_or_default().iter().take(width);
                let number = taken.fold(0, |number, byte| number << 8 | usize::from(*byte));
                *at += width;
                number % bound
            }
        }
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Once in `times`, on the average.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of them; `None` only if there are none.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        if choices.is_empty() {
            None
        } else {
            choices.get(self.below(choices.len())).copied()
        }
    }
}
