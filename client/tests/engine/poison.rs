//! Messages that a server closes the connection over, again and again: failed where the guard is
//! on, a stated deviation.

use dunlin_client::codec::{Packet, PacketBuf, ReasonCode};
use dunlin_client::engine::{CloseCause, OperationId};
use dunlin_client::{CleanStart, ConnectOptions, LostMessage, OnSessionLost, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, disconnect, exactly_once, puback, pubcomp, publish,
    pubrec, pubrel, with_dup,
};

fn guarded_options() -> ConnectOptions {
    ConnectOptions {
        poison_guard: Some(3),
        ..options()
    }
}

fn connected() -> Client {
    Client::connected_as(guarded_options(), &connack())
}

/// Closes the connection without DISCONNECT and opens the next one. Returns true if that
/// starts clean.
fn next_connect_starts_clean(client: &mut Client) -> bool {
    client.sends();
    client.engine.handle_closed(CloseCause::Eof);
    client.opens();
    match client.sends().first().map(PacketBuf::packet) {
        Some(Packet::Connect(connect)) => connect.read().clean_start,
        other => panic!("{other:?}"),
    }
}

fn poisoned(client: &mut Client, id: OperationId) -> bool {
    client.outcome(id) == Some(Err(RequestError::Poisoned { disconnects: 3 }))
}

/// [MQTT-4.4.0-1]
#[test]
fn without_the_guard_a_message_is_repeated_for_ever() {
    let mut client = Client::connected();
    let first = client.publishes("poison", QoS::AtLeastOnce);
    for _ in 0..20 {
        assert!(!next_connect_starts_clean(&mut client));
        client.receives(&connack_resumed());
        assert_eq!(
            client.sends(),
            [publish("poison", with_dup(at_least_once(1)))]
        );
    }
    assert_eq!(client.outcome(first), None);
}

#[test]
fn a_message_that_ends_three_connections_in_a_row_fails_and_the_next_one_starts_clean() {
    let mut client = connected();
    let poison = client.publishes("poison", QoS::AtLeastOnce);
    for _ in 0..2 {
        assert!(!next_connect_starts_clean(&mut client));
        client.receives(&connack_resumed());
        assert_eq!(
            client.sends(),
            [publish("poison", with_dup(at_least_once(1)))]
        );
    }
    assert!(next_connect_starts_clean(&mut client));
    assert!(poisoned(&mut client, poison));
    client.receives(&connack());
    assert!(client.sends().is_empty());
    client.publishes("next", QoS::AtLeastOnce);
    assert!(!next_connect_starts_clean(&mut client), "once is enough");
}

/// Whichever of them it is, only that one fails.
#[test]
fn only_the_message_at_fault_fails() {
    for guilty in 0..8_u16 {
        let mut client = connected();
        let topics: Vec<_> = (0..8_u16).map(|number| format!("t/{number}")).collect();
        let ids: Vec<_> = topics
            .iter()
            .map(|topic| client.publishes(topic, QoS::AtLeastOnce))
            .collect();
        let mut closed = 0;
        while client.engine.load().0 > 0 {
            // The server takes one after another until it meets the one that it can't bear.
            let packets = client.sends();
            let mut dies = false;
            for packet in &packets {
                let Packet::Publish(sent) = packet.packet() else {
                    continue;
                };
                if sent.topic.unwrap().as_str() == topics[usize::from(guilty)] {
                    dies = true;
                    break;
                }
                client.receives(&puback(sent.delivery.packet_id().unwrap().get()));
            }
            if dies {
                closed += 1;
                let clean = next_connect_starts_clean(&mut client);
                client.receives(&if clean { connack() } else { connack_resumed() });
            }
        }
        assert_eq!(closed, 3);
        for (number, id) in (0..).zip(ids) {
            let outcome = client.outcome(id).unwrap();
            assert_eq!(
                outcome.is_err(),
                number == guilty,
                "{number} where {guilty} is: {outcome:?}"
            );
        }
    }
}

#[test]
fn all_other_messages_follow_the_policy_for_lost_sessions() {
    for qos1 in [LostMessage::Republish, LostMessage::Fail] {
        let mut options = guarded_options();
        options.on_session_lost = OnSessionLost {
            qos1,
            ..OnSessionLost::default()
        };
        let mut client = Client::connected_as(options, &connack());
        let poison = client.publishes("poison", QoS::AtLeastOnce);
        let other = client.publishes("other", QoS::AtLeastOnce);
        let exact = client.publishes("exact", QoS::ExactlyOnce);
        for _ in 0..2 {
            next_connect_starts_clean(&mut client);
            client.receives(&connack_resumed());
        }
        assert!(next_connect_starts_clean(&mut client));
        client.receives(&connack());
        assert!(poisoned(&mut client, poison));
        assert_eq!(client.outcome(exact), Some(Err(RequestError::SessionLost)));
        if qos1 == LostMessage::Republish {
            assert_eq!(client.sends(), [publish("other", at_least_once(4))]);
        } else {
            assert!(client.sends().is_empty());
            assert_eq!(client.outcome(other), Some(Err(RequestError::SessionLost)));
        }
    }
}

/// [MQTT-4.3.3-6]
#[test]
fn a_message_that_has_reached_pubrec_is_never_suspected() {
    let mut client = connected();
    let released = client.publishes("a", QoS::ExactlyOnce);
    client.receives(&pubrec(1));
    for _ in 0..10 {
        assert!(!next_connect_starts_clean(&mut client));
        client.receives(&connack_resumed());
        assert_eq!(client.sends(), [pubrel(1)]);
    }
    client.receives(&pubcomp(1));
    assert!(client.outcome(released).unwrap().is_ok());
}

#[test]
fn a_message_that_was_acknowledged_in_between_is_no_longer_suspected() {
    let mut client = connected();
    for _ in 0..10 {
        let id = client.publishes("a", QoS::AtLeastOnce);
        for _ in 0..2 {
            assert!(!next_connect_starts_clean(&mut client));
            client.receives(&connack_resumed());
        }
        let sent = client.sends();
        let Packet::Publish(sent) = sent[0].packet() else {
            panic!("{sent:?}")
        };
        client.receives(&puback(sent.delivery.packet_id().unwrap().get()));
        assert!(client.outcome(id).unwrap().is_ok());
    }
}

#[test]
fn connection_ends_without_the_server_do_not_count() {
    let mut options = guarded_options();
    options.keep_alive = std::time::Duration::from_secs(10);
    options.ack_timeout = std::time::Duration::from_secs(3600);
    let mut client = Client::connected_as(options, &connack());
    let first = client.publishes("a", QoS::AtLeastOnce);
    for number in 0..10 {
        client.sends();
        if number % 2 == 0 {
            client.advance(std::time::Duration::from_secs(60));
        } else {
            client.disconnects();
        }
        client.closes();
        client.opens();
        client.sends();
        client.receives(&connack_resumed());
    }
    assert_eq!(client.outcome(first), None);
}

#[test]
fn messages_that_were_not_in_flight_are_not_suspected() {
    let mut client = connected();
    let unsent = client
        .publishes_unwritten(dunlin_client::Message::new("a", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    for _ in 0..10 {
        // The connection ends before anything of it is written.
        client.engine.handle_closed(CloseCause::Eof);
        client.opens();
        let mut input = bytes::BytesMut::from(&connack_resumed().as_bytes()[..]);
        client.engine.handle_input(&mut input, client.now());
    }
    let dunlin_client::engine::Accepted::Pending(id) = unsent else {
        panic!("{unsent:?}")
    };
    assert_eq!(client.outcome(id), None);
}

/// Though the server says why it left before it could be known what was written.
#[test]
fn messages_that_were_not_written_are_not_suspected() {
    let mut client = connected();
    let unwritten = client.publishes("a", QoS::AtLeastOnce);
    for _ in 0..10 {
        let taken = client.sends_bytes().len();
        client.receives(&disconnect(ReasonCode::NotAuthorized));
        client.engine.handle_unwritten(taken);
        client.closes();
        client.opens();
        client.sends();
        let mut input = bytes::BytesMut::from(&connack_resumed().as_bytes()[..]);
        client.engine.handle_input(&mut input, client.now());
    }
    assert_eq!(client.outcome(unwritten), None);
}

#[test]
fn a_disconnect_with_a_reason_counts_as_well() {
    let mut client = connected();
    let poison = client.publishes("a", QoS::AtLeastOnce);
    for _ in 0..3 {
        client.sends();
        client.receives(&disconnect(ReasonCode::NotAuthorized));
        client.closes();
        client.opens();
        client.sends();
        client.receives(&if client.engine.load().0 == 0 {
            connack()
        } else {
            connack_resumed()
        });
    }
    assert!(poisoned(&mut client, poison));
}

#[test]
fn a_client_that_always_starts_clean_is_guarded_too() {
    let mut options = guarded_options();
    options.clean_start = CleanStart::Always;
    let mut client = Client::connected_as(options, &connack());
    let poison = client.publishes("a", QoS::AtLeastOnce);
    for number in 2..=3 {
        assert!(next_connect_starts_clean(&mut client));
        client.receives(&connack());
        assert_eq!(client.sends(), [publish("a", at_least_once(number))]);
    }
    next_connect_starts_clean(&mut client);
    assert!(poisoned(&mut client, poison));
}

#[test]
fn the_options_for_aws_have_the_guard_on() {
    assert_eq!(ConnectOptions::for_aws_iot("lamp-7").poison_guard, Some(3));
    assert_eq!(ConnectOptions::new("lamp-7").poison_guard, None);
}

#[test]
fn an_exact_message_is_guarded_until_pubrec() {
    let mut client = connected();
    let poison = client.publishes("a", QoS::ExactlyOnce);
    for _ in 0..2 {
        next_connect_starts_clean(&mut client);
        client.receives(&connack_resumed());
        assert_eq!(client.sends(), [publish("a", with_dup(exactly_once(1)))]);
    }
    assert!(next_connect_starts_clean(&mut client));
    assert!(poisoned(&mut client, poison));
}
