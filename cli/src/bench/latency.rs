//! How long things took: a histogram of each stage.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Microseconds with three digits; what is longer than an hour counts as one.
#[derive(Debug)]
pub(super) struct Latency(Mutex<Histogram<u64>>);

/// The quantiles of a stage, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

const LONGEST_US: u64 = 3600 * 1_000_000;
const DIGITS: u8 = 3;

impl Latency {
    pub(super) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros())
            .unwrap_or(LONGEST_US)
            .clamp(1, LONGEST_US);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .saturating_record(micros);
    }

    /// `None` if there was nothing.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        let histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Some(Quantiles {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max() as f64 / 1000.0,
        })
    }
}

impl Default for Latency {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants, and valid ones"
    )]
    fn default() -> Self {
        Self(Mutex::new(
            Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("valid bounds"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let latency = Latency::default();
        assert_eq!(latency.quantiles(), None);
        for millis in 1..=1000 {
            latency.record(Duration::from_millis(millis));
        }
        let quantiles = latency.quantiles().unwrap();
        assert_eq!(quantiles.count, 1000);
        for (found, expected) in [
            (quantiles.p50, 500.0),
            (quantiles.p99, 990.0),
            (quantiles.max, 1000.0),
        ] {
            assert!(
                (found - expected).abs() <= expected / 500.0,
                "{found} {expected}"
            );
        }
    }
}
