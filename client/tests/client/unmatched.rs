//! A resumed session brings messages before the application has subscribed again: they wait for
//! their stream.

use std::time::Duration;

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::{
    CleanStart, Client, ClientOptions, DropCause, Event, Events, QoS, StreamLimits,
};

use crate::packets::{
    ack, at_least_once, at_most_once, connack_resumed, exactly_once, puback, publish, pubrec,
    suback,
};
use crate::server::{Peer, TestServer};
use crate::streams::subscribed;
use crate::{millis, options, soon, until_connected};

fn resuming_options(server: &TestServer) -> ClientOptions {
    let mut options = options(server);
    options.connect.clean_start = CleanStart::Never;
    options
}

async fn resumed(options: ClientOptions, server: &TestServer) -> (Client, Events, Peer) {
    let client = Client::start(options);
    let mut events = client.events();
    let peer = server.accepts_client_with(&connack_resumed()).await;
    until_connected(&mut events).await;
    (client, events, peer)
}

/// Waits until the client has handled all earlier packets: it has answered a later one.
async fn wait_until_handled(client: &Client, peer: &mut Peer, packet_id: u16) {
    drop(subscribed(client, peer, packet_id, "other").await);
    peer.receives().await;
}

async fn next_drop(events: &mut Events) -> (String, DropCause, u64) {
    loop {
        if let Event::MessageDropped {
            topic,
            cause,
            count,
            ..
        } = soon(events.next()).await.unwrap()
        {
            return (topic, cause, count);
        }
    }
}

#[tokio::test]
async fn messages_that_come_before_the_subscription_are_delivered_and_acknowledged_in_order() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = resumed(resuming_options(&server), &server).await;
    for packet_id in 1..=3 {
        peer.sends(&publish(
            &format!("lamp/{packet_id}"),
            at_least_once(packet_id),
        ))
        .await;
    }
    peer.sends(&publish("lamp/4", at_most_once())).await;
    peer.sends(&publish("lamp/5", exactly_once(5))).await;
    wait_until_handled(&client, &mut peer, 1).await;
    let mut lamps = subscribed(&client, &mut peer, 3, "lamp/+").await;
    for number in 1..=5 {
        assert_eq!(
            soon(lamps.next()).await.unwrap().topic(),
            format!("lamp/{number}")
        );
    }
    for packet_id in 1..=3 {
        peer.expects(puback(packet_id)).await;
    }
    peer.expects(pubrec(5)).await;
    assert_eq!(client.unrouted(), 0);
}

/// The other streams go on.
#[tokio::test]
async fn an_unmatched_message_is_refused_after_its_wait_and_reported() {
    let server = TestServer::start().await;
    let mut options = resuming_options(&server);
    options.connect.unmatched_wait = millis(50);
    let (client, mut events, mut peer) = resumed(options, &server).await;
    peer.sends(&publish("old/1", at_least_once(1))).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    peer.sends(&publish("lamp/1", at_least_once(2))).await;
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    peer.expects(ack(AckType::PubAck, 1, ReasonCode::UnspecifiedError))
        .await;
    peer.expects(puback(2)).await;
    assert_eq!(
        next_drop(&mut events).await,
        ("old/1".into(), DropCause::Unmatched, 1)
    );
    let unmatched = client.statistics().dropped_messages.unmatched;
    assert_eq!(
        (unmatched.count, unmatched.bytes),
        (
            1,
            publish("old/1", at_least_once(1)).as_bytes().len() as u64
        )
    );
}

#[tokio::test]
async fn waiting_messages_are_routed_to_the_unmatched_stream() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = resumed(resuming_options(&server), &server).await;
    peer.sends(&publish("old/1", at_least_once(1))).await;
    wait_until_handled(&client, &mut peer, 1).await;
    let mut unmatched = client.unmatched(StreamLimits::default()).unwrap();
    assert_eq!(soon(unmatched.next()).await.unwrap().topic(), "old/1");
    peer.expects(puback(1)).await;
}

#[tokio::test]
async fn discarded_messages_are_acknowledged_and_counted() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = resumed(resuming_options(&server), &server).await;
    peer.sends(&publish("old/1", at_least_once(1))).await;
    wait_until_handled(&client, &mut peer, 1).await;
    client.discard_unmatched();
    peer.expects(puback(1)).await;
    peer.sends(&publish("old/2", at_least_once(2))).await;
    peer.expects(puback(2)).await;
    assert_eq!(client.unrouted(), 2);
}

#[tokio::test]
async fn a_refused_subscription_returns_its_messages_to_the_unmatched() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = resumed(resuming_options(&server), &server).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    wait_until_handled(&client, &mut peer, 1).await;
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(3, &[ReasonCode::NotAuthorized])).await;
    };
    assert!(
        tokio::join!(soon(client.subscribe("#", QoS::AtLeastOnce)), answer)
            .0
            .is_err()
    );
    let mut lamps = subscribed(&client, &mut peer, 4, "lamp/+").await;
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    peer.expects(puback(1)).await;
}

/// Without subscription identifiers nothing tells such a message from one of an earlier process.
#[tokio::test]
async fn messages_for_a_closed_stream_do_not_wait() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = resumed(resuming_options(&server), &server).await;
    drop(subscribed(&client, &mut peer, 1, "lamp/+").await);
    peer.receives().await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.expects(puback(1)).await;
}

/// The server repeats what wasn't acknowledged.
#[tokio::test]
async fn a_client_that_stops_acknowledges_nothing_that_waits() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = resumed(resuming_options(&server), &server).await;
    peer.sends(&publish("old/1", at_least_once(1))).await;
    wait_until_handled(&client, &mut peer, 1).await;
    let stopping = tokio::spawn(async move { client.disconnect_within(Duration::ZERO).await });
    assert_eq!(
        peer.receives().await.packet().packet_type(),
        dunlin_client::codec::PacketType::Disconnect
    );
    peer.expects_end().await;
    drop(peer);
    soon(stopping).await.unwrap();
}
