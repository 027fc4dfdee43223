//! `Latency`: a histogram of durations, its quantiles, and its buckets for reports that are merged.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Histogram of durations of 1 us to one hour, in microseconds with three significant digits.
/// Shorter and longer ones count as these bounds.
#[derive(Debug)]
pub(super) struct Latency(Mutex<Histogram<u64>>);

/// Quantiles of a histogram in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Quantiles {
    /// Number of durations.
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// Buckets of a histogram that aren't empty: the highest duration of each bucket in microseconds,
/// and the number of durations in it.
pub(super) type Buckets = Vec<(u64, u64)>;

const LONGEST_US: u64 = 3600 * 1_000_000;
const DIGITS: u8 = 3;

impl Latency {
    /// Counts one duration.
    pub(super) fn record(&self, duration: Duration) {
        // The histogram has no bucket for 0.
        let micros = u64::try_from(duration.as_micros()).unwrap_or(LONGEST_US);
        self.lock().saturating_record(micros.clamp(1, LONGEST_US));
    }

    /// Adds the durations of another histogram. Nothing is lost: all histograms have the same
    /// buckets.
    pub(super) fn add(&self, buckets: &Buckets) {
        let mut histogram = self.lock();
        for (micros, count) in buckets {
            histogram.saturating_record_n((*micros).clamp(1, LONGEST_US), *count);
        }
    }

    /// Buckets of the histogram, in order; empty if nothing was recorded.
    pub(super) fn buckets(&self) -> Buckets {
        let histogram = self.lock();
        histogram
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
            .collect()
    }

    /// Quantiles; `None` if nothing was recorded.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        let histogram = self.lock();
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

    fn lock(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn two_histograms_merge_into_the_histogram_of_all_durations() {
        let (one, two, all) = (Latency::default(), Latency::default(), Latency::default());
        // From 1 us to beyond the hour that is the longest duration, in uneven steps.
        for n in 0..5000_u64 {
            let duration = Duration::from_micros(n * n * 173 + n);
            let part = if n % 3 == 0 { &one } else { &two };
            part.record(duration);
            all.record(duration);
        }
        let merged = Latency::default();
        merged.add(&one.buckets());
        merged.add(&two.buckets());
        assert_eq!(merged.buckets(), all.buckets());
        assert_eq!(merged.quantiles(), all.quantiles());
        assert_eq!(*merged.lock(), *all.lock());
    }
}
