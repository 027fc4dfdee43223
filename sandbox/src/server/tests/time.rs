//! Rules about time, in virtual time: rates, expiries, delays and redelivery.

use std::time::Duration;

use dunlin_codec::{
    BinaryData, Connect, ConnectProperties, Disconnect, Packet, PacketBuf, Publish, QoS,
    ReasonCode, TopicName, Will, WillProperties,
};

use crate::authorizer::Grant;
use crate::server::tests::harness::{
    ALL, Harness, connect, grant, puback_codes, publish, subscribe, subscription,
};
use crate::server::{Connection, Settings};

/// A server with the rules of AWS IoT Core.
fn aws() -> Harness {
    Harness::with(Settings::default())
}

/// CONNECT with a session that outlives its connection by `seconds`.
fn lasting(client_id: &str, seconds: u32) -> Connect<'_> {
    let properties = ConnectProperties {
        session_expiry_interval: Some(seconds),
        ..ConnectProperties::default()
    };
    Connect {
        clean_start: false,
        properties,
        ..connect(client_id)
    }
}

/// CONNECT with a will that is delayed by `seconds`, and a session of a minute.
fn with_will(client_id: &str, seconds: u32) -> Connect<'_> {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties {
            will_delay_interval: Some(seconds),
            ..WillProperties::default()
        },
        topic: TopicName::new("will").unwrap(),
        payload: BinaryData::new(b"gone").unwrap(),
    };
    Connect {
        will: Some(will),
        ..lasting(client_id, 60)
    }
}

/// A client that subscribed to these filters.
fn subscriber(harness: &mut Harness, client_id: &str, filters: &[&str]) -> Connection {
    let mut connection = harness.connected(client_id);
    for filter in filters {
        harness.receives(&mut connection, subscribe(&[subscription(filter)]));
    }
    harness.sends(&mut connection);
    connection
}

/// Payloads of the messages that are ready to be sent.
fn payloads(harness: &mut Harness, connection: &mut Connection) -> Vec<Vec<u8>> {
    let sent = harness.sends(connection);
    let payload = |packet: &PacketBuf| match packet.packet() {
        Packet::Publish(publish) => Some(publish.payload.to_vec()),
        _ => None,
    };
    sent.iter().filter_map(payload).collect()
}

/// The session of a client waits for it.
fn leaves(harness: &mut Harness, mut connection: Connection) {
    connection.handle_lost(&mut harness.hub, harness.now);
}

/// Lets time pass for what waits in the hub.
fn wait(harness: &mut Harness, time: Duration) {
    harness.now += time;
    harness.hub.handle_timeout(harness.now.instant);
}

const SECOND: Duration = Duration::from_secs(1);

/// MQTT-3.1.2-7, MQTT-3.1.2-8, MQTT-3.1.2-10, MQTT-3.1.2-14
#[test]
fn a_delayed_will_is_published_when_its_time_has_come_and_once() {
    let mut harness = Harness::new();
    let mut watcher = subscriber(&mut harness, "watcher", &["will"]);
    let (client, _) = harness.connects(with_will("c", 10));
    leaves(&mut harness, client);
    // A second before the Will Delay Interval of 10 s is over.
    wait(&mut harness, SECOND * 9);
    assert!(payloads(&mut harness, &mut watcher).is_empty());
    wait(&mut harness, SECOND);
    assert_eq!(payloads(&mut harness, &mut watcher), [b"gone"]);

    // A connection without a will: the old one was published and removed.
    let (client, _) = harness.connects(lasting("c", 60));
    leaves(&mut harness, client);
    wait(&mut harness, SECOND * 60);
    assert!(payloads(&mut harness, &mut watcher).is_empty());
}

/// MQTT-3.1.3-9
#[test]
fn a_client_that_reconnects_within_the_will_delay_publishes_no_will() {
    let mut harness = Harness::new();
    let mut watcher = subscriber(&mut harness, "watcher", &["will"]);
    let (client, _) = harness.connects(with_will("c", 10));
    leaves(&mut harness, client);
    wait(&mut harness, SECOND * 9);
    // Back a second before the will is due.
    let (_client, session_present) = harness.connects(lasting("c", 60));
    assert!(session_present);
    wait(&mut harness, SECOND * 60);
    assert!(payloads(&mut harness, &mut watcher).is_empty());
}

/// MQTT-3.1.2-8
#[test]
fn the_will_delay_ends_with_the_session() {
    let mut harness = Harness::new();
    let mut watcher = subscriber(&mut harness, "watcher", &["will"]);
    let (client, _) = harness.connects(with_will("c", 3600));
    leaves(&mut harness, client);
    // The session lasts 60 s, the delay an hour: the earlier of both counts.
    wait(&mut harness, SECOND * 59);
    assert!(payloads(&mut harness, &mut watcher).is_empty());
    wait(&mut harness, SECOND);
    // The will of a session that has ended is published at the next deadline of the hub.
    wait(&mut harness, Duration::ZERO);
    assert_eq!(payloads(&mut harness, &mut watcher), [b"gone"]);

    // Clean Start ends the old session, too.
    let (client, _) = harness.connects(with_will("d", 3600));
    leaves(&mut harness, client);
    let (_client, _) = harness.connects(Connect {
        clean_start: true,
        ..lasting("d", 60)
    });
    wait(&mut harness, Duration::ZERO);
    assert_eq!(payloads(&mut harness, &mut watcher), [b"gone"]);
}

/// MQTT-4.1.0-2
#[test]
fn a_session_ends_when_its_time_is_over() {
    let mut harness = Harness::new();
    // A session of 10 s: resumed after 9 s, and a new one after 10.
    for (seconds, expected) in [(9, true), (10, false)] {
        let (client, _) = harness.connects(lasting("c", 10));
        leaves(&mut harness, client);
        wait(&mut harness, SECOND * seconds);
        assert_eq!(harness.connects(lasting("c", 10)).1, expected);
    }
}

#[test]
fn on_aws_a_session_lasts_an_hour() {
    let mut harness = aws();
    for (seconds, expected) in [(3599, true), (3600, false)] {
        // The client asks for a session without end; AWS IoT grants an hour.
        let (client, _) = harness.connects(lasting("c", u32::MAX));
        leaves(&mut harness, client);
        wait(&mut harness, SECOND * seconds);
        assert_eq!(harness.connects(lasting("c", 60)).1, expected);
        harness.now += SECOND;
    }
}

#[test]
fn on_aws_stored_messages_come_ten_a_second() {
    let mut harness = aws();
    let mut publisher = harness.connected("p");
    let (mut client, _) = harness.connects(lasting("c", 60));
    harness.receives(&mut client, subscribe(&[subscription("t")]));
    harness.sends(&mut client);
    leaves(&mut harness, client);
    // Stored while the client is away; numbered, so that the order shows.
    for number in 0..15_u8 {
        let message = Publish {
            payload: &[number],
            ..publish("t", QoS::AtLeastOnce)
        };
        harness.receives(&mut publisher, message);
        assert_eq!(
            puback_codes(&harness.sends(&mut publisher)),
            [ReasonCode::Success]
        );
    }

    harness.now += SECOND * 2;
    let mut client = harness.accepted();
    harness.receives(&mut client, lasting("c", 60));
    client.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
    // Ten at once, and the other five in the next second.
    let numbers = |range: core::ops::Range<u8>| range.map(|number| vec![number]);
    assert!(
        payloads(&mut harness, &mut client)
            .into_iter()
            .eq(numbers(0..10))
    );
    assert!(payloads(&mut harness, &mut client).is_empty());
    let next = client.poll_timeout().unwrap();
    assert_eq!(next - harness.now.instant, SECOND);
    harness.advance(&mut client, 1);
    assert!(
        payloads(&mut harness, &mut client)
            .into_iter()
            .eq(numbers(10..15))
    );
}

#[test]
fn a_retained_message_expires_in_the_store() {
    let mut harness = aws();
    let mut client = harness.connected("c");
    let mut message = publish("lamp", QoS::AtMostOnce);
    message.retain = true;
    message.properties.message_expiry_interval = Some(10);
    harness.receives(&mut client, message);
    // After 9 s the message is there, after 10 s it isn't.
    for (seconds, expected) in [(9, 1), (1, 0)] {
        harness.now += SECOND * seconds;
        harness.receives(&mut client, subscribe(&[subscription("lamp")]));
        assert_eq!(payloads(&mut harness, &mut client).len(), expected);
    }
}

#[test]
fn a_client_id_connects_once_a_second() {
    let mut harness = aws();
    let mut first = harness.connected("c");
    let mut too_fast = harness.accepted();
    harness.receives(&mut too_fast, connect("c"));
    // The second CONNECT within a second is refused, and doesn't take the session over.
    too_fast.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
    let sent = harness.sends(&mut too_fast);
    let Packet::ConnAck(connack) = sent[0].packet() else {
        panic!("a CONNACK")
    };
    let connack = connack.read();
    assert_eq!(connack.reason_code, ReasonCode::QuotaExceeded);
    assert!(harness.sends(&mut first).is_empty());
    // The limit is for each client id.
    harness.connected("another");
    harness.now += SECOND;
    harness.connected("c");
}

#[test]
fn a_connection_has_a_hundred_messages_a_second() {
    let mut harness = aws();
    let mut client = harness.connected("c");
    let mut codes = Vec::new();
    // 20 messages beyond the rate of 100 a second are discarded with 0x97.
    for _ in 0..120 {
        harness.receives(&mut client, publish("t", QoS::AtLeastOnce));
        codes.extend(puback_codes(&harness.sends(&mut client)));
    }
    assert_eq!(codes[..100], [ReasonCode::Success; 100]);
    assert_eq!(codes[100..], [ReasonCode::QuotaExceeded; 20]);
    harness.now += SECOND;
    harness.receives(&mut client, publish("t", QoS::AtLeastOnce));
    assert_eq!(
        puback_codes(&harness.sends(&mut client)),
        [ReasonCode::Success]
    );
}

#[test]
fn a_connection_has_half_a_megabyte_a_second() {
    let mut harness = aws();
    let mut client = harness.connected("c");
    let payload = vec![b'x'; 120 * 1024];
    let large = || Publish {
        payload: &payload,
        ..publish("t", QoS::AtLeastOnce)
    };
    // The fifth message uses the bytes up; what comes then waits for the next second.
    for _ in 0..5 {
        assert!(client.wants_input());
        harness.receives(&mut client, large());
    }
    assert!(!client.wants_input());
    let told = client.output.events.iter().filter(|event| {
        event
            .to_string()
            .contains("more than 524288 bytes a second")
    });
    assert_eq!(told.count(), 1);
    let next = client.poll_timeout().unwrap();
    assert_eq!(next - harness.now.instant, SECOND);
    harness.advance(&mut client, 1);
    assert!(client.wants_input());
    harness.receives(&mut client, large());
}

/// MQTT-3.1.2-22
#[test]
fn on_aws_a_keep_alive_is_within_30_and_1200_seconds() {
    // Too short, the minimum, none at all, and too long.
    for (requested, granted) in [(1, 30), (30, 30), (0, 1200), (u16::MAX, 1200)] {
        let mut harness = aws();
        let mut client = harness.accepted();
        let connect = Connect {
            keep_alive: requested,
            ..connect("c")
        };
        harness.receives(&mut client, connect);
        let for_a_day = Grant {
            disconnect_after: SECOND * 86_400,
            refresh_after: None,
            ..grant(ALL)
        };
        client.handle_authorization(Ok(for_a_day), &mut harness.hub, harness.now);
        harness.sends(&mut client);

        // One and a half times the granted keep alive, not the requested one.
        let silence = granted * 3 / 2;
        harness.advance(&mut client, silence - 1);
        assert!(client.output.close.is_none(), "{requested}");
        harness.advance(&mut client, 1);
        let code = harness.sends_disconnect(&mut client);
        assert_eq!(code, Some(ReasonCode::KeepAliveTimeout), "{requested}");
    }
}

#[test]
fn a_message_that_waited_an_hour_for_its_puback_is_not_sent_again() {
    // With the second before the client leaves it is back 3,599 or 3,600 s after the first
    // delivery.
    for (seconds, expected) in [(3598, 1), (3599, 0)] {
        let mut harness = aws();
        let mut publisher = harness.connected("p");
        let (mut client, _) = harness.connects(lasting("c", 3600));
        harness.receives(&mut client, subscribe(&[subscription("t")]));
        harness.receives(&mut publisher, publish("t", QoS::AtLeastOnce));
        assert_eq!(payloads(&mut harness, &mut client).len(), 1);
        harness.now += SECOND;
        leaves(&mut harness, client);
        wait(&mut harness, SECOND * seconds);

        let mut client = harness.accepted();
        harness.receives(&mut client, lasting("c", 3600));
        client.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
        assert_eq!(payloads(&mut harness, &mut client).len(), expected);
        let line = "receive   c  t  → refuse (not acknowledged within 3600 s: not sent again)";
        let events = client.output.events.iter().map(ToString::to_string);
        assert_eq!(events.filter(|event| event == line).count(), 1 - expected);
    }
}

/// §4.8.2
#[test]
fn a_shared_message_waits_for_a_session_if_no_member_is_connected() {
    let mut harness = aws();
    let mut publisher = harness.connected("p");
    let (mut away, _) = harness.connects(lasting("away", 600));
    harness.receives(&mut away, subscribe(&[subscription("$share/g/t")]));
    // The only member leaves in an orderly way; its session goes on for 600 s.
    harness.receives(&mut away, Packet::Disconnect(Disconnect::default()));
    harness.receives(&mut publisher, publish("t", QoS::AtLeastOnce));
    assert_eq!(
        puback_codes(&harness.sends(&mut publisher)),
        [ReasonCode::Success]
    );
    harness.now += SECOND;
    let mut back = harness.accepted();
    harness.receives(&mut back, lasting("away", 600));
    back.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
    assert_eq!(payloads(&mut harness, &mut back), [b"x"]);
}
