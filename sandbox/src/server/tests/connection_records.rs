//! Records of connections for the connection API.

use core::time::Duration;

use dunlin_codec::ReasonCode;

use crate::server::tests::harness::{Harness, connect};
use crate::server::{ClientRecord, ConnectionStatus};

fn reason(record: Option<ClientRecord>) -> Option<&'static str> {
    match record?.status {
        ConnectionStatus::Connected => Some("connected"),
        ConnectionStatus::Disconnected { reason, .. } => Some(reason),
    }
}

#[test]
fn the_end_of_a_connection_is_told_for_30_minutes() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    connection.handle_lost(&mut harness.hub, harness.now);
    harness.now += Duration::from_secs(30 * 60 - 1);
    let told = harness.hub.client("c", harness.now.instant);
    assert_eq!(reason(told), Some("CONNECTION_LOST"));
    harness.now += Duration::from_secs(1);
    let told = harness.hub.client("c", harness.now.instant);
    assert_eq!(reason(told), None);
}

#[test]
fn a_client_that_is_back_is_connected_and_stays_so_when_its_old_end_is_forgotten() {
    let mut harness = Harness::new();
    let mut first = harness.connected("c");
    first.handle_lost(&mut harness.hub, harness.now);
    let _second = harness.connected("c");
    harness.now += Duration::from_secs(31 * 60);
    let told = harness.hub.client("c", harness.now.instant);
    assert_eq!(reason(told), Some("connected"));
}

#[test]
fn the_connection_that_was_taken_over_changes_no_record_of_the_new_one() {
    let mut harness = Harness::new();
    let mut first = harness.connected("c");
    let (_second, _) = harness.connects(connect("c"));
    // The first connection learns of it when it is woken.
    first.poll_deliveries(&mut harness.hub, harness.now);
    assert!(first.output.close.is_some());
    let told = harness.hub.client("c", harness.now.instant);
    assert_eq!(reason(told), Some("connected"));
}

#[test]
fn at_most_4096_ends_are_told_and_the_oldest_is_forgotten_first() {
    let mut harness = Harness::new();
    for number in 0..=4096 {
        let mut connection = harness.connected(&format!("c{number}"));
        connection.handle_lost(&mut harness.hub, harness.now);
    }
    let mut told = |client_id: &str| harness.hub.client(client_id, harness.now.instant);
    assert_eq!(reason(told("c0")), None);
    assert_eq!(reason(told("c1")), Some("CONNECTION_LOST"));
}

#[test]
fn a_client_that_is_disconnected_on_request_gets_0x98_even_while_it_does_not_read() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    let (hub, now) = (&mut harness.hub, harness.now);
    assert!(hub.disconnect_client("c", false, false, now));
    // It is told as disconnected before its connection has noticed.
    assert_eq!(
        reason(hub.client("c", now.instant)),
        Some("API_INITIATED_DISCONNECT")
    );
    connection.poll_deliveries(hub, now);
    let sent = harness.sends(&mut connection);
    let dunlin_codec::Packet::Disconnect(disconnect) = sent[0].packet() else {
        panic!("a DISCONNECT, not {sent:?}")
    };
    assert_eq!(disconnect.reason_code, ReasonCode::AdministrativeAction);
}
