//! `Resource` of a statement: an ARN of AWS IoT. Region and account are compared only with an
//! [`ArnScope`].

use core::fmt;
use core::str::FromStr;

use crate::policy::error::PolicyErrorKind;
use crate::policy::pattern::Pattern;
use crate::policy::request::Request;

/// Pattern of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// ARN as the policy writes it.
    text: Box<str>,
    /// Part after the account: `topic/test/topic`, `client/lamp-*`.
    name: Box<str>,
    pattern: Pattern,
    /// Pattern of the whole ARN, for a comparison with region and account.
    whole: Pattern,
}

/// Region and account that a sandbox stands for. Without a scope, any region and account in a
/// policy match.
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
    /// Region, such as `eu-west-1`.
    pub region: String,
    /// Account: twelve digits.
    pub account: String,
}

/// Error of parsing an [`ArnScope`]: the text isn't `REGION:ACCOUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as REGION:ACCOUNT, such as eu-west-1:123456789012")]
pub struct ArnScopeError;

impl Resource {
    pub(super) fn parse(text: &str) -> Result<Self, PolicyErrorKind> {
        // Both patterns are parsed now: variables and wildcards never fail during an evaluation.
        let name = name_of(text).ok_or_else(|| PolicyErrorKind::NotAnArn(text.into()))?;
        Ok(Self {
            text: text.into(),
            name: name.into(),
            pattern: Pattern::parse(name)?,
            whole: Pattern::parse(text)?,
        })
    }

    /// Parses an ARN as [`Self::parse`] does, but `*` and `?` are no wildcards.
    pub(super) fn parse_literal(text: &str) -> Result<Self, PolicyErrorKind> {
        let name = name_of(text).ok_or_else(|| PolicyErrorKind::NotAnArn(text.into()))?;
        Ok(Self {
            text: text.into(),
            name: name.into(),
            pattern: Pattern::parse_text(name)?,
            whole: Pattern::parse_text(text)?,
        })
    }

    /// Compares the concrete `topic/..`, `topicfilter/..` or `client/..` of a request; with a `scope`,
    /// region and account as well.
    pub(super) fn matches(
        &self,
        name: &str,
        request: &Request<'_>,
        scope: Option<&ArnScope>,
    ) -> bool {
        match scope {
            // A scope compares whole ARNs. Without one, only the part after the account counts, so
            // that policies of any account can be tried.
            Some(scope) => self.matches_arn(&scope.arn(name), request),
            None => self.pattern.matches(name, request),
        }
    }

    /// Compares a whole ARN: partition, region and account, too.
    pub(super) fn matches_arn(&self, arn: &str, request: &Request<'_>) -> bool {
        self.whole.matches(arn, request)
    }

    /// `true` if every name that `other` matches is matched by this resource, too. A resource for
    /// which this can't be shown counts as not covered.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.pattern.covers(&other.pattern)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// First word of the name, such as `topic`; `None` if a wildcard stands there.
    pub(super) fn kind(&self) -> Option<&str> {
        self.name
            .split_once('/')
            .map(|(kind, _)| kind)
            // `*/x` or `${..}/x` may match any kind.
            .filter(|kind| !kind.contains(['*', '?', '$']))
    }

    pub(super) fn lacks_a_value(&self, request: &Request<'_>) -> bool {
        self.pattern.lacks_a_value(request)
    }
}

impl ArnScope {
    /// ARN of a name in this scope. The partition follows from the region.
    #[must_use]
    pub fn arn(&self, name: &str) -> String {
        let Self { region, account } = self;
        // China and GovCloud have partitions of their own.
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
        // The form alone is checked: AWS adds regions.
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

/// Part after the account, or `*` if the pattern's last `*` covers it; `None` if the text is no
/// ARN of AWS IoT.
fn name_of(text: &str) -> Option<&str> {
    // Six fields at most: a colon in the topic belongs to the name.
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    match fields.as_slice() {
        ["arn", _partition, "iot" | "*", _region, _account, name] => Some(name),
        // IAM's `*` crosses colons, so one that ends the text stands for all fields after it.
        ["*"] | ["arn", "*"] | ["arn", _, "*"] | ["arn", _, "iot" | "*", .., "*"] => Some("*"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::request::{Action, Subject};
    use std::time::UNIX_EPOCH;

    fn matches(arn: &str, name: &str, scope: Option<&str>) -> bool {
        let scope = scope.map(|scope| scope.parse().unwrap());
        let subject = Subject::new("c");
        let request = Request::new(Action::Publish, name, &subject, UNIX_EPOCH);
        Resource::parse(arn)
            .unwrap()
            .matches(name, &request, scope.as_ref())
    }

    #[test]
    fn any_partition_region_and_account_matches() {
        // Complete ARNs of different partitions, with and without wildcards.
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
        // Another region, another account, another partition.
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
        // Accounts have twelve digits.
        assert!("cn-north-1:12".parse::<ArnScope>().is_err());
    }

    #[test]
    fn a_star_may_end_an_arn_early() {
        // A `*` at the end of each field.
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
    fn a_resource_that_is_no_arn_is_refused_by_name() {
        for text in ["topic/a", "arn:aws:s3:::bucket", "arn:aws:iot:topic/a", ""] {
            assert_eq!(
                Resource::parse(text),
                Err(PolicyErrorKind::NotAnArn(text.into()))
            );
        }
    }
}
