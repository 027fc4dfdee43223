//! Tests of the server in virtual time.

mod authorization;
mod connection_records;
mod ending;
mod harness;
mod law;
mod overflow;
mod retained;
mod take_over;
mod time;

use std::time::Duration;

use dunlin_codec::{Ack, Connect, ConnectProperties, Packet, Publish, QoS, ReasonCode};

use crate::profile::Profile;
use crate::server::Settings;
use crate::server::limits::{HARD_MESSAGE_BYTES, MAX_QUEUED};
use crate::server::tests::harness::{
    ALL, Harness, connect, grant, publish, subscribe, subscription,
};

#[test]
fn a_connection_without_a_connect_is_refused_after_ten_seconds() {
    let mut harness = Harness::new();
    let mut connection = harness.accepted();
    // HANDSHAKE_TIMEOUT is 10 s.
    harness.advance(&mut connection, 9);
    assert!(connection.output.close.is_none());
    harness.advance(&mut connection, 1);
    assert!(connection.output.close.is_some());
}

/// The CONNACK leaves out what it may until it fits; a client that takes no CONNACK is closed
/// without one. [MQTT-3.1.2-24]
#[test]
fn a_connack_fits_into_the_clients_maximum_packet_size_or_is_not_sent() {
    for profile in Profile::ALL {
        let mut smallest = None;
        for most in 1..=64_u32 {
            let mut harness = Harness::with(Settings {
                profile,
                ..Settings::default()
            });
            let mut connection = harness.accepted();
            let properties = ConnectProperties {
                maximum_packet_size: most.try_into().ok(),
                ..Default::default()
            };
            harness.receives(
                &mut connection,
                Connect {
                    properties,
                    ..connect("c")
                },
            );
            connection.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
            let sent = harness.sends(&mut connection);
            // Below the smallest size: closed without a packet, and the log says why.
            let Some(packet) = sent.first() else {
                assert!(
                    connection.output.close.is_some() && smallest.is_none(),
                    "{profile}, {most} bytes"
                );
                let told = connection
                    .output
                    .events
                    .iter()
                    .any(|event| event.to_string().contains("CONNACK needs"));
                assert!(told);
                continue;
            };
            // From here on every larger limit must work, too: see the assertion above.
            smallest = smallest.or(Some(most));
            let Packet::ConnAck(connack) = packet.packet() else {
                panic!("a CONNACK")
            };
            let connack = connack.read();
            assert_eq!(connack.reason_code, ReasonCode::Success);
            assert!(packet.as_bytes().len() <= most as usize);
            // What the client is held to is always said.
            assert!(connack.properties.receive_maximum.is_some());
            assert!(connack.properties.maximum_packet_size.is_some());
        }
        // Header and flags, then Receive Maximum and Maximum Packet Size; on AWS IoT also Maximum
        // QoS and that there are no subscription identifiers.
        let expected = if profile == Profile::Aws { 17 } else { 13 };
        assert_eq!(smallest, Some(expected), "{profile}");
    }
}

#[test]
fn silence_is_counted_from_the_last_packet() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    // Keep alive 600 s: PINGREQ every 290 s keeps the connection, 900 s of silence end it. The
    // refresh of the grant comes every 300 s and is answered on the way.
    for _ in 0..3 {
        harness.advance(&mut connection, 290);
        connection.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
        harness.receives(&mut connection, Packet::PingReq);
        assert_eq!(harness.sends(&mut connection).len(), 1);
    }
    let mut silent = harness.connected("silent");
    harness.advance(&mut silent, 899);
    assert!(silent.output.close.is_none());
    harness.advance(&mut silent, 1);
    assert_eq!(
        harness.sends_disconnect(&mut silent),
        Some(ReasonCode::KeepAliveTimeout)
    );
}

/// The random part of an assigned client id is given to the connection. [MQTT-3.1.3-6]
#[test]
fn an_assigned_client_id_is_made_of_the_given_random_id() {
    let mut harness = Harness::new();
    let mut connection = harness.accepted();
    harness.receives(&mut connection, connect(""));
    connection.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
    let sent = harness.sends(&mut connection);
    let Packet::ConnAck(connack) = sent[0].packet() else {
        panic!("a CONNACK")
    };
    let connack = connack.read();
    let assigned = connack.properties.assigned_client_identifier.unwrap();
    assert_eq!(assigned.as_str(), "$GEN/a-random-id");
}

/// The DISCONNECT has the reason of the limit, and not that of another filter in the same packet.
#[test]
fn a_subscription_above_the_limit_is_the_reason_for_the_disconnect() {
    const ALL_BUT_X: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},
        {"Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topicfilter/x"}]}"#;
    let mut harness = Harness::with(Settings::default());
    let mut connection = harness.accepted();
    harness.receives(&mut connection, connect("c"));
    connection.handle_authorization(Ok(grant(ALL_BUT_X)), &mut harness.hub, harness.now);

    // 50 subscriptions are the limit of AWS IoT Core; a SUBSCRIBE may have 8.
    let filters: Vec<_> = (0..50).map(|number| format!("f/{number}")).collect();
    for filters in filters.chunks(8) {
        let subscriptions: Vec<_> = filters.iter().map(|filter| subscription(filter)).collect();
        harness.receives(&mut connection, subscribe(&subscriptions));
    }
    harness.sends(&mut connection);

    let subscriptions = [subscription("x"), subscription("y")];
    harness.receives(&mut connection, subscribe(&subscriptions));
    let sent = harness.sends(&mut connection);
    let Packet::Disconnect(disconnect) = sent.last().unwrap().packet() else {
        panic!("a DISCONNECT, not {sent:?}")
    };
    assert_eq!(disconnect.reason_code, ReasonCode::QuotaExceeded);
    let reason = disconnect.properties.reason_string.unwrap();
    assert_eq!(reason.as_str(), "a connection may have 50 subscriptions");
}

#[test]
fn a_subscriber_that_reads_nothing_has_a_bounded_output() {
    let mut harness = Harness::new();
    let (mut publisher, mut subscriber) = (harness.connected("p"), harness.connected("s"));
    harness.receives(&mut subscriber, subscribe(&[subscription("t")]));
    harness.sends(&mut subscriber);
    // The subscriber doesn't read, so the last ten don't fit into its queue and are dropped.
    for _ in 0..MAX_QUEUED + 10 {
        harness.receives(&mut publisher, publish("t", QoS::AtMostOnce));
    }
    assert_eq!(harness.sends(&mut subscriber).len(), MAX_QUEUED);
}

/// Each has a topic of its own, so that nothing is shared.
#[test]
fn subscribers_that_read_nothing_share_one_memory_bound_and_the_slowest_is_given_up() {
    let mut harness = Harness::new();
    let mut publisher = harness.connected("p");
    let large = vec![b'x'; 128 * 1024];
    let mut silent = Vec::new();
    // Twenty subscribers get 40 messages of 128 KiB each, the other 680 get one.
    for number in 0..700 {
        let topic = number.to_string();
        let mut subscriber = harness.connected(&topic);
        harness.receives(&mut subscriber, subscribe(&[subscription(&topic)]));
        harness.sends(&mut subscriber);
        silent.push(subscriber);
        for _ in 0..if number < 20 { 40 } else { 1 } {
            harness.receives(
                &mut publisher,
                Publish {
                    payload: &large,
                    ..publish(&topic, QoS::AtMostOnce)
                },
            );
        }
        assert!(harness.hub.memory_counter().bytes() <= HARD_MESSAGE_BYTES);
    }
    // A client that reads gets its message all the same.
    let mut reader = harness.connected("reader");
    harness.receives(&mut reader, subscribe(&[subscription("t")]));
    harness.sends(&mut reader);
    harness.receives(
        &mut publisher,
        Publish {
            payload: &large,
            ..publish("t", QoS::AtMostOnce)
        },
    );
    assert_eq!(harness.sends(&mut reader).len(), 1);
    let told: Vec<_> = silent
        .iter_mut()
        .map(|client| harness.sends_disconnect(client))
        .collect();
    assert!(
        // Only subscribers with the longest queues were given up.
        told[..20].contains(&Some(ReasonCode::QuotaExceeded)),
        "{told:?}"
    );
    assert_eq!(told[20..], vec![None; 680]);
}

/// MQTT-3.3.2-5, MQTT-3.3.2-6
#[test]
fn a_waiting_message_tells_how_long_it_is_still_worth_delivering() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    harness.receives(&mut connection, subscribe(&[subscription("t")]));
    harness.sends(&mut connection);
    for expiry in [10, 100] {
        let mut message = publish("t", QoS::AtMostOnce);
        message.properties.message_expiry_interval = Some(expiry);
        harness.receives(&mut connection, message);
    }
    // The first message has expired by now; the second has 100 - 30 = 70 s left.
    harness.now += Duration::from_secs(30);
    let packets = harness.sends(&mut connection);
    let Packet::Publish(publish) = packets[0].packet() else {
        panic!("a PUBLISH")
    };
    assert_eq!(
        (packets.len(), publish.properties.message_expiry_interval),
        (1, Some(70))
    );
}

#[test]
fn packet_identifiers_are_not_reused_at_once() {
    let mut harness = Harness::new();
    let mut connection = harness.connected("c");
    harness.receives(&mut connection, subscribe(&[subscription("t")]));
    harness.sends(&mut connection);
    // Each identifier is free again at once, and the next message gets another all the same.
    for expected in 1..=3 {
        harness.receives(&mut connection, publish("t", QoS::AtLeastOnce));
        let packets = harness.sends(&mut connection);
        let Packet::Publish(publish) = packets[1].packet() else {
            panic!("a PUBLISH")
        };
        let packet_id = publish.delivery.packet_id().unwrap();
        assert_eq!(packet_id.get(), expected);
        harness.receives(&mut connection, Packet::PubAck(Ack::success(packet_id)));
    }
}
