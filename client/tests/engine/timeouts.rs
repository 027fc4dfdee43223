//! Requests end within their time: that for the acknowledgement, and that from acceptance on.

use std::time::Duration;

use dunlin_client::codec::{ConnAckProperties, ReasonCode};
use dunlin_client::engine::{Accepted, CloseCause, Outcome, Pace, Session};
use dunlin_client::{
    ConnectOptions, ConnectionError, LostMessage, Message, QoS, RequestError, RequestTimeouts,
};

use crate::harness::{Client, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, connack_resumed_with, connack_with, puback, publish,
    pubrec, suback, unsuback, unsubscribe,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Options with `ack_timeout`, and no keep alive, so that nothing else happens.
fn acknowledged_within(seconds: u64) -> ConnectOptions {
    ConnectOptions {
        ack_timeout: secs(seconds),
        keep_alive: Duration::ZERO,
        session_expiry_interval: Some(u32::MAX),
        request_timeout: RequestTimeouts {
            publish: None,
            subscribe: None,
            unsubscribe: None,
        },
        ..options()
    }
}

fn timed_out(after: u64) -> Option<Result<Outcome, RequestError>> {
    Some(Err(RequestError::Timeout { after: secs(after) }))
}

#[test]
fn the_time_for_an_acknowledgement_adds_up_over_connections() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for resumed in [true, false] {
            let mut options = acknowledged_within(60);
            options.on_session_lost.qos2 = LostMessage::Republish;
            let mut client = Client::connected_as(options, &connack());
            let id = client.publishes("a", qos);
            for connections in 1.. {
                client.advance(secs(25));
                if let Some(outcome) = client.outcome(id) {
                    assert_eq!((Some(outcome), connections), (timed_out(60), 3));
                    break;
                }
                client.reconnects(&if resumed {
                    connack_resumed()
                } else {
                    connack()
                });
            }
        }
    }
}

#[test]
fn the_time_for_an_acknowledgement_is_suspended_without_a_connection() {
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let id = client.publishes("a", QoS::AtLeastOnce);
    client.advance(secs(59));
    client.loses_connection();
    client.advance(secs(24 * 3600));
    assert_eq!(
        client.outcome(id),
        None,
        "being offline alone fails no publish"
    );
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    client.advance(Duration::from_millis(999));
    assert_eq!(client.outcome(id), None);
    client.advance(Duration::from_millis(1));
    assert_eq!(client.outcome(id), timed_out(60));
}

#[test]
fn a_repetition_that_waits_for_the_window_times_out() {
    let one = ConnAckProperties {
        receive_maximum: 1.try_into().ok(),
        ..ConnAckProperties::default()
    };
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let ids = [
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::AtLeastOnce),
    ];
    client.sends();
    client.advance(secs(30));
    client.reconnects(&connack_resumed_with(one));
    assert_eq!(client.sends().len(), 1, "the other one waits");
    client.advance(secs(30));
    for id in ids {
        assert_eq!(client.outcome(id), timed_out(60));
    }
}

#[test]
fn a_request_that_was_queued_again_unwritten_keeps_its_time() {
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let id = client.publishes("a", QoS::AtLeastOnce);
    for _ in 0..2 {
        client.advance(secs(25));
        client.engine.handle_unwritten(usize::MAX);
        client.loses_connection();
        client.opens();
        client.sends();
        client.receives(&connack());
    }
    assert_eq!(client.outcome(id), None);
    client.advance(secs(10));
    assert_eq!(client.outcome(id), timed_out(60));
}

#[test]
fn a_request_that_leaves_with_the_end_of_its_connection_has_the_time_from_then_on() {
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let message = Message::new("a", "on").qos(QoS::AtLeastOnce);
    let Ok(Accepted::Pending(id)) = client.publishes_unwritten(message) else {
        panic!("QoS 1 has an outcome");
    };
    // DISCONNECT ends the connection before the driver takes the output: both are written together.
    client.disconnects();
    assert_eq!(client.sends().len(), 2);
    client.advance(secs(25));
    client.closes();
    client.advance(secs(3600));
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    assert_eq!(client.sends().len(), 1, "the repetition");
    client.advance(secs(34));
    assert_eq!(client.outcome(id), None);
    client.advance(secs(1));
    assert_eq!(client.outcome(id), timed_out(60));
}

#[test]
fn a_subscribe_that_is_sent_again_keeps_its_deadline() {
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let id = client.subscribes(&["a"]);
    client.advance(secs(40));
    client.reconnects(&connack());
    client.advance(secs(20));
    assert_eq!(client.outcome(id), timed_out(60));
}

#[test]
fn an_acknowledgement_in_time_ends_the_wait() {
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let ids = [
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::ExactlyOnce),
    ];
    client.advance(secs(59));
    client.receives_all(&[puback(1), pubrec(2)]);
    client.advance(secs(1));
    assert!(matches!(client.outcome(ids[0]), Some(Ok(_))));
    assert_eq!(client.outcome(ids[1]), timed_out(60), "PUBCOMP didn't come");
}

#[test]
fn by_default_subscribes_end_in_a_minute_and_publishes_wait_for_a_connection() {
    let mut client = Client::new(options());
    let published = client.publishes("a", QoS::AtLeastOnce);
    let (subscribed, unsubscribed) = (client.subscribes(&["b"]), client.unsubscribes(&["c"]));
    client.advance(secs(59));
    assert_eq!(
        (client.outcome(subscribed), client.outcome(unsubscribed)),
        (None, None)
    );
    client.advance(secs(1));
    for id in [subscribed, unsubscribed] {
        assert_eq!(
            client.outcome(id),
            Some(Err(RequestError::RequestTimeout { after: secs(60) }))
        );
    }
    client.advance(secs(7 * 24 * 3600));
    assert_eq!(
        client.outcome(published),
        None,
        "being offline alone fails no publish"
    );

    client.opens();
    client.sends();
    client.receives(&connack());
    let sent = client.sends();
    assert_eq!(
        sent,
        [publish("a", at_least_once(1)), unsubscribe(2, &["c"])]
    );
}

#[test]
fn the_time_of_a_request_counts_outages() {
    let mut options = acknowledged_within(3600);
    options.request_timeout = RequestTimeouts {
        publish: Some(secs(30)),
        subscribe: Some(secs(40)),
        unsubscribe: Some(secs(50)),
    };
    let mut client = Client::connected_as(options, &connack());
    let publishes = [
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::ExactlyOnce),
    ];
    let requests = [client.subscribes(&["c"]), client.unsubscribes(&["d"])];
    client.sends();
    client.advance(secs(15));
    client.loses_connection();
    client.advance(secs(15));
    for id in publishes {
        assert_eq!(
            client.outcome(id),
            Some(Err(RequestError::RequestTimeout { after: secs(30) }))
        );
    }
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    client.advance(secs(20));
    for (id, after) in requests.into_iter().zip([40, 50]) {
        assert_eq!(
            client.outcome(id),
            Some(Err(RequestError::RequestTimeout { after: secs(after) }))
        );
    }
}

#[test]
fn a_request_that_is_answered_in_time_has_one_outcome() {
    let mut client = Client::connected();
    let (first, second) = (client.subscribes(&["a"]), client.unsubscribes(&["b"]));
    client.receives_all(&[
        suback(1, &[ReasonCode::GrantedQoS1]),
        unsuback(2, &[ReasonCode::Success]),
    ]);
    client.advance(secs(120));
    assert!(matches!(client.outcome(first), Some(Ok(_))));
    assert!(matches!(client.outcome(second), Some(Ok(_))));
    assert_eq!(client.engine.statistics().timed_out, 0);
}

#[test]
fn a_message_of_qos_0_that_waits_has_its_time_too() {
    let mut options = acknowledged_within(60);
    options.request_timeout.publish = Some(secs(30));
    let mut client = Client::new(options);
    let message = Message::new("a", "on");
    let Ok(Accepted::Pending(id)) = client.try_publish(message) else {
        panic!()
    };
    client.advance(secs(30));
    assert_eq!(
        client.outcome(id),
        Some(Err(RequestError::RequestTimeout { after: secs(30) }))
    );
    assert_eq!(client.engine.load(), (0, 0));
}

#[test]
fn output_that_is_not_written_ends_the_connection_with_write_timeout() {
    let mut client = Client::connected();
    let cause = CloseCause::WriteTimeout { after: secs(60) };
    let ended = client.engine.handle_closed(cause);
    assert_eq!(
        ended,
        ConnectionError::WriteTimeout { after: secs(60) }.into()
    );
}

/// CONNACK of a server that takes one message at a time.
fn receive_maximum_of_one() -> ConnAckProperties<'static> {
    ConnAckProperties {
        receive_maximum: 1.try_into().ok(),
        ..ConnAckProperties::default()
    }
}

#[test]
fn a_publish_behind_a_window_that_never_opens_times_out() {
    let mut client = Client::connected_as(
        acknowledged_within(60),
        &connack_with(receive_maximum_of_one()),
    );
    let sent = client.publishes("a", QoS::AtLeastOnce);
    client.sends();
    let waiting = [
        client.publishes("b", QoS::AtLeastOnce),
        client.publishes("c", QoS::ExactlyOnce),
    ];
    client.advance(secs(30));
    let later = client.publishes("d", QoS::AtLeastOnce);
    client.advance(Duration::from_millis(29_999));
    assert!(waiting.iter().all(|id| client.outcome(*id).is_none()));
    client.advance(Duration::from_millis(1));
    assert_eq!(client.outcome(sent), timed_out(60));
    for id in waiting {
        assert_eq!(client.outcome(id), timed_out(60));
    }
    assert_eq!(client.outcome(later), None, "each has its own time");
    client.advance(secs(30));
    assert_eq!(client.outcome(later), timed_out(60));
    client.receives(&puback(1));
    assert!(
        client.sends().is_empty(),
        "what has failed isn't sent any more"
    );
}

#[test]
fn the_wait_for_the_window_adds_up_over_connections_and_stands_still_between_them() {
    let mut client = Client::with_session(acknowledged_within(60), Session::new());
    let ids = [
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::AtLeastOnce),
    ];
    client.advance(secs(24 * 3600));
    client.opens();
    client.sends();
    client.receives(&connack_with(receive_maximum_of_one()));
    client.advance(secs(40));
    client.loses_connection();
    client.advance(secs(24 * 3600));
    client.opens();
    client.sends();
    client.receives(&connack_resumed_with(receive_maximum_of_one()));
    client.advance(Duration::from_millis(19_999));
    assert!(
        ids.iter().all(|id| client.outcome(*id).is_none()),
        "being offline alone fails no publish"
    );
    client.advance(Duration::from_millis(1));
    for id in ids {
        assert_eq!(client.outcome(id), timed_out(60));
    }
}

#[test]
fn a_long_queue_that_moves_fails_nothing() {
    let mut client = Client::connected_as(
        acknowledged_within(60),
        &connack_with(receive_maximum_of_one()),
    );
    let ids: Vec<_> = (0..20)
        .map(|_| client.publishes("a", QoS::AtLeastOnce))
        .collect();
    for packet_id in 1..=20 {
        assert_eq!(client.sends().len(), 1);
        client.advance(secs(59));
        client.receives(&puback(packet_id));
    }
    for id in ids {
        assert!(matches!(
            client.outcome(id),
            Some(Ok(Outcome::Published(_)))
        ));
    }
}

#[test]
fn a_request_in_output_that_is_not_written_times_out() {
    let mut client = Client::connected_as(acknowledged_within(60), &connack());
    let mut accepted =
        || match client.publishes_unwritten(Message::new("a", "on").qos(QoS::AtLeastOnce)) {
            Ok(Accepted::Pending(id)) => id,
            other => panic!("{other:?}"),
        };
    let ids = [accepted(), accepted()];
    let begin = client.now();
    client.engine.limit_unsent(begin);
    client.engine.limit_unsent(begin + secs(30));
    assert_eq!(client.engine.poll_timeout(), Some(begin + secs(60)));
    client
        .engine
        .handle_timeout(begin + Duration::from_millis(59_999));
    assert!(ids.iter().all(|id| client.outcome(*id).is_none()));
    client.engine.handle_timeout(begin + secs(60));
    for id in ids {
        assert_eq!(client.outcome(id), timed_out(60));
    }
    assert_eq!(client.engine.poll_timeout(), None);
}

#[test]
fn the_rate_limit_alone_fails_no_message() {
    let options = ConnectOptions {
        pace: Some(Pace {
            messages: 1,
            bytes: 1_000_000,
        }),
        ..acknowledged_within(5)
    };
    let mut client = Client::connected_as(options, &connack());
    let ids: Vec<_> = (0..20)
        .map(|_| client.publishes_unwritten(Message::new("a", "on")))
        .collect();
    client.advance(secs(30));
    for id in ids {
        if let Accepted::Pending(id) = id.unwrap() {
            assert!(matches!(
                client.outcome(id),
                Some(Ok(Outcome::Published(_)))
            ));
        }
    }
}
