//! Recognition of a peer without `TCP_NODELAY`, by its round trips.
//!
//! Nagle's algorithm holds the second of two small writes back until the first is acknowledged, and
//! the receiver's system delays that acknowledgement by 40 ms (Linux). So the round trips are those
//! of the network, and about 40 ms more for each answer that was written in two parts.

use std::time::Duration;

/// Share of the round trips that a peer without `TCP_NODELAY` has delayed, from 0 to 1; `None` if
/// the round trips show no such delay.
///
/// `round_trips` are durations with their number. `fastest` is the shortest time in which the peer
/// has answered anything on these connections: without it, a network of 40 ms would look the same.
/// At least ten round trips, and a fifth of all, have to take 35 to 45 ms more than that, and three
/// times as many as take 10 ms less or more than these.
pub(crate) fn delayed_share(
    round_trips: impl IntoIterator<Item = (Duration, u64)>,
    fastest: Duration,
) -> Option<f64> {
    let (mut all, mut delayed, mut beside) = (0, 0, 0);
    for (time, count) in round_trips {
        all += count;
        let delay = time.saturating_sub(fastest);
        if (FROM..=TO).contains(&delay) {
            delayed += count;
        } else if (FROM - WINDOW..=TO + WINDOW).contains(&delay) {
            // A network whose times vary has as many round trips beside the window as in it.
            beside += count;
        }
    }
    let share = delayed as f64 / all as f64;
    let is_cluster = delayed >= LEAST && share >= LEAST_SHARE && delayed >= 3 * beside;
    is_cluster.then_some(share)
}

/// Sentence about a share of delayed round trips.
pub(crate) fn note(share: f64) -> String {
    format!(
        "{:.0} % of the round trips took 40 ms longer than the fastest: the server's TCP waits for \
         acknowledgements between small writes (Nagle's algorithm; it doesn't set TCP_NODELAY)",
        share * 100.0
    )
}

/// Delay of an acknowledgement on Linux, 40 ms, with 5 ms to both sides.
const FROM: Duration = Duration::from_millis(35);
const TO: Duration = Duration::from_millis(45);
/// Width of the windows before and after it, with which it is compared.
const WINDOW: Duration = Duration::from_millis(10);
/// Number of delayed round trips below which nothing is said.
const LEAST: u64 = 10;
/// Share of delayed round trips below which nothing is said.
const LEAST_SHARE: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Share for round trips in tenths of a millisecond, where the fastest answer took 0.3 ms.
    fn share(round_trips: &[(u64, u64)]) -> Option<f64> {
        let times = round_trips
            .iter()
            .map(|(tenths, count)| (Duration::from_micros(tenths * 100), *count));
        delayed_share(times, Duration::from_micros(300))
    }

    #[test]
    fn a_cluster_at_40_ms_beside_fast_answers_is_the_delay() {
        assert_eq!(share(&[(4, 20), (403, 15), (408, 5)]), Some(0.5));
        assert_eq!(share(&[(403, 10)]), Some(1.0));
        let text = note(0.5);
        assert!(text.starts_with("50 % of the round trips"), "{text}");
    }

    #[test]
    fn other_times_are_not_the_delay() {
        // None at all, fast ones, too few of many, and too few at all.
        assert_eq!(share(&[]), None);
        assert_eq!(share(&[(4, 1000)]), None);
        assert_eq!(share(&[(4, 1000), (403, 50)]), None);
        assert_eq!(share(&[(403, 9)]), None);
        // A wide spread from 25 to 55 ms.
        let spread: Vec<(u64, u64)> = (250..=550).map(|tenths| (tenths, 1)).collect();
        assert_eq!(share(&spread), None);
    }

    #[test]
    fn a_network_of_40_ms_is_not_the_delay() {
        let times = [(Duration::from_millis(40), 100)];
        assert_eq!(delayed_share(times, Duration::from_millis(39)), None);
    }
}
