//! `Condition` of a statement: the operators of IAM that AWS IoT policies use, and the keys that
//! they compare.

mod operator;
#[cfg(test)]
mod tests;

use core::fmt;

use serde_json::{Map, Value};

use crate::policy::condition::operator::{Operand, Operator};
use crate::policy::error::{JsonPlace, PolicyError, PolicyErrorKind, type_name};
use crate::policy::key::ConditionKey;
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
    key: ConditionKey,
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
        place: &JsonPlace,
        errors: &mut Vec<PolicyError>,
    ) -> Vec<Self> {
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            // An unknown operator is reported once, and not for each of its keys.
            let place = place.member(operator);
            let Value::Object(keys) = keys else {
                errors.push(place.error(PolicyErrorKind::Type {
                    element: format!("{operator:?}").into(),
                    expected: "an object",
                    found: type_name(keys),
                }));
                continue;
            };
            // An unknown operator refuses the document: ignored, it could allow what AWS denies.
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
        let key = ConditionKey::named(key_name)
            .ok_or_else(|| PolicyErrorKind::ConditionKey(key_name.into()))?;
        // `ForAllValues:StringEqualsIfExists` has three parts.
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
            // Null has exactly one boolean and compares no values.
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
                .map(|value| operator.operand(value, &key)?.ok_or_else(|| wrong(value)));
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
        let values = request.values(&self.key);
        let (operator, operands) = match &self.test {
            Test::IsAbsent(wanted) => return values.is_empty() == *wanted,
            Test::Values(operator, operands) => (operator, operands),
        };

        // Each value of the request against all values of the policy.
        let mut met = values
            .iter()
            .map(|value| operator.is_met(value, operands, request, scope));
        match self.set {
            // No value at all meets ForAllValues, and fails ForAnyValue unless IfExists is given.
            Some(Set::All) => met.all(|met| met),
            Some(Set::Any) => met.any(|met| met) || (values.is_empty() && self.if_exists),
            // A negated operator is met by what isn't there.
            None if values.is_empty() => self.if_exists || operator.is_negated(),
            None => met.any(|met| met),
        }
    }

    /// `true` if the request has no value for the key, or for a variable that it is compared with.
    pub(super) fn lacks_a_value(&self, request: &Request<'_>) -> bool {
        request.values(&self.key).is_empty() || self.operand_lacks_a_value(request)
    }

    fn operand_lacks_a_value(&self, request: &Request<'_>) -> bool {
        self.operands()
            .iter()
            .any(|operand| operand.lacks_a_value(request))
    }

    /// Reason why the condition doesn't hold, with the values that were compared.
    pub(super) fn complaint(&self, request: &Request<'_>, scope: Option<&ArnScope>) -> String {
        let values = request.values(&self.key);
        // The values of the request, since the policy's own are in the document.
        let values: Vec<String> = values
            .iter()
            .map(|value| match scope {
                // Region and account may be the reason.
                Some(scope) if self.key == ConditionKey::LastWillTopic => {
                    operator::in_scope(value, scope)
                }
                _ => value.to_string(),
            })
            .collect();
        let found = if values.is_empty() {
            "it has no value here".into()
        } else {
            values.join(", ")
        };
        // The reason may be on the policy's side: a variable of a thing, for example.
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
        // Other prefixes stay part of the name, which is then unknown.
        Some(("ForAllValues", bare)) => (Some(Set::All), bare),
        Some(("ForAnyValue", bare)) => (Some(Set::Any), bare),
        _ => (None, operator),
    };
    match bare.strip_suffix("IfExists") {
        Some(bare) => (set, true, bare),
        None => (set, false, bare),
    }
}

/// `Null` is an operator of its own and has no set operator.
fn is_null(operator: &str) -> bool {
    operator == "Null"
}

fn is_known(operator: &str) -> bool {
    let (_, _, bare) = split(operator);
    is_null(operator) || Operator::named(bare).is_some()
}
