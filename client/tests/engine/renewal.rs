//! Subscriptions after a server has forgotten them, and connections that end before it is told.

use std::num::NonZeroU16;
use std::time::Duration;

use dunlin_client::codec::{
    ConnAckProperties, Packet, PacketId, ReasonCode, SubAck, SubAckProperties, Utf8String,
};
use dunlin_client::{Offline, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    buf, connack, connack_resumed, connack_resumed_with, connack_with, puback, refusal,
    resubscribe, suback, unsuback, unsubscribe,
};

const GRANTED: ReasonCode = ReasonCode::GrantedQoS1;

fn subscribed_to(filter: &str) -> Client {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(10);
    let mut client = Client::connected_as(options, &connack());
    client.subscribes(&[filter]);
    client.sends();
    client.receives(&suback(1, &[GRANTED]));
    client
}

#[test]
fn a_renewal_lost_with_its_connection_is_sent_again() {
    let mut client = subscribed_to("a");
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(2, &["a"])]);
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [resubscribe(3, &["a"])]);
    client.receives(&suback(3, &[GRANTED]));
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty(), "once is enough");
}

/// The stream ends, as that of a refused SUBSCRIBE does, so no reader waits forever.
#[test]
fn an_unanswered_renewal_is_reported_as_lost_and_ended() {
    let mut client = subscribed_to("a");
    client.reconnects(&connack());
    client.sends();
    client.events();
    client.advance(Duration::from_secs(11));
    let after = Duration::from_secs(10);
    assert_eq!(
        client.lost_subscriptions(),
        [("a".to_owned(), RequestError::Timeout { after })]
    );
    assert_eq!(
        client.sends(),
        [unsubscribe(3, &["a"])],
        "it may have been granted all the same"
    );

    client.receives(&suback(2, &[GRANTED]));
    client.receives(&unsuback(3, &[ReasonCode::Success]));
    assert_eq!(client.lost_subscriptions(), [], "once is enough");
    client.reconnects(&connack());
    assert!(client.sends().is_empty());
}

/// Nobody asked for this UNSUBSCRIBE: it takes no place that a message has.
#[test]
fn giving_up_a_renewal_drops_no_queued_message() {
    let mut client = subscribed_to("a");
    client.engine.options_mut().offline = Offline::DropOldest;
    client.engine.options_mut().queue.count = 3;
    let receive_maximum = NonZeroU16::new(1);
    let one_at_a_time = ConnAckProperties {
        receive_maximum,
        ..ConnAckProperties::default()
    };
    client.reconnects(&connack_with(one_at_a_time));
    client.sends();
    client.advance(Duration::from_secs(5));
    let _ahead = client.publishes("b", QoS::AtLeastOnce);
    let waiting = client.publishes("c", QoS::AtLeastOnce);
    client.sends();
    client.advance(Duration::from_secs(6));
    assert_eq!(client.lost_subscriptions().len(), 1);
    assert_eq!(client.sends(), [unsubscribe(4, &["a"])]);
    assert_eq!(client.outcome(waiting), None);
}

/// A filter that was subscribed since is another subscription.
#[test]
fn a_late_refusal_of_a_dropped_renewal_ends_no_subscription() {
    let mut client = subscribed_to("a");
    client.reconnects(&connack());
    client.advance(Duration::from_secs(11));
    client.subscribes(&["a"]);
    client.sends();
    client.events();
    client.receives(&suback(2, &[ReasonCode::NotAuthorized]));
    client.receives(&unsuback(3, &[ReasonCode::NoSubscriptionExisted]));
    client.receives(&suback(4, &[GRANTED]));
    assert_eq!(client.lost_subscriptions(), []);
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(5, &["a"])]);
}

#[test]
fn a_newer_request_stays_when_the_renewal_is_given_up() {
    let mut client = subscribed_to("a");
    client.reconnects(&connack());
    client.advance(Duration::from_secs(5));
    client.subscribes(&["a"]);
    client.sends();
    client.advance(Duration::from_secs(6));
    assert_eq!(client.lost_subscriptions(), []);
    assert!(
        client.sends().is_empty(),
        "UNSUBSCRIBE would end the newer one"
    );
}

/// Messages that are repeated have their identifiers from the connection before: together, all that
/// there are.
#[test]
fn a_renewal_waits_for_an_identifier() {
    let mut client = subscribed_to("a");
    client.engine.options_mut().queue.count = usize::from(u16::MAX);
    for _ in 0..u16::MAX {
        client.publishes("b", QoS::AtLeastOnce);
    }
    client.loses_connection();
    client.opens();
    client.loses_connection();
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends().len(), usize::from(u16::MAX));
    client.receives(&puback(7));
    assert_eq!(client.sends(), [resubscribe(7, &["a"])]);
}

/// The server may have begun a session, and said so in a CONNACK that never came: it is present
/// from then on.
#[test]
fn a_server_whose_connack_was_lost_is_asked_again() {
    let mut client = subscribed_to("a");
    client.loses_connection();
    client.opens();
    client.loses_connection();
    client.opens();
    client.receives(&refusal(ReasonCode::ServerBusy));
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [resubscribe(2, &["a"])]);
    client.receives(&suback(2, &[GRANTED]));
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty(), "this CONNACK came");
}

/// [U-3.2.2-3]
#[test]
fn a_renewal_above_the_limits_of_the_server_is_reported_as_lost() {
    let mut client = subscribed_to("a/#");
    client.reconnects(&connack());
    client.sends();
    client.events();
    let properties = ConnAckProperties {
        wildcard_subscription_available: Some(false),
        ..ConnAckProperties::default()
    };
    client.reconnects(&connack_resumed_with(properties));
    assert!(client.sends().is_empty());
    assert_eq!(
        client.lost_subscriptions(),
        [("a/#".to_owned(), RequestError::WildcardNotSupported)]
    );
}

/// The copies are bounded for the whole packet, not for each filter.
#[test]
fn a_suback_that_refuses_many_renewals_is_copied_a_few_times() {
    const FILTERS: u16 = 50;
    let mut client = Client::connected_as(options(), &connack());
    let filters: Vec<_> = (0..FILTERS)
        .map(|number| format!("lamp/{number}"))
        .collect();
    let filters: Vec<_> = filters.iter().map(String::as_str).collect();
    client.subscribes(&filters);
    client.sends();
    client.receives(&suback(1, &[GRANTED; FILTERS as usize]));
    client.reconnects(&connack());
    client.sends();
    client.events();
    let text = "x".repeat(4096);
    let properties = SubAckProperties {
        reason_string: Some(Utf8String::new(&text).unwrap()),
        ..SubAckProperties::default()
    };
    let reason_codes = [ReasonCode::NotAuthorized; FILTERS as usize];
    let packet_id = PacketId::new(2).unwrap();
    client.receives(&buf(Packet::SubAck(SubAck {
        packet_id,
        properties,
        reason_codes: reason_codes.as_slice().into(),
    })));
    let reasons: Vec<_> = client
        .lost_subscriptions()
        .into_iter()
        .map(|(_, cause)| match cause {
            RequestError::Refused(reason) => reason,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reasons.len(), usize::from(FILTERS));
    let copies = reasons
        .iter()
        .filter(|reason| reason.reason_string.as_deref() == Some(text.as_str()));
    assert_eq!(copies.count(), 16, "65,536 bytes");
    let last = reasons.last().unwrap();
    assert_eq!(
        (last.reason_code, last.omitted.bytes),
        (ReasonCode::NotAuthorized, 4096)
    );
}
