//! `Condition` of a statement: the operators of IAM that AWS IoT policies use, and the keys that
//! they compare.

mod operator;

use core::fmt;

use serde_json::{Map, Value};

use crate::policy::condition::operator::{Operand, Operator};
use crate::policy::error::{Place, PolicyError, PolicyErrorKind, type_name};
use crate::policy::key::Key;
use crate::policy::request::Request;
use crate::policy::resource::ArnScope;

/// One key under one operator. All conditions of a statement must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// Operator as the policy writes it, with set operator and `IfExists`.
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
    /// `Null`: `true` if the key must have no value.
    IsAbsent(bool),
}

/// Set operator: the way to compare a key with any number of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// Every value of the request must meet the condition; true if there is none.
    All,
    /// At least one value of the request must meet the condition.
    Any,
}

impl Condition {
    /// Parses a `Condition` element. Every operator, key and value that the sandbox doesn't know is
    /// an error with its own place.
    pub(super) fn parse_all(
        operators: &Map<String, Value>,
        place: &Place,
        errors: &mut Vec<PolicyError>,
    ) -> Vec<Self> {
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            // An unknown operator is told once, and not for each of its keys.
            let place = place.member(operator);
            let Value::Object(keys) = keys else {
                errors.push(place.error(PolicyErrorKind::Type {
                    element: format!("{operator:?}").into(),
                    expected: "an object",
                    found: type_name(keys),
                }));
                continue;
            };
            if !is_known(operator) {
                let kind = PolicyErrorKind::Condition(operator.as_str().into());
                errors.push(place.error(kind));
                continue;
            }
            for (key, values) in keys {
                match Self::parse(operator, key, values) {
                    Ok(condition) => conditions.push(condition),
                    Err(kind) => errors.push(place.member(key).error(kind)),
                }
            }
        }
        conditions
    }

    fn parse(operator_name: &str, key_name: &str, values: &Value) -> Result<Self, PolicyErrorKind> {
        // A key that isn't known can't be compared with anything.
        let key =
            Key::named(key_name).ok_or_else(|| PolicyErrorKind::ConditionKey(key_name.into()))?;
        let (set, if_exists, bare) = split(operator_name);
        let wrong = |value: &Value| PolicyErrorKind::ConditionValue {
            operator: operator_name.into(),
            key: key_name.into(),
            value: value.to_string().into(),
        };

        // One value may stand without a list.
        let values = match values {
            Value::Array(values) => values.as_slice(),
            one => core::slice::from_ref(one),
        };

        let test = if is_null(operator_name) {
            let [value] = values else {
                return Err(wrong(&Value::Array(values.to_vec())));
            };
            Test::IsAbsent(operator::boolean(value).ok_or_else(|| wrong(value))?)
        } else {
            // Every value must be one that the operator can compare with.
            let operator = Operator::named(bare)
                .ok_or_else(|| PolicyErrorKind::Condition(operator_name.into()))?;
            let operands = values
                .iter()
                .map(|value| operator.operand(value, key)?.ok_or_else(|| wrong(value)));
            Test::Values(operator, operands.collect::<Result<_, PolicyErrorKind>>()?)
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

    /// Compares the values of the request; with a `scope`, region and account of ARNs count as well.
    pub(super) fn holds(&self, request: &Request<'_>, scope: Option<&ArnScope>) -> bool {
        let values = request.values(self.key);
        let (operator, operands) = match &self.test {
            Test::IsAbsent(wanted) => return values.is_empty() == *wanted,
            Test::Values(operator, operands) => (operator, operands),
        };

        // Each value of the request against all values of the policy.
        let mut met = values
            .iter()
            .map(|value| operator.is_met(value, operands, request, scope));
        match self.set {
            Some(Set::All) => met.all(|met| met),
            Some(Set::Any) => met.any(|met| met) || (values.is_empty() && self.if_exists),
            // A negated operator is met by what isn't there.
            None if values.is_empty() => self.if_exists || operator.is_negated(),
            None => met.any(|met| met),
        }
    }

    /// `true` if the request has no value for the key, or for a variable that it is compared with.
    pub(super) fn lacks_a_value(&self, request: &Request<'_>) -> bool {
        request.values(self.key).is_empty() || self.operand_lacks_a_value(request)
    }

    fn operand_lacks_a_value(&self, request: &Request<'_>) -> bool {
        self.operands()
            .iter()
            .any(|operand| operand.lacks_a_value(request))
    }

    /// Reason why the condition doesn't hold, with the values that were compared.
    pub(super) fn complaint(&self, request: &Request<'_>, scope: Option<&ArnScope>) -> String {
        let values = request.values(self.key);
        let values: Vec<String> = values
            .iter()
            .map(|value| match scope {
                // Region and account may be the reason.
                Some(scope) if self.key == Key::LastWillTopic => operator::in_scope(value, scope),
                _ => value.to_string(),
            })
            .collect();
        let found = if values.is_empty() {
            "it has no value here".into()
        } else {
            values.join(", ")
        };
        if self.operand_lacks_a_value(request) {
            format!("{self} isn't met: {found} (a variable in it has no value here)")
        } else {
            format!("{self} isn't met: {found}")
        }
    }

    /// ARNs that the condition compares with, as the policy writes them.
    pub(super) fn arns(&self) -> impl Iterator<Item = &str> {
        self.operands().iter().filter_map(Operand::arn)
    }

    fn operands(&self) -> &[Operand] {
        match &self.test {
            Test::Values(_, operands) => operands,
            Test::IsAbsent(_) => &[],
        }
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

/// Set operator, `IfExists`, and the operator itself.
fn split(operator: &str) -> (Option<Set>, bool, &str) {
    let (set, bare) = match operator.split_once(':') {
        Some(("ForAllValues", bare)) => (Some(Set::All), bare),
        Some(("ForAnyValue", bare)) => (Some(Set::Any), bare),
        _ => (None, operator),
    };
    match bare.strip_suffix("IfExists") {
        Some(bare) => (set, true, bare),
        None => (set, false, bare),
    }
}

/// `Null` is an operator of its own and takes no set operator.
fn is_null(operator: &str) -> bool {
    operator == "Null"
}

fn is_known(operator: &str) -> bool {
    let (_, _, bare) = split(operator);
    is_null(operator) || Operator::named(bare).is_some()
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
        let mut errors = Vec::new();
        let conditions = Condition::parse_all(&element, &Place::default(), &mut errors);
        errors.into_iter().next().map_or(Ok(conditions), Err)
    }

    fn holds_for(condition: Value, attributes: &[&str]) -> bool {
        let subject = subject(attributes);
        let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let request = Request::new(Action::Connect, "lamp-7", &subject, time);
        parse(condition)
            .unwrap()
            .iter()
            .all(|condition| condition.holds(&request, None))
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
        let complaint = found[0].complaint(
            &Request::new(Action::Connect, "x", &subject, UNIX_EPOCH),
            None,
        );
        assert_eq!(
            complaint,
            "the condition IpAddress on aws:SourceIp isn't met: 10.1.2.3"
        );
    }
}
