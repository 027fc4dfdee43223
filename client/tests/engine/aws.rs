//! AWS IoT Core: its limits are refused here, and its rates are kept.

use std::num::NonZeroU16;
use std::time::Duration;

use dunlin_client::aws::{Limit, LimitError, PACE};
use dunlin_client::codec::{ConnAckProperties, Packet, ReasonCode, SubscriptionOptions};
use dunlin_client::engine::Accepted;
use dunlin_client::{ConnectError, ConnectOptions, Message, OptionsError, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{at_least_once, at_most_once, connack, connack_with, puback, publish, suback};

const SECOND: Duration = Duration::from_secs(1);

fn exceeded(limit: Limit, value: usize, max: usize) -> RequestError {
    RequestError::Limit(LimitError::Exceeded { limit, value, max })
}

fn client_with_aws_limits() -> Client {
    Client::connected_as(ConnectOptions::for_aws_iot("lamp-7"), &connack())
}

/// Client with the rate limits of AWS IoT Core and no other of its limits.
fn client_with_aws_pace() -> Client {
    let mut options = options();
    options.pace = Some(PACE);
    Client::connected_as(options, &connack())
}

fn messages(client: &mut Client) -> usize {
    client
        .sends()
        .iter()
        .filter(|packet| matches!(packet.packet(), Packet::Publish(_)))
        .count()
}

/// awscrt_limits_not_validated
#[test]
fn a_message_above_a_limit_is_refused_and_nothing_is_sent() {
    let mut client = client_with_aws_limits();
    let large = vec![0; 128 * 1024 + 1];
    let refused = [
        (
            Message::new("a", &large),
            exceeded(Limit::Payload, 131_073, 131_072),
        ),
        (
            Message::new("a", "").qos(QoS::ExactlyOnce),
            exceeded(Limit::QoS, 2, 1),
        ),
        (
            Message::new("1/2/3/4/5/6/7/8/9", ""),
            exceeded(Limit::Slashes, 8, 7),
        ),
    ];
    for (message, error) in refused {
        assert_eq!(client.try_publish(message), Err(error));
    }
    assert!(client.sends().is_empty());
    assert_eq!(
        client.try_publish(Message::new("a", &large[1..])),
        Ok(Accepted::Sent)
    );
}

#[test]
fn subscriptions_are_counted_over_the_whole_connection() {
    let mut client = client_with_aws_limits();
    let options = SubscriptionOptions::default();
    let filter = |number: usize| format!("lamp/{number}");
    for number in 0..50 {
        client
            .engine
            .subscribe(&[(&filter(number), options)])
            .unwrap();
    }
    let one_more = |client: &mut Client| client.engine.subscribe(&[("lamp/50", options)]);
    assert_eq!(
        one_more(&mut client),
        Err(exceeded(Limit::Subscriptions, 51, 50)),
        "all of them pending"
    );
    for id in 1..=50 {
        client.receives(&suback(id, &[ReasonCode::Success]));
    }
    assert_eq!(
        one_more(&mut client),
        Err(exceeded(Limit::Subscriptions, 51, 50)),
        "all of them granted"
    );
    client.engine.subscribe(&[("lamp/7", options)]).unwrap();
    client.unsubscribes(&["lamp/7"]);
    let nine: Vec<_> = (0..9).map(filter).collect();
    let nine: Vec<_> = nine.iter().map(|each| (each.as_str(), options)).collect();
    assert_eq!(
        client.engine.subscribe(&nine),
        Err(exceeded(Limit::Filters, 9, 8))
    );
}

#[test]
fn a_connect_that_the_service_would_change_or_refuse_is_not_sent() {
    let mut options = ConnectOptions::for_aws_iot("lamp-7");
    options.keep_alive = Duration::ZERO;
    let fault = LimitError::KeepAlive {
        seconds: 0,
        min: 30,
        max: 1200,
    };
    assert_eq!(options.check(), Err(OptionsError::Limit(fault)));
    let refused = Client::new(options).try_open();
    assert_eq!(
        refused,
        Err(ConnectError::Options(OptionsError::Limit(fault)))
    );

    let refused = Client::new(ConnectOptions::for_aws_iot("$GEN/1")).try_open();
    let fault = OptionsError::Limit(LimitError::ReservedClientId);
    assert_eq!(refused, Err(ConnectError::Options(fault)));
}

/// AWS IoT Core denies some publishes by closing the connection, every time.
#[test]
fn a_message_fails_after_the_service_closed_the_connection_over_it_each_time() {
    let mut client = client_with_aws_limits();
    let denied = client.publishes("forbidden", QoS::AtLeastOnce);
    for _ in 0..3 {
        assert_eq!(client.outcome(denied), None);
        client.sends();
        client.reconnects(&connack());
    }
    let outcome = client.outcome(denied);
    assert!(
        matches!(
            outcome,
            Some(Err(RequestError::Poisoned { disconnects: _ }))
        ),
        "{outcome:?}"
    );
    assert!(client.sends().is_empty());
}

/// flow_control_iot_core_publish_tps
#[test]
fn a_burst_of_one_second_is_sent_at_once_and_the_rest_at_the_rate_limit() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = client_with_aws_pace();
        for _ in 0..650 {
            client
                .try_publish(Message::new("a", "on").qos(qos))
                .unwrap();
        }
        let mut sent = vec![messages(&mut client)];
        for _ in 0..6 {
            client.advance(SECOND);
            sent.push(messages(&mut client));
        }
        assert_eq!(sent, [100, 100, 100, 100, 100, 100, 50], "{qos}");
    }
}

#[test]
fn rate_limited_messages_are_sent_in_order_and_have_outcomes() {
    let mut client = client_with_aws_pace();
    let numbers: Vec<_> = (0..120).map(|number| format!("{number}")).collect();
    for number in &numbers {
        client.try_publish(Message::new(number, "on")).unwrap();
    }
    client.advance(SECOND);
    let expected: Vec<_> = numbers
        .iter()
        .map(|number| publish(number, at_most_once()))
        .collect();
    assert_eq!(client.sends(), expected);
    assert!(client.engine.is_idle());
    assert_eq!(
        client.engine.poll_timeout(),
        None,
        "nothing is due any more"
    );
}

/// flow_control_iot_core_throughput
#[test]
fn the_rate_limit_of_bytes_counts_encoded_bytes() {
    let mut client = client_with_aws_pace();
    let payload = vec![b'x'; 64 * 1024 - 12];
    for _ in 0..12 {
        client.try_publish(Message::new("a", &payload)).unwrap();
    }
    assert_eq!(messages(&mut client), 8, "512 KiB");
    client.advance(SECOND / 2);
    assert_eq!(messages(&mut client), 4, "and half of that");
    for _ in 0..90 {
        client.try_publish(Message::new("a", "small")).unwrap();
    }
    client.advance(SECOND);
    assert_eq!(messages(&mut client), 90, "small ones cost little");
}

#[test]
fn a_message_larger_than_the_rate_limit_is_sent_when_the_budget_is_full() {
    let mut client = client_with_aws_pace();
    let payload = vec![b'x'; 2 * 1024 * 1024];
    client.try_publish(Message::new("a", &payload)).unwrap();
    assert_eq!(messages(&mut client), 1);
    client.try_publish(Message::new("a", "small")).unwrap();
    assert_eq!(messages(&mut client), 0);
    client.advance(SECOND);
    assert_eq!(messages(&mut client), 1);
}

#[test]
fn received_messages_count_against_the_rate_but_do_not_stop_publishing() {
    let mut client = client_with_aws_pace();
    for _ in 0..100 {
        client.receives(&publish("b", at_most_once()));
    }
    client.try_publish(Message::new("a", "on")).unwrap();
    assert_eq!(messages(&mut client), 0, "the second is used up");
    client.advance(SECOND / 100);
    assert_eq!(messages(&mut client), 1);

    // A server that sends all that the connection carries.
    client.try_publish(Message::new("a", "on")).unwrap();
    for _ in 0..99 {
        client.receives(&publish("b", at_most_once()));
        client.receives(&publish("b", at_most_once()));
        client.advance(SECOND / 100);
        assert_eq!(messages(&mut client), 0);
    }
    client.advance(SECOND / 50);
    assert_eq!(messages(&mut client), 1, "a second was long enough");
}

#[test]
fn acknowledgements_and_subscriptions_do_not_wait_for_messages() {
    let mut client = client_with_aws_pace();
    for _ in 0..150 {
        client
            .try_publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .unwrap();
    }
    client.sends();
    client.subscribes(&["b"]);
    assert!(
        matches!(client.sends()[..], [ref packet] if matches!(packet.packet(), Packet::Subscribe(_)))
    );
    for id in 1..=100 {
        client.receives(&puback(id));
    }
    assert_eq!(
        messages(&mut client),
        0,
        "a free Receive Maximum does not lift the rate limit"
    );
}

#[test]
fn messages_queued_offline_obey_the_rate_limit_of_each_connection() {
    let mut options = options();
    options.pace = Some(PACE);
    let mut client = Client::new(options);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce]
        .into_iter()
        .cycle()
        .take(300)
    {
        client
            .try_publish(Message::new("a", "on").qos(qos))
            .unwrap();
    }
    client.opens();
    client.sends();
    client.receives(&connack());
    assert_eq!(messages(&mut client), 100);
    client.reconnects(&connack());
    assert_eq!(messages(&mut client), 100);
}

/// [MQTT-3.3.4-8]
#[test]
fn a_full_window_holds_back_no_message_of_qos_0() {
    let one = ConnAckProperties {
        receive_maximum: NonZeroU16::new(1),
        ..ConnAckProperties::default()
    };
    let mut client =
        Client::connected_as(ConnectOptions::for_aws_iot("lamp-7"), &connack_with(one));
    for topic in ["a", "b"] {
        client
            .try_publish(Message::new(topic, "on").qos(QoS::AtLeastOnce))
            .unwrap();
    }
    // 99 leave in this second, and the rest at the pace.
    for _ in 0..120 {
        client.try_publish(Message::new("c", "on")).unwrap();
    }
    assert_eq!(messages(&mut client), 100);
    client.advance(SECOND);
    assert_eq!(messages(&mut client), 21);
    client.receives(&puback(1));
    assert_eq!(client.sends(), [publish("b", at_least_once(2))]);
    client.receives(&puback(2));
    assert!(client.engine.is_idle());
}

#[test]
fn a_filter_that_is_asked_for_twice_is_one_subscription() {
    let mut client = Client::new(ConnectOptions::for_aws_iot("lamp-7"));
    for _ in 0..60 {
        client
            .engine
            .subscribe(&[("lamp/1", SubscriptionOptions::default())])
            .unwrap();
    }
}
