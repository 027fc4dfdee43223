//! Records of a session, and the session that is restored from them: all of it, or an error.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use dunlin_client::codec::ReasonCode;
use dunlin_client::engine::{Accepted, Change, ClockReading, Session, SinceBoot};
use dunlin_client::{Message, Offline, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, exactly_once, puback, pubcomp, publish, pubrec,
    pubrel, suback, unsubscribe, with_dup,
};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The machine has just started.
fn at_boot(now: Instant) -> ClockReading {
    clock(now, 0, Some((1, 0)))
}

/// `date` in seconds since 1970, `boot` in those since the machine's start of that number.
fn clock(now: Instant, date: u64, boot: Option<(u128, u64)>) -> ClockReading {
    let boot = boot.map(|(boot_id, since)| SinceBoot {
        boot_id,
        elapsed: Duration::from_secs(since),
    });
    ClockReading {
        now,
        date: SystemTime::UNIX_EPOCH + Duration::from_secs(date),
        boot,
    }
}

fn persist(client: &mut Client, entries: &mut Entries) {
    persist_at(client, entries, at_boot(client.now()));
}

fn persist_at(client: &mut Client, entries: &mut Entries, clock: ClockReading) {
    for change in client.engine.recorder().take_changes(clock) {
        match change {
            Change::Put { key, value } => drop(entries.insert(key, value)),
            Change::Remove { key } => drop(entries.remove(&key)),
        }
    }
}

/// A session with something of everything.
fn entries() -> Entries {
    let mut client = Client::new(options());
    client.engine.recorder().start();
    client.opens();
    client.sends();
    client.receives(&connack());
    client.subscribes(&["lamp/+"]);
    client.sends();
    client.receives(&suback(1, &[ReasonCode::GrantedQoS2]));
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::ExactlyOnce);
    client.sends();
    client.receives(&pubrec(3));
    client.receives(&publish("lamp/1", exactly_once(9)));
    client.consumes_all();
    client.sends();
    client
        .publishes_unwritten(Message::new("c", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    let mut entries = Entries::new();
    persist(&mut client, &mut entries);
    entries
}

fn restored_client(entries: Entries) -> Client {
    let now = Client::new(options()).now();
    let session = Session::restore(entries, at_boot(now)).unwrap().unwrap();
    Client::with_session(options(), session)
}

#[test]
fn all_state_that_the_server_may_have_is_persisted() {
    let mut client = restored_client(entries());
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    assert_eq!(
        client.sends(),
        [
            pubrel(3),
            publish("a", with_dup(at_least_once(2))),
            publish("c", at_least_once(4)),
        ]
    );
    client.receives(&publish("lamp/1", with_dup(exactly_once(9))));
    assert!(
        client.messages().is_empty(),
        "it was handed over by another process"
    );
    assert_eq!(client.sends(), [pubrec(9)]);
}

/// A connection that ends while its output waits for the store takes nothing with it that never
/// left.
#[test]
fn staged_messages_that_were_not_sent_are_new() {
    for connack in [connack(), connack_resumed()] {
        let mut client = Client::connected();
        client.engine.recorder().start();
        let mut kept = Entries::new();
        client
            .publishes_unwritten(Message::new("a", "on").qos(QoS::ExactlyOnce))
            .unwrap();
        assert!(client.engine.recorder().stage(), "there is something new");
        client
            .publishes_unwritten(Message::new("b", "on").qos(QoS::AtLeastOnce))
            .unwrap();
        assert!(!client.engine.recorder().stage(), "one after another");
        persist(&mut client, &mut kept);
        client.loses_connection();
        persist(&mut client, &mut kept);
        let restored = restored_client(kept);
        for mut client in [client, restored] {
            client.reconnects(&connack);
            let sent = client.sends();
            let [publish_1, publish_2] = &sent[..] else {
                panic!("{sent:?}")
            };
            let is_first = |id| {
                [
                    publish("a", exactly_once(id)),
                    publish("b", at_least_once(id + 1)),
                ]
            };
            assert!(
                (1..5).any(|id| is_first(id) == [publish_1.clone(), publish_2.clone()]),
                "{sent:?}"
            );
        }
    }
}

/// Packets are sent in the order in which they were staged, and no others are sent.
#[test]
fn only_staged_requests_are_sent() {
    let mut client = Client::connected();
    client.engine.recorder().start();
    client
        .publishes_unwritten(Message::new("a", "on").qos(QoS::AtMostOnce))
        .unwrap();
    let (mut wire, now) = (bytes::BytesMut::new(), client.now());
    assert!(!client.engine.poll_transmit(&mut wire, now));
    assert!(client.engine.recorder().stage());
    client
        .publishes_unwritten(Message::new("b", "on").qos(QoS::AtMostOnce))
        .unwrap();
    assert!(client.engine.poll_transmit(&mut wire, now));
    let staged = wire.len();
    assert!(client.engine.has_output());
    assert!(!client.engine.poll_transmit(&mut wire, now));
    assert!(client.engine.recorder().stage() && client.engine.poll_transmit(&mut wire, now));
    assert_eq!(wire.len(), 2 * staged);
    assert!(!client.engine.recorder().stage(), "there is nothing left");
}

/// The message may have been sent, so it is repeated from now on, also if the store had it as one
/// that waits.
#[test]
fn messages_persisted_as_sent_are_repeated_by_the_next_process() {
    for was_persisted in [false, true] {
        let mut client = Client::connected();
        client.engine.recorder().start();
        let mut entries = Entries::new();
        client
            .publishes_unwritten(Message::new("a", "on").qos(QoS::ExactlyOnce))
            .unwrap();
        if was_persisted {
            persist(&mut client, &mut entries);
        }
        client.engine.recorder().stage();
        persist(&mut client, &mut entries);
        let mut next = restored_client(entries);
        next.reconnects(&connack_resumed());
        assert_eq!(next.sends(), [publish("a", with_dup(exactly_once(1)))]);
    }
}

/// Time for acknowledgements begins when what they are for has left.
#[test]
fn requests_that_wait_for_the_store_do_not_time_out() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(10);
    let mut client = Client::connected_as(options, &connack());
    client.engine.recorder().start();
    let accepted = client.publishes_unwritten(Message::new("a", "on").qos(QoS::AtLeastOnce));
    let Ok(Accepted::Pending(id)) = accepted else {
        panic!("{accepted:?}")
    };
    client.engine.recorder().stage();
    client.advance(Duration::from_secs(11));
    assert_eq!(client.outcome(id), None, "it waits");
    assert_eq!(client.sends().len(), 1);
    client.advance(Duration::from_secs(9));
    assert_eq!(client.outcome(id), None);
    client.advance(Duration::from_secs(2));
    assert!(matches!(
        client.outcome(id),
        Some(Err(RequestError::Timeout { .. }))
    ));
}

/// A server that acknowledges what it can't have makes nothing of what is kept.
#[test]
fn requests_acknowledged_before_they_were_sent_can_be_restored() {
    let mut client = Client::connected();
    client.engine.recorder().start();
    client
        .publishes_unwritten(Message::new("a", "on").qos(QoS::ExactlyOnce))
        .unwrap();
    client.receives(&pubrec(1));
    let mut kept = Entries::new();
    persist(&mut client, &mut kept);
    let mut next = restored_client(kept);
    next.reconnects(&connack_resumed());
    assert_eq!(next.sends(), [pubrel(1)]);
}

#[test]
fn a_subscription_that_was_to_end_ends_in_the_next_process() {
    let mut kept = entries();
    let mut client = restored_client(kept.clone());
    let id = client.unsubscribes(&["lamp/+"]);
    client.engine.forget(id);
    persist(&mut client, &mut kept);
    let mut next = restored_client(kept.clone());
    next.reconnects(&connack_resumed());
    let sent = next.sends();
    assert!(
        (1..9).any(|id| sent.contains(&unsubscribe(id, &["lamp/+"]))),
        "{sent:?}"
    );
    persist(&mut next, &mut kept);
    let mut third = restored_client(kept);
    third.reconnects(&connack_resumed());
    let sent = third.sends();
    assert!(
        (1..9).any(|id| sent.contains(&unsubscribe(id, &["lamp/+"]))),
        "unanswered so far: {sent:?}"
    );
}

/// The server began another session in between, and its CONNACK was lost.
#[test]
fn a_reused_identifier_is_not_persisted_for_its_first_message() {
    let mut client = restored_client(entries());
    client.reconnects(&connack_resumed());
    client.receives(&publish("lamp/2", exactly_once(10)));
    let (_, id) = client.messages().remove(0);
    client.loses_connection();
    client.consumes(id.unwrap());
    let mut kept = Entries::new();
    persist(&mut client, &mut kept);
    assert!(kept.contains_key(&b"r\0\x0a"[..]));
    client.reconnects(&connack_resumed());
    client.receives(&publish("lamp/3", at_least_once(10)));
    persist(&mut client, &mut kept);
    assert!(!kept.contains_key(&b"r\0\x0a"[..]));
}

/// A server that sends PUBREL before it has PUBREC, and then uses the identifier again.
#[test]
fn a_message_is_not_persisted_as_received_for_an_earlier_one_of_its_identifier() {
    for refused in [false, true] {
        let mut client = Client::connected();
        client.engine.recorder().start();
        client.receives(&publish("lamp/1", exactly_once(9)));
        let (_, first) = client.messages().remove(0);
        client.receives(&pubrel(9));
        assert_eq!(client.sends(), [pubcomp(9)]);
        client.receives(&publish("lamp/2", exactly_once(9)));
        assert_eq!(client.messages().len(), 1, "it is another message");
        // The application takes the first one only, and the process ends.
        let code = if refused {
            ReasonCode::UnspecifiedError
        } else {
            ReasonCode::Success
        };
        client
            .engine
            .received()
            .answer(first.unwrap(), code)
            .unwrap();
        let mut kept = Entries::new();
        persist(&mut client, &mut kept);
        assert!(
            client.sends().is_empty(),
            "PUBREC would be for the second one"
        );
        assert!(!kept.contains_key(&b"r\0\x09"[..]));
        let mut next = restored_client(kept);
        next.reconnects(&connack_resumed());
        next.receives(&publish("lamp/2", with_dup(exactly_once(9))));
        let (message, id) = next.messages().remove(0);
        assert_eq!(message.topic(), "lamp/2");
        next.consumes(id.unwrap());
        assert_eq!(next.sends(), [pubrec(9)]);
    }
}

/// The connection ends before the application has consumed any of the messages.
#[test]
fn messages_released_before_they_were_consumed_are_not_repeated() {
    let mut client = Client::connected();
    client.receives(&publish("lamp/1", exactly_once(9)));
    let (_, first) = client.messages().remove(0);
    client.receives(&pubrel(9));
    client.loses_connection();
    client.reconnects(&connack_resumed());
    client.receives(&publish("lamp/2", exactly_once(9)));
    let (message, second) = client.messages().remove(0);
    assert_eq!(message.topic(), "lamp/2");
    client.sends();
    client.consumes(first.unwrap());
    assert!(client.sends().is_empty());
    client.consumes(second.unwrap());
    assert_eq!(client.sends(), [pubrec(9)]);
}

#[test]
fn the_removal_of_a_message_delays_nothing() {
    let mut client = Client::connected();
    client.engine.recorder().start();
    let mut kept = Entries::new();
    persist(&mut client, &mut kept);
    client.publishes("a", QoS::AtLeastOnce);
    assert!(client.engine.has_changes() && !client.engine.changes_can_wait());
    client.sends();
    persist(&mut client, &mut kept);
    client.receives(&puback(1));
    assert!(client.engine.has_changes() && client.engine.changes_can_wait());
    client.publishes("b", QoS::AtLeastOnce);
    assert!(!client.engine.changes_can_wait());
    client.sends();
    persist(&mut client, &mut kept);
    client.receives(&publish("lamp/1", exactly_once(9)));
    client.consumes_all();
    assert!(
        client.engine.has_changes() && !client.engine.changes_can_wait(),
        "PUBREC depends on it"
    );
}

#[test]
fn a_persisted_session_is_not_persisted_again() {
    let mut client = restored_client(entries());
    persist(&mut client, &mut Entries::new());
    assert!(!client.engine.has_changes());
    client.engine.recorder().start();
    assert!(
        !client.engine.has_changes(),
        "its changes are noted already"
    );
    client.engine.recorder().stop();
    client.engine.recorder().start();
    let mut all = Entries::new();
    persist(&mut client, &mut all);
    assert_eq!(all.len(), entries().len());
}

/// Messages that begin and end while the store hangs leave no records.
#[test]
fn records_that_were_never_written_need_no_removal() {
    let mut options = options();
    options.offline = Offline::DropOldest;
    options.queue.count = 3;
    let mut client = Client::new(options);
    client.engine.recorder().start();
    let mut kept = Entries::new();
    persist(&mut client, &mut kept);
    for _ in 0..10_000 {
        client
            .publishes_unwritten(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .unwrap();
    }
    let now = client.now();
    assert_eq!(
        client.engine.recorder().take_changes(at_boot(now)).len(),
        6,
        "three with their packets"
    );
}

#[test]
fn finished_requests_are_not_persisted() {
    let mut client = Client::connected();
    client.engine.recorder().start();
    let mut entries = Entries::new();
    client.publishes("a", QoS::AtLeastOnce);
    client.sends();
    persist(&mut client, &mut entries);
    assert_eq!(entries.len(), 3, "about the session, a message, its packet");
    client.receives(&puback(1));
    persist(&mut client, &mut entries);
    assert_eq!(entries.len(), 1);
    assert!(!client.engine.has_changes());
}

/// A message of 60 s was stored at `then` and is found at `later`: the seconds that it lives on,
/// and how many messages have an age that isn't known.
fn remaining_lifetime(
    then: (u64, Option<(u128, u64)>),
    later: (u64, Option<(u128, u64)>),
) -> (u64, usize) {
    let mut client = Client::new(options());
    client.engine.recorder().start();
    let mut message = Message::new("a", "on").qos(QoS::AtLeastOnce);
    message.properties.message_expiry_interval = Some(60);
    client.try_publish(message).unwrap();
    let mut entries = Entries::new();
    let now = client.now();
    persist_at(&mut client, &mut entries, clock(now, then.0, then.1));
    let session = Session::restore(entries, clock(client.now(), later.0, later.1))
        .unwrap()
        .unwrap();
    let unmeasured = session.unmeasured_expiries();
    let mut next = Client::with_session(options(), session);
    next.advance(Duration::ZERO);
    let mut seconds = 0;
    while next.engine.statistics().queued == 1 {
        next.advance(Duration::from_secs(1));
        seconds += 1;
    }
    assert_eq!(
        next.engine.statistics().expired,
        1,
        "{:?}",
        RequestError::Expired
    );
    (seconds, unmeasured)
}

#[test]
fn messages_in_the_store_expire_whatever_the_wall_clock_does() {
    const DATE: u64 = 1_790_000_000;
    let boot = |seconds| Some((1, seconds));
    // The same machine: ten seconds later, and the calendar somewhere.
    for date in [0, DATE - 3600, DATE + 10, DATE + 3_000_000] {
        assert_eq!(
            remaining_lifetime((DATE, boot(100)), (date, boot(110))),
            (50, 0)
        );
    }
    assert_eq!(
        remaining_lifetime((5, boot(5)), (DATE, boot(15))),
        (50, 0),
        "the board got the time meanwhile"
    );
    assert_eq!(
        remaining_lifetime((DATE, boot(100)), (DATE, boot(160))),
        (0, 0)
    );
    // The machine has started again: the calendar tells, unless it was set.
    assert_eq!(
        remaining_lifetime((DATE, boot(100)), (DATE + 59, Some((2, 9)))),
        (1, 0)
    );
    assert_eq!(remaining_lifetime((DATE, None), (DATE + 59, None)), (1, 0));
    assert_eq!(
        remaining_lifetime((DATE, None), (DATE - 3600, None)),
        (60, 1),
        "set back one hour"
    );
    assert_eq!(
        remaining_lifetime((DATE, boot(100)), (DATE - 3600, Some((2, 9)))),
        (51, 1)
    );
    assert_eq!(
        remaining_lifetime((5, boot(5)), (DATE, Some((2, 9)))),
        (51, 1),
        "stored in 1970"
    );
    assert_eq!(
        remaining_lifetime((DATE, boot(100)), (5, Some((2, 5)))),
        (55, 1),
        "found in 1970"
    );
}

/// Each process begins with the whole time that was stored, if it doesn't store what is left of it.
#[test]
fn restarted_processes_do_not_extend_the_expiry_of_a_message() {
    const DATE: u64 = 1_790_000_000;
    let mut client = Client::new(options());
    client.engine.recorder().start();
    let mut message = Message::new("a", "on").qos(QoS::AtLeastOnce);
    message.properties.message_expiry_interval = Some(60);
    client.try_publish(message).unwrap();
    let mut entries = Entries::new();
    for process in 0..3 {
        // The calendar is always behind: what passes between processes isn't known.
        let now = client.now();
        persist_at(
            &mut client,
            &mut entries,
            clock(now, DATE - process * 100, None),
        );
        // And the clock of the next process starts at zero.
        let later = clock(
            Client::new(options()).now(),
            DATE - process * 100 - 50,
            None,
        );
        let session = Session::restore(entries.clone(), later).unwrap().unwrap();
        assert_eq!(session.unmeasured_expiries(), 1);
        client = Client::with_session(options(), session);
        client.advance(Duration::from_secs(21));
    }
    assert_eq!(client.engine.statistics().expired, 1);
}

/// Nothing is taken for something else, and nothing panics.
#[test]
fn truncated_or_mixed_records_are_refused() {
    let all = entries();
    let now = Client::new(options()).now();
    let restore = |entries: Entries| Session::restore(entries, at_boot(now));
    let mut refused = 0;
    for (key, value) in &all {
        for len in 0..value.len() {
            let mut cut = all.clone();
            cut.insert(key.clone(), value[..len].to_vec());
            refused += u32::from(restore(cut).is_err());
        }
        for (index, bit) in (0..value.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut flipped = all.clone();
            flipped.get_mut(key).unwrap()[index] ^= 1 << bit;
            if let Ok(Some(session)) = restore(flipped) {
                let mut client = Client::with_session(options(), session);
                client.opens();
                client.sends();
                client.receives(&connack_resumed());
                client.sends();
            }
        }
        let mut less = all.clone();
        less.remove(key);
        refused += u32::from(restore(less).is_err());
    }
    assert!(refused > 100, "{refused}");
    assert!(restore(Entries::new()).unwrap().is_none());
}
