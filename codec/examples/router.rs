//! Matches a stream of PUBLISH against many filters without one allocation, which it counts.
//!
//! `cargo run -p dunlin-codec --example router [FILTERS]`

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use dunlin_codec::{DecodeError, Decoded, Publish, TopicFilter, TopicMatcher, TopicName};

/// Messages in the stream.
const MESSAGES: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(1000), |filters| filters.parse())?;
    let texts: Vec<String> = (0..count).map(filter).collect();
    let filters: Vec<TopicFilter<'_>> = texts
        .iter()
        .map(|text| TopicFilter::new(text))
        .collect::<Result<_, _>>()?;
    let mut matcher = TopicMatcher::new();
    for (index, filter) in filters.iter().enumerate() {
        matcher.insert(*filter, index);
    }
    let stream = stream(count)?;

    let tree = route(&stream, |name| matcher.matches(name).count())?;
    let one_by_one = route(&stream, |name| {
        filters.iter().filter(|filter| filter.matches(name)).count()
    })?;
    println!(
        "{count} filters, {MESSAGES} messages, {} deliveries",
        tree.deliveries
    );
    println!(
        "tree        {:>8.0} ns a message, {} allocations",
        tree.nanoseconds(),
        tree.allocations
    );
    println!(
        "one by one  {:>8.0} ns a message, {} allocations",
        one_by_one.nanoseconds(),
        one_by_one.allocations
    );
    assert_eq!(tree.deliveries, one_by_one.deliveries);
    assert_eq!(tree.allocations, 0);
    Ok(())
}

/// Result of one pass over the stream.
struct Pass {
    deliveries: usize,
    allocations: u64,
    took: Duration,
}

impl Pass {
    fn nanoseconds(&self) -> f64 {
        self.took.as_secs_f64() * 1e9 / MESSAGES as f64
    }
}

/// Decodes every PUBLISH in place, and counts the filters that match it.
#[expect(clippy::disallowed_methods, reason = "an example that measures")]
fn route(stream: &[u8], matching: impl Fn(&TopicName<'_>) -> usize) -> Result<Pass, DecodeError> {
    let mut outcome = Ok(0);
    let began = Instant::now();
    let counted = allocation_counter::measure(|| outcome = deliveries(stream, &matching));
    Ok(Pass {
        deliveries: black_box(outcome?),
        allocations: counted.count_total,
        took: began.elapsed(),
    })
}

fn deliveries(
    stream: &[u8],
    matching: impl Fn(&TopicName<'_>) -> usize,
) -> Result<usize, DecodeError> {
    let (mut rest, mut deliveries) = (stream, 0);
    while let Decoded::Packet(publish, len) = Publish::decode(rest)? {
        deliveries += publish.topic.as_ref().map_or(0, &matching);
        rest = rest.get(len..).unwrap_or_default();
    }
    Ok(deliveries)
}

/// The filters of a building: most name one lamp, some a room or a floor, a few everything.
fn filter(index: usize) -> String {
    let (floor, room) = (index % 10, index / 10 % 20);
    match index % 50 {
        0 => format!("building/{floor}/#"),
        1 => format!("building/+/{room}/+/state"),
        2 => format!("$share/workers/building/{floor}/{room}/+/state"),
        _ => format!("building/{floor}/{room}/lamp-{index}/state"),
    }
}

fn stream(filters: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut stream = Vec::new();
    for message in 0..MESSAGES {
        let index = message * 7 % filters.max(1);
        let topic = format!(
            "building/{}/{}/lamp-{index}/state",
            index % 10,
            index / 10 % 20
        );
        Publish::new(TopicName::new(&topic)?, b"on").encode(&mut stream)?;
    }
    Ok(stream)
}
