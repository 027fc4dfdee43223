//! Many filters at once: the same answers as one by one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dunlin_codec::owned::{self, Lend};
use dunlin_codec::{TopicFilter, TopicMatcher, TopicName};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Filters and names of few levels and fewer words, so that many match.
fn topic(wildcards: bool) -> impl Strategy<Value = String> {
    let words: &[&str] = if wildcards {
        &["a", "b", "", "+", "+", "$x"]
    } else {
        &["a", "b", "", "$x", "$x"]
    };
    let end = if wildcards { 2 } else { 1 };
    (vec(prop::sample::select(words), 1..5), 0..end).prop_map(|(levels, multi)| {
        let text = levels.join("/");
        if multi == 1 { text + "/#" } else { text }
    })
}

fn filters() -> impl Strategy<Value = Vec<owned::TopicFilter>> {
    let share = prop_oneof![3 => Just(""), 1 => Just("$share/s/")];
    let filter = prop_oneof![
        6 => (share, topic(true)).prop_filter_map("", |(share, text)| owned::TopicFilter::new(format!("{share}{text}")).ok()),
        1 => Just(owned::TopicFilter::new("#").unwrap()),
        2 => any::<owned::TopicFilter>(),
    ];
    vec(filter, 0..24)
}

fn name() -> impl Strategy<Value = owned::TopicName> {
    prop_oneof![
        6 => topic(false).prop_filter_map("", |text| owned::TopicName::new(text).ok()),
        1 => any::<owned::TopicName>(),
    ]
}

fn one_by_one(filters: &[(usize, TopicFilter<'_>)], name: &TopicName<'_>) -> Vec<usize> {
    let matching = filters.iter().filter(|(_, filter)| filter.matches(name));
    matching.map(|(index, _)| *index).collect()
}

fn found(matcher: &TopicMatcher<usize>, name: &TopicName<'_>) -> Vec<usize> {
    let mut found: Vec<usize> = matcher.matches(name).copied().collect();
    found.sort_unstable();
    found
}

proptest! {
    #[test]
    fn a_matcher_finds_the_same_as_matching_each_filter(filters in filters(), names in vec(name(), 1..8), gone in vec(any::<Index>(), 0..12)) {
        let mut matcher = TopicMatcher::new();
        let mut kept: Vec<(usize, TopicFilter<'_>)> = filters.iter().map(Lend::lend).enumerate().collect();
        for (index, filter) in &kept {
            matcher.insert(*filter, *index);
        }
        for name in &names {
            prop_assert_eq!(found(&matcher, &name.lend()), one_by_one(&kept, &name.lend()));
        }
        for index in gone {
            if !kept.is_empty() {
                let (value, filter) = kept.remove(index.index(kept.len()));
                prop_assert!(matcher.remove(filter, &value));
                prop_assert!(!matcher.remove(filter, &value));
            }
        }
        prop_assert_eq!(matcher.len(), kept.len());
        for name in &names {
            prop_assert_eq!(found(&matcher, &name.lend()), one_by_one(&kept, &name.lend()));
        }
    }
}

#[test]
fn a_name_as_deep_as_the_standard_allows_needs_no_stack() {
    let (deep, wildcards) = ("a/".repeat(32_767), "+/".repeat(32_767));
    let name = TopicName::new(&deep).unwrap();
    let mut matcher = TopicMatcher::new();
    for (value, filter) in [&*wildcards, &*deep, "a/#"].into_iter().enumerate() {
        matcher.insert(TopicFilter::new(filter).unwrap(), value);
    }
    assert_eq!(found(&matcher, &name), [0, 1, 2]);
    assert!(matcher.remove(TopicFilter::new(&wildcards).unwrap(), &0));
    assert_eq!(found(&matcher, &name), [1, 2]);
}
