//! Operators of conditions: one row each, with its comparison.

use core::cmp::Ordering;
use core::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use serde_json::Value;

use crate::policy::error::PolicyErrorKind;
use crate::policy::key::ConditionKey;
use crate::policy::pattern::Pattern;
use crate::policy::request::Request;
use crate::policy::resource::{ArnScope, Resource};

/// One operator, without its set operator and its `IfExists`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operator {
    name: &'static str,
    compares: Compares,
    is_negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compares {
    Text,
    TextInAnyCase,
    Like,
    /// ARNs, field by field; IAM's `ArnEquals` has wildcards as `ArnLike` does.
    Arn,
    Number(Order),
    Date(Order),
    Bool,
    Ip,
}

/// Order of the value of the request to that of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value that a policy compares with, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    Text(Pattern),
    Arn(Resource),
    Number(i64),
    Date(SystemTime),
    Bool(bool),
    Net(IpNet),
}

const fn row(name: &'static str, compares: Compares) -> Operator {
    Operator {
        name,
        compares,
        is_negated: false,
    }
}

const fn negated(name: &'static str, compares: Compares) -> Operator {
    Operator {
        name,
        compares,
        is_negated: true,
    }
}

static OPERATORS: [Operator; 25] = [
    row("StringEquals", Compares::Text),
    negated("StringNotEquals", Compares::Text),
    row("StringEqualsIgnoreCase", Compares::TextInAnyCase),
    negated("StringNotEqualsIgnoreCase", Compares::TextInAnyCase),
    row("StringLike", Compares::Like),
    negated("StringNotLike", Compares::Like),
    row("ArnEquals", Compares::Arn),
    negated("ArnNotEquals", Compares::Arn),
    row("ArnLike", Compares::Arn),
    negated("ArnNotLike", Compares::Arn),
    row("NumericEquals", Compares::Number(Order::Equal)),
    negated("NumericNotEquals", Compares::Number(Order::Equal)),
    row("NumericLessThan", Compares::Number(Order::Less)),
    row(
        "NumericLessThanEquals",
        Compares::Number(Order::LessOrEqual),
    ),
    row("NumericGreaterThan", Compares::Number(Order::Greater)),
    row(
        "NumericGreaterThanEquals",
        Compares::Number(Order::GreaterOrEqual),
    ),
    row("DateEquals", Compares::Date(Order::Equal)),
    negated("DateNotEquals", Compares::Date(Order::Equal)),
    row("DateLessThan", Compares::Date(Order::Less)),
    row("DateLessThanEquals", Compares::Date(Order::LessOrEqual)),
    row("DateGreaterThan", Compares::Date(Order::Greater)),
    row(
        "DateGreaterThanEquals",
        Compares::Date(Order::GreaterOrEqual),
    ),
    row("Bool", Compares::Bool),
    row("IpAddress", Compares::Ip),
    negated("NotIpAddress", Compares::Ip),
];

impl Operator {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.name == name)
    }

    pub(super) fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// Reads a value of a policy; `None` where this operator can't compare with it.
    ///
    /// The values of `iot:LastWillTopic` are ARNs under the operators of text, too; wildcards are
    /// for `StringLike` alone.
    pub(super) fn operand(
        &self,
        value: &Value,
        key: &ConditionKey,
    ) -> Result<Option<Operand>, PolicyErrorKind> {
        // JSON true and 7 count as "true" and "7", as in IAM; lists and objects can't be compared.
        let Some(text) = text(value) else {
            return Ok(None);
        };

        // ARNs are compared as ARNs, whatever operator is used for iot:LastWillTopic.
        let is_text = matches!(
            self.compares,
            Compares::Text | Compares::TextInAnyCase | Compares::Like
        );
        if self.compares == Compares::Arn || (is_text && *key == ConditionKey::LastWillTopic) {
            let is_literal = matches!(self.compares, Compares::Text | Compares::TextInAnyCase);

            // Only StringLike and the operators of ARNs have wildcards.
            let arn = if is_literal {
                Resource::parse_literal(&text)
            } else {
                Resource::parse(&text)
            };
            return match arn {
                Err(PolicyErrorKind::NotAnArn(_)) => Ok(None),
                // An unknown variable in the ARN is an error with a text of its own.
                arn => Ok(Some(Operand::Arn(arn?))),
            };
        }
        // The type of the operand follows from the operator; a value that it can't read is `None`.
        Ok(match self.compares {
            Compares::Arn => None,
            // Wildcards are plain letters here, variables aren't.
            Compares::Text | Compares::TextInAnyCase => {
                Some(Operand::Text(Pattern::parse_text(&text)?))
            }
            Compares::Like => Some(Operand::Text(Pattern::parse(&text)?)),
            Compares::Number(_) => text.parse().ok().map(Operand::Number),
            Compares::Date(_) => date(&text).map(Operand::Date),
            Compares::Bool => boolean(value).map(Operand::Bool),
            Compares::Ip => net(&text).map(Operand::Net),
        })
    }

    /// `true` if a value of the request equals (is less than, ..) one of those of the policy;
    /// negated: none of them. With a `scope`, region and account of ARNs count as well.
    pub(super) fn is_met(
        &self,
        found: &str,
        operands: &[Operand],
        request: &Request<'_>,
        scope: Option<&ArnScope>,
    ) -> bool {
        // Several values of a policy are alternatives. Negated, the value must differ from all of
        // them.
        let any = operands
            .iter()
            .any(|operand| self.compare(found, operand, request, scope));
        any != self.is_negated
    }

    /// A value of the request that can't be read equals nothing.
    fn compare(
        &self,
        found: &str,
        operand: &Operand,
        request: &Request<'_>,
        scope: Option<&ArnScope>,
    ) -> bool {
        // The type of the operand decides, since iot:LastWillTopic has ARNs under operators of
        // text.
        match (self.compares, operand) {
            (Compares::TextInAnyCase, Operand::Text(pattern)) => {
                pattern.matches_in_any_case(found, request)
            }
            (_, Operand::Arn(arn)) => match scope {
                // With a scope whole ARNs are compared, else the part after the account.
                Some(scope) => arn.matches_arn(&in_scope(found, scope), request),
                None => arn.matches(name_of_arn(found), request, None),
            },
            (_, Operand::Text(pattern)) => pattern.matches(found, request),
            (Compares::Number(order), Operand::Number(wanted)) => found
                .parse::<i64>()
                .is_ok_and(|found| order.is(found.cmp(wanted))),
            (Compares::Date(order), Operand::Date(wanted)) => {
                date(found).is_some_and(|found| order.is(found.cmp(wanted)))
            }
            (_, Operand::Bool(wanted)) => found.parse() == Ok(*wanted),
            (_, Operand::Net(net)) => found
                .parse::<IpAddr>()
                .is_ok_and(|found| net.contains(&found)),
            // Never built: the operand has the type of its operator.
            (_, Operand::Number(_) | Operand::Date(_)) => false,
        }
    }
}

impl Order {
    const fn is(self, found: Ordering) -> bool {
        match self {
            Self::Equal => found.is_eq(),
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        }
    }
}

impl Operand {
    /// ARN as the policy writes it; `None` for a value of another kind.
    pub(super) fn arn(&self) -> Option<&str> {
        match self {
            Self::Arn(resource) => Some(resource.text()),
            Self::Text(_) | Self::Number(_) | Self::Date(_) | Self::Bool(_) | Self::Net(_) => None,
        }
    }

    /// `true` if a variable of it has no value here.
    pub(super) fn lacks_a_value(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Text(pattern) => pattern.lacks_a_value(request),
            Self::Arn(arn) => arn.lacks_a_value(request),
            Self::Number(_) | Self::Date(_) | Self::Bool(_) | Self::Net(_) => false,
        }
    }
}

/// ARN of a value of the request: the value itself, if it is one that was set by hand.
pub(super) fn in_scope(found: &str, scope: &ArnScope) -> String {
    if found.starts_with("arn:") {
        found.into()
    } else {
        scope.arn(found)
    }
}

/// Part of an ARN after the account; the whole text if it is no ARN.
fn name_of_arn(text: &str) -> &str {
    let is_arn = text.starts_with("arn:");
    text.splitn(6, ':')
        .nth(5)
        .filter(|_| is_arn)
        .unwrap_or(text)
}

/// `true`, `"true"` and their opposites.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    text(value)?.to_ascii_lowercase().parse().ok()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A date of ISO 8601 in UTC, or seconds since 1970.
fn date(text: &str) -> Option<SystemTime> {
    match text.parse() {
        // A number is seconds since 1970, as in aws:EpochTime. Too large a number is no date.
        Ok(seconds) => UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_rfc3339_weak(text).ok(),
    }
}

/// An address, or a range of them.
fn net(text: &str) -> Option<IpNet> {
    // A single address is the range that has only it.
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
