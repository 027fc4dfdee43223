//! `TopicMatcher` with 100,000 filters: CPU time to insert, match and remove.

use std::fmt;
use std::hint::black_box;

use dunlin_codec::{TopicFilter, TopicMatcher, TopicName};

use crate::timing;

/// Number of filters and of topic names.
const FILTERS: u64 = 100_000;
/// Rounds of which the median is reported.
const ROUNDS: usize = 5;
/// Goal of issue 19: CPU time of one operation in microseconds.
const GOAL_US: f64 = 3.0;

/// CPU time of one operation in microseconds.
pub struct Report {
    insert: f64,
    matching: f64,
    remove: f64,
    /// Matching filters of a topic name, on average.
    found: f64,
}

/// Inserts 100,000 filters, matches as many topic names, and removes the filters again.
///
/// Names and filters of the second and third step come in random order, so that no step gains from
/// the order of the one before.
pub fn measure() -> Report {
    let filters: Vec<String> = (0..FILTERS).map(filter).collect();
    let filters: Vec<TopicFilter<'_>> = filters
        .iter()
        .map(|filter| TopicFilter::new(filter).expect("a topic filter"))
        .collect();
    let names: Vec<String> = shuffled().map(name).collect();
    let names: Vec<TopicName<'_>> = names
        .iter()
        .map(|name| TopicName::new(name).expect("a topic name"))
        .collect();
    let removed: Vec<u64> = shuffled().collect();

    let (mut insert, mut matching, mut remove) = (Vec::new(), Vec::new(), Vec::new());
    let mut found = 0;
    for _ in 0..ROUNDS {
        let mut matcher = TopicMatcher::new();
        insert.push(each_us(|| {
            for (filter, value) in filters.iter().zip(0..) {
                matcher.insert(*filter, value);
            }
        }));
        matching.push(each_us(|| {
            found = names
                .iter()
                .map(|name| matcher.matches(black_box(name)).count())
                .sum();
        }));
        remove.push(each_us(|| {
            for value in &removed {
                let filter = filters[usize::try_from(*value).expect("a small number")];
                assert!(matcher.remove(filter, value), "each filter is there once");
            }
        }));
        assert!(matcher.is_empty(), "every filter was removed");
    }
    Report {
        insert: median(insert),
        matching: median(matching),
        remove: median(remove),
        found: found as f64 / FILTERS as f64,
    }
}

/// Filter number `index`: four levels; one in ten has `+`, one in a hundred ends with `#`.
fn filter(index: u64) -> String {
    let (site, floor, device) = place(index);
    match index % 100 {
        0 => format!("site-{site}/floor-{floor}/lamp-{device}/#"),
        1..=10 => format!("site-{site}/+/lamp-{device}/state"),
        _ => format!("site-{site}/floor-{floor}/lamp-{device}/state"),
    }
}

/// Topic name that filter number `index` matches.
fn name(index: u64) -> String {
    let (site, floor, device) = place(index);
    format!("site-{site}/floor-{floor}/lamp-{device}/state")
}

/// 100 sites with 10 floors of 100 devices.
const fn place(index: u64) -> (u64, u64, u64) {
    (index / 1000, index / 100 % 10, index % 100)
}

/// The numbers below `FILTERS` in an order without locality: 7,919 has no factor in common with
/// it.
fn shuffled() -> impl Iterator<Item = u64> {
    (0..FILTERS).map(|index| index * 7919 % FILTERS)
}

/// CPU time of `work` in microseconds, divided by the number of filters.
fn each_us(work: impl FnOnce()) -> f64 {
    let start = timing::cpu_time();
    work();
    (timing::cpu_time() - start).as_secs_f64() * 1e6 / FILTERS as f64
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "TopicMatcher with {FILTERS} filters, CPU us per operation"
        )?;
        for (operation, spent) in [
            ("insert", self.insert),
            ("match", self.matching),
            ("remove", self.remove),
        ] {
            let reached = if spent < GOAL_US {
                "reached"
            } else {
                "NOT reached"
            };
            writeln!(
                f,
                "  {operation:<10}{spent:>8.3}   goal < {GOAL_US:.1}   {reached}"
            )?;
        }
        writeln!(f, "matching filters per topic name: {:.2}", self.found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FILTERS, filter, name, shuffled};
    use dunlin_codec::{TopicFilter, TopicName};

    #[test]
    fn every_number_is_in_the_shuffled_order_once() {
        assert_eq!(
            shuffled().collect::<BTreeSet<_>>(),
            (0..FILTERS).collect::<BTreeSet<_>>()
        );
    }

    #[test]
    fn each_name_is_matched_by_the_filter_of_its_number() {
        for index in (0..FILTERS).step_by(97) {
            let (filter, name) = (filter(index), name(index));
            let filter = TopicFilter::new(&filter).expect("a topic filter");
            assert!(filter.matches(&TopicName::new(&name).expect("a topic name")));
        }
    }
}
