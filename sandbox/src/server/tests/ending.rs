//! The end of sessions with many subscriptions: a portion at a time, and complete in the end.

use dunlin_codec::{PacketId, QoS, ReasonCode, Repeated, Subscription, TopicFilter, Unsubscribe};

use crate::server::limits::WORK_PER_TURN;
use crate::server::tests::harness::{Harness, messages, publish, subscribe, subscription};

/// Number of filters that one session and one request may have.
const FILTERS: usize = 1000;

fn filters() -> Vec<String> {
    (0..FILTERS).map(|number| format!("f/{number}")).collect()
}

fn subscriptions(filters: &[String]) -> Vec<Subscription<'_>> {
    filters.iter().map(|filter| subscription(filter)).collect()
}

/// Runs the turns of the hub that are due now; returns the number of them.
fn turns(harness: &mut Harness) -> usize {
    let mut turns = 0;
    while harness
        .hub
        .poll_timeout()
        .is_some_and(|at| at <= harness.now.instant)
    {
        let _ = harness.hub.handle_timeout(harness.now.instant);
        turns += 1;
    }
    turns
}

#[test]
fn the_filters_of_a_client_that_leaves_are_removed_in_portions() {
    let mut harness = Harness::new();
    let filters = filters();
    let mut publisher = harness.connected("p");
    let mut leaving = harness.connected("a");
    harness.receives(&mut leaving, subscribe(&subscriptions(&filters)));
    harness.sends(&mut leaving);
    leaving.handle_lost(&mut harness.hub, harness.now);

    // The same client is back at once, with one of the filters.
    let mut back = harness.connected("a");
    harness.receives(&mut back, subscribe(&[subscription("f/7")]));
    harness.sends(&mut back);
    for _ in 0..2 {
        for topic in ["f/7", "f/8"] {
            harness.receives(&mut publisher, publish(topic, QoS::AtLeastOnce));
        }
        assert_eq!(messages(&harness.sends(&mut back)), 1);
        turns(&mut harness);
    }

    // Without the new session the filters would be gone after as many turns.
    back.handle_lost(&mut harness.hub, harness.now);
    assert_eq!(turns(&mut harness), 1);
    let mut again = harness.connected("b");
    harness.receives(&mut again, subscribe(&subscriptions(&filters)));
    harness.sends(&mut again);
    again.handle_lost(&mut harness.hub, harness.now);
    assert!(turns(&mut harness) >= FILTERS.div_ceil(WORK_PER_TURN));
}

#[test]
fn a_client_that_left_a_share_gets_none_of_its_messages() {
    let mut harness = Harness::new();
    let share = [subscription("$share/g/t")];
    let mut publisher = harness.connected("p");
    let mut leaving = harness.connected("a");
    let mut member = harness.connected("b");
    for client in [&mut leaving, &mut member] {
        harness.receives(client, subscribe(&share));
        harness.sends(client);
    }
    leaving.handle_lost(&mut harness.hub, harness.now);

    // The client is back before its filters are removed, and hasn't subscribed again.
    let mut back = harness.connected("a");
    for _ in 0..4 {
        harness.receives(&mut publisher, publish("t", QoS::AtLeastOnce));
    }
    assert_eq!(messages(&harness.sends(&mut member)), 4);
    assert_eq!(messages(&harness.sends(&mut back)), 0);
}

#[test]
fn an_unsubscribe_with_too_many_filters_ends_the_connection() {
    let mut harness = Harness::new();
    for (count, code) in [
        (FILTERS, None),
        (FILTERS + 1, Some(ReasonCode::QuotaExceeded)),
    ] {
        let mut client = harness.connected("a");
        let filters = vec![TopicFilter::new("t").unwrap(); count];
        let unsubscribe = Unsubscribe {
            packet_id: PacketId::new(1).unwrap(),
            properties: Default::default(),
            filters: Repeated::from(filters.as_slice()),
        };
        harness.receives(&mut client, unsubscribe);
        assert_eq!(harness.sends_disconnect(&mut client), code, "{count}");
    }
}
