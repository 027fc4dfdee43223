//! Publishes, subscriptions and their outcomes; what happens to them when nobody waits any longer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use dunlin_client::codec::{AckType, PacketType, ReasonCode};
use dunlin_client::{Client, Event, Message, QoS, RequestError, StopCause};

use crate::packets::{
    ack, at_least_once, at_most_once, puback, publish, suback, subscribe, unsuback, unsubscribe,
    with_identifier,
};
use crate::server::TestServer;
use crate::{
    connected, connected_as, disconnect_ending_session, millis, options, soon, until_connected,
};

fn lamp_message(qos: QoS) -> Message<'static> {
    Message::new("lamp/7", "on").qos(qos)
}

#[tokio::test]
async fn an_endless_publisher_yields_to_other_tasks() {
    let server = TestServer::start().await;
    let (client, _, _peer) = connected(&server).await;
    let other = tokio::spawn(async {});
    let mut published = 0;
    while !other.is_finished() {
        drop(client.publish(lamp_message(QoS::AtMostOnce)).await.unwrap());
        published += 1;
        assert!(
            published <= 1024,
            "the one thread that there is was never let go of"
        );
    }
}

#[tokio::test]
async fn a_receipt_resolves_once() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut sent = client.publish(lamp_message(QoS::AtMostOnce)).await.unwrap();
    let mut acknowledged = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.receives().await;
    peer.expects(publish("lamp/7", at_least_once(1))).await;
    peer.sends(&puback(1)).await;
    for receipt in [&mut sent, &mut acknowledged] {
        soon(&mut *receipt).await.unwrap();
        let again = Pin::new(receipt).poll(&mut Context::from_waker(Waker::noop()));
        assert!(again.is_pending(), "{again:?}");
    }
}

#[tokio::test]
async fn a_receipt_resolves_to_the_acknowledgement() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    soon(client.publish(lamp_message(QoS::AtMostOnce)).await.unwrap())
        .await
        .unwrap();
    peer.expects(publish("lamp/7", at_most_once())).await;
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.expects(publish("lamp/7", at_least_once(1))).await;
    peer.sends(&ack(AckType::PubAck, 1, ReasonCode::NoMatchingSubscribers))
        .await;
    assert_eq!(
        soon(receipt).await.unwrap().reason_code,
        ReasonCode::NoMatchingSubscribers
    );
}

/// mqtt5_one_message_a_round_trip
#[tokio::test]
async fn one_task_has_many_messages_in_flight() {
    const MESSAGES: u16 = 1000;
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut receipts = Vec::new();
    for _ in 0..MESSAGES {
        receipts.push(
            soon(client.publish(lamp_message(QoS::AtLeastOnce)))
                .await
                .unwrap(),
        );
    }
    for packet_id in 1..=MESSAGES {
        peer.expects(publish("lamp/7", at_least_once(packet_id)))
            .await;
    }
    for packet_id in (1..=MESSAGES).rev() {
        peer.sends(&puback(packet_id)).await;
    }
    for receipt in receipts {
        soon(receipt).await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_publish_is_an_error() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.receives().await;
    peer.sends(&ack(AckType::PubAck, 1, ReasonCode::NotAuthorized))
        .await;
    let RequestError::Refused(reason) = soon(receipt).await.unwrap_err() else {
        panic!()
    };
    assert_eq!(
        (reason.packet_type, reason.reason_code),
        (PacketType::PubAck, ReasonCode::NotAuthorized)
    );
}

#[tokio::test]
async fn a_refused_subscription_is_an_error_and_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(1, &[ReasonCode::NotAuthorized])).await;
    };
    let (refused, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtLeastOnce), answer);
    let RequestError::Refused(reason) = refused.unwrap_err() else {
        panic!()
    };
    assert_eq!(
        (reason.packet_type, reason.reason_code),
        (PacketType::SubAck, ReasonCode::NotAuthorized)
    );
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
}

#[tokio::test]
async fn unsubscribing_from_nothing_is_no_error_and_a_refusal_is() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let answers = async {
        peer.expects(unsubscribe(1, &["a"])).await;
        peer.sends(&unsuback(1, &[ReasonCode::NoSubscriptionExisted]))
            .await;
        peer.receives().await;
        peer.sends(&unsuback(2, &[ReasonCode::NotAuthorized])).await;
    };
    let requests = async { (client.unsubscribe("a").await, client.unsubscribe("a").await) };
    let ((first, second), ()) = tokio::join!(requests, answers);
    assert_eq!(
        first.unwrap().reason_codes,
        [ReasonCode::NoSubscriptionExisted]
    );
    assert!(matches!(second, Err(RequestError::Refused(_))));
}

#[tokio::test]
async fn invalid_requests_are_refused_at_once() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    assert!(matches!(
        client.publish(Message::new("a/#", "")).await,
        Err(RequestError::Topic(_))
    ));
    assert!(matches!(
        client.subscribe("a#", QoS::AtMostOnce).await,
        Err(RequestError::Topic(_))
    ));
    assert!(matches!(
        client.unsubscribe("").await,
        Err(RequestError::Topic(_))
    ));
}

#[tokio::test]
async fn an_unanswered_request_times_out_and_its_stream_ends() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.ack_timeout = millis(50);
    let (client, _, mut peer) = connected_as(&server, options).await;
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    assert!(matches!(
        soon(receipt).await,
        Err(RequestError::Timeout { .. })
    ));
    let subscription = soon(client.subscribe("a", QoS::AtLeastOnce)).await;
    assert!(matches!(subscription, Err(RequestError::Timeout { .. })));
    peer.receives().await;
    peer.expects(with_identifier(&subscribe(2, &["a"]), 1))
        .await;
    peer.expects(unsubscribe(3, &["a"])).await;
}

#[tokio::test]
async fn a_dropped_receipt_does_not_cancel_the_publish() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    let mut peer = server.accepts_client().await;
    peer.expects(publish("lamp/7", at_least_once(1))).await;
}

#[tokio::test]
async fn a_dropped_subscribe_is_cancelled() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    assert!(
        tokio::time::timeout(millis(20), client.subscribe("a", QoS::AtLeastOnce))
            .await
            .is_err()
    );
    peer.expects(with_identifier(&subscribe(1, &["a"]), 1))
        .await;
    peer.expects(unsubscribe(2, &["a"])).await;
    peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
    peer.sends(&unsuback(2, &[ReasonCode::Success])).await;
    drop(peer);
    let mut peer = server.accepts_client().await;
    until_connected(&mut events).await;
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
}

#[tokio::test]
async fn an_event_whose_future_was_dropped_is_returned_next() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    for _ in 0..20 {
        // Dropped before it is polled, and after it was pending.
        drop(events.next());
        let _ = tokio::time::timeout(millis(0), std::future::pending::<()>()).await;
    }
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Attempt { .. })
    ));
    assert!(matches!(soon(events.next()).await, Some(Event::Opened(_))));
    let mut peer = server.accepts().await;
    assert!(
        tokio::time::timeout(millis(20), events.next())
            .await
            .is_err()
    );
    peer.receives().await;
    peer.sends(&crate::packets::connack()).await;
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Connected(_))
    ));
}

#[tokio::test]
async fn requests_of_a_stopped_client_say_why_it_stopped() {
    let server = TestServer::start().await;
    let (client, _, _peer) = connected(&server).await;
    let mut stream = std::pin::pin!(client.subscribe("a", QoS::AtMostOnce));
    assert!(std::future::poll_fn(|cx| Poll::Ready(stream.as_mut().poll(cx).is_pending())).await);
    soon(client.disconnect_within(millis(0))).await;
    let stopped = || RequestError::Stopped(StopCause::Requested);
    assert_eq!(soon(stream).await.unwrap_err(), stopped());
    assert_eq!(
        soon(client.publish(lamp_message(QoS::AtLeastOnce)))
            .await
            .unwrap_err(),
        stopped()
    );
    assert_eq!(
        soon(client.subscribe("a", QoS::AtMostOnce))
            .await
            .unwrap_err(),
        stopped()
    );
    assert_eq!(soon(client.unsubscribe("a")).await.unwrap_err(), stopped());
}
