//! Connections that end, and what the client does about it.

use std::sync::Arc;

use dunlin_client::codec::{Delivery, Packet, PacketType, ReasonCode};
use dunlin_client::{
    Client, ConnectionError, EndCause, Event, Message, QoS, RequestError, StopCause, StreamLimits,
};

use crate::packets::{
    at_least_once, connack, connack_resumed, disconnect, exactly_once, pubcomp, publish, pubrec,
    pubrel, resubscribe, suback, subscribe, with_dup, with_identifier,
};
use crate::server::TestServer;
use crate::{
    connected, connected_as, disconnect_ending_session, event_names, millis, options, soon,
};

#[tokio::test]
async fn a_client_reconnects_and_its_streams_continue() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let answer = async {
        peer.expects(with_identifier(&subscribe(1, &["lamp/+"]), 1))
            .await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
    };
    let (lamps, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtLeastOnce), answer);
    let mut lamps = lamps.unwrap();
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    drop(peer);

    let mut peer = server.accepts_client().await;
    peer.expects(with_identifier(&resubscribe(2, &["lamp/+"]), 1))
        .await;
    peer.sends(&suback(2, &[ReasonCode::GrantedQoS1])).await;
    peer.sends(&publish("lamp/2", at_least_once(1))).await;
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/2");
    drop(client);
    peer.expects(crate::packets::puback(1)).await;
    peer.expects(disconnect_ending_session()).await;
    drop(peer);
    let expected = "disconnected attempt opened connected disconnected stopped";
    assert_eq!(event_names(&mut events).await, expected);
}

#[tokio::test]
async fn a_subscription_that_is_not_granted_again_ends_its_stream() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
    };
    let (lamps, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtLeastOnce), answer);
    let mut lamps = lamps.unwrap();
    peer.resets();
    let mut peer = server.accepts_client().await;
    peer.receives().await;
    peer.sends(&suback(2, &[ReasonCode::NotAuthorized])).await;
    assert!(soon(lamps.next()).await.is_none());
    let lost = loop {
        if let Event::SubscriptionLost { filter, cause } = soon(events.next()).await.unwrap()
            && let RequestError::Refused(reason) = *cause
        {
            break (filter, reason.reason_code);
        }
    };
    assert_eq!(lost, ("lamp/+".to_owned(), ReasonCode::NotAuthorized));
}

/// paho_publish_succeeds_without_puback
#[tokio::test]
async fn a_message_is_repeated_on_the_resumed_session_and_its_receipt_resolves() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.expects(publish("a", at_least_once(1))).await;
    peer.resets();
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    peer.expects(publish("a", with_dup(at_least_once(1)))).await;
    peer.sends(&crate::packets::puback(1)).await;
    assert_eq!(
        soon(receipt).await.unwrap().packet_id.map(|id| id.get()),
        Some(1)
    );
}

#[tokio::test]
async fn a_subscribe_survives_an_outage_before_its_answer_and_the_loss_of_the_session() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let subscriber = client.clone();
    let subscribing = tokio::spawn(async move { subscriber.subscribe("a", QoS::AtMostOnce).await });
    let first = peer.receives().await;
    let Packet::Subscribe(subscribe) = first.packet() else {
        panic!("{first:?}")
    };
    let first_id = subscribe.packet_id;
    peer.resets();

    let mut peer = server.accepts_client_with(&connack()).await;
    let again = peer.receives().await;
    let Packet::Subscribe(subscribe) = again.packet() else {
        panic!("{again:?}")
    };
    assert_ne!(subscribe.packet_id, first_id, "a new request, not a resend");
    peer.sends(&suback(subscribe.packet_id.get(), &[ReasonCode::Success]))
        .await;
    let mut subscription = soon(subscribing).await.unwrap().unwrap();
    peer.sends(&publish("a", Delivery::AtMostOnce)).await;
    assert_eq!(soon(subscription.next()).await.unwrap().topic(), "a");
}

#[tokio::test]
async fn a_message_of_qos_2_fails_when_the_session_is_lost() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(Message::new("a", "on").qos(QoS::ExactlyOnce))
        .await
        .unwrap();
    peer.receives().await;
    peer.resets();
    server.accepts_client_with(&connack()).await;
    assert_eq!(soon(receipt).await.unwrap_err(), RequestError::SessionLost);
}

/// The message is larger than all buffers up to the server, which gets no whole packet: the message
/// counts as never sent.
#[tokio::test]
async fn a_partly_written_message_is_sent_again_although_the_session_is_lost() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue.bytes = 100 << 20;
    let (client, _, mut peer) = connected_as(&server, options).await;
    let small = client
        .publish(Message::new("a", "on").qos(QoS::ExactlyOnce))
        .await
        .unwrap();
    peer.expects(publish("a", exactly_once(1))).await;
    let payload = vec![7; 32 << 20];
    let large = client
        .publish(Message::new("b", &payload).qos(QoS::ExactlyOnce))
        .await
        .unwrap();
    tokio::time::sleep(millis(50)).await;
    peer.resets();
    let mut peer = server.accepts_client().await;
    assert!(matches!(soon(small).await, Err(RequestError::SessionLost)));
    let again = peer.receives().await;
    let Packet::Publish(message) = again.packet() else {
        panic!("{again:?}")
    };
    assert_eq!(
        (message.topic.unwrap().as_str(), message.payload.len()),
        ("b", payload.len())
    );
    let Delivery::ExactlyOnce {
        packet_id,
        dup: false,
    } = message.delivery
    else {
        panic!("{again:?}")
    };
    peer.sends(&pubrec(packet_id.get())).await;
    peer.expects(pubrel(packet_id.get())).await;
    peer.sends(&pubcomp(packet_id.get())).await;
    soon(large).await.unwrap();
}

#[tokio::test]
async fn a_disconnect_of_the_server_is_followed_by_another_connection() {
    for code in [
        0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
        0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
    ] {
        let code = ReasonCode::from_code(code).unwrap();
        let server = TestServer::start().await;
        let (client, mut events, mut peer) = connected(&server).await;
        peer.sends(&disconnect(code)).await;
        let Some(Event::Disconnected {
            cause: EndCause::Connection(cause),
            retry_in,
        }) = soon(events.next()).await
        else {
            panic!()
        };
        assert!(retry_in.is_some(), "{code}");
        let ConnectionError::Disconnected(reason) = &*cause else {
            panic!("{cause:?}")
        };
        assert_eq!(
            (reason.packet_type, reason.reason_code),
            (PacketType::Disconnect, code)
        );
        server.accepts_client().await;
        drop(client);
    }
}

/// mosquitto 2.0.11 resumes a session with more messages than it may send.
#[tokio::test]
async fn more_than_the_receive_maximum_ends_the_connection_but_not_the_client() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = Some(1);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let mut unmatched = client.unmatched(StreamLimits::default()).unwrap();
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", at_least_once(2))).await;
    peer.expects(disconnect(ReasonCode::ReceiveMaximumExceeded))
        .await;
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        retry_in,
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert!(
        matches!(&*cause, ConnectionError::Protocol(_)) && retry_in.is_some(),
        "{cause:?}"
    );

    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    assert_eq!(soon(unmatched.next()).await.unwrap().topic(), "lamp/1");
    peer.sends(&publish("lamp/2", at_least_once(2))).await;
    assert_eq!(soon(unmatched.next()).await.unwrap().topic(), "lamp/2");
}

#[tokio::test]
async fn a_take_over_is_final() {
    for code in [0x8E] {
        let code = ReasonCode::from_code(code).unwrap();
        let server = TestServer::start().await;
        let (client, mut events, mut peer) = connected(&server).await;
        let receipt = client
            .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .await
            .unwrap();
        peer.receives().await;
        peer.sends(&disconnect(code)).await;
        peer.expects_end().await;
        assert_eq!(
            event_names(&mut events).await,
            "disconnected stopped",
            "{code}"
        );
        let RequestError::Stopped(StopCause::Final(EndCause::Connection(cause))) =
            soon(receipt).await.unwrap_err()
        else {
            panic!()
        };
        assert!(
            matches!(&*cause, ConnectionError::Disconnected(reason) if reason.reason_code == code)
        );
    }
}

#[tokio::test]
async fn a_reset_is_reported_and_followed_by_a_reconnection() {
    let server = TestServer::start().await;
    let (client, mut events, peer) = connected(&server).await;
    peer.resets();
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        retry_in: Some(_),
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert_eq!(cause, Arc::new(ConnectionError::Reset));
    server.accepts_client().await;
    drop(client);
}

#[tokio::test]
async fn a_server_that_closes_its_half_ends_the_connection() {
    let server = TestServer::start().await;
    let (_client, mut events, mut peer) = connected(&server).await;
    peer.sends_bytes(&[0x30, 0x10, 0x00]).await;
    peer.shuts_down().await;
    peer.expects_end().await;
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        ..
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert_eq!(
        cause,
        Arc::new(ConnectionError::Closed),
        "half a packet is none"
    );
}

#[tokio::test]
async fn packets_before_the_end_of_the_connection_are_handled() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.receives().await;
    peer.sends(&crate::packets::puback(1)).await;
    drop(peer);
    soon(receipt).await.unwrap();
}

#[tokio::test]
async fn a_protocol_error_is_answered_by_disconnect_and_a_reconnection() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    peer.sends_bytes(&[0xD1, 0x00]).await;
    peer.expects(disconnect(ReasonCode::MalformedPacket)).await;
    peer.expects_end().await;
    let _peer = server.accepts_client().await;
    soon(client.until_connected(millis(1000))).await.unwrap();
    drop(client);
    let expected = "disconnected attempt opened connected disconnected stopped";
    assert_eq!(event_names(&mut events).await, expected);
}

#[tokio::test]
async fn a_refused_port_is_tried_again_after_the_first_success() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.max_attempts = Some(3);
    let (_client, mut events, peer) = connected_as(&server, options).await;
    drop((server, peer));
    let expected = "disconnected attempt failed attempt failed attempt failed stopped";
    assert_eq!(event_names(&mut events).await, expected);
}

/// A kick right after CONNACK doesn't start the waits over.
#[tokio::test]
async fn waits_grow_while_connections_do_not_last() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = millis(1);
    options.reconnect.max_delay = millis(1000);
    options.reconnect.max_attempts = Some(4);
    let client = Client::start(options);
    let mut events = client.events();
    let kicks = async {
        for _ in 0..5 {
            drop(server.accepts_client().await);
        }
    };
    let (told, ()) = tokio::join!(event_names(&mut events), kicks);
    assert_eq!(
        told,
        format!(
            "{}stopped",
            "attempt opened connected disconnected ".repeat(5)
        )
    );
}
