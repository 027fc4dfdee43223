//! Messages that were accepted and can't be delivered: what becomes of them, and that the log
//! tells.

use dunlin_codec::{Connect, ConnectProperties, Packet, PacketBuf, Publish, QoS, ReasonCode};

use crate::overflow::WhenQueueFull;
use crate::profile::Profile;
use crate::server::limits::MAX_QUEUED;
use crate::server::tests::{
    ALL, Bench, connect, grant, puback_codes, publish, subscribe, subscription,
};
use crate::server::{Connection, Settings};

const TOO_MANY: usize = MAX_QUEUED + 500;

/// A client whose session outlives its connection by a minute.
fn lasting(client_id: &str) -> Connect<'_> {
    let properties = ConnectProperties {
        session_expiry_interval: Some(60),
        ..ConnectProperties::default()
    };
    Connect {
        clean_start: false,
        properties,
        ..connect(client_id)
    }
}

fn bench(when_queue_full: WhenQueueFull) -> Bench {
    Bench::with(Settings {
        profile: Profile::Mqtt5,
        when_queue_full: Some(when_queue_full),
        ..Settings::default()
    })
}

/// A subscriber of `t` that isn't there.
fn absent(bench: &mut Bench) {
    let (mut subscriber, _) = bench.admits(lasting("s"));
    bench.hears(&mut subscriber, subscribe(&[subscription("t")]));
    bench.says(&mut subscriber);
    subscriber.handle_lost(&mut bench.hub, bench.now);
}

/// Codes of the PUBACKs.
fn publishes(bench: &mut Bench, publisher: &mut Connection, count: usize) -> Vec<ReasonCode> {
    let answers = (0..count).flat_map(|_| {
        bench.hears(publisher, publish("t", QoS::AtLeastOnce));
        puback_codes(&bench.says(publisher))
    });
    answers.collect()
}

fn messages(packets: &[PacketBuf]) -> usize {
    packets
        .iter()
        .filter(|packet| matches!(packet.packet(), Packet::Publish(_)))
        .count()
}

#[test]
fn a_new_message_beyond_the_queue_is_dropped_and_told() {
    let mut bench = bench(WhenQueueFull::Drop);
    let mut publisher = bench.connected("p");
    absent(&mut bench);
    let codes = publishes(&mut bench, &mut publisher, TOO_MANY);
    assert!(codes.iter().all(|code| *code == ReasonCode::Success));
    let [line] = &*bench.hub_log() else {
        panic!("one line")
    };
    assert!(
        line.starts_with("dropped   s  t  500 messages (the queue of this client is full: 1000 "),
        "{line}"
    );
    let mut subscriber = bench.accepted();
    bench.hears(&mut subscriber, lasting("s"));
    subscriber.handle_authorization(Ok(grant(ALL)), &mut bench.hub, bench.now);
    assert_eq!(messages(&bench.says(&mut subscriber)), MAX_QUEUED);
}

#[test]
fn a_session_that_overflows_ends_and_every_message_of_it_is_told() {
    let mut bench = Bench::new();
    let mut publisher = bench.connected("p");
    absent(&mut bench);
    let codes = publishes(&mut bench, &mut publisher, MAX_QUEUED + 1);
    assert!(!codes.last().unwrap().is_error());
    let lines = bench.hub_log();
    let [line] = lines.as_slice() else {
        panic!("one line, not {lines:?}")
    };
    let ended = "dropped   s  t  1001 messages (its session was ended: ";
    assert!(line.starts_with(ended), "{line}");
    let (_, session_present) = bench.admits(lasting("s"));
    assert!(!session_present);
}

#[test]
fn a_connected_client_is_told_that_its_session_overflowed() {
    let mut bench = Bench::new();
    let (mut publisher, mut subscriber) = (bench.connected("p"), bench.connected("s"));
    bench.hears(&mut subscriber, subscribe(&[subscription("t")]));
    bench.says(&mut subscriber);
    publishes(&mut bench, &mut publisher, MAX_QUEUED + 1);
    assert_eq!(
        bench.says_disconnect(&mut subscriber),
        Some(ReasonCode::QuotaExceeded)
    );
}

#[test]
fn the_publisher_can_be_refused_instead() {
    let mut bench = bench(WhenQueueFull::Refuse);
    let mut publisher = bench.connected("p");
    absent(&mut bench);
    let codes = publishes(&mut bench, &mut publisher, MAX_QUEUED + 2);
    assert_eq!(codes[MAX_QUEUED..], [ReasonCode::QuotaExceeded; 2]);
    assert!(
        codes[..MAX_QUEUED]
            .iter()
            .all(|code| *code == ReasonCode::Success)
    );
    assert!(bench.hub_log().is_empty());
}

#[test]
fn a_session_that_ends_with_unacknowledged_messages_is_told() {
    let mut bench = Bench::new();
    let mut publisher = bench.connected("p");
    absent(&mut bench);
    publishes(&mut bench, &mut publisher, 3);
    bench.now += std::time::Duration::from_secs(60);
    let lines = bench.hub_log();
    assert_eq!(
        lines,
        ["dropped   s  t  3 messages (its session ended before it acknowledged them)"]
    );
}

/// §4.8.2
#[test]
fn a_member_of_a_share_that_goes_hands_its_messages_to_another() {
    let mut bench = Bench::new();
    let mut publisher = bench.connected("p");
    let mut members: Vec<_> = ["a", "b"].map(|id| bench.connected(id)).into();
    for member in &mut members {
        bench.hears(member, subscribe(&[subscription("$share/g/t")]));
        bench.says(member);
    }
    publishes(&mut bench, &mut publisher, 4);
    for member in &mut members {
        assert_eq!(messages(&bench.says(member)), 2);
    }
    members.remove(0).handle_lost(&mut bench.hub, bench.now);
    assert!(bench.hub_log().is_empty());
    assert_eq!(messages(&bench.says(&mut members[0])), 2);
    members.remove(0).handle_lost(&mut bench.hub, bench.now);
    let lines = bench.hub_log();
    assert_eq!(
        lines,
        ["dropped   b  t  4 messages (its session ended before it acknowledged them)"]
    );
}

/// Two clients of a share and their publisher. The queue of the first is full; that of the second
/// has space for one more message, after all the others that only it could take.
fn share_almost_full(bench: &mut Bench) -> (Connection, [Connection; 2]) {
    let mut publisher = bench.connected("p");
    let mut members = ["a", "b"].map(|id| bench.connected(id));
    for (member, other) in members.iter_mut().zip(["other", "nothing"]) {
        bench.hears(
            member,
            subscribe(&[subscription("$share/g/t"), subscription(other)]),
        );
        bench.says(member);
    }
    for _ in 0..MAX_QUEUED {
        bench.hears(&mut publisher, publish("other", QoS::AtLeastOnce));
        bench.says(&mut publisher);
    }
    let codes = publishes(bench, &mut publisher, MAX_QUEUED - 1);
    assert!(codes.iter().all(|code| *code == ReasonCode::Success));
    assert!(bench.hub_log().is_empty());
    (publisher, members)
}

/// §4.8.2
#[test]
fn a_share_passes_a_full_client_over_and_drops_only_where_all_are_full() {
    let mut bench = bench(WhenQueueFull::Drop);
    let (mut publisher, mut members) = share_almost_full(&mut bench);
    let codes = publishes(&mut bench, &mut publisher, 3);
    assert!(codes.iter().all(|code| *code == ReasonCode::Success));
    let lines = bench.hub_log();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("  t  1 message (the queue of this client is full"))
    );
    for member in &mut members {
        assert_eq!(messages(&bench.says(member)), MAX_QUEUED);
    }
}

#[test]
fn a_share_ends_a_session_only_where_all_are_full_and_then_one() {
    let mut bench = bench(WhenQueueFull::EndSession);
    let (mut publisher, mut members) = share_almost_full(&mut bench);
    publishes(&mut bench, &mut publisher, 2);
    bench.hub_log();
    let ended = members
        .each_mut()
        .map(|member| bench.says_disconnect(member));
    assert_eq!(
        ended.iter().flatten().collect::<Vec<_>>(),
        [&ReasonCode::QuotaExceeded],
        "{ended:?}"
    );
}

#[test]
fn a_share_refuses_the_publisher_only_where_all_are_full() {
    let mut bench = bench(WhenQueueFull::Refuse);
    let (mut publisher, mut members) = share_almost_full(&mut bench);
    let codes = publishes(&mut bench, &mut publisher, 3);
    let full = ReasonCode::QuotaExceeded;
    assert_eq!(codes, [ReasonCode::Success, full, full]);
    assert!(bench.hub_log().is_empty());
    for member in &mut members {
        assert_eq!(messages(&bench.says(member)), MAX_QUEUED);
    }
}

/// A client that gets a message by its own subscription and by a shared one needs space for both.
#[test]
fn a_client_that_gets_a_message_twice_needs_space_for_both_copies() {
    let both = [subscription("t"), subscription("$share/g/t")];
    let mut bench = bench(WhenQueueFull::Refuse);
    let mut publisher = bench.connected("p");
    let mut client = bench.connected("a");
    bench.hears(&mut client, subscribe(&both));
    bench.hears(&mut client, subscribe(&[subscription("other")]));
    bench.says(&mut client);
    for _ in 0..MAX_QUEUED - 1 {
        bench.hears(&mut publisher, publish("other", QoS::AtLeastOnce));
        bench.says(&mut publisher);
    }
    let codes = publishes(&mut bench, &mut publisher, 1);
    assert_eq!(codes, [ReasonCode::QuotaExceeded]);
    assert!(bench.hub_log().is_empty());

    // Another client of the share has space for the second copy.
    let mut other = bench.connected("b");
    bench.hears(&mut other, subscribe(&both[1..]));
    bench.says(&mut other);
    let codes = publishes(&mut bench, &mut publisher, 1);
    assert_eq!(codes, [ReasonCode::Success]);
    assert_eq!(messages(&bench.says(&mut other)), 1);
    assert_eq!(messages(&bench.says(&mut client)), MAX_QUEUED);
    assert!(bench.hub_log().is_empty());
}

/// Retained messages count as well: they are dropped where that is the setting, and else end the
/// session, since there is no publisher to refuse.
#[test]
fn retained_messages_that_do_not_fit_obey_the_setting() {
    for when in WhenQueueFull::ALL {
        let mut bench = bench(when);
        let mut publisher = bench.connected("p");
        for topic in ["r/1", "r/2"] {
            let message = Publish {
                retain: true,
                ..publish(topic, QoS::AtLeastOnce)
            };
            bench.hears(&mut publisher, message);
        }
        let mut client = bench.connected("s");
        bench.hears(&mut client, subscribe(&[subscription("t")]));
        bench.says(&mut client);
        publishes(&mut bench, &mut publisher, MAX_QUEUED - 1);
        bench.hears(&mut client, subscribe(&[subscription("r/+")]));

        let lines = bench.hub_log();
        if when == WhenQueueFull::Drop {
            let [line] = lines.as_slice() else {
                panic!("{when}: one line, not {lines:?}")
            };
            let dropped = "dropped   s  r/2  1 message (the queue of this client is full";
            assert!(line.starts_with(dropped), "{line}");
            assert_eq!(messages(&bench.says(&mut client)), MAX_QUEUED);
        } else {
            // One line for each topic.
            let ended = lines
                .iter()
                .filter(|line| line.contains("its session was ended"));
            assert_eq!((ended.count(), lines.len()), (3, 3), "{when}: {lines:?}");
            let code = bench.says_disconnect(&mut client);
            assert_eq!(code, Some(ReasonCode::QuotaExceeded), "{when}");
        }
    }
}
