//! Subscriptions after a server has forgotten them, and connections that end before it is told.

use std::time::Duration;

use dunlin_client::codec::{ConnAckProperties, ReasonCode};
use dunlin_client::engine::EngineEvent;

use crate::bench::{Client, options};
use crate::packets::{connack, connack_resumed, connack_resumed_with, refusal, resubscribe, suback};

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
fn a_renewal_that_a_lost_connection_swallowed_is_made_again() {
    let mut client = subscribed_to("a");
    client.reconnects(&connack());
    assert_eq!(client.sends(), [resubscribe(2, &["a"])]);
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [resubscribe(3, &["a"])]);
    client.receives(&suback(3, &[GRANTED]));
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty(), "once is enough");
}

#[test]
fn a_renewal_that_timed_out_is_made_again_at_the_next_connection() {
    let mut client = subscribed_to("a");
    client.reconnects(&connack());
    client.sends();
    client.waits(Duration::from_secs(11));
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [resubscribe(3, &["a"])]);
}

/// The server may have begun a session, and said so in a CONNACK that never came: it is present from then on.
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
fn a_renewal_that_the_server_does_not_take_any_more_is_told_of_as_lost() {
    let mut client = subscribed_to("a/#");
    client.reconnects(&connack());
    client.sends();
    client.events();
    let properties =
        ConnAckProperties { wildcard_subscription_available: Some(false), ..ConnAckProperties::default() };
    client.reconnects(&connack_resumed_with(properties));
    assert!(client.sends().is_empty());
    let lost = |event: &EngineEvent| matches!(event, EngineEvent::SubscriptionLost { .. });
    assert_eq!(client.events().iter().filter(|event| lost(event)).count(), 1);
}
