//! Messages that were accepted and can't be delivered: what becomes of them, and that the log
//! tells.

use dunlin_codec::{Connect, ConnectProperties, Packet, Publish, QoS, ReasonCode};

use crate::overflow::WhenQueueFull;
use crate::profile::Profile;
use crate::server::limits::MAX_QUEUED;
use crate::server::tests::harness::{
    ALL, Harness, connect, grant, messages, puback_codes, publish, subscribe, subscription,
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

fn harness(when_queue_full: WhenQueueFull) -> Harness {
    Harness::with(Settings {
        profile: Profile::Mqtt5,
        when_queue_full: Some(when_queue_full),
        ..Settings::default()
    })
}

/// A subscriber of `t` that isn't there.
fn absent(harness: &mut Harness) {
    let (mut subscriber, _) = harness.connects(lasting("s"));
    harness.receives(&mut subscriber, subscribe(&[subscription("t")]));
    harness.sends(&mut subscriber);
    subscriber.handle_lost(&mut harness.hub, harness.now);
}

/// Codes of the PUBACKs.
fn publishes(harness: &mut Harness, publisher: &mut Connection, count: usize) -> Vec<ReasonCode> {
    let answers = (0..count).flat_map(|_| {
        harness.receives(publisher, publish("t", QoS::AtLeastOnce));
        puback_codes(&harness.sends(publisher))
    });
    answers.collect()
}

#[test]
fn a_new_message_beyond_the_queue_is_dropped_and_told() {
    let mut harness = harness(WhenQueueFull::Drop);
    let mut publisher = harness.connected("p");
    absent(&mut harness);
    // The publisher isn't told: to it the server has the message.
    let codes = publishes(&mut harness, &mut publisher, TOO_MANY);
    assert!(codes.iter().all(|code| *code == ReasonCode::Success));
    let [line] = &*harness.hub_log() else {
        panic!("one line")
    };
    assert!(
        // One line for all losses of one client and topic.
        line.starts_with("dropped   s  t  500 messages (the queue of this client is full: 1000 "),
        "{line}"
    );
    // The subscriber comes back and gets everything that was queued before the queue was full.
    let mut subscriber = harness.accepted();
    harness.receives(&mut subscriber, lasting("s"));
    subscriber.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
    assert_eq!(messages(&harness.sends(&mut subscriber)), MAX_QUEUED);
}

#[test]
fn a_session_that_overflows_ends_and_every_message_of_it_is_told() {
    let mut harness = Harness::new();
    let mut publisher = harness.connected("p");
    absent(&mut harness);
    // The profile's own setting: the message that doesn't fit ends the session.
    let codes = publishes(&mut harness, &mut publisher, MAX_QUEUED + 1);
    assert!(!codes.last().unwrap().is_error());
    let lines = harness.hub_log();
    let [line] = lines.as_slice() else {
        panic!("one line, not {lines:?}")
    };
    let ended = "dropped   s  t  1001 messages (its session was ended: ";
    assert!(line.starts_with(ended), "{line}");
    // The session is gone for good.
    let (_, session_present) = harness.connects(lasting("s"));
    assert!(!session_present);
}

#[test]
fn a_connected_client_is_told_that_its_session_overflowed() {
    let mut harness = Harness::new();
    let (mut publisher, mut subscriber) = (harness.connected("p"), harness.connected("s"));
    harness.receives(&mut subscriber, subscribe(&[subscription("t")]));
    harness.sends(&mut subscriber);
    publishes(&mut harness, &mut publisher, MAX_QUEUED + 1);
    assert_eq!(
        harness.sends_disconnect(&mut subscriber),
        Some(ReasonCode::QuotaExceeded)
    );
}

#[test]
fn a_publisher_to_a_full_queue_can_be_refused() {
    let mut harness = harness(WhenQueueFull::Refuse);
    let mut publisher = harness.connected("p");
    absent(&mut harness);
    let codes = publishes(&mut harness, &mut publisher, MAX_QUEUED + 2);
    // Only messages beyond the queue are refused, and nothing is lost.
    assert_eq!(codes[MAX_QUEUED..], [ReasonCode::QuotaExceeded; 2]);
    assert!(
        codes[..MAX_QUEUED]
            .iter()
            .all(|code| *code == ReasonCode::Success)
    );
    assert!(harness.hub_log().is_empty());
}

/// Nobody gets a refused message: not as a retained one either, nor does it replace or remove that.
#[test]
fn a_refused_message_leaves_the_retained_one_as_it_is() {
    let mut harness = harness(WhenQueueFull::Refuse);
    let mut publisher = harness.connected("p");
    let retained = |payload: &'static [u8]| Publish {
        retain: true,
        payload,
        ..publish("t", QoS::AtLeastOnce)
    };
    harness.receives(&mut publisher, retained(b"first"));
    harness.sends(&mut publisher);
    absent(&mut harness);
    publishes(&mut harness, &mut publisher, MAX_QUEUED);

    // Another payload would replace the retained message, and an empty one would remove it.
    for payload in [&b"second"[..], b""] {
        harness.receives(&mut publisher, retained(payload));
        assert_eq!(
            puback_codes(&harness.sends(&mut publisher)),
            [ReasonCode::QuotaExceeded]
        );
    }
    let mut reader = harness.connected("r");
    harness.receives(&mut reader, subscribe(&[subscription("t")]));
    let sent = harness.sends(&mut reader);
    let payloads: Vec<_> = sent
        .iter()
        .filter_map(|packet| match packet.packet() {
            Packet::Publish(publish) => Some(publish.payload),
            _ => None,
        })
        .collect();
    assert_eq!(payloads, [b"first"]);
}

#[test]
fn a_session_that_ends_with_unacknowledged_messages_is_told() {
    let mut harness = Harness::new();
    let mut publisher = harness.connected("p");
    absent(&mut harness);
    publishes(&mut harness, &mut publisher, 3);
    // The session expiry: the three messages were never delivered.
    harness.now += std::time::Duration::from_secs(60);
    let lines = harness.hub_log();
    assert_eq!(
        lines,
        ["dropped   s  t  3 messages (its session ended before it acknowledged them)"]
    );
}

/// §4.8.2
#[test]
fn messages_of_a_share_member_that_leaves_go_to_another() {
    let mut harness = Harness::new();
    let mut publisher = harness.connected("p");
    let mut members: Vec<_> = ["a", "b"].map(|id| harness.connected(id)).into();
    for member in &mut members {
        harness.receives(member, subscribe(&[subscription("$share/g/t")]));
        harness.sends(member);
    }
    // Two messages for each member, sent and not acknowledged.
    publishes(&mut harness, &mut publisher, 4);
    for member in &mut members {
        assert_eq!(messages(&harness.sends(member)), 2);
    }
    // The first member goes: its two messages move to the other, and nothing is lost.
    members.remove(0).handle_lost(&mut harness.hub, harness.now);
    assert!(harness.hub_log().is_empty());
    assert_eq!(messages(&harness.sends(&mut members[0])), 2);
    // The last member goes, and with it the share: nobody is left for its four messages.
    members.remove(0).handle_lost(&mut harness.hub, harness.now);
    let lines = harness.hub_log();
    assert_eq!(
        lines,
        ["dropped   b  t  4 messages (its session ended before it acknowledged them)"]
    );
}

/// Two clients of a share and their publisher. The queue of the first is full; that of the second
/// has space for one more message, after all the others that only it could take.
fn share_almost_full(harness: &mut Harness) -> (Connection, [Connection; 2]) {
    let mut publisher = harness.connected("p");
    let mut members = ["a", "b"].map(|id| harness.connected(id));
    for (member, other) in members.iter_mut().zip(["other", "nothing"]) {
        harness.receives(
            member,
            subscribe(&[subscription("$share/g/t"), subscription(other)]),
        );
        harness.sends(member);
    }
    // Fills the queue of "a", which alone subscribed to "other".
    for _ in 0..MAX_QUEUED {
        harness.receives(&mut publisher, publish("other", QoS::AtLeastOnce));
        harness.sends(&mut publisher);
    }
    // Fills the queue of "b" but for one message: the share skips "a", which is full.
    let codes = publishes(harness, &mut publisher, MAX_QUEUED - 1);
    assert!(codes.iter().all(|code| *code == ReasonCode::Success));
    assert!(harness.hub_log().is_empty());
    (publisher, members)
}

/// §4.8.2
#[test]
fn a_share_passes_a_full_client_over_and_drops_only_where_all_are_full() {
    let mut harness = harness(WhenQueueFull::Drop);
    let (mut publisher, mut members) = share_almost_full(&mut harness);
    let codes = publishes(&mut harness, &mut publisher, 3);
    assert!(codes.iter().all(|code| *code == ReasonCode::Success));
    let lines = harness.hub_log();
    // The first of three fits into "b"; the others are lost at "a" and "b" in turn.
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("  t  1 message (the queue of this client is full"))
    );
    for member in &mut members {
        assert_eq!(messages(&harness.sends(member)), MAX_QUEUED);
    }
}

#[test]
fn a_share_ends_a_session_only_where_all_are_full_and_then_one() {
    let mut harness = harness(WhenQueueFull::EndSession);
    let (mut publisher, mut members) = share_almost_full(&mut harness);
    publishes(&mut harness, &mut publisher, 2);
    harness.hub_log();
    let ended = members
        .each_mut()
        .map(|member| harness.sends_disconnect(member));
    assert_eq!(
        ended.iter().flatten().collect::<Vec<_>>(),
        [&ReasonCode::QuotaExceeded],
        "{ended:?}"
    );
}

#[test]
fn a_share_refuses_the_publisher_only_where_all_are_full() {
    let mut harness = harness(WhenQueueFull::Refuse);
    let (mut publisher, mut members) = share_almost_full(&mut harness);
    let codes = publishes(&mut harness, &mut publisher, 3);
    let full = ReasonCode::QuotaExceeded;
    // The first still fits into "b".
    assert_eq!(codes, [ReasonCode::Success, full, full]);
    assert!(harness.hub_log().is_empty());
    for member in &mut members {
        assert_eq!(messages(&harness.sends(member)), MAX_QUEUED);
    }
}

/// A client that gets a message by its own subscription and by a shared one needs space for both.
#[test]
fn a_client_that_gets_a_message_twice_needs_space_for_both_copies() {
    let both = [subscription("t"), subscription("$share/g/t")];
    let mut harness = harness(WhenQueueFull::Refuse);
    let mut publisher = harness.connected("p");
    let mut client = harness.connected("a");
    harness.receives(&mut client, subscribe(&both));
    harness.receives(&mut client, subscribe(&[subscription("other")]));
    harness.sends(&mut client);
    // Space for one more message.
    for _ in 0..MAX_QUEUED - 1 {
        harness.receives(&mut publisher, publish("other", QoS::AtLeastOnce));
        harness.sends(&mut publisher);
    }
    let codes = publishes(&mut harness, &mut publisher, 1);
    // Both copies are for the same client, and only one fits.
    assert_eq!(codes, [ReasonCode::QuotaExceeded]);
    assert!(harness.hub_log().is_empty());

    // Another client of the share has space for the second copy.
    let mut other = harness.connected("b");
    harness.receives(&mut other, subscribe(&both[1..]));
    harness.sends(&mut other);
    let codes = publishes(&mut harness, &mut publisher, 1);
    assert_eq!(codes, [ReasonCode::Success]);
    assert_eq!(messages(&harness.sends(&mut other)), 1);
    assert_eq!(messages(&harness.sends(&mut client)), MAX_QUEUED);
    assert!(harness.hub_log().is_empty());
}

/// Retained messages count as well: they are dropped where that is the setting, and else end the
/// session, since there is no publisher to refuse.
#[test]
fn retained_messages_that_do_not_fit_obey_the_setting() {
    for when in WhenQueueFull::ALL {
        let mut harness = harness(when);
        let mut publisher = harness.connected("p");
        // Two retained messages for a queue with space for one.
        for topic in ["r/1", "r/2"] {
            let message = Publish {
                retain: true,
                ..publish(topic, QoS::AtLeastOnce)
            };
            harness.receives(&mut publisher, message);
        }
        let mut client = harness.connected("s");
        harness.receives(&mut client, subscribe(&[subscription("t")]));
        harness.sends(&mut client);
        publishes(&mut harness, &mut publisher, MAX_QUEUED - 1);
        harness.receives(&mut client, subscribe(&[subscription("r/+")]));

        let lines = harness.hub_log();
        if when == WhenQueueFull::Drop {
            let [line] = lines.as_slice() else {
                panic!("{when}: one line, not {lines:?}")
            };
            let dropped = "dropped   s  r/2  1 message (the queue of this client is full";
            assert!(line.starts_with(dropped), "{line}");
            assert_eq!(messages(&harness.sends(&mut client)), MAX_QUEUED);
        } else {
            // One line for each topic.
            let ended = lines
                .iter()
                .filter(|line| line.contains("its session was ended"));
            assert_eq!((ended.count(), lines.len()), (3, 3), "{when}: {lines:?}");
            let code = harness.sends_disconnect(&mut client);
            assert_eq!(code, Some(ReasonCode::QuotaExceeded), "{when}");
        }
    }
}
