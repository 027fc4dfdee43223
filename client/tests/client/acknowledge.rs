//! Acknowledging by hand, through the client's handles.

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::{
    Acknowledgement, Client, DropCause, Event, OnDropped, QoS, StreamLimits, Subscription,
};

use crate::packets::{
    ack, at_least_once, at_most_once, connack_resumed, exactly_once, puback, publish, pubrec,
    suback, with_dup,
};
use crate::server::{Peer, TestServer};
use crate::{connected, connected_as, options, soon, until_connected};

async fn subscribed(client: &Client, peer: &mut Peer) -> Subscription {
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS2])).await;
    };
    tokio::join!(soon(client.subscribe("lamp/+", QoS::ExactlyOnce)), answer)
        .0
        .unwrap()
}

async fn receive_unacknowledged(lamps: &mut Subscription, topic: &str) -> Acknowledgement {
    let (message, acknowledgement) = soon(lamps.next_unacknowledged()).await.unwrap();
    assert_eq!(message.topic(), topic);
    acknowledgement
}

/// manual_pub_ack_multiple_publishes [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[tokio::test]
async fn answers_leave_in_the_order_of_arrival_whatever_the_order_of_the_calls() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", exactly_once(2))).await;
    peer.sends(&publish("lamp/3", at_least_once(3))).await;
    peer.sends(&publish("lamp/4", at_most_once())).await;
    let [first, second, third, fourth] = [
        receive_unacknowledged(&mut lamps, "lamp/1").await,
        receive_unacknowledged(&mut lamps, "lamp/2").await,
        receive_unacknowledged(&mut lamps, "lamp/3").await,
        receive_unacknowledged(&mut lamps, "lamp/4").await,
    ];
    fourth.accept();
    third.accept();
    second.answer(ReasonCode::QuotaExceeded).unwrap();
    first.accept();
    peer.expects(puback(1)).await;
    peer.expects(ack(AckType::PubRec, 2, ReasonCode::QuotaExceeded))
        .await;
    peer.expects(puback(3)).await;
}

#[tokio::test]
async fn a_dropped_acknowledgement_can_have_the_message_sent_again() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.on_dropped = OnDropped::Hold;
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", exactly_once(2))).await;
    drop(receive_unacknowledged(&mut lamps, "lamp/1").await);
    let kept = receive_unacknowledged(&mut lamps, "lamp/2").await;
    peer.resets();
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    until_connected(&mut events).await;
    peer.sends(&publish("lamp/1", with_dup(at_least_once(1))))
        .await;
    peer.sends(&publish("lamp/2", with_dup(exactly_once(2))))
        .await;
    kept.accept();
    receive_unacknowledged(&mut lamps, "lamp/1").await.accept();
    peer.expects(puback(1)).await;
    peer.expects(pubrec(2)).await;
}

#[tokio::test]
async fn an_unmatched_message_may_be_acknowledged_manually() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut unmatched = client.unmatched(StreamLimits::default()).unwrap();
    peer.sends(&publish("left/over", at_least_once(1))).await;
    let (message, acknowledgement) = soon(unmatched.next_unacknowledged()).await.unwrap();
    assert_eq!(message.topic(), "left/over");
    acknowledgement
        .answer(ReasonCode::ImplementationSpecificError)
        .unwrap();
    peer.expects(ack(
        AckType::PubAck,
        1,
        ReasonCode::ImplementationSpecificError,
    ))
    .await;
}

#[tokio::test]
async fn a_reason_code_that_a_client_may_not_send_is_refused() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    let acknowledgement = receive_unacknowledged(&mut lamps, "lamp/1").await;
    assert!(acknowledgement.answer(ReasonCode::ServerBusy).is_err());
}

/// Waits for the next event about a dropped message; returns its topic and the cause.
async fn next_drop(events: &mut dunlin_client::Events) -> (String, DropCause) {
    loop {
        if let Event::MessageDropped { topic, cause, .. } =
            tokio::time::timeout(std::time::Duration::from_secs(20), events.next())
                .await
                .unwrap()
                .unwrap()
        {
            return (topic, cause);
        }
    }
}

/// The window is released: a handler that forgets one message doesn't end the deliveries of all.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn a_dropped_acknowledgement_refuses_the_message_after_five_seconds() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", exactly_once(2))).await;
    let first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    receive_unacknowledged(&mut lamps, "lamp/2").await.accept();
    let began = tokio::time::Instant::now();
    drop(first);
    assert_eq!(
        next_drop(&mut events).await,
        ("lamp/1".into(), DropCause::Unanswered)
    );
    assert!(began.elapsed() >= std::time::Duration::from_secs(5));
    peer.expects(ack(AckType::PubAck, 1, ReasonCode::UnspecifiedError))
        .await;
    peer.expects(pubrec(2)).await;
    assert_eq!(client.statistics().dropped_messages.unanswered.count, 1);
}

/// Receives one message, resets its connection, and accepts no other for a while.
async fn received_before_connection_loss(
    server: &TestServer,
) -> (Client, dunlin_client::Events, Acknowledgement) {
    let mut options = options(server);
    options.reconnect.min_delay = std::time::Duration::from_secs(600);
    options.reconnect.max_delay = std::time::Duration::from_secs(600);
    let (client, mut events, mut peer) = connected_as(server, options).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    let first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    peer.resets();
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Disconnected { .. })
    ));
    tokio::time::pause();
    (client, events, first)
}

#[tokio::test]
async fn a_dropped_acknowledgement_is_reported_without_a_connection() {
    let server = TestServer::start().await;
    let (client, mut events, first) = received_before_connection_loss(&server).await;
    drop(first);
    assert_eq!(
        next_drop(&mut events).await,
        ("lamp/1".into(), DropCause::Unanswered)
    );
    assert_eq!(client.statistics().dropped_messages.unanswered.count, 1);
}

#[tokio::test]
async fn a_handler_that_panics_refuses_its_message_at_once() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", exactly_once(1))).await;
    let first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    let handler = tokio::spawn(async move {
        let _first = first;
        panic!("on purpose");
    });
    assert!(handler.await.is_err());
    peer.expects(ack(AckType::PubRec, 1, ReasonCode::UnspecifiedError))
        .await;
    assert_eq!(
        next_drop(&mut events).await,
        ("lamp/1".into(), DropCause::Panicked)
    );
}

#[tokio::test]
async fn a_message_of_a_lost_session_is_not_refused() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", exactly_once(1))).await;
    let first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    peer.resets();
    let _peer = server.accepts_client().await;
    until_connected(&mut events).await;
    let handler = tokio::spawn(async move {
        let _first = first;
        panic!("on purpose");
    });
    assert!(handler.await.is_err());
    assert_eq!(client.statistics().dropped_messages.unanswered.count, 0);
}

/// The server repeats it.
#[tokio::test]
async fn a_client_that_stops_refuses_nothing() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    let first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    let stopping = tokio::spawn(async move {
        client.disconnect_within(std::time::Duration::ZERO).await;
        drop(first);
    });
    assert_eq!(
        peer.receives().await.packet().packet_type(),
        dunlin_client::codec::PacketType::Disconnect
    );
    peer.expects_end().await;
    drop(peer);
    soon(stopping).await.unwrap();
}

#[tokio::test]
async fn messages_in_a_dropped_stream_are_acknowledged_and_counted() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    peer.sends(&publish("lamp/2", at_least_once(2))).await;
    while client.statistics().messages_received.at_least_once == 0 {
        tokio::task::yield_now().await;
    }
    drop(lamps);
    peer.expects(puback(2)).await;
    let bytes = publish("lamp/1", at_most_once()).as_bytes().len()
        + publish("lamp/2", at_least_once(2)).as_bytes().len();
    let unconsumed = client.statistics().dropped_messages.unconsumed;
    assert_eq!((unconsumed.count, unconsumed.bytes), (2, bytes as u64));
}

async fn next_window_closed(events: &mut dunlin_client::Events) -> (Option<String>, bool) {
    loop {
        if let Event::WindowClosed { filter, is_taken } = soon(events.next()).await.unwrap() {
            return (filter, is_taken);
        }
    }
}

#[tokio::test]
async fn a_message_that_blocks_all_others_is_reported_with_its_filter() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = Some(2);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", at_least_once(2))).await;
    assert_eq!(
        next_window_closed(&mut events).await,
        (Some("lamp/+".into()), false)
    );
    let first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    first.accept();
    peer.expects(puback(1)).await;
    let second = receive_unacknowledged(&mut lamps, "lamp/2").await;
    peer.sends(&publish("lamp/3", at_least_once(3))).await;
    assert_eq!(
        next_window_closed(&mut events).await,
        (Some("lamp/+".into()), true)
    );
    second.accept();
    peer.expects(puback(2)).await;
}

/// Two streams have the message, and one of them has answered.
#[tokio::test]
async fn a_message_that_one_of_two_streams_answered_is_reported_with_the_filter_of_the_other() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = Some(1);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(2, &[ReasonCode::GrantedQoS2])).await;
    };
    let mut all = tokio::join!(soon(client.subscribe("lamp/#", QoS::ExactlyOnce)), answer)
        .0
        .unwrap();
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    let _first = receive_unacknowledged(&mut lamps, "lamp/1").await;
    receive_unacknowledged(&mut all, "lamp/1").await.accept();
    assert_eq!(
        next_window_closed(&mut events).await,
        (Some("lamp/+".into()), true)
    );
}
