//! The `Condition` of a statement: when it applies, in the operators of IAM that AWS IoT policies
//! use.

mod operator;

use core::fmt;

use serde_json::{Map, Value};

use crate::policy::condition::operator::{Operand, Operator};
use crate::policy::document::PolicyError;
use crate::policy::key::Key;
use crate::policy::request::Request;

/// One key under one operator. All conditions of a statement must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// As the policy writes it, with set operator and `IfExists`.
    operator_name: Box<str>,
    key_name: Box<str>,
    set: Option<Set>,
    if_exists: bool,
    test: Test,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Values(&'static Operator, Vec<Operand>),
    /// `Null`: whether the key has no value.
    IsAbsent(bool),
}

/// What makes a condition of a key with any number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// Every value that the request has; true where it has none.
    All,
    /// At least one value that the request has.
    Any,
}

impl Condition {
    /// Parses a `Condition` element. What the sandbox doesn't know refuses the policy, by its name.
    pub(super) fn parse_all(element: Map<String, Value>) -> Result<Vec<Self>, PolicyError> {
        let mut conditions = Vec::new();
        for (operator, keys) in element {
            let Value::Object(keys) = keys else {
                return Err(PolicyError::Condition(operator.into()));
            };
            for (key, values) in keys {
                conditions.push(Self::parse(&operator, &key, values)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator_name: &str, key_name: &str, values: Value) -> Result<Self, PolicyError> {
        let key = Key::named(key_name).ok_or_else(|| PolicyError::ConditionKey(key_name.into()))?;
        let (set, bare) = Set::split(operator_name);
        let (if_exists, bare) = bare
            .strip_suffix("IfExists")
            .map_or((false, bare), |operator| (true, operator));
        let values = match values {
            Value::Array(values) => values,
            one => vec![one],
        };
        let wrong = |value: &Value| PolicyError::ConditionValue {
            operator: operator_name.into(),
            key: key_name.into(),
            value: value.to_string().into(),
        };
        let test = if bare == "Null" && set.is_none() && !if_exists {
            let [value] = values.as_slice() else {
                return Err(wrong(&Value::Array(values)));
            };
            Test::IsAbsent(operator::boolean(value).ok_or_else(|| wrong(value))?)
        } else {
            let operator = Operator::named(bare)
                .ok_or_else(|| PolicyError::Condition(operator_name.into()))?;
            let operands = values
                .iter()
                .map(|value| operator.operand(value, key)?.ok_or_else(|| wrong(value)));
            Test::Values(operator, operands.collect::<Result<_, PolicyError>>()?)
        };
        Ok(Self {
            operator_name: operator_name.into(),
            key_name: key_name.into(),
            set,
            if_exists,
            test,
            key,
        })
    }

    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        let values = request.values(self.key);
        let (operator, operands) = match &self.test {
            Test::IsAbsent(wanted) => return values.is_empty() == *wanted,
            Test::Values(operator, operands) => (operator, operands),
        };
        let mut met = values
            .iter()
            .map(|value| operator.is_met(value, operands, request));
        match self.set {
            Some(Set::All) => met.all(|met| met),
            Some(Set::Any) => met.any(|met| met) || (values.is_empty() && self.if_exists),
            // A negated operator is met by what isn't there.
            None if values.is_empty() => self.if_exists || operator.is_negated(),
            None => met.any(|met| met),
        }
    }

    /// Why it doesn't hold.
    pub(super) fn complaint(&self, request: &Request<'_>) -> String {
        let values = request.values(self.key);
        let found = if values.is_empty() {
            "it has no value here".into()
        } else {
            values.join(", ")
        };
        format!("{self} isn't met: {found}")
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the condition {} on {}",
            self.operator_name, self.key_name
        )
    }
}

impl Set {
    fn split(operator: &str) -> (Option<Self>, &str) {
        match operator.split_once(':') {
            Some(("ForAllValues", bare)) => (Some(Self::All), bare),
            Some(("ForAnyValue", bare)) => (Some(Self::Any), bare),
            _ => (None, operator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    use crate::policy::request::{Action, ConnectAttributes, Subject};
    use serde_json::json;

    fn subject(attributes: &[&str]) -> Subject {
        let connect = ConnectAttributes {
            persistent: attributes.contains(&"PersistentConnect"),
            last_will: attributes.contains(&"LastWill"),
        };
        Subject {
            source_ip: Some([10, 1, 2, 3].into()),
            connect,
            ..Subject::new("lamp-7")
        }
    }

    fn parse(condition: Value) -> Result<Vec<Condition>, PolicyError> {
        let Value::Object(element) = condition else {
            panic!("an object")
        };
        Condition::parse_all(element)
    }

    fn holds_for(condition: Value, attributes: &[&str]) -> bool {
        let subject = subject(attributes);
        let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let request = Request {
            time,
            ..Request::new(Action::Connect, "lamp-7", &subject)
        };
        parse(condition)
            .unwrap()
            .iter()
            .all(|condition| condition.holds(&request))
    }

    fn holds(condition: Value) -> bool {
        holds_for(condition, &[])
    }

    #[test]
    fn set_operators_on_connect_attributes_are_those_of_iam() {
        let (none, session, will) = (&[][..], &["PersistentConnect"][..], &["LastWill"][..]);
        let both = &["PersistentConnect", "LastWill"][..];
        let session_only = || json!({"iot:ConnectAttributes": ["PersistentConnect"]});
        for (operator, expected) in [
            ("ForAllValues:StringEquals", [true, true, false, false]),
            ("ForAllValues:StringNotEquals", [true, false, true, false]),
            ("ForAnyValue:StringEquals", [false, true, false, true]),
            ("ForAnyValue:StringNotEquals", [false, false, true, true]),
        ] {
            let found = [none, session, will, both]
                .map(|attributes| holds_for(json!({operator: session_only()}), attributes));
            assert_eq!(found, expected, "{operator}");
        }
        let nothing = json!({"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}});
        assert!(holds_for(nothing.clone(), none) && !holds_for(nothing, will));
    }

    #[test]
    fn each_operator_compares_as_its_name_says() {
        for (operator, key, value, expected) in [
            ("StringEquals", "iot:ClientId", json!("lamp-7"), true),
            ("StringEquals", "iot:ClientId", json!("lamp-*"), false),
            (
                "StringEquals",
                "iot:ClientId",
                json!(["x", "${iot:ClientId}"]),
                true,
            ),
            (
                "StringNotEquals",
                "iot:ClientId",
                json!(["x", "lamp-7"]),
                false,
            ),
            (
                "StringEqualsIgnoreCase",
                "iot:ClientId",
                json!("LAMP-7"),
                true,
            ),
            (
                "StringNotEqualsIgnoreCase",
                "iot:ClientId",
                json!("LAMP-7"),
                false,
            ),
            ("StringLike", "iot:clientid", json!("lamp-?"), true),
            ("StringNotLike", "iot:ClientId", json!("lamp-*"), false),
            (
                "Bool",
                "iot:Connection.Thing.IsAttached",
                json!("true"),
                false,
            ),
            ("Bool", "aws:SecureTransport", json!(true), true),
            (
                "IpAddress",
                "aws:SourceIp",
                json!(["192.0.2.1", "10.1.0.0/16"]),
                true,
            ),
            ("NotIpAddress", "aws:SourceIp", json!("10.1.2.3"), false),
            ("NotIpAddress", "aws:SourceIp", json!("::/0"), true),
            (
                "NumericLessThan",
                "aws:EpochTime",
                json!(1_800_000_001),
                true,
            ),
            (
                "NumericGreaterThanEquals",
                "aws:EpochTime",
                json!("1800000000"),
                true,
            ),
            (
                "NumericNotEquals",
                "aws:EpochTime",
                json!(1_800_000_000),
                false,
            ),
            (
                "DateLessThan",
                "aws:CurrentTime",
                json!("2027-01-15T08:00:01Z"),
                true,
            ),
            (
                "DateGreaterThan",
                "aws:CurrentTime",
                json!("2027-01-15T08:00:00Z"),
                false,
            ),
            (
                "DateLessThanEquals",
                "aws:EpochTime",
                json!("1800000000"),
                true,
            ),
            ("Null", "iot:DomainName", json!("true"), true),
            ("Null", "iot:ClientId", json!(true), false),
        ] {
            assert_eq!(
                holds(json!({operator: {key: value.clone()}})),
                expected,
                "{operator} {key} {value}"
            );
        }
    }

    #[test]
    fn what_has_no_value_meets_only_negated_operators_and_if_exists() {
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringEqualsIfExists", true),
            ("StringNotEquals", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringLike", false),
            ("ForAnyValue:StringNotEquals", false),
        ] {
            let condition = json!({operator: {"iot:Connection.Thing.ThingName": "lamp"}});
            assert_eq!(holds(condition), expected, "{operator}");
        }
    }

    #[test]
    fn all_operators_and_keys_must_hold() {
        let both = |client_id| json!({"StringEquals": {"iot:ClientId": client_id}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
        assert!(holds(both("lamp-7")) && !holds(both("other")));
    }

    #[test]
    fn what_is_not_known_refuses_by_name() {
        for (condition, text) in [
            (
                json!({"StringMatches": {"iot:ClientId": "x"}}),
                "the condition operator \"StringMatches\" isn't supported by this sandbox",
            ),
            (
                json!({"ForSomeValues:StringEquals": {"iot:ClientId": "x"}}),
                "the condition operator \"ForSomeValues:StringEquals\" isn't supported by this sandbox",
            ),
            (
                json!({"StringEquals": {"aws:PrincipalTag/team": "x"}}),
                "the condition key \"aws:PrincipalTag/team\" isn't supported by this sandbox",
            ),
            (
                json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
                "the condition IpAddress on aws:SourceIp can't be compared with \"10.0.0.0/33\"",
            ),
            (
                json!({"Bool": {"aws:SecureTransport": "maybe"}}),
                "the condition Bool on aws:SecureTransport can't be compared with \"maybe\"",
            ),
        ] {
            assert_eq!(parse(condition).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_complaint_names_the_condition_and_what_it_found() {
        let found = parse(json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})).unwrap();
        let subject = subject(&[]);
        let complaint = found[0].complaint(&Request::new(Action::Connect, "x", &subject));
        assert_eq!(
            complaint,
            "the condition IpAddress on aws:SourceIp isn't met: 10.1.2.3"
        );
    }
}
