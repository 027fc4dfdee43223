//! What AWS IoT asks of topics beyond the standard, and where it matches otherwise.

use dunlin_codec::{TopicFilter, TopicName};

use crate::server::limits::{MAX_SLASHES, MAX_TOPIC};

/// Why a well-formed topic name or filter isn't accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TopicLimit {
    #[error("the topic has {0} bytes; at most 256 are allowed")]
    Length(usize),
    #[error("the topic has {0} slashes; at most 7 are allowed")]
    Slashes(usize),
}

/// Judges a topic name or filter. The Basic Ingest prefix doesn't count.
pub(crate) fn check(topic: &str) -> Result<(), TopicLimit> {
    let topic = without_basic_ingest(topic);
    let slashes = topic.matches('/').count();
    if topic.len() > MAX_TOPIC {
        Err(TopicLimit::Length(topic.len()))
    } else if slashes > MAX_SLASHES {
        Err(TopicLimit::Slashes(slashes))
    } else {
        Ok(())
    }
}

/// As the standard has it, but `sensor/#` doesn't match `sensor`: so AWS IoT documents it.
pub(crate) fn matches(filter: TopicFilter<'_>, name: &TopicName<'_>) -> bool {
    let parent = filter.as_str().strip_suffix("/#");
    let levels = |topic: &str| topic.matches('/').count();
    filter.matches(name) && parent.is_none_or(|parent| levels(name.as_str()) > levels(parent))
}

/// `$aws/rules/<rule>/topic` is `topic` to the limits.
fn without_basic_ingest(topic: &str) -> &str {
    let behind_rule = topic.strip_prefix("$aws/rules/").and_then(|rest| rest.split_once('/'));
    behind_rule.map_or(topic, |(_, topic)| topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_slashes_are_limited() {
        assert_eq!(check(&"a".repeat(256)), Ok(()));
        assert_eq!(check(&"a".repeat(257)), Err(TopicLimit::Length(257)));
        assert_eq!(check("1/2/3/4/5/6/7/8"), Ok(()));
        assert_eq!(check("1/2/3/4/5/6/7/8/9"), Err(TopicLimit::Slashes(8)));
    }

    #[test]
    fn the_basic_ingest_prefix_does_not_count() {
        assert_eq!(check(&format!("$aws/rules/r/{}", "a".repeat(256))), Ok(()));
        assert_eq!(check("$aws/rules/r/1/2/3/4/5/6/7/8"), Ok(()));
    }

    #[test]
    fn a_multi_level_wildcard_does_not_match_its_parent() {
        for (filter, name, expected) in [
            ("sensor/#", "sensor", false),
            ("sensor/#", "sensor/1", true),
            ("+/#", "sensor", false),
            ("+/#", "sensor/1", true),
            ("#", "sensor", true),
            ("sensor/+", "sensor/1", true),
            ("#", "$aws/x", false),
        ] {
            let matched = matches(TopicFilter::new(filter).unwrap(), &TopicName::new(name).unwrap());
            assert_eq!(matched, expected, "{filter} on {name}");
        }
    }
}
