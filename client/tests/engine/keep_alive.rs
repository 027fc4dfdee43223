//! PINGREQ in time, and what its absence means (§3.1.2.10).

use std::time::Duration;

use dunlin_client::codec::{ConnAckProperties, Packet, Publish, TopicName};
use dunlin_client::{ConnectOptions, ConnectionError, Message};

use crate::harness::{Client, Ended, options};
use crate::packets::{at_most_once, buf, connack, connack_with, pingreq, pingresp, publish};

const SECOND: Duration = Duration::from_secs(1);

fn keeping_alive(seconds: u16) -> ConnectOptions {
    let mut options = options();
    options.keep_alive = Duration::from_secs(seconds.into());
    options
}

fn server_keep_alive(seconds: u16) -> dunlin_client::codec::PacketBuf {
    connack_with(ConnAckProperties {
        server_keep_alive: Some(seconds),
        ..ConnAckProperties::default()
    })
}

/// Seconds of silence after which PINGREQ leaves; `None` if none does within ten minutes.
fn first_ping(client: &mut Client) -> Option<u32> {
    (1..=600).find(|_| {
        client.advance(SECOND);
        client.sends() == [pingreq()]
    })
}

/// ping_sequence [MQTT-3.1.2-20]
#[test]
fn pings_go_on_as_long_as_they_are_answered() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    for _ in 0..5 {
        let silence = first_ping(&mut client).unwrap();
        assert!((10..20).contains(&silence), "{silence}");
        client.receives(&pingresp());
    }
    assert!(client.engine.is_connected());
}

/// [MQTT-3.1.2-20]
#[test]
fn received_packets_do_not_postpone_a_ping() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    let quiet = first_ping(&mut Client::connected_as(keeping_alive(20), &connack()));
    let busy = (1..=20).find(|_| {
        client.advance(SECOND);
        client.receives(&publish("a", at_most_once()));
        client.sends() == [pingreq()]
    });
    assert_eq!(busy, quiet);
}

/// awscrt_traffic_does_not_postpone_pings, ping_write_pushout
#[test]
fn sent_packets_postpone_a_ping() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    for _ in 0..60 {
        client.advance(SECOND);
        client.try_publish(Message::new("a", "on")).unwrap();
        assert_eq!(client.sends(), [publish("a", at_most_once())]);
    }
}

#[test]
fn the_silence_before_connack_counts() {
    let mut client = Client::connecting(keeping_alive(20));
    client.advance(10 * SECOND);
    client.receives(&connack());
    let silence = first_ping(&mut client).unwrap();
    assert!(10 + silence < 20, "{silence}");
}

/// disabled_keep_alive
#[test]
fn a_keep_alive_of_zero_never_pings() {
    let mut client = Client::connected_as(keeping_alive(0), &connack());
    assert_eq!(first_ping(&mut client), None);
    assert_eq!(client.engine.poll_timeout(), None);
}

/// [MQTT-3.1.2-21] [MQTT-3.2.2-21]
#[test]
fn the_servers_keep_alive_counts_smaller_larger_or_zero() {
    let mut smaller = Client::connected_as(keeping_alive(60), &server_keep_alive(5));
    assert!(first_ping(&mut smaller).unwrap() < 5);
    let mut larger = Client::connected_as(keeping_alive(60), &server_keep_alive(120));
    assert!((60..120).contains(&first_ping(&mut larger).unwrap()));
    let mut zero = Client::connected_as(keeping_alive(60), &server_keep_alive(0));
    assert_eq!(first_ping(&mut zero), None);
}

/// awscrt_says_0x8D, ping_timeout [U-3.1.2-1]
#[test]
fn an_unanswered_ping_ends_the_connection_without_disconnect() {
    let mut options = keeping_alive(60);
    options.ping_timeout = 10 * SECOND;
    let mut client = Client::connected_as(options, &connack());
    client.receives(&publish("a", at_most_once()));
    let silence = first_ping(&mut client).unwrap();
    client.advance(9 * SECOND);
    assert!(!client.engine.should_close());
    client.advance(SECOND);

    assert!(client.sends().is_empty(), "0x8D is for servers to say");
    let Ended::Connection(ConnectionError::KeepAliveTimeout {
        after,
        keep_alive,
        silent_for,
    }) = client.closes()
    else {
        panic!()
    };
    assert_eq!((after, keep_alive), (10 * SECOND, 60 * SECOND));
    assert_eq!(silent_for.as_secs(), u64::from(silence) + 10);
}

/// gneiss_ping_timeout_of_0, ping_timeout_with_keep_alive_conflict
#[test]
fn the_ping_timeout_is_half_the_keep_alive_at_most() {
    for seconds in [1_u16, 2, 10, 20] {
        let mut options = keeping_alive(seconds);
        options.ping_timeout = 30 * SECOND;
        let mut client = Client::connected_as(options, &connack());
        client.advance(Duration::from_millis(u64::from(seconds) * 1500));
        let Ended::Connection(ConnectionError::KeepAliveTimeout { after, .. }) = client.closes()
        else {
            panic!()
        };
        assert_eq!(after, Duration::from_secs(seconds.into()) / 2);
        assert!(after > Duration::ZERO);
    }
}

/// [U-3.13-1]
#[test]
fn an_unexpected_pingresp_is_ignored() {
    let mut client = Client::connected();
    client.receives(&pingresp());
    assert!(client.engine.is_connected());
    assert!(client.sends().is_empty());
}

#[test]
fn only_pingresp_answers_a_ping() {
    let mut options = keeping_alive(60);
    options.ping_timeout = 10 * SECOND;
    let mut client = Client::connected_as(options, &connack());
    first_ping(&mut client).unwrap();
    for _ in 0..10 {
        client.receives(&publish("a", at_most_once()));
        client.advance(SECOND);
    }
    assert!(client.engine.should_close());
}

/// PUBLISH with `payload` bytes of payload.
fn large(payload: usize) -> Vec<u8> {
    let payload = vec![b'x'; payload];
    let publish = Publish::new(TopicName::new("a").unwrap(), &payload);
    buf(Packet::Publish(publish)).as_bytes().to_vec()
}

/// 1 MB at 20 kB/s takes 50 s, longer than two keep alives. [MQTT-3.1.2-20]
#[test]
fn a_large_message_on_a_slow_network_arrives() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    let (mut silence, mut pings) = (Duration::ZERO, 0);
    let bytes = large(1_000_000);
    for part in bytes.chunks(200) {
        client.receives_bytes(part);
        client.advance(SECOND / 100);
        silence += SECOND / 100;
        match &client.sends()[..] {
            [] => assert!(silence < 20 * SECOND, "PINGREQ is late"),
            [packet] if *packet == pingreq() => (silence, pings) = (Duration::ZERO, pings + 1),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((client.consumes_all(), pings), (vec!["a".to_owned()], 3));
    // The answers come behind the message.
    client.advance(9 * SECOND);
    client.receives(&pingresp());
    assert!(client.engine.is_connected());
    client.advance(5 * SECOND);
    assert_eq!(client.sends(), [pingreq()]);
}

#[test]
fn the_wait_for_an_answer_starts_when_nothing_arrives() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    client.advance(14 * SECOND);
    let bytes = large(1_000_000);
    client.receives_bytes(&bytes[..500_000]);
    client.advance(SECOND);
    assert_eq!(client.sends(), [pingreq()]);
    client.receives_bytes(&bytes[500_000..600_000]);
    client.advance(9 * SECOND);
    assert!(client.engine.is_connected());
    client.advance(SECOND);
    assert!(matches!(
        client.closes(),
        Ended::Connection(ConnectionError::KeepAliveTimeout { .. })
    ));
}

/// A packet that is complete when it is read doesn't extend the ping timeout.
#[test]
fn small_messages_are_no_answer_to_a_ping() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    assert_eq!(first_ping(&mut client), Some(15));
    for _ in 0..10 {
        client.receives(&publish("a", at_most_once()));
        client.advance(SECOND);
    }
    assert!(matches!(
        client.closes(),
        Ended::Connection(ConnectionError::KeepAliveTimeout { .. })
    ));
}

#[test]
fn a_packet_that_arrives_below_1000_bytes_a_second_over_a_keep_alive_ends_the_connection() {
    for (rate, is_slow) in [(990, true), (1010, false)] {
        let mut client = Client::connected_as(keeping_alive(20), &connack());
        let bytes = large(100_000);
        let mut seconds = 0;
        for part in bytes.chunks(rate) {
            client.receives_bytes(part);
            client.advance(SECOND);
            seconds += 1;
            if client.engine.should_close() {
                break;
            }
        }
        if is_slow {
            assert_eq!(seconds, 20);
            client.sends();
            let within = 20 * SECOND;
            let cause = ConnectionError::TooSlow {
                bytes: 20 * rate,
                within,
            };
            assert_eq!(client.closes(), Ended::Connection(cause));
        } else {
            assert_eq!(client.consumes_all(), ["a"]);
        }
    }
}

/// Nothing is read while a stream is full, so nothing can arrive.
#[test]
fn a_packet_is_not_slow_while_nothing_is_read() {
    let mut client = Client::connected_as(keeping_alive(20), &connack());
    let bytes = large(100_000);
    client.receives_bytes(&bytes[..50_000]);
    let now = client.now();
    client.engine.set_listening(false, now);
    client.advance(300 * SECOND);
    let now = client.now();
    client.engine.set_listening(true, now);
    client.advance(9 * SECOND);
    client.receives_bytes(&bytes[50_000..]);
    assert_eq!(client.consumes_all(), ["a"]);
}

#[test]
fn a_ping_on_demand_leaves_at_once_and_its_missing_answer_ends_the_connection() {
    let mut options = keeping_alive(60);
    options.ping_timeout = 10 * SECOND;
    let mut client = Client::connected_as(options, &connack());
    assert!(client.engine.ping(client.now()));
    assert_eq!(client.sends(), [pingreq()]);
    client.receives(&pingresp());
    assert_eq!(client.engine.statistics().pings_answered, 1);

    assert!(client.engine.ping(client.now()));
    assert_eq!(client.sends(), [pingreq()]);
    client.advance(10 * SECOND);
    assert!(matches!(
        client.closes(),
        Ended::Connection(ConnectionError::KeepAliveTimeout { .. })
    ));
    assert!(!client.engine.ping(client.now()), "there is no connection");
}
