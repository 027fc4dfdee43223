//! Subscriptions: asked for, granted, refused, ended, and asked for again when the server has
//! forgotten them.

use std::time::Duration;

use dunlin_client::codec::{
    ConnAckProperties, Packet, PacketType, ReasonCode, SubscribeProperties, SubscriptionOptions,
    UnsubscribeProperties, UserProperty,
};
use dunlin_client::engine::{OperationId, Outcome};
use dunlin_client::{ConnectionError, Offline, QoS, RequestError, Violation};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, connack_with, disconnect, puback, publish,
    resubscribe, suback, subscribe, unsuback, unsubscribe,
};

const GRANTED: ReasonCode = ReasonCode::GrantedQoS1;

fn answer(client: &mut Client, operation: OperationId) -> Vec<ReasonCode> {
    match client.outcome(operation) {
        Some(Ok(Outcome::Answered(answer))) => answer.reason_codes,
        other => panic!("{other:?}"),
    }
}

/// A client to which the server has granted these.
fn subscribed_to(filters: &[&str]) -> Client {
    let mut client = Client::connected();
    client.subscribes(filters);
    client.receives(&suback(1, &vec![GRANTED; filters.len()]));
    client.sends();
    client
}

/// sub_pub_unsub_qos1 [MQTT-2.2.1-6] [MQTT-3.9.3-1]
#[test]
fn suback_and_unsuback_answer_filter_by_filter() {
    let mut client = Client::connected();
    let first = client.subscribes(&["a", "b/#"]);
    let second = client.unsubscribes(&["c"]);
    assert_eq!(
        client.sends(),
        [subscribe(1, &["a", "b/#"]), unsubscribe(2, &["c"])]
    );

    client.receives(&unsuback(2, &[ReasonCode::NoSubscriptionExisted]));
    client.receives(&suback(1, &[GRANTED, ReasonCode::NotAuthorized]));
    assert_eq!(
        answer(&mut client, first),
        [GRANTED, ReasonCode::NotAuthorized]
    );
    assert_eq!(
        answer(&mut client, second),
        [ReasonCode::NoSubscriptionExisted]
    );
}

/// [MQTT-3.8.3-2] [MQTT-3.10.3-2] [MQTT-3.8.3-4]
#[test]
fn requests_that_make_no_packet_are_refused_and_take_no_identifier() {
    let mut client = Client::connected();
    assert!(matches!(
        client.engine.subscribe(&[]),
        Err(RequestError::Encode(_))
    ));
    assert!(matches!(
        client.engine.unsubscribe(&[]),
        Err(RequestError::Encode(_))
    ));
    let mut no_local = SubscriptionOptions::default();
    assert!(matches!(
        client.engine.subscribe(&[("a#", no_local)]),
        Err(RequestError::Topic(_))
    ));
    assert!(matches!(
        client.engine.unsubscribe(&[""]),
        Err(RequestError::Topic(_))
    ));
    no_local.no_local = true;
    assert!(
        client
            .engine
            .subscribe(&[("$share/g/a", no_local)])
            .is_err()
    );
    assert!(client.sends().is_empty());
    client.subscribes(&["a"]);
    assert_eq!(client.sends(), [subscribe(1, &["a"])]);
}

/// [MQTT-3.8.4-6] [U-3.9.3-1]
#[test]
fn an_answer_that_does_not_count_its_filters_breaks_the_protocol() {
    for answer in [suback(1, &[GRANTED]), suback(1, &[GRANTED; 3])] {
        let mut client = Client::connected();
        client.subscribes(&["a", "b"]);
        client.sends();
        client.receives(&answer);
        assert_eq!(client.sends(), [disconnect(ReasonCode::ProtocolError)]);
        let Ended::Connection(ConnectionError::Protocol(Violation::Unexpected {
            statement, ..
        })) = client.closes()
        else {
            panic!()
        };
        assert_eq!(statement, "MQTT-3.8.4-6");
    }
}

#[test]
fn an_answer_of_the_wrong_type_breaks_the_protocol() {
    for answer in [unsuback(1, &[ReasonCode::Success]), puback(1)] {
        let mut client = Client::connected();
        client.subscribes(&["a"]);
        client.sends();
        client.receives(&answer);
        assert_eq!(client.sends(), [disconnect(ReasonCode::ProtocolError)]);
        assert!(matches!(
            client.closes(),
            Ended::Connection(ConnectionError::Protocol(_))
        ));
    }
}

#[test]
fn a_missing_suback_is_a_timeout_and_may_arrive_late() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack());
    let first = client.subscribes(&["a"]);
    client.advance(Duration::from_secs(5));
    assert!(matches!(
        client.outcome(first),
        Some(Err(RequestError::Timeout { .. }))
    ));
    client.receives(&suback(1, &[GRANTED]));
    assert!(client.engine.is_connected());
}

/// [U-3.8.4-2]
#[test]
fn a_server_that_forgot_the_session_is_asked_again_for_what_it_granted() {
    let mut client = Client::connected();
    client.subscribes(&["a", "b", "c"]);
    client.receives(&suback(1, &[GRANTED, ReasonCode::NotAuthorized, GRANTED]));
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(2, &["a", "c"])]);
    client.receives(&suback(2, &[GRANTED; 2]));
    assert_eq!(client.lost_subscriptions(), []);
}

#[test]
fn a_server_that_kept_the_session_is_not_asked_again() {
    let mut client = subscribed_to(&["a"]);
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty());
}

#[test]
fn filters_are_asked_for_again_in_as_few_packets_as_the_limits_allow() {
    let filters: Vec<_> = (0..20).map(|number| format!("f/{number}")).collect();
    let filters: Vec<_> = filters.iter().map(String::as_str).collect();
    let mut client = subscribed_to(&filters);
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(2, &filters)]);

    client.engine.options_mut().limits = Some(dunlin_client::aws::ServiceLimits::default());
    client.engine.options_mut().keep_alive = Duration::from_secs(60);
    client.reconnects(&connack());
    let expected = [
        resubscribe(3, &filters[..8]),
        resubscribe(4, &filters[8..16]),
        resubscribe(5, &filters[16..]),
    ];
    assert_eq!(client.sends(), expected, "AWS IoT Core takes eight filters");
}

#[test]
fn subscribes_and_unsubscribes_carry_user_properties_and_renewals_none() {
    let pairs = [
        UserProperty::new("a", "1").unwrap(),
        UserProperty::new("a", "2").unwrap(),
    ];
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        ..SubscriptionOptions::default()
    };
    let mut client = Client::connected();
    let properties = SubscribeProperties {
        user_properties: (&pairs).into(),
        ..Default::default()
    };
    client
        .engine
        .subscribe_with(&[("a", options), ("b", options)], properties)
        .unwrap();
    let properties = UnsubscribeProperties {
        user_properties: (&pairs).into(),
    };
    client
        .engine
        .unsubscribe_with(&["b", "c"], properties)
        .unwrap();
    let sent = client.sends();
    let Packet::Subscribe(subscribe) = sent[0].packet() else {
        panic!("{sent:?}")
    };
    let Packet::Unsubscribe(unsubscribe) = sent[1].packet() else {
        panic!("{sent:?}")
    };
    assert_eq!(subscribe.properties.user_properties, (&pairs).into());
    assert_eq!(subscribe.subscriptions.len(), 2);
    assert_eq!(unsubscribe.properties.user_properties, (&pairs).into());
    assert_eq!(unsubscribe.filters.len(), 2);

    client.receives_all(&[
        suback(1, &[GRANTED; 2]),
        unsuback(2, &[ReasonCode::Success; 2]),
    ]);
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(3, &["a"])]);
}

/// [MQTT-3.2.2-15]
#[test]
fn filters_are_asked_for_again_in_packets_that_the_server_takes() {
    let mut client = subscribed_to(&["abcd", "efgh", "ijkl", "x/far/too/long/for/this/server"]);
    client.sends();
    let maximum_packet_size = 22.try_into().ok();
    client.reconnects(&connack_with(ConnAckProperties {
        maximum_packet_size,
        ..ConnAckProperties::default()
    }));
    assert_eq!(
        client.sends(),
        [resubscribe(2, &["abcd", "efgh"]), resubscribe(3, &["ijkl"])]
    );
    let too_large = RequestError::TooLarge {
        size: 38,
        limit: 22,
    };
    assert_eq!(
        client.lost_subscriptions(),
        [("x/far/too/long/for/this/server".to_owned(), too_large)]
    );
}

#[test]
fn a_subscription_that_is_refused_the_second_time_is_lost_and_not_asked_for_again() {
    let mut client = subscribed_to(&["a", "b"]);
    client.reconnects(&connack());
    client.sends();
    client.receives(&suback(2, &[GRANTED, ReasonCode::NotAuthorized]));
    let lost = client.lost_subscriptions();
    let [(filter, RequestError::Refused(refusal))] = &*lost else {
        panic!("{lost:?}")
    };
    assert_eq!(
        (filter.as_str(), refusal.packet_type),
        ("b", PacketType::SubAck)
    );
    assert_eq!(refusal.reason_code, ReasonCode::NotAuthorized);
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(3, &["a"])]);
}

/// [U-3.2.2-3]
#[test]
fn a_subscription_that_the_next_server_does_not_have_is_lost_alone() {
    let mut client = subscribed_to(&["a", "b/#", "$share/g/c"]);
    let properties = ConnAckProperties {
        wildcard_subscription_available: Some(false),
        shared_subscription_available: Some(false),
        ..ConnAckProperties::default()
    };
    client.reconnects(&connack_with(properties));
    assert_eq!(client.sends(), [resubscribe(2, &["a"])]);
    let expected = [
        ("b/#".to_owned(), RequestError::WildcardNotSupported),
        ("$share/g/c".to_owned(), RequestError::SharedNotSupported),
    ];
    assert_eq!(client.lost_subscriptions(), expected);
}

#[test]
fn unsubscribed_filters_are_not_renewed() {
    let mut client = subscribed_to(&["a", "b"]);
    client.loses_connection();
    client.unsubscribes(&["a"]);
    client.opens();
    client.sends();
    client.receives(&connack());
    assert_eq!(
        client.sends(),
        [resubscribe(2, &["b"]), unsubscribe(3, &["a"])]
    );
}

#[test]
fn filters_whose_unsubscribe_was_refused_are_renewed() {
    let mut client = subscribed_to(&["a"]);
    client.loses_connection();
    client.engine.options_mut().offline = Offline::Reject;
    assert_eq!(
        client.engine.unsubscribe(&["a"]),
        Err(RequestError::Offline)
    );
    client.opens();
    client.sends();
    client.receives(&connack());
    assert_eq!(client.sends(), [resubscribe(2, &["a"])]);
}

#[test]
fn filters_unsubscribed_before_they_were_granted_are_not_renewed() {
    let mut client = Client::connected();
    client.subscribes(&["a"]);
    client.unsubscribes(&["a"]);
    client.receives(&suback(1, &[GRANTED]));
    let mut other = Client::connected();
    other.subscribes(&["a"]);
    other.unsubscribes(&["a"]);
    other.receives_all(&[suback(1, &[GRANTED]), unsuback(2, &[ReasonCode::Success])]);

    client.reconnects(&connack());
    assert_eq!(
        client.sends(),
        [unsubscribe(3, &["a"])],
        "it wasn't answered"
    );
    other.reconnects(&connack());
    assert!(other.sends().is_empty());
}

#[test]
fn filters_subscribed_after_an_unsubscribe_are_renewed() {
    let mut client = subscribed_to(&["a"]);
    client.unsubscribes(&["a"]);
    client.subscribes(&["a"]);
    client.receives_all(&[suback(3, &[GRANTED]), unsuback(2, &[ReasonCode::Success])]);
    client.reconnects(&connack());
    assert_eq!(client.sends().last(), Some(&resubscribe(4, &["a"])));
}

/// [MQTT-4.4.0-1]
#[test]
fn an_unanswered_subscribe_is_a_new_request_on_the_next_connection() {
    for connack in [connack(), connack_resumed()] {
        let mut client = Client::connected();
        let first = client.subscribes(&["a"]);
        client.sends();
        client.reconnects(&connack);
        assert_eq!(client.sends(), [subscribe(2, &["a"])]);
        client.receives(&suback(2, &[GRANTED]));
        assert_eq!(answer(&mut client, first), [GRANTED]);
    }
}

#[test]
fn a_subscribe_that_timed_out_is_not_repeated() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack());
    client.subscribes(&["a"]);
    client.advance(Duration::from_secs(5));
    client.sends();
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty());
    assert_eq!(client.engine.load().0, 0);
}

#[test]
fn a_renewal_that_was_cut_off_is_made_again_once() {
    let mut client = subscribed_to(&["a"]);
    client.reconnects(&connack());
    client.sends();
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(3, &["a"])]);
    client.reconnects(&connack_resumed());
    assert_eq!(
        client.sends(),
        [resubscribe(4, &["a"])],
        "the server has the session, but never answered"
    );
}

/// [U-3.8.4-1]
#[test]
fn messages_may_come_before_suback() {
    let mut client = Client::connected();
    client.subscribes(&["a"]);
    client.receives_all(&[publish("a", at_least_once(9)), suback(1, &[GRANTED])]);
    assert_eq!(client.consumes_all(), ["a"]);
}

#[test]
fn an_end_that_was_not_answered_in_time_is_asked_for_again_in_the_session() {
    let mut client = subscribed_to(&["a"]);
    let ending = client.unsubscribes(&["a"]);
    assert_eq!(client.sends(), [unsubscribe(2, &["a"])]);
    client.advance(options().ack_timeout);
    assert!(matches!(
        client.outcome(ending),
        Some(Err(RequestError::Timeout { .. }))
    ));
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [unsubscribe(3, &["a"])]);
    client.receives(&unsuback(3, &[ReasonCode::Success]));
    assert!(client.engine.is_idle());
}
