//! Rules of a profile for topics beyond the standard.

use dunlin_codec::{TopicFilter, TopicName};

use crate::profile::Rules;
use crate::server::limit::{Limit, at_most};

/// Checks a topic name by the limits of a profile, without its Basic Ingest prefix.
///
/// # Errors
/// The first [`Limit`] that the name breaks.
pub(crate) fn check_name(topic: TopicName<'_>, rules: &Rules) -> Result<(), Limit> {
    // Clients don't publish under $aws/events/: the service does.
    if rules.reserves_dollar_topics && !is_defined(topic.as_str(), "events") {
        return Err(Limit::ReservedTopic);
    }
    // The limits of AWS IoT count the topic without `$aws/rules/<rule>/`.
    let topic = without_basic_ingest(topic.as_str());
    at_most(topic.len(), rules.max_topic, |has, most| {
        Limit::TopicLength { has, most }
    })?;
    at_most(slashes(topic), rules.max_slashes, |has, most| {
        Limit::Slashes { has, most }
    })
}

/// Checks a topic filter by the limits of a profile, without the prefixes of Basic Ingest and of a
/// share.
///
/// # Errors
/// The first [`Limit`] that the filter breaks.
pub(crate) fn check_filter(filter: TopicFilter<'_>, rules: &Rules) -> Result<(), Limit> {
    // The share name has a limit of its own, and doesn't count as part of the filter.
    let share = filter.share_name().map_or(0, str::len);
    at_most(share, rules.max_share_name, |has, most| Limit::ShareName {
        has,
        most,
    })?;
    let filter = filter.without_share();
    // Basic Ingest delivers to a rule alone, so nobody can subscribe to it.
    if rules.reserves_dollar_topics && !is_defined(filter.as_str(), "rules") {
        return Err(Limit::ReservedFilter);
    }
    let filter = without_basic_ingest(filter.as_str());
    at_most(filter.len(), rules.max_topic, |has, most| {
        Limit::FilterLength { has, most }
    })?;
    at_most(slashes(filter), rules.max_slashes, |has, most| {
        Limit::FilterSlashes { has, most }
    })
}

pub(crate) fn matches(filter: TopicFilter<'_>, name: &TopicName<'_>, rules: &Rules) -> bool {
    filter.matches(name) && reaches(filter, name, rules)
}

/// `true` if a filter that matches by the standard does so in this profile: on AWS IoT `sensor/#`
/// doesn't match `sensor`.
pub(crate) fn reaches(filter: TopicFilter<'_>, name: &TopicName<'_>, rules: &Rules) -> bool {
    // `sensor/#` reaches `sensor` only by the parent level, so names with more slashes are enough.
    let parent = filter
        .as_str()
        .strip_suffix("/#")
        .filter(|_| !rules.matches_parent_level);
    parent.is_none_or(|parent| slashes(name.as_str()) > slashes(parent))
}

/// `true` if a topic doesn't begin with `$`, or is one of those that AWS IoT Core defines ("Reserved
/// topics" in the developer guide). `but` is the kind that this operation may not use: no client
/// publishes under `$aws/events/` or subscribes to `$aws/rules/`.
fn is_defined(topic: &str, but: &str) -> bool {
    if !topic.starts_with('$') {
        return true;
    }
    let kind = topic
        .strip_prefix("$aws/")
        .map(|rest| rest.split_once('/').map_or(rest, |(kind, _)| kind));
    // A filter may have a wildcard in the place of the kind.
    kind.is_some_and(|kind| (KINDS.contains(&kind) || ["#", "+"].contains(&kind)) && kind != but)
}

/// Words that may follow `$aws/`.
const KINDS: [&str; 9] = [
    "certificates",
    "commands",
    "device_location",
    "events",
    "iotwireless",
    "provisioning-templates",
    "rules",
    "sitewise",
    "things",
];

fn slashes(topic: &str) -> usize {
    topic.matches('/').count()
}

/// Topic after `$aws/rules/<rule>/`, which is the part that the limits count.
fn without_basic_ingest(topic: &str) -> &str {
    let behind_rule = topic
        .strip_prefix("$aws/rules/")
        .and_then(|rest| rest.split_once('/'));
    behind_rule.map_or(topic, |(_, topic)| topic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn name(topic: &str) -> Result<(), Limit> {
        check_name(TopicName::new(topic).unwrap(), Profile::Aws.rules())
    }

    fn filter(filter: &str) -> Result<(), Limit> {
        check_filter(TopicFilter::new(filter).unwrap(), Profile::Aws.rules())
    }

    #[test]
    fn length_and_slashes_are_limited() {
        assert_eq!(name(&"a".repeat(256)), Ok(()));
        assert_eq!(
            name(&"a".repeat(257)),
            Err(Limit::TopicLength {
                has: 257,
                most: 256
            })
        );
        // Seven slashes are allowed, eight aren't.
        assert_eq!(name("1/2/3/4/5/6/7/8"), Ok(()));
        assert_eq!(
            name("1/2/3/4/5/6/7/8/9"),
            Err(Limit::Slashes { has: 8, most: 7 })
        );
        assert_eq!(
            filter("1/2/3/4/5/6/7/8/#"),
            Err(Limit::FilterSlashes { has: 8, most: 7 })
        );
    }

    #[test]
    fn the_basic_ingest_prefix_does_not_count() {
        assert_eq!(name(&format!("$aws/rules/r/{}", "a".repeat(256))), Ok(()));
        assert_eq!(name("$aws/rules/r/1/2/3/4/5/6/7/8"), Ok(()));
    }

    #[test]
    fn topics_with_a_dollar_are_those_of_the_service() {
        // Topics that the developer guide lists, then names that it doesn't.
        for topic in [
            "$aws/rules/r/t",
            "$aws/things/lamp/shadow/update",
            "$aws/certificates/create/json",
        ] {
            assert_eq!(name(topic), Ok(()), "{topic}");
        }
        for topic in [
            "$SYS/uptime",
            "$own",
            "$aws",
            "$aws/own/t",
            "$aws/events/presence/connected/c",
        ] {
            assert_eq!(name(topic), Err(Limit::ReservedTopic), "{topic}");
        }
        for topic in [
            "$aws/events/#",
            "$aws/things/+/shadow/#",
            "$share/g/$aws/events/x",
            "$aws/#",
            "#",
            "+/a",
        ] {
            assert_eq!(filter(topic), Ok(()), "{topic}");
        }
        for topic in [
            "$SYS/#",
            "$own/+",
            "$aws/own/#",
            "$aws/rules/r/#",
            "$share/g/$SYS/x",
        ] {
            assert_eq!(filter(topic), Err(Limit::ReservedFilter), "{topic}");
        }
        let anything = check_name(TopicName::new("$SYS/x").unwrap(), Profile::Mqtt5.rules());
        assert_eq!(anything, Ok(()));
    }

    #[test]
    fn the_prefix_of_a_share_has_a_limit_of_its_own() {
        assert_eq!(
            filter(&format!("$share/{}/1/2/3/4/5/6/7/8", "g".repeat(128))),
            Ok(())
        );
        let has = 129;
        assert_eq!(
            filter(&format!("$share/{}/t", "g".repeat(has))),
            Err(Limit::ShareName { has, most: 128 })
        );
    }

    /// MQTT-4.7.2-1, MQTT-4.7.3-4
    #[test]
    fn a_multi_level_wildcard_matches_its_parent_in_one_profile_only() {
        // Filter, topic name, match on AWS IoT, match by the standard.
        for (filter, name, aws, mqtt5) in [
            ("sensor/#", "sensor", false, true),
            ("sensor/#", "sensor/1", true, true),
            ("+/#", "sensor", false, true),
            ("+/#", "sensor/1", true, true),
            ("#", "sensor", true, true),
            ("sensor/+", "sensor/1", true, true),
            ("sensor/+", "sensor", false, false),
            ("#", "$aws/x", false, false),
            ("+/x", "$aws/x", false, false),
            ("$aws/#", "$aws/x", true, true),
            ("Sensor", "sensor", false, false),
            ("e\u{301}", "\u{e9}", false, false),
            ("a//b", "a/b", false, false),
            ("a/+/b", "a//b", true, true),
        ] {
            for (profile, expected) in [(Profile::Aws, aws), (Profile::Mqtt5, mqtt5)] {
                let rules = profile.rules();
                let matched = matches(
                    TopicFilter::new(filter).unwrap(),
                    &TopicName::new(name).unwrap(),
                    rules,
                );
                assert_eq!(matched, expected, "{filter} on {name}, {profile}");
            }
        }
    }
}
