//! Tests of conditions: operators, keys and what has no value.

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
    let conditions = Condition::parse_all(&element, &JsonPlace::default(), &mut errors);
    errors.into_iter().next().map_or(Ok(conditions), Err)
}

fn holds_for(condition: Value, attributes: &[&str]) -> bool {
    let subject = subject(attributes);
    // 1,800,000,000 s is 2027-01-15T08:00:00Z: the dates below are around it.
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
    // Results for a CONNECT with no attribute, with a session, with a will, and with both.
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
    // ForAllValues holds for a request without values, and for no other if the policy's list is
    // empty.
    let nothing = json!({"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}});
    assert!(holds_for(nothing.clone(), none) && !holds_for(nothing, will));
}

#[test]
fn each_operator_compares_as_its_name_says() {
    for (operator, key, value, expected) in [
        // Text: exact, with variables, in any case, and with wildcards.
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
        // A JSON boolean and its text are the same.
        ("Bool", "aws:SecureTransport", json!(true), true),
        (
            "IpAddress",
            "aws:SourceIp",
            json!(["192.0.2.1", "10.1.0.0/16"]),
            true,
        ),
        ("NotIpAddress", "aws:SourceIp", json!("10.1.2.3"), false),
        // An IPv4 address isn't in any range of IPv6.
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
        // Null: true if the key has no value.
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
fn a_key_without_a_value_meets_only_negated_operators_and_if_exists() {
    // ThingName never has a value behind a custom authorizer.
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
fn an_unknown_operator_or_key_is_refused_by_name() {
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
