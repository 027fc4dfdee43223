//! Requests and their replies (§4.10).

use std::future::Future;
use std::time::Duration;

use dunlin_client::codec::{
    AckType, BinaryData, ConnAckProperties, Packet, PacketBuf, Publish, PublishProperties,
    ReasonCode, TopicName, Utf8String,
};
use dunlin_client::{Client, Message, QoS, RequestError, StopCause};

use crate::packets::{
    ack, at_least_once, at_most_once, buf, connack, connack_with, disconnect, puback, resubscribe,
    suback, subscribe, unsubscribe, with_identifier,
};
use crate::server::{Peer, TestServer};
use crate::streams::{subscribed, wait_until_routed};
use crate::{connected, connected_as, millis, options, soon};

const TOPIC: &str = "dunlin/responses/lamp-7";

/// Response Topic and Correlation Data of a request.
fn reply_address(request: &PacketBuf) -> (String, Vec<u8>) {
    let Packet::Publish(publish) = request.packet() else {
        panic!("{request:?}")
    };
    let topic = publish
        .properties
        .response_topic
        .unwrap()
        .as_str()
        .to_owned();
    (
        topic,
        publish
            .properties
            .correlation_data
            .unwrap()
            .as_bytes()
            .to_vec(),
    )
}

fn reply(topic: &str, correlation_data: &[u8], payload: &str) -> PacketBuf {
    let properties = PublishProperties {
        correlation_data: Some(BinaryData::new(correlation_data).unwrap()),
        ..PublishProperties::default()
    };
    let topic = TopicName::new(topic).unwrap();
    buf(Packet::Publish(Publish {
        properties,
        ..Publish::new(topic, payload.as_bytes())
    }))
}

/// Steps of a server that answers requests.
trait RequestServer {
    async fn grant_reply_subscription(&mut self, packet_id: u16);
    async fn acknowledge_request(&mut self) -> Vec<u8>;
}

impl RequestServer for Peer {
    /// Grants the subscription to responses, which is the client's first SUBSCRIBE.
    async fn grant_reply_subscription(&mut self, packet_id: u16) {
        self.expects(with_identifier(&subscribe(packet_id, &[TOPIC]), 1))
            .await;
        self.sends(&suback(packet_id, &[ReasonCode::GrantedQoS1]))
            .await;
    }

    /// Acknowledges a request and returns its Correlation Data.
    async fn acknowledge_request(&mut self) -> Vec<u8> {
        let request = self.receives().await;
        let (topic, correlation_data) = reply_address(&request);
        assert_eq!(topic, TOPIC);
        if let Packet::Publish(publish) = request.packet()
            && let Some(id) = publish.delivery.packet_id()
        {
            self.sends(&puback(id.get())).await;
        }
        correlation_data
    }
}

async fn request_text(client: &Client, payload: &str) -> Result<String, RequestError> {
    let reply =
        soon(client.request("thermostat", payload.as_bytes(), Duration::from_secs(4))).await?;
    Ok(String::from_utf8(reply.payload().to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_gets_its_reply_and_the_subscription_stays_for_the_next() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let serving = async {
        peer.grant_reply_subscription(1).await;
        for number in ["1", "2"] {
            let correlation = peer.acknowledge_request().await;
            peer.sends(&reply(TOPIC, &correlation, number)).await;
        }
    };
    let asking = async {
        (
            request_text(&client, "a").await,
            request_text(&client, "b").await,
        )
    };
    let ((first, second), ()) = tokio::join!(asking, serving);
    assert_eq!(
        (first.unwrap().as_str(), second.unwrap().as_str()),
        ("1", "2")
    );
    assert_eq!((client.late_replies(), client.unrouted()), (0, 0));
}

/// The first one subscribes, the others wait for it; replies may come in any order.
#[tokio::test]
async fn requests_at_once_share_one_subscription_and_get_their_own_replies() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let serving = async {
        peer.grant_reply_subscription(1).await;
        let mut requests = Vec::new();
        for _ in 0..3 {
            let request = peer.receives().await;
            let Packet::Publish(publish) = request.packet() else {
                panic!()
            };
            requests.push((
                String::from_utf8(publish.payload.to_vec()).unwrap(),
                reply_address(&request).1,
            ));
        }
        for (payload, correlation) in requests.iter().rev() {
            peer.sends(&reply(TOPIC, correlation, payload)).await;
        }
    };
    let asking = async {
        tokio::join!(
            request_text(&client, "a"),
            request_text(&client, "b"),
            request_text(&client, "c")
        )
    };
    let ((a, b, c), ()) = tokio::join!(asking, serving);
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock, which this test pauses"
)]
async fn a_request_without_a_reply_times_out_exactly_and_a_late_reply_is_ignored() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let began = tokio::time::Instant::now();
    let late = async {
        peer.grant_reply_subscription(1).await;
        peer.acknowledge_request().await
    };
    let asking = client.request("thermostat", b"a", Duration::from_secs(3));
    let (silence, late) = tokio::join!(asking, late);
    assert_eq!(
        silence.unwrap_err(),
        RequestError::NoReply {
            after: Duration::from_secs(3)
        }
    );
    assert_eq!(began.elapsed().as_millis(), 3000);

    peer.sends(&reply(TOPIC, &late, "late")).await;
    let serving = async {
        let correlation = peer.acknowledge_request().await;
        assert_ne!(correlation, late);
        peer.sends(&reply(TOPIC, &late, "late again")).await;
        peer.sends(&reply(TOPIC, b"", "no correlation")).await;
        peer.sends(&reply(TOPIC, &correlation, "in time")).await;
        peer.sends(&reply(TOPIC, &correlation, "twice")).await;
    };
    let (answer, ()) = tokio::join!(request_text(&client, "b"), serving);
    assert_eq!(answer.unwrap(), "in time");
    wait_until_routed(&client, &mut peer).await;
    assert_eq!(client.late_replies(), 4);
}

#[tokio::test]
async fn a_dropped_request_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    // Before SUBACK, and after it.
    let dropped =
        tokio::time::timeout(millis(20), client.request("t", b"", Duration::from_secs(9))).await;
    assert!(dropped.is_err());
    peer.expects(with_identifier(&subscribe(1, &[TOPIC]), 1))
        .await;
    peer.expects(unsubscribe(2, &[TOPIC])).await;
    let serving = async {
        peer.expects(with_identifier(&subscribe(3, &[TOPIC]), 2))
            .await;
        peer.sends(&suback(3, &[ReasonCode::GrantedQoS1])).await;
        peer.acknowledge_request().await
    };
    let asking = tokio::time::timeout(millis(50), client.request("t", b"", Duration::from_secs(9)));
    let (dropped, correlation) = tokio::join!(asking, serving);
    assert!(dropped.is_err());
    peer.sends(&reply(TOPIC, &correlation, "late")).await;
    wait_until_routed(&client, &mut peer).await;
    assert_eq!(client.late_replies(), 1);
}

#[tokio::test]
async fn a_refused_request_and_a_refused_subscription_are_errors() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let serving = async {
        peer.receives().await;
        peer.sends(&suback(1, &[ReasonCode::NotAuthorized])).await;
        peer.receives().await;
        peer.sends(&suback(2, &[ReasonCode::GrantedQoS1])).await;
        peer.receives().await;
        peer.sends(&ack(AckType::PubAck, 3, ReasonCode::NotAuthorized))
            .await;
    };
    let asking = async {
        (
            request_text(&client, "a").await,
            request_text(&client, "b").await,
        )
    };
    let ((first, second), ()) = tokio::join!(asking, serving);
    assert!(matches!(first, Err(RequestError::Refused(_))), "{first:?}");
    assert!(
        matches!(second, Err(RequestError::Refused(_))),
        "{second:?}"
    );
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let serving = tokio::spawn(async move {
        peer.grant_reply_subscription(1).await;
        for _ in 0..1024 {
            peer.receives().await;
        }
        peer
    });
    let message = Message::new("thermostat", "");
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1024 {
        let (client, message) = (client.clone(), message.clone());
        waiting.spawn(async move { client.request_with(message, Duration::from_secs(60)).await });
    }
    let peer = soon(serving).await.unwrap();
    let error = client
        .request_with(message, Duration::from_secs(60))
        .await
        .unwrap_err();
    assert_eq!(error, RequestError::TooManyRequests { limit: 1024 });
    soon(client.disconnect()).await;
    while let Some(outcome) = soon(waiting.join_next()).await {
        assert_eq!(
            outcome.unwrap().unwrap_err(),
            RequestError::Stopped(StopCause::Requested)
        );
    }
    drop(peer);
}

#[tokio::test]
async fn response_information_of_the_server_is_the_response_topic() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.request_response_information = Some(true);
    let client = Client::start(options);
    let properties = ConnAckProperties {
        response_information: Some(Utf8String::new("replies/7").unwrap()),
        ..ConnAckProperties::default()
    };
    let (mut peer, connect) = server.accepts_connect(&connack_with(properties)).await;
    let Packet::Connect(connect) = connect.packet() else {
        panic!()
    };
    let connect = connect.read();
    assert_eq!(connect.properties.request_response_information, Some(true));
    // Its own client identifier is used before the server has said anything.
    let mut events = client.events();
    crate::until_connected(&mut events).await;
    let serving = async {
        peer.expects(with_identifier(&subscribe(1, &["replies/7/responses"]), 1))
            .await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
        let (topic, correlation) = reply_address(&peer.receives().await);
        peer.sends(&reply(&topic, &correlation, "on")).await;
    };
    let (answer, ()) = tokio::join!(request_text(&client, "a"), serving);
    assert_eq!(answer.unwrap(), "on");
}

#[tokio::test]
async fn a_subscription_that_is_lost_is_made_again_by_the_next_request() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let serving = async {
        peer.grant_reply_subscription(1).await;
        let correlation = peer.acknowledge_request().await;
        peer.sends(&reply(TOPIC, &correlation, "1")).await;
    };
    let (answer, ()) = tokio::join!(request_text(&client, "a"), serving);
    answer.unwrap();
    drop(peer);
    let mut peer = server.accepts_client_with(&connack()).await;
    peer.expects(with_identifier(&resubscribe(3, &[TOPIC]), 1))
        .await;
    peer.sends(&suback(3, &[ReasonCode::NotAuthorized])).await;
    while !matches!(
        soon(events.next()).await.unwrap(),
        dunlin_client::Event::SubscriptionLost { .. }
    ) {}
    let serving = async {
        peer.expects(with_identifier(&subscribe(4, &[TOPIC]), 2))
            .await;
        peer.sends(&suback(4, &[ReasonCode::GrantedQoS1])).await;
        let correlation = peer.acknowledge_request().await;
        peer.sends(&reply(TOPIC, &correlation, "2")).await;
    };
    let (answer, ()) = tokio::join!(request_text(&client, "b"), serving);
    assert_eq!(answer.unwrap(), "2");
}

#[tokio::test]
async fn a_received_request_makes_its_reply() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = None;
    let (client, _, mut peer) = connected_as(&server, options).await;
    let mut requests = subscribed(&client, &mut peer, 1, "thermostat").await;
    let properties = PublishProperties {
        response_topic: Some(TopicName::new("answers/1").unwrap()),
        correlation_data: Some(BinaryData::new(b"7").unwrap()),
        ..PublishProperties::default()
    };
    let topic = TopicName::new("thermostat").unwrap();
    peer.sends(&buf(Packet::Publish(Publish {
        properties,
        ..Publish::new(topic, b"?")
    })))
    .await;
    let request = soon(requests.next()).await.unwrap();
    drop(
        client
            .publish(request.reply("21.5").unwrap())
            .await
            .unwrap(),
    );
    peer.expects(reply("answers/1", b"7", "21.5")).await;

    peer.sends(&crate::packets::publish("thermostat", at_most_once()))
        .await;
    assert!(
        soon(requests.next()).await.unwrap().reply("21.5").is_none(),
        "it asks for no reply"
    );
    assert_eq!(request.qos(), QoS::AtMostOnce);
}

#[tokio::test]
async fn a_request_uses_response_information_if_it_was_requested() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.request_response_information = Some(true);
    let client = Client::start(options);
    let answer = async {
        let properties = ConnAckProperties {
            response_information: Utf8String::new("replies/7").ok(),
            ..ConnAckProperties::default()
        };
        let mut peer = server.accepts_client_with(&connack_with(properties)).await;
        peer.expects(with_identifier(&subscribe(1, &["replies/7/responses"]), 1))
            .await;
    };
    let (late, ()) = tokio::join!(client.request("a", b"", millis(300)), answer);
    assert!(
        matches!(late, Err(RequestError::NoReply { .. })),
        "{late:?}"
    );
}

/// They are acknowledged before, so that nothing else bounds them.
#[tokio::test]
async fn unread_replies_count_against_the_memory_budget() {
    const REQUESTS: u16 = 8;
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.memory_budget = 256 << 10;
    let (client, _, mut peer) = connected_as(&server, options).await;
    let request = || client.request("thermostat", b"?".as_slice(), Duration::from_secs(60));
    let mut requests: Vec<_> = (0..REQUESTS).map(|_| Box::pin(request())).collect();
    let sending = std::future::poll_fn(|cx| {
        requests
            .iter_mut()
            .for_each(|request| assert!(request.as_mut().poll(cx).is_pending()));
        std::task::Poll::<()>::Pending
    });
    let mut correlations = Vec::new();
    let answering = async {
        peer.grant_reply_subscription(1).await;
        for _ in 0..REQUESTS {
            correlations.push(peer.acknowledge_request().await);
        }
    };
    tokio::select! {
        () = soon(answering) => {}
        () = sending => {}
    }
    let payload = vec![b'x'; 100 << 10];
    let mut replies = Vec::new();
    for (packet_id, correlation) in (1..).zip(&correlations) {
        let properties = PublishProperties {
            correlation_data: Some(BinaryData::new(correlation).unwrap()),
            ..PublishProperties::default()
        };
        let publish = Publish::new(TopicName::new(TOPIC).unwrap(), &payload);
        let publish = Publish {
            properties,
            delivery: at_least_once(packet_id),
            ..publish
        };
        replies.extend_from_slice(buf(Packet::Publish(publish)).as_bytes());
    }
    peer.sends_bytes(&replies).await;
    let mut acknowledged = 0;
    let last = loop {
        let packet = soon(peer.receives_or_end()).await.unwrap();
        match packet.packet() {
            Packet::PubAck(_) => acknowledged += 1,
            _ => break packet,
        }
    };
    assert_eq!(
        (last, acknowledged),
        (disconnect(ReasonCode::QuotaExceeded), 2),
        "two of 100 KiB fit"
    );
    drop(requests);
}
