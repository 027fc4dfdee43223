//! The `Resource` of a statement: an ARN of AWS IoT. Region and account are compared only where
//! that was asked for.

use core::fmt;
use core::str::FromStr;

use crate::policy::document::PolicyError;
use crate::policy::pattern::Pattern;
use crate::policy::request::Request;

/// A resource pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// What follows the account: `topic/test/topic`, `client/lamp-*`.
    name: Box<str>,
    pattern: Pattern,
    /// All of it, for whoever compares region and account too.
    whole: Pattern,
}

/// The region and the account that a sandbox stands for. Without one, any region and account in a
/// policy matches.
///
/// ```
/// use dunlin_sandbox::ArnScope;
///
/// let scope: ArnScope = "eu-west-1:123456789012".parse()?;
/// assert_eq!(scope.arn("topic/lamp"), "arn:aws:iot:eu-west-1:123456789012:topic/lamp");
/// assert!("eu-west-1".parse::<ArnScope>().is_err());
/// # Ok::<(), dunlin_sandbox::ArnScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArnScope {
    /// Such as `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

/// A text that is no `region:account`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as REGION:ACCOUNT, such as eu-west-1:123456789012")]
pub struct ArnScopeError;

impl Resource {
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        let name = name_of(text).ok_or_else(|| PolicyError::NotAnArn(text.into()))?;
        Ok(Self {
            name: name.into(),
            pattern: Pattern::parse(name)?,
            whole: Pattern::parse(text)?,
        })
    }

    /// As `parse`, but `*` and `?` are no wildcards.
    pub(super) fn parse_literal(text: &str) -> Result<Self, PolicyError> {
        let name = name_of(text).ok_or_else(|| PolicyError::NotAnArn(text.into()))?;
        Ok(Self {
            name: name.into(),
            pattern: Pattern::parse_text(name)?,
            whole: Pattern::parse_text(text)?,
        })
    }

    /// `name` is the concrete `topic/..`, `topicfilter/..` or `client/..`.
    pub(super) fn matches(
        &self,
        name: &str,
        request: &Request<'_>,
        scope: Option<&ArnScope>,
    ) -> bool {
        match scope {
            Some(scope) => self.whole.matches(&scope.arn(name), request),
            None => self.pattern.matches(name, request),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The first word of the name: `topic`; `None` for a wildcard that runs over it.
    pub(super) fn kind(&self) -> Option<&str> {
        self.name
            .split_once('/')
            .map(|(kind, _)| kind)
            .filter(|kind| !kind.contains(['*', '?', '$']))
    }

    pub(super) fn lacks_a_value(&self, request: &Request<'_>) -> bool {
        self.pattern.lacks_a_value(request)
    }
}

impl ArnScope {
    /// The ARN of something in it. The partition follows from the region.
    #[must_use]
    pub fn arn(&self, name: &str) -> String {
        let Self { region, account } = self;
        let partition = match region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:iot:{region}:{account}:{name}")
    }
}

impl FromStr for ArnScope {
    type Err = ArnScopeError;

    fn from_str(text: &str) -> Result<Self, ArnScopeError> {
        let (region, account) = text.split_once(':').ok_or(ArnScopeError)?;
        let is_region = !region.is_empty()
            && region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if is_region && is_account {
            Ok(Self {
                region: region.into(),
                account: account.into(),
            })
        } else {
            Err(ArnScopeError)
        }
    }
}

impl fmt::Display for ArnScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.region, self.account)
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
    use crate::policy::request::{Action, Subject};

    fn matches(arn: &str, name: &str, scope: Option<&str>) -> bool {
        let scope = scope.map(|scope| scope.parse().unwrap());
        let subject = Subject::new("c");
        let request = Request::new(Action::Publish, name, &subject);
        Resource::parse(arn)
            .unwrap()
            .matches(name, &request, scope.as_ref())
    }

    #[test]
    fn any_partition_region_and_account_matches() {
        for arn in [
            "arn:aws:iot:eu-west-1:123456789012:topic/a",
            "arn:aws-cn:iot:*:*:topic/a",
        ] {
            assert!(matches(arn, "topic/a", None));
            assert!(!matches(arn, "topicfilter/a", None));
            assert_eq!(Resource::parse(arn).unwrap().name(), "topic/a");
        }
    }

    #[test]
    fn a_scope_compares_partition_region_and_account() {
        let here = Some("eu-west-1:123456789012");
        for arn in [
            "arn:aws:iot:eu-west-1:123456789012:topic/a",
            "arn:aws:iot:*:*:topic/*",
            "*",
        ] {
            assert!(matches(arn, "topic/a", here), "{arn}");
        }
        for arn in [
            "arn:aws:iot:eu-west-2:123456789012:topic/a",
            "arn:aws:iot:eu-west-1:000000000000:topic/a",
            "arn:aws-cn:iot:eu-west-1:123456789012:topic/a",
        ] {
            assert!(!matches(arn, "topic/a", here), "{arn}");
        }
        assert!(matches(
            "arn:aws-cn:iot:cn-north-1:1:topic/a",
            "topic/a",
            None
        ));
        assert!("cn-north-1:12".parse::<ArnScope>().is_err());
    }

    #[test]
    fn a_star_that_ends_early_runs_over_the_rest() {
        for arn in [
            "*",
            "arn:*",
            "arn:aws:*",
            "arn:aws:iot:*",
            "arn:aws:iot:eu-west-1:*",
            "arn:aws:iot:*:*:*",
        ] {
            assert!(matches(arn, "client/lamp", None), "{arn}");
        }
    }

    #[test]
    fn a_colon_in_the_topic_belongs_to_the_name() {
        assert!(matches("arn:aws:iot:r:a:topic/a:b", "topic/a:b", None));
    }

    #[test]
    fn what_is_no_arn_is_refused_by_name() {
        for text in ["topic/a", "arn:aws:s3:::bucket", "arn:aws:iot:topic/a", ""] {
            assert_eq!(
                Resource::parse(text),
                Err(PolicyError::NotAnArn(text.into()))
            );
        }
    }
}
