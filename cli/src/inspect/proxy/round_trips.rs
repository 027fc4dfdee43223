//! `RoundTrips`: times from the requests of all clients to the server's answers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::nagle;

/// Numbers of round trips by their time. Memory: 400 numbers.
#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    /// Number of round trips by half milliseconds; the last one has all that took longer.
    counts: BTreeMap<u32, u64>,
    /// Shortest round trip; `None` before the first.
    fastest: Option<Duration>,
}

impl RoundTrips {
    /// Counts a round trip.
    pub(super) fn add(&mut self, time: Duration) {
        let half_milliseconds = u32::try_from(time.as_micros() / 500).unwrap_or(u32::MAX);
        *self
            .counts
            .entry(half_milliseconds.min(LARGEST))
            .or_default() += 1;
        self.fastest = Some(self.fastest.map_or(time, |fastest| fastest.min(time)));
    }

    /// Sentence about a server without `TCP_NODELAY`; `None` if the times show no such delay.
    pub(super) fn nagle(&self) -> Option<String> {
        let times = self
            .counts
            .iter()
            .map(|(time, count)| (Duration::from_micros(500) * *time, *count));
        nagle::delayed_share(times, self.fastest?).map(nagle::note)
    }
}

/// Half milliseconds above which times aren't told apart.
const LARGEST: u32 = 399;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_delays_small_writes_is_told() {
        let mut times = RoundTrips::default();
        assert_eq!(times.nagle(), None);
        for n in 0..20 {
            times.add(Duration::from_micros(300 + n));
            assert_eq!(times.nagle(), None);
        }
        for n in 0..20 {
            times.add(Duration::from_micros(40_400 + n));
        }
        let note = times.nagle().unwrap();
        assert!(note.starts_with("50 % of the round trips"), "{note}");
    }

    #[test]
    fn its_memory_is_bounded() {
        let mut times = RoundTrips::default();
        for n in 0..10_000 {
            times.add(Duration::from_millis(n));
        }
        assert!(times.counts.len() <= 400);
    }
}
