//! Grants of the authorizers: how long they last, and how they are renewed.

use std::time::Duration;

use dunlin_codec::{Packet, QoS, ReasonCode};

use crate::authorizer::{Grant, QueueError, Refusal};
use crate::server::tests::harness::{CONNECT_ONLY, Harness, connect, grant, puback_codes, publish};

#[test]
fn credentials_are_given_out_once() {
    let mut harness = Harness::new();
    let mut connection = harness.accepted();
    harness.receives(&mut connection, connect("c"));
    // No packet is handled before the authorizers have answered.
    assert!(!connection.wants_input());
    assert_eq!(
        connection
            .poll_authorization()
            .and_then(|credentials| credentials.mqtt?.password)
            .as_deref(),
        Some(&b"secret"[..])
    );
    assert!(connection.poll_authorization().is_none());
}

#[test]
fn the_authorizer_is_asked_again_and_its_new_policy_counts() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    harness.advance(&mut connection, 300);
    assert!(connection.poll_authorization().is_some());
    assert!(connection.poll_authorization().is_none());
    // The new policy allows no publishing, and holds from the next packet on.
    connection.handle_authorization(Ok(grant(CONNECT_ONLY)), &mut harness.hub, harness.now);
    harness.receives(&mut connection, publish("t", QoS::AtLeastOnce));
    assert_eq!(
        puback_codes(&harness.sends(&mut connection)),
        [ReasonCode::NotAuthorized]
    );
    harness.advance(&mut connection, 300);
    assert!(connection.poll_authorization().is_some());
    // The second refresh is denied, which ends the connection.
    let refusal = Refusal::NotAuthenticated("A".into());
    connection.handle_authorization(Err(refusal), &mut harness.hub, harness.now);
    assert_eq!(
        harness.sends_disconnect(&mut connection),
        Some(ReasonCode::NotAuthorized)
    );
}

/// Conditions on the time are about the time of each request.
#[test]
fn a_policy_that_ends_denies_from_then_on() {
    const UNTIL_NOON: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*",
        "Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"1970-01-01T12:00:00Z"}}}}"#;
    let mut harness = Harness::new();
    let mut connection = harness.accepted();
    harness.receives(&mut connection, connect("c"));
    // No refresh, and a connection of a day: only the condition on the time changes anything.
    let never = Grant {
        refresh_after: None,
        disconnect_after: Duration::from_secs(86_400),
        ..grant(UNTIL_NOON)
    };
    connection.handle_authorization(Ok(never), &mut harness.hub, harness.now);
    harness.sends(&mut connection);
    // 11:00 is before noon, 12:00 isn't.
    for (hours, expected) in [(11, ReasonCode::Success), (1, ReasonCode::NotAuthorized)] {
        harness.now += Duration::from_secs(hours * 3600);
        harness.receives(&mut connection, publish("t", QoS::AtLeastOnce));
        assert_eq!(puback_codes(&harness.sends(&mut connection)), [expected]);
    }
}

#[test]
fn a_refresh_that_is_not_named_is_not_asked_for() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    harness.advance(&mut connection, 300);
    assert!(connection.poll_authorization().is_some());
    let never = Grant {
        refresh_after: None,
        ..grant(CONNECT_ONLY)
    };
    connection.handle_authorization(Ok(never), &mut harness.hub, harness.now);
    harness.receives(&mut connection, Packet::PingReq);
    harness.advance(&mut connection, 600);
    assert!(connection.poll_authorization().is_none());
}

#[test]
fn a_lambda_that_was_not_called_denies_nobody() {
    let mut harness = Harness::new();
    let refusal = || Refusal::Lambda {
        authorizer: "A".into(),
        error: QueueError::Full.into(),
    };
    let mut waiting = harness.accepted();
    harness.receives(&mut waiting, connect("w"));
    // A full queue is no decision: 0x97 (Quota exceeded) in place of 0x87 (Not authorized).
    waiting.handle_authorization(Err(refusal()), &mut harness.hub, harness.now);
    let sent = harness.sends(&mut waiting);
    let Packet::ConnAck(connack) = sent[0].packet() else {
        panic!("a CONNACK")
    };
    let connack = connack.read();
    assert_eq!(connack.reason_code, ReasonCode::QuotaExceeded);
    let mut connected = harness.connected("c");
    harness.advance(&mut connected, 300);
    connected.handle_authorization(Err(refusal()), &mut harness.hub, harness.now);
    assert_eq!(
        harness.sends_disconnect(&mut connected),
        Some(ReasonCode::QuotaExceeded)
    );
}

#[test]
fn a_connection_lasts_as_long_as_its_grant() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    // The grant lasts 1,000 s.
    harness.advance(&mut connection, 600);
    harness.receives(&mut connection, Packet::PingReq);
    harness.advance(&mut connection, 399);
    assert!(connection.output.close.is_none());
    harness.advance(&mut connection, 1);
    assert_eq!(
        harness.sends_disconnect(&mut connection),
        Some(ReasonCode::AdministrativeAction)
    );
}
