//! Messages of a resumed session for which there is no stream yet: kept unacknowledged, then
//! refused (§4.6, §3.4.2.1).

use std::time::Duration;

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::engine::{DeliveryId, EngineEvent};
use dunlin_client::{CleanStart, ConnectOptions};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, connack, connack_resumed, exactly_once, puback, publish, pubrec, with_dup,
};

fn resuming() -> ConnectOptions {
    let mut options = options();
    options.clean_start = CleanStart::Never;
    options.receive_maximum = 10.try_into().ok();
    options
}

fn resumed() -> Client {
    Client::connected_as(resuming(), &connack_resumed())
}

/// Receives the message with this packet identifier at QoS 1.
fn receives(client: &mut Client, packet_id: u16) -> DeliveryId {
    client.receives(&publish("a", at_least_once(packet_id)));
    client.messages().pop().unwrap().1.unwrap()
}

fn refused(client: &mut Client) -> Vec<DeliveryId> {
    let refused = |event| match event {
        EngineEvent::UnmatchedRefused(id) => Some(id),
        _ => None,
    };
    client.events().into_iter().filter_map(refused).collect()
}

fn refusal(packet_id: u16) -> dunlin_client::codec::PacketBuf {
    ack(AckType::PubAck, packet_id, ReasonCode::UnspecifiedError)
}

#[test]
fn an_unmatched_message_stays_unacknowledged_until_a_stream_consumes_it() {
    let mut client = resumed();
    let id = receives(&mut client, 1);
    assert!(client.engine.received().keep_unmatched(id));
    client.advance(Duration::from_secs(29));
    assert_eq!(client.sends(), []);
    assert!(client.engine.received().match_unmatched(id));
    client.advance(Duration::from_secs(3600));
    assert_eq!(client.sends(), []);
    client.consumes(id);
    assert_eq!(client.sends(), [puback(1)]);
}

#[test]
fn an_unmatched_message_is_refused_after_its_wait() {
    let mut client = resumed();
    let (first, behind) = (receives(&mut client, 1), receives(&mut client, 2));
    assert!(client.engine.received().keep_unmatched(first));
    client.advance(Duration::from_secs(10));
    client.receives(&publish("a", exactly_once(3)));
    let last = client.messages().pop().unwrap().1.unwrap();
    assert!(client.engine.received().keep_unmatched(last));
    client.consumes(behind);
    client.advance(Duration::from_secs(19));
    assert_eq!(client.sends(), []);
    client.advance(Duration::from_secs(1));
    // All of them have waited since the session was resumed.
    assert_eq!(
        client.sends(),
        [
            refusal(1),
            puback(2),
            ack(AckType::PubRec, 3, ReasonCode::UnspecifiedError)
        ]
    );
    assert_eq!(refused(&mut client), [first, last]);
    assert!(!client.engine.received().match_unmatched(first), "too late");
}

/// A subscription that the program no longer has brings one full Receive Maximum after another.
#[test]
fn forgotten_subscriptions_hold_up_other_streams_for_one_wait_in_all() {
    let mut client = resumed();
    let mut acknowledged = Vec::new();
    let begin = client.now();
    for window in 0..10 {
        let ids: Vec<_> = (1..=9)
            .map(|packet_id| receives(&mut client, packet_id))
            .collect();
        let live = receives(&mut client, 10);
        assert!(
            ids.iter()
                .all(|id| client.engine.received().keep_unmatched(*id))
        );
        client.consumes(live);
        if window == 0 {
            client.advance(Duration::from_secs(29));
            assert_eq!(client.sends(), []);
            client.advance(Duration::from_secs(1));
        }
        acknowledged.extend(client.sends());
        assert_eq!(refused(&mut client), ids);
    }
    let window: Vec<_> = (1..=9).map(refusal).chain([puback(10)]).collect();
    assert_eq!(acknowledged, vec![window; 10].concat());
    assert_eq!(
        client.now() - begin,
        Duration::from_secs(30),
        "none of them waits once the time is over"
    );
}

/// A refused stream gives it back under the number that it has.
#[test]
fn a_message_that_waits_again_has_no_more_time() {
    let mut client = resumed();
    let (first, second) = (receives(&mut client, 1), receives(&mut client, 2));
    assert!(
        client.engine.received().keep_unmatched(first)
            && client.engine.received().keep_unmatched(second)
    );
    client.advance(Duration::from_secs(20));
    assert!(client.engine.received().match_unmatched(first));
    assert!(client.engine.received().keep_unmatched(first));
    client.advance(Duration::from_secs(10));
    assert_eq!(refused(&mut client), [first, second]);
    assert_eq!(client.sends(), [refusal(1), refusal(2)]);
}

#[test]
fn an_unmatched_message_is_refused_when_half_of_the_receive_maximum_waits_behind_it() {
    let mut client = resumed();
    let first = receives(&mut client, 1);
    assert!(client.engine.received().keep_unmatched(first));
    for packet_id in 2..=5 {
        let id = receives(&mut client, packet_id);
        client.consumes(id);
    }
    assert_eq!(client.sends(), []);
    let fifth = receives(&mut client, 6);
    assert_eq!(client.sends(), [], "one that isn't taken holds nothing up");
    client.consumes(fifth);
    assert_eq!(
        client.sends(),
        [
            refusal(1),
            puback(2),
            puback(3),
            puback(4),
            puback(5),
            puback(6)
        ]
    );
    assert_eq!(refused(&mut client), [first]);
}

/// Answers that the application gave during an outage wait behind it; the older unmatched message
/// has none behind it, and its stream may still be opened.
#[test]
fn only_the_unmatched_message_that_holds_up_others_is_refused_before_the_wait_is_over() {
    let mut client = resumed();
    let abandoned = receives(&mut client, 1);
    let ids: Vec<_> = (2..=6)
        .map(|packet_id| receives(&mut client, packet_id))
        .collect();
    let older = receives(&mut client, 7);
    assert!(client.engine.received().keep_unmatched(older));
    client.engine.received().abandon(abandoned);
    client.loses_connection();
    ids.iter().for_each(|id| client.consumes(*id));
    client.opens();
    client.sends();
    client.receives(&connack_resumed());

    // The abandoned message is delivered under a new number, which is higher than `older`.
    client.receives(&publish("a", with_dup(at_least_once(1))));
    let first = client.messages().pop().unwrap().1.unwrap();
    assert!(client.engine.received().keep_unmatched(first));
    for packet_id in 2..=7 {
        client.receives(&publish("a", with_dup(at_least_once(packet_id))));
    }
    assert_eq!(
        client.sends(),
        [
            refusal(1),
            puback(2),
            puback(3),
            puback(4),
            puback(5),
            puback(6)
        ]
    );
    assert_eq!(refused(&mut client), [first]);
    assert!(client.engine.received().match_unmatched(older));
    client.consumes(older);
    assert_eq!(client.sends(), [puback(7)]);
}

/// All of them may be for the stream that the application opens next.
#[test]
fn a_window_full_of_unmatched_messages_waits() {
    let mut client = resumed();
    let ids: Vec<_> = (1..=10)
        .map(|packet_id| receives(&mut client, packet_id))
        .collect();
    assert!(
        ids.iter()
            .all(|id| client.engine.received().keep_unmatched(*id))
    );
    client.advance(Duration::from_secs(29));
    assert_eq!(client.sends(), []);
    ids.iter().for_each(|id| client.consumes(*id));
    assert_eq!(client.sends(), (1..=10).map(puback).collect::<Vec<_>>());
    client.advance(Duration::from_secs(60));
    assert_eq!(refused(&mut client), []);
}

#[test]
fn an_unmatched_message_waits_through_an_outage_and_its_repetition_is_not_delivered_again() {
    let mut client = resumed();
    let id = receives(&mut client, 1);
    assert!(client.engine.received().keep_unmatched(id));
    client.advance(Duration::from_secs(10));
    client.reconnects(&connack_resumed());
    client.receives(&publish("a", with_dup(at_least_once(1))));
    assert_eq!(client.messages().len(), 0);
    client.advance(Duration::from_secs(19));
    assert_eq!(client.sends(), []);
    client.advance(Duration::from_secs(1));
    assert_eq!(client.sends(), [refusal(1)]);
}

#[test]
fn a_message_that_is_refused_during_an_outage_is_refused_when_the_server_repeats_it() {
    let mut client = resumed();
    let id = receives(&mut client, 1);
    assert!(client.engine.received().keep_unmatched(id));
    client.loses_connection();
    client.advance(Duration::from_secs(31));
    assert_eq!(refused(&mut client), [id]);
    client.opens();
    client.sends();
    client.receives_all(&[connack_resumed(), publish("a", with_dup(at_least_once(1)))]);
    assert_eq!(client.sends(), [refusal(1)]);
}

#[test]
fn unmatched_messages_of_a_new_session_do_not_wait() {
    let mut client = Client::connected_as(resuming(), &connack());
    let id = receives(&mut client, 1);
    assert!(!client.engine.may_receive_unmatched());
    assert!(!client.engine.received().keep_unmatched(id));
    client.reconnects(&connack_resumed());
    client.receives(&publish("a", exactly_once(2)));
    let id = client.messages().pop().unwrap().1.unwrap();
    assert!(
        !client.engine.received().keep_unmatched(id),
        "all its subscriptions are this client's"
    );
    client.consumes(id);
    assert_eq!(client.sends(), [pubrec(2)]);
}

#[test]
fn unmatched_messages_do_not_wait_if_the_wait_is_zero() {
    let mut options = resuming();
    options.unmatched_wait = Duration::ZERO;
    let mut client = Client::connected_as(options, &connack_resumed());
    let id = receives(&mut client, 1);
    assert!(!client.engine.received().keep_unmatched(id));
}
