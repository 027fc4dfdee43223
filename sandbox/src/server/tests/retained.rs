//! Retained messages.

use dunlin_codec::{Publish, QoS, ReasonCode};

use crate::server::limits::MAX_RETAINED;
use crate::server::tests::harness::{Harness, puback_codes, publish, subscribe, subscription};
use crate::server::{Connection, Settings};

#[test]
fn retained_messages_are_bounded() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    // One more than fits in, each on a topic of its own.
    for number in 0..=MAX_RETAINED {
        let topic = number.to_string();
        let message = Publish {
            retain: true,
            ..publish(&topic, QoS::AtLeastOnce)
        };
        harness.receives(&mut connection, message);
    }
    let codes = puback_codes(&harness.sends(&mut connection));
    assert_eq!(
        codes.iter().filter(|code| !code.is_error()).count(),
        MAX_RETAINED
    );
    assert_eq!(codes.last(), Some(&ReasonCode::QuotaExceeded));
}

/// The log says why a client that subscribes with a wildcard gets no retained messages.
#[test]
fn retained_messages_that_aws_iot_does_not_send_to_a_wildcard_are_logged() {
    let mut harness = Harness::with(Settings::default());
    let mut connection = harness.connected("c");
    // Two of the three match the filter below.
    for topic in ["a/1", "a/2", "b"] {
        let message = Publish {
            retain: true,
            ..publish(topic, QoS::AtLeastOnce)
        };
        harness.receives(&mut connection, message);
    }
    connection.output.events.clear();
    harness.receives(&mut connection, subscribe(&[subscription("a/+")]));
    let told = |connection: &Connection| -> Vec<String> {
        let events = connection.output.events.iter().map(ToString::to_string);
        events.filter(|line| line.contains("retained")).collect()
    };
    let lines = told(&connection);
    let expected =
        "2 retained messages match a/+: AWS IoT Core sends none to a filter with wildcards";
    assert!(lines.len() == 1 && lines[0].contains(expected), "{lines:?}");

    // Nothing is withheld from the exact topic, and nothing matches these.
    connection.output.events.clear();
    let others = [
        subscription("b"),
        subscription("c/#"),
        subscription("$share/g/a/+"),
    ];
    harness.receives(&mut connection, subscribe(&others));
    assert_eq!(told(&connection), [""; 0]);
}
