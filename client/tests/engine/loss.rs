//! Outcome of unacknowledged requests when the server has lost the session, by policy (§4.4).

use dunlin_client::codec::ReasonCode;
use dunlin_client::engine::{Answered, OperationId, Outcome, Published};
use dunlin_client::{
    ConnectOptions, LostMessage, LostRequest, Message, OnSessionLost, QoS, RequestError,
};

use crate::harness::{Client, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, exactly_once, puback, pubcomp, publish, pubrec,
    pubrel, suback, subscribe, unsuback, unsubscribe, with_dup,
};

fn options_with_loss_policy(on_session_lost: OnSessionLost) -> ConnectOptions {
    ConnectOptions {
        on_session_lost,
        ..options()
    }
}

fn repeat_everything() -> OnSessionLost {
    let (qos2, subscribe, unsubscribe) = (
        LostMessage::Republish,
        LostRequest::Reissue,
        LostRequest::Reissue,
    );
    OnSessionLost {
        qos2,
        subscribe,
        unsubscribe,
        ..OnSessionLost::default()
    }
}

fn published(client: &mut Client, id: OperationId) -> Published {
    match client.outcome(id) {
        Some(Ok(Outcome::Published(published))) => published,
        other => panic!("{other:?}"),
    }
}

fn answered(client: &mut Client, id: OperationId) -> Answered {
    match client.outcome(id) {
        Some(Ok(Outcome::Answered(answered))) => answered,
        other => panic!("{other:?}"),
    }
}

/// operation_processing_reconnect_no_session_fail_non_qos1 [MQTT-4.4.0-1]
#[test]
fn by_default_all_but_qos_2_are_new_requests_in_a_new_session() {
    let mut client = Client::connected();
    let once = client.publishes("a", QoS::AtLeastOnce);
    let failing = client.publishes("b", QoS::ExactlyOnce);
    let (subscribed, unsubscribed) = (client.subscribes(&["c"]), client.unsubscribes(&["d"]));
    client.sends();
    client.reconnects(&connack());
    let expected = [
        publish("a", at_least_once(5)),
        subscribe(6, &["c"]),
        unsubscribe(7, &["d"]),
    ];
    assert_eq!(
        client.sends(),
        expected,
        "each with an identifier that no earlier request had"
    );
    assert_eq!(
        client.outcome(failing),
        Some(Err(RequestError::SessionLost))
    );

    client.receives_all(&[puback(5), suback(6, &[ReasonCode::GrantedQoS1])]);
    client.receives(&unsuback(7, &[ReasonCode::NoSubscriptionExisted]));
    assert!(
        published(&mut client, once).republished,
        "the receipt says so"
    );
    assert!(answered(&mut client, subscribed).reissued);
    assert!(answered(&mut client, unsubscribed).reissued);
    assert_eq!(client.engine.load().0, 0);
}

#[test]
fn a_subscribe_survives_several_lost_sessions() {
    let mut client = Client::connected();
    let subscribed = client.subscribes(&["a"]);
    for id in 2..6 {
        client.sends();
        client.reconnects(&if id % 2 == 0 {
            connack()
        } else {
            connack_resumed()
        });
        assert_eq!(client.sends(), [subscribe(id, &["a"])]);
    }
    client.receives(&suback(5, &[ReasonCode::GrantedQoS1]));
    assert!(answered(&mut client, subscribed).reissued);
}

#[test]
fn requests_for_subscriptions_fail_with_the_session_where_the_policy_says_so() {
    let (subscribe, unsubscribe) = (LostRequest::Fail, LostRequest::Fail);
    let policy = OnSessionLost {
        subscribe,
        unsubscribe,
        ..OnSessionLost::default()
    };
    let mut client = Client::connected_as(options_with_loss_policy(policy), &connack());
    let failing = [client.subscribes(&["c"]), client.unsubscribes(&["d"])];
    client.sends();
    client.reconnects(&connack());
    assert!(client.sends().is_empty());
    for id in failing {
        assert_eq!(client.outcome(id), Some(Err(RequestError::SessionLost)));
    }
}

/// operation_processing_reconnect_no_session_fail_qos0 [MQTT-3.3.1-1] [MQTT-2.2.1-3]
#[test]
fn each_kind_can_be_sent_anew_without_dup_and_in_its_old_order() {
    let mut client =
        Client::connected_as(options_with_loss_policy(repeat_everything()), &connack());
    let ids = [
        client.publishes("a", QoS::ExactlyOnce),
        client.subscribes(&["b"]),
        client.publishes("c", QoS::AtLeastOnce),
        client.unsubscribes(&["d"]),
    ];
    client.sends();
    client.reconnects(&connack());
    let expected = [
        publish("a", exactly_once(5)),
        subscribe(6, &["b"]),
        publish("c", at_least_once(7)),
        unsubscribe(8, &["d"]),
    ];
    assert_eq!(client.sends(), expected);
    client.receives_all(&[
        pubrec(5),
        pubcomp(5),
        suback(6, &[ReasonCode::GrantedQoS1]),
        puback(7),
        unsuback(8, &[ReasonCode::Success]),
    ]);
    for id in [ids[0], ids[2]] {
        assert!(published(&mut client, id).republished);
    }
    for id in [ids[1], ids[3]] {
        assert!(answered(&mut client, id).reissued);
    }
}

/// operation_processing_reconnect_no_session_fail_all
#[test]
fn each_kind_can_fail() {
    let on_session_lost = OnSessionLost {
        qos1: LostMessage::Fail,
        ..OnSessionLost::default()
    };
    let mut client = Client::connected_as(options_with_loss_policy(on_session_lost), &connack());
    let first = client.publishes("a", QoS::AtLeastOnce);
    client.loses_connection();
    let queued = client.publishes("b", QoS::AtLeastOnce);
    client.opens();
    client.sends();
    client.receives(&connack());
    assert_eq!(
        client.sends(),
        [publish("b", at_least_once(2))],
        "what wasn't sent isn't lost"
    );
    assert_eq!(client.outcome(first), Some(Err(RequestError::SessionLost)));
    client.receives(&puback(2));
    assert!(!published(&mut client, queued).republished);
}

/// [MQTT-4.3.3-6]
#[test]
fn a_message_that_has_reached_pubrec_fails_whatever_the_policy() {
    let mut client =
        Client::connected_as(options_with_loss_policy(repeat_everything()), &connack());
    let released = client.publishes("a", QoS::ExactlyOnce);
    client.receives(&pubrec(1));
    assert_eq!(client.sends().last(), Some(&pubrel(1)));
    client.reconnects(&connack());
    assert!(client.sends().is_empty());
    assert_eq!(
        client.outcome(released),
        Some(Err(RequestError::SessionLost))
    );
}

/// operation_processing_reconnect_rejoin_session_fail_all [MQTT-4.4.0-1]
/// operation_processing_reconnect_rejoin_session_fail_qos0
#[test]
fn a_resumed_session_does_not_use_the_policy_for_lost_sessions() {
    let all_fail = OnSessionLost {
        qos1: LostMessage::Fail,
        ..OnSessionLost::default()
    };
    for policy in [all_fail, repeat_everything()] {
        let mut client = Client::connected_as(options_with_loss_policy(policy), &connack());
        let first = client.publishes("a", QoS::AtLeastOnce);
        client.publishes("b", QoS::ExactlyOnce);
        client.reconnects(&connack_resumed());
        let expected = [
            publish("a", with_dup(at_least_once(1))),
            publish("b", with_dup(exactly_once(2))),
        ];
        assert_eq!(client.sends(), expected);
        client.receives(&puback(1));
        assert!(!published(&mut client, first).republished);
    }
}

/// [MQTT-4.4.0-1] Only PUBLISH and PUBREL are repeated.
#[test]
fn an_unanswered_subscribe_is_a_new_request_on_a_resumed_session() {
    let mut client = Client::connected();
    let first = client.subscribes(&["a"]);
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [subscribe(2, &["a"])]);
    client.receives(&suback(2, &[ReasonCode::GrantedQoS1]));
    assert!(answered(&mut client, first).reissued);
}

#[test]
fn a_message_that_is_lost_again_and_again_is_published_again_and_again() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    client.try_publish(Message::new("b", "on")).unwrap();
    client.sends();
    for number in 2..6 {
        client.reconnects(&connack());
        assert_eq!(client.sends(), [publish("a", at_least_once(number))]);
    }
    client.receives(&puback(5));
    assert!(published(&mut client, first).republished);
}

/// Nobody would learn that it failed, and the subscription would stay.
#[test]
fn an_unsubscribe_that_nobody_waits_for_survives_any_policy() {
    let mut client = Client::connected_as(
        options_with_loss_policy(OnSessionLost {
            unsubscribe: LostRequest::Fail,
            ..OnSessionLost::default()
        }),
        &connack(),
    );
    for id in [client.subscribes(&["a"]), client.unsubscribes(&["a"])] {
        client.engine.forget(id);
    }
    client.sends();
    client.reconnects(&connack());
    assert_eq!(
        client.sends(),
        [subscribe(3, &["a"]), unsubscribe(4, &["a"])]
    );
}
