//! The `Resource` of a statement: an ARN of AWS IoT, of which any partition, region and account matches.

use crate::policy::document::PolicyError;
use crate::policy::pattern::Pattern;

/// A resource pattern. The sandbox has no region and no account, so what a policy says there is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// What follows the account: `topic/test/topic`, `client/lamp-*`.
    name: Box<str>,
    pattern: Pattern,
}

impl Resource {
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        let name = name_of(text).ok_or_else(|| PolicyError::NotAnArn(text.into()))?;
        Ok(Self { name: name.into(), pattern: Pattern::parse(name)? })
    }

    /// `name` is the concrete `topic/..`, `topicfilter/..` or `client/..`.
    pub(super) fn matches(&self, name: &str, client_id: &str) -> bool {
        self.pattern.matches(name, client_id)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// The part behind the account, or `*` where the pattern's last `*` runs over it.
fn name_of(text: &str) -> Option<&str> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    match fields.as_slice() {
        ["arn", _partition, "iot" | "*", _region, _account, name] => Some(name),
        ["*"] | ["arn", "*"] | ["arn", _, "*"] | ["arn", _, "iot" | "*", .., "*"] => Some("*"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_partition_region_and_account_matches() {
        for arn in ["arn:aws:iot:eu-west-1:123456789012:topic/a", "arn:aws-cn:iot:*:*:topic/a"] {
            let resource = Resource::parse(arn).unwrap();
            assert!(resource.matches("topic/a", "c"));
            assert!(!resource.matches("topicfilter/a", "c"));
            assert_eq!(resource.name(), "topic/a");
        }
    }

    #[test]
    fn a_star_that_ends_early_runs_over_the_rest() {
        for arn in
            ["*", "arn:*", "arn:aws:*", "arn:aws:iot:*", "arn:aws:iot:eu-west-1:*", "arn:aws:iot:*:*:*"]
        {
            assert!(Resource::parse(arn).unwrap().matches("client/lamp", "c"), "{arn}");
        }
    }

    #[test]
    fn a_colon_in_the_topic_belongs_to_the_name() {
        assert!(Resource::parse("arn:aws:iot:r:a:topic/a:b").unwrap().matches("topic/a:b", "c"));
    }

    #[test]
    fn what_is_no_arn_is_refused_by_name() {
        for text in ["topic/a", "arn:aws:s3:::bucket", "arn:aws:iot:topic/a", ""] {
            assert_eq!(Resource::parse(text), Err(PolicyError::NotAnArn(text.into())));
        }
    }
}
