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

/// CPU time of the operations, and the number of matches.
pub struct Report {
    /// Name of each operation, with its CPU time in microseconds.
    operations: [(&'static str, f64); 5],
    /// Matching filters of a topic name, on average.
    found: f64,
}

/// Inserts 100,000 filters, matches as many topic names, and removes the filters again; then the
/// same with one filter and 100,000 values.
///
/// Names and removals come in random order, so that they don't gain from the order of the
/// insertions.
pub fn measure() -> Report {
    let texts: Vec<String> = (0..FILTERS).map(filter).collect();
    let filters: Vec<TopicFilter<'_>> = texts.iter().map(|text| parsed(text)).collect();
    let texts: Vec<String> = shuffled().map(name).collect();
    let names: Vec<TopicName<'_>> = texts
        .iter()
        .map(|name| TopicName::new(name).expect("a topic name"))
        .collect();
    let same = vec![filters[0]; filters.len()];
    let order: Vec<u64> = shuffled().collect();

    let mut rounds: [Vec<f64>; 5] = Default::default();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let mut matcher = TopicMatcher::new();
        rounds[0].push(insert(&mut matcher, &filters));
        rounds[1].push(each_us(|| {
            found = names
                .iter()
                .map(|name| matcher.matches(black_box(name)).count())
                .sum();
        }));
        rounds[2].push(remove(&mut matcher, &filters, &order));
        rounds[3].push(insert(&mut matcher, &same));
        rounds[4].push(remove(&mut matcher, &same, &order));
    }
    let names = [
        "insert",
        "match",
        "remove",
        "insert, same filter",
        "remove, same filter",
    ];
    let mut rounds = rounds.into_iter();
    Report {
        operations: names.map(|name| (name, median(rounds.next().unwrap_or_default()))),
        found: found as f64 / FILTERS as f64,
    }
}

/// Inserts each filter with its number as value.
fn insert(matcher: &mut TopicMatcher<u64>, filters: &[TopicFilter<'_>]) -> f64 {
    each_us(|| {
        for (filter, value) in filters.iter().zip(0..) {
            matcher.insert(*filter, value);
        }
    })
}

/// Removes each filter and its value, in the given order.
fn remove(matcher: &mut TopicMatcher<u64>, filters: &[TopicFilter<'_>], order: &[u64]) -> f64 {
    let spent = each_us(|| {
        for value in order {
            let filter = filters[usize::try_from(*value).expect("a small number")];
            assert!(matcher.remove(filter, value), "it was inserted");
        }
    });
    assert!(matcher.is_empty(), "every filter was removed");
    spent
}

fn parsed(filter: &str) -> TopicFilter<'_> {
    TopicFilter::new(filter).expect("a topic filter")
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
        for (operation, spent) in self.operations {
            let reached = if spent < GOAL_US {
                "reached"
            } else {
                "NOT reached"
            };
            writeln!(
                f,
                "  {operation:<22}{spent:>8.3}   goal < {GOAL_US:.1}   {reached}"
            )?;
        }
        writeln!(f, "matching filters per topic name: {:.2}", self.found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FILTERS, filter, name, parsed, shuffled};
    use dunlin_codec::TopicName;

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
            let filter = parsed(&filter);
            assert!(filter.matches(&TopicName::new(&name).expect("a topic name")));
        }
    }
}
