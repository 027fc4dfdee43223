//! Messages that were accepted and can't be delivered: what becomes of them, and that the log
//! tells.

use dunlin_codec::{Connect, ConnectProperties, Packet, PacketBuf, QoS, ReasonCode};

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
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("dropped   s  t  1 message (")),
        "{lines:?}"
    );
    let ended = "dropped   s  t  1000 messages (its session was ended: ";
    assert!(
        lines.iter().any(|line| line.starts_with(ended)),
        "{lines:?}"
    );
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
