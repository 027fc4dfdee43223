//! From the open transport to CONNACK (§3.1, §3.2).

use std::time::Duration;

use dunlin_client::codec::{Packet, PacketType, PayloadFormat};
use dunlin_client::engine::Pace;
use dunlin_client::{CleanStart, ConnectError, ConnectOptions, OptionsError, QoS, Violation, Will};

use crate::harness::{Client, Ended, options};
use crate::packets::{connack, connack_resumed};

/// CONNECT of AWS's sample, byte for byte.
const GOLDEN: &str = "105400044d51545405c204b00000156d717474352d73616d706c652d30613162326333640028616c6963653f782d616d\
                      7a2d637573746f6d617574686f72697a65722d6e616d653d4d79417574680006733363726574";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn clean_start_of(client: &mut Client) -> bool {
    match client.sends()[..] {
        [ref connect] => match connect.packet() {
            Packet::Connect(connect) => connect.read().clean_start,
            other => panic!("{other:?}"),
        },
        ref others => panic!("{others:?}"),
    }
}

fn sample_options() -> ConnectOptions {
    let mut options = ConnectOptions::new("mqtt5-sample-0a1b2c3d");
    options.keep_alive = Duration::from_secs(1200);
    options.clean_start = CleanStart::Always;
    options.session_expiry_interval = None;
    options.receive_maximum = None;
    options.maximum_packet_size = None;
    options.username = Some("alice?x-amz-customauthorizer-name=MyAuth".into());
    options.password = Some(b"s3cret".to_vec().into());
    options
}

#[test]
fn connect_equals_that_of_the_aws_sample() {
    let mut client = Client::new(sample_options());
    client.opens();
    assert_eq!(hex(&client.sends_bytes()), GOLDEN);
}

#[test]
fn connect_carries_every_option() {
    let mut options = options();
    options.keep_alive = Duration::from_secs(30);
    options.session_expiry_interval = Some(7);
    options.receive_maximum = Some(3);
    options.maximum_packet_size = Some(1000);
    options.request_problem_information = Some(false);
    options.user_properties = vec![("a".into(), "1".into()), ("a".into(), "2".into())];
    options.request_response_information = Some(true);
    let mut client = Client::new(options);
    client.opens();

    let sent = client.sends();
    let Packet::Connect(connect) = sent[0].packet() else {
        panic!("{sent:?}")
    };
    let connect = connect.read();
    let properties = connect.properties;
    assert_eq!((connect.clean_start, connect.keep_alive), (true, 30));
    assert_eq!(properties.session_expiry_interval, Some(7));
    assert_eq!(properties.receive_maximum.map(u16::from), Some(3));
    assert_eq!(properties.maximum_packet_size.map(u32::from), Some(1000));
    assert_eq!(
        (
            properties.topic_alias_maximum,
            properties.request_problem_information
        ),
        (None, Some(false))
    );
    assert_eq!(properties.user_properties.len(), 2);
    assert_eq!(properties.request_response_information, Some(true));
    assert_eq!(connect.will, None);
}

/// [MQTT-3.1.2-7] [MQTT-3.1.2-9] [MQTT-3.1.3-10]
#[test]
fn connect_carries_a_will_with_all_its_properties() {
    let mut will = Will::new("gone", "bye");
    will.qos = QoS::AtLeastOnce;
    will.retain = true;
    will.delay_interval = Some(5);
    will.payload_format_indicator = Some(PayloadFormat::Utf8);
    will.message_expiry_interval = Some(60);
    will.content_type = Some("text/plain".into());
    will.response_topic = Some("answers".into());
    will.correlation_data = Some(vec![1, 2]);
    will.user_properties = vec![("a".into(), "1".into()), ("a".into(), "2".into())];
    let mut options = options();
    options.will = Some(will);
    let mut client = Client::new(options);
    client.opens();

    let sent = client.sends();
    let Packet::Connect(connect) = sent[0].packet() else {
        panic!("{sent:?}")
    };
    let connect = connect.read();
    let will = connect.will.unwrap();
    let properties = will.properties;
    assert_eq!(
        (will.topic.as_str(), will.payload.as_bytes()),
        ("gone", &b"bye"[..])
    );
    assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
    assert_eq!(
        (
            properties.will_delay_interval,
            properties.message_expiry_interval
        ),
        (Some(5), Some(60))
    );
    assert_eq!(
        properties.payload_format_indicator,
        Some(PayloadFormat::Utf8)
    );
    assert_eq!(
        properties.content_type.map(|text| text.as_str().to_owned()),
        Some("text/plain".to_owned())
    );
    assert_eq!(
        properties
            .response_topic
            .map(|topic| topic.as_str().to_owned()),
        Some("answers".to_owned())
    );
    assert_eq!(
        properties
            .correlation_data
            .map(|data| data.as_bytes().to_vec()),
        Some(vec![1, 2])
    );
    let user_properties: Vec<_> = properties
        .user_properties
        .iter()
        .map(|each| each.value.as_str().to_owned())
        .collect();
    assert_eq!(user_properties, ["1", "2"], "in order");
}

/// [MQTT-3.1.3-11]
#[test]
fn an_invalid_will_is_found_before_anything_is_sent() {
    type Break = fn(&mut Will);
    let breaks: [(Break, &str); 6] = [
        (|will| will.topic = "a/#".into(), "the will's topic"),
        (
            |will| will.response_topic = Some("a/+".into()),
            "the will's response topic",
        ),
        (|will| will.payload = vec![0; 65_536], "will payload"),
        (
            |will| will.content_type = Some("nul\0".into()),
            "will content type",
        ),
        (
            |will| will.correlation_data = Some(vec![0; 65_536]),
            "will correlation data",
        ),
        (
            |will| will.user_properties = vec![("a".into(), "nul\0".into())],
            "will user property",
        ),
    ];
    for (breaks, named) in breaks {
        let mut will = Will::new("gone", "bye");
        breaks(&mut will);
        let mut options = options();
        options.will = Some(will);
        let error = options.check().unwrap_err().to_string();
        assert!(error.starts_with(named), "{error}");
    }
}

#[test]
fn a_number_that_does_not_fit_into_connect_is_refused_by_name() {
    type Break = fn(&mut ConnectOptions);
    let breaks: [(Break, &str); 7] = [
        (
            |options| options.receive_maximum = Some(0),
            "receive maximum must not be 0",
        ),
        (
            |options| options.maximum_packet_size = Some(0),
            "maximum packet size must not be 0",
        ),
        (
            |options| options.slow_start = Some(0),
            "slow start must not be 0",
        ),
        (
            |options| options.poison_guard = Some(0),
            "poison guard must not be 0",
        ),
        (
            |options| {
                options.pace = Some(Pace {
                    messages: 0,
                    bytes: 1,
                });
            },
            "messages per second must not be 0",
        ),
        (
            |options| {
                options.pace = Some(Pace {
                    messages: 1,
                    bytes: 0,
                });
            },
            "bytes per second must not be 0",
        ),
        (
            |options| options.keep_alive = Duration::from_millis(65_535_001),
            "a keep alive of 65536 s; the longest is 65535 s",
        ),
    ];
    for (breaks, named) in breaks {
        let mut options = options();
        breaks(&mut options);
        assert_eq!(options.check().unwrap_err().to_string(), named);
        let opened = Client::new(options).try_open();
        assert!(matches!(opened, Err(ConnectError::Options(_))), "{named}");
    }
}

/// [MQTT-3.1.2-21]
#[test]
fn a_keep_alive_is_sent_in_whole_seconds_rounded_up() {
    for (keep_alive, seconds) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_secs(30), 30),
        (Duration::from_millis(30_001), 31),
        (Duration::from_secs(65_535), 65_535),
    ] {
        let mut options = options();
        options.keep_alive = keep_alive;
        let mut client = Client::new(options);
        client.opens();
        let sent = client.sends();
        let Packet::Connect(connect) = sent[0].packet() else {
            panic!()
        };
        let connect = connect.read();
        assert_eq!(connect.keep_alive, seconds);
    }
}

/// [MQTT-3.1.0-1] [U-3.1.4-1]
#[test]
fn only_connect_is_sent_before_connack() {
    let mut client = Client::new(options());
    client.publishes("a", QoS::AtLeastOnce);
    client.opens();
    client.subscribes(&["b"]);
    let first = client.sends();
    assert_eq!(
        first
            .iter()
            .map(|packet| packet.packet().packet_type())
            .collect::<Vec<_>>(),
        [PacketType::Connect]
    );

    client.receives(&connack());
    assert_eq!(client.sends().len(), 2);
}

#[test]
fn options_that_do_not_fit_into_connect_are_found_before_sending() {
    let mut options = options();
    options.client_id = "nul\0".into();
    assert!(matches!(
        options.check(),
        Err(OptionsError::Text {
            field: "client id",
            ..
        })
    ));
    let mut client = Client::new(options);
    let refused = client.try_open();
    assert!(matches!(
        refused,
        Err(ConnectError::Options(OptionsError::Text { .. }))
    ));
    assert!(client.sends().is_empty());
}

#[test]
fn timeouts_beyond_the_range_of_the_clock_never_fire() {
    let mut options = options();
    options.connack_timeout = Duration::MAX;
    options.ack_timeout = Duration::MAX;
    options.ping_timeout = Duration::MAX;
    let mut client = Client::connecting(options);
    assert_eq!(client.engine.poll_timeout(), None);
    client.receives(&connack());
    client.publishes("a", QoS::AtLeastOnce);
    assert_eq!(client.sends().len(), 1);
    assert_eq!(client.engine.poll_timeout(), None);
}

/// receive_nonexisting_session_state [MQTT-3.2.2-4]
#[test]
fn a_session_that_the_client_does_not_have_ends_the_attempt() {
    let mut always = options();
    always.clean_start = CleanStart::Always;
    for options in [options(), always] {
        let mut client = Client::connecting(options);
        client.receives(&connack_resumed());
        assert_breach(&mut client, "MQTT-3.2.2-4");
    }
}

/// no_session_after_client_stop, session_resumption_post_success
#[test]
fn the_first_connection_starts_clean_and_later_ones_resume() {
    let mut client = Client::new(options());
    client.opens();
    assert!(clean_start_of(&mut client));
    client.loses_connection();
    client.opens();
    assert!(clean_start_of(&mut client), "that wasn't a connection");
    client.receives(&connack());
    client.loses_connection();
    client.opens();
    assert!(!clean_start_of(&mut client));
}

/// session_resumption_always, session_resumption_clean_start
#[test]
fn clean_start_never_and_always_hold_for_every_connection() {
    for (clean_start, expected) in [(CleanStart::Never, false), (CleanStart::Always, true)] {
        let mut options = options();
        options.clean_start = clean_start;
        let mut client = Client::new(options);
        for _ in 0..2 {
            client.opens();
            assert_eq!(clean_start_of(&mut client), expected);
            client.receives(&connack());
            client.loses_connection();
        }
    }
}

#[test]
fn a_client_that_never_starts_clean_takes_a_session_or_none() {
    for answer in [connack(), connack_resumed()] {
        let mut options = options();
        options.clean_start = CleanStart::Never;
        let mut client = Client::connecting(options);
        client.receives(&answer);
        assert!(client.engine.is_connected());
    }
}

#[track_caller]
pub(crate) fn assert_breach(client: &mut Client, rule: &str) {
    assert!(
        client.sends().is_empty(),
        "before CONNACK there is nothing to disconnect from"
    );
    match client.closes() {
        Ended::Attempt(ConnectError::Protocol(Violation::Unexpected { statement, .. })) => {
            assert_eq!(statement, rule);
        }
        other => panic!("{other:?}"),
    }
}
