//! Measures what one filter more costs a `TopicMatcher` that holds 100,000 filters already.
//!
//! ```text
//! cargo run --release -p dunlin-codec --example matcher_cost
//! ```
//!
//! Prints the median time of one insert, one match and one removal for three shapes of filters, and
//! fails if one of them is above 3 microseconds.
#![expect(
    clippy::unwrap_used,
    reason = "an example ends at the first thing that is wrong"
)]
#![expect(clippy::disallowed_methods, reason = "this example measures time")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use dunlin_codec::{TopicFilter, TopicMatcher, TopicName};

const FILTERS: usize = 100_000;
/// Operations of which the median is taken.
const SAMPLES: usize = 10_000;
const LIMIT: Duration = Duration::from_micros(3);

fn main() -> ExitCode {
    let siblings = |number: usize| format!("device-{number}");
    let deep = |number: usize| format!("site/{}/device/{number}/status", number % 100);
    let same = |_: usize| String::from("device/+");
    let shapes: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("100,000 filters below one level", &siblings),
        ("five levels", &deep),
        ("one filter with 100,000 values", &same),
    ];
    println!(
        "{:34} {:>9} {:>9} {:>9}",
        "median of one operation", "insert", "match", "remove"
    );
    let mut is_within = true;
    for (shape, filter) in shapes {
        let times = measure(filter);
        let [insert, found, remove] = times.map(|time| format!("{} ns", time.as_nanos()));
        println!("{shape:34} {insert:>9} {found:>9} {remove:>9}");
        is_within &= times.iter().all(|time| *time < LIMIT);
    }
    if is_within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The medians of insert, match and remove.
fn measure(filter: &dyn Fn(usize) -> String) -> [Duration; 3] {
    let mut matcher = TopicMatcher::new();
    for number in 0..FILTERS {
        matcher.insert(TopicFilter::new(&filter(number)).unwrap(), number);
    }
    let mut times: [Vec<Duration>; 3] = Default::default();
    for number in FILTERS..FILTERS + SAMPLES {
        let text = filter(number);
        let topic = text.replace('+', "7");
        let (new, name) = (
            TopicFilter::new(&text).unwrap(),
            TopicName::new(&topic).unwrap(),
        );
        let begun = Instant::now();
        matcher.insert(new, number);
        let inserted = Instant::now();
        // The first match: with many values, the time of a match is that of looking at each.
        let is_found = matcher.matches(&name).next().is_some();
        let matched = Instant::now();
        // One of those that are there, so that the siblings are as many as before.
        let was_there = matcher.remove(new, &number);
        let removed = Instant::now();
        assert!(is_found && was_there);
        let spans = [inserted - begun, matched - inserted, removed - matched];
        for (times, span) in times.iter_mut().zip(spans) {
            times.push(span);
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    })
}
