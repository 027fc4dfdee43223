//! Many filters at once: the same answers as one by one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use dunlin_codec::owned;
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
        let mut kept: Vec<(usize, TopicFilter<'_>)> = filters.iter().map(owned::TopicFilter::as_borrowed).enumerate().collect();
        for (index, filter) in &kept {
            matcher.insert(*filter, *index);
        }
        for name in &names {
            prop_assert_eq!(found(&matcher, &name.as_borrowed()), one_by_one(&kept, &name.as_borrowed()));
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
            prop_assert_eq!(found(&matcher, &name.as_borrowed()), one_by_one(&kept, &name.as_borrowed()));
        }
    }

    /// Values are few, so that pairs repeat and filters have many values.
    #[test]
    fn a_matcher_is_a_set_of_pairs(filters in filters(), values in vec(0usize..4, 24), names in vec(name(), 1..8), bound in 0usize..5) {
        let pairs: Vec<(TopicFilter<'_>, usize)> = filters.iter().map(owned::TopicFilter::as_borrowed).zip(values).collect();
        let mut matcher = TopicMatcher::new();
        let mut set = BTreeSet::new();
        for (filter, value) in &pairs {
            prop_assert_eq!(matcher.insert(*filter, *value), set.insert((*filter, *value)));
        }
        prop_assert_eq!(matcher.iter().len(), set.len());
        let listed: BTreeSet<_> = matcher.iter().map(|(filter, value)| (filter, *value)).collect();
        prop_assert_eq!(&listed, &set);

        matcher.retain(|filter, value| !filter.is_shared() && *value < bound);
        let set: Vec<_> = set.into_iter().filter(|(filter, value)| !filter.is_shared() && *value < bound).collect();
        prop_assert_eq!(matcher.len(), set.len());
        for name in &names {
            let mut matching: Vec<_> = set.iter().filter(|(filter, _)| filter.matches(&name.as_borrowed())).map(|(_, value)| *value).collect();
            matching.sort_unstable();
            prop_assert_eq!(found(&matcher, &name.as_borrowed()), matching);
        }

        // What was kept is found and removed as before, and the nodes that are free are used again.
        for (filter, value) in &set {
            prop_assert!(matcher.remove(*filter, value));
        }
        prop_assert!(matcher.is_empty());
        matcher.extend(pairs.iter().copied());
        let again: BTreeSet<_> = matcher.iter().map(|(filter, value)| (filter, *value)).collect();
        prop_assert_eq!(again, pairs.into_iter().collect::<BTreeSet<_>>());
        matcher.clear();
        prop_assert_eq!(matcher.iter().next(), None);
    }
}

#[test]
fn shared_filters_that_differ_in_their_share_name_are_distinguished() {
    let (one, two) = ("$share/one/lamp/+", "$share/two/lamp/+");
    let [one, two] = [one, two].map(|text| TopicFilter::new(text).unwrap());
    let mut matcher = TopicMatcher::new();
    assert!(matcher.insert(one, 7) && matcher.insert(two, 7));
    assert!(!matcher.insert(one, 7));
    let name = TopicName::new("lamp/1").unwrap();
    assert_eq!(found(&matcher, &name), [7, 7]);
    assert!(matcher.remove(one, &7));
    assert!(!matcher.remove(one, &7));
    assert_eq!(matcher.iter().collect::<Vec<_>>(), [(two, &7)]);
}

#[test]
fn iterators_of_a_matcher_are_cloned_without_their_values() {
    struct NotClone;
    let mut matches = TopicMatcher::<NotClone>::new()
        .matches(&TopicName::new("lamp").unwrap())
        .clone()
        .count();
    matches += TopicMatcher::<NotClone>::new().iter().clone().len();
    assert_eq!(matches, 0);
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
