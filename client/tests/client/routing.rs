//! Which stream a message comes to: by subscription identifier where the server has them, else by
//! topic filter.

use dunlin_client::codec::{
    ConnAckProperties, Delivery, Packet, PacketBuf, Publish, PublishProperties, ReasonCode,
    SubscriptionIdentifier, TopicName,
};
use dunlin_client::{CleanStart, Client, QoS, StreamLimits, Subscription};

use crate::packets::{
    at_least_once, at_most_once, buf, connack_with, puback, publish, suback, subscribe, unsuback,
    unsubscribe, with_identifier,
};
use crate::server::{Peer, TestServer};
use crate::streams::{subscribed, wait_until_handled, wait_until_routed};
use crate::{connected, options, soon};

/// Largest Subscription Identifier (§3.8.2.1.2).
const LAST_IDENTIFIER: u32 = 268_435_455;

/// PUBLISH with these Subscription Identifiers.
fn publish_for(identifiers: &[u32], topic: &str, delivery: Delivery) -> PacketBuf {
    let identifiers: Vec<_> = identifiers
        .iter()
        .map(|each| SubscriptionIdentifier::new(*each).unwrap())
        .collect();
    let properties = PublishProperties {
        subscription_identifiers: identifiers.as_slice().into(),
        ..PublishProperties::default()
    };
    let publish = Publish {
        delivery,
        properties,
        ..Publish::new(TopicName::new(topic).unwrap(), b"on")
    };
    buf(Packet::Publish(publish))
}

async fn expect_message(stream: &mut Subscription, topic: &str) {
    assert_eq!(soon(stream.next()).await.unwrap().topic(), topic);
}

/// Checks that the stream is open and empty.
async fn expect_no_message(stream: &mut Subscription) {
    let next = std::future::poll_fn(|cx| std::task::Poll::Ready(stream.poll_next(cx))).await;
    assert!(next.is_pending(), "{next:?}");
}

/// Client of a server without Subscription Identifiers, such as AWS IoT Core.
async fn connected_without_identifiers(server: &TestServer) -> (Client, Peer) {
    let client = Client::start(options(server));
    let properties = ConnAckProperties {
        subscription_identifier_available: Some(false),
        ..ConnAckProperties::default()
    };
    let peer = server.accepts_client_with(&connack_with(properties)).await;
    (client, peer)
}

/// [MQTT-3.3.4-3] [MQTT-3.3.4-4]
#[tokio::test]
async fn a_message_is_routed_by_its_subscription_identifiers() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut one = subscribed(&client, &mut peer, 1, "lamp/1").await;
    let mut all = subscribed(&client, &mut peer, 2, "lamp/#").await;
    peer.sends(&publish_for(&[2], "lamp/1", at_least_once(1)))
        .await;
    peer.sends(&publish_for(&[1, 2, 2, 1], "lamp/1", at_least_once(2)))
        .await;
    expect_message(&mut all, "lamp/1").await;
    expect_message(&mut one, "lamp/1").await;
    expect_message(&mut all, "lamp/1").await;
    peer.expects(puback(1)).await;
    peer.expects(puback(2)).await;
    wait_until_routed(&client, &mut peer).await;
    expect_no_message(&mut one).await;
    expect_no_message(&mut all).await;
}

#[tokio::test]
async fn streams_of_one_filter_share_its_identifier() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut streams = Vec::new();
    for packet_id in [1, 2] {
        let answer = async {
            peer.expects(with_identifier(&subscribe(packet_id, &["lamp/+"]), 1))
                .await;
            peer.sends(&suback(packet_id, &[ReasonCode::GrantedQoS1]))
                .await;
        };
        streams.push(
            tokio::join!(client.subscribe("lamp/+", QoS::AtLeastOnce), answer)
                .0
                .unwrap(),
        );
    }
    peer.sends(&publish_for(&[1], "lamp/1", at_most_once()))
        .await;
    for stream in &mut streams {
        expect_message(stream, "lamp/1").await;
    }
}

/// Messages that are in flight for a subscription that has ended aren't delivered to another one,
/// although its filter matches.
#[tokio::test]
async fn a_message_for_an_ended_subscription_is_routed_to_no_other() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let one = subscribed(&client, &mut peer, 1, "lamp/1").await;
    let mut all = subscribed(&client, &mut peer, 2, "lamp/#").await;
    drop(one);
    peer.expects(unsubscribe(3, &["lamp/1"])).await;
    peer.sends(&publish_for(&[1], "lamp/1", at_least_once(1)))
        .await;
    peer.expects(puback(1)).await;
    peer.sends(&publish_for(&[2], "lamp/1", at_most_once()))
        .await;
    expect_message(&mut all, "lamp/1").await;
    expect_no_message(&mut all).await;
    peer.sends(&unsuback(3, &[ReasonCode::Success])).await;
    assert_eq!(client.unrouted(), 1);
}

#[tokio::test]
async fn a_new_subscription_to_an_old_filter_has_a_new_identifier() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    drop(subscribed(&client, &mut peer, 1, "lamp/1").await);
    peer.expects(unsubscribe(2, &["lamp/1"])).await;
    let answer = async {
        peer.expects(with_identifier(&subscribe(3, &["lamp/1"]), 2))
            .await;
        peer.sends(&suback(3, &[ReasonCode::GrantedQoS1])).await;
    };
    let mut lamp = tokio::join!(client.subscribe("lamp/1", QoS::AtLeastOnce), answer)
        .0
        .unwrap();
    peer.sends(&publish_for(&[1], "lamp/1", at_least_once(1)))
        .await;
    peer.expects(puback(1)).await;
    expect_no_message(&mut lamp).await;
}

/// A session that was resumed has subscriptions of an earlier process, with identifiers that this
/// one never gave.
#[tokio::test]
async fn an_unknown_identifier_falls_back_to_filters() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    peer.sends(&publish_for(&[77], "lamp/1", at_most_once()))
        .await;
    peer.sends(&publish_for(&[77], "door/1", at_least_once(1)))
        .await;
    peer.sends(&publish_for(&[77, 1], "lamp/2", at_most_once()))
        .await;
    expect_message(&mut lamps, "lamp/1").await;
    expect_message(&mut lamps, "lamp/2").await;
    peer.expects(puback(1)).await;
    expect_no_message(&mut lamps).await;
}

/// Else an earlier process's subscription could have the same one.
#[tokio::test]
async fn a_resuming_client_begins_at_a_random_identifier() {
    let mut begins = std::collections::HashSet::new();
    for _ in 0..3 {
        let server = TestServer::start().await;
        let mut options = options(&server);
        options.connect.clean_start = CleanStart::Never;
        let (client, _, mut peer) = crate::connected_as(&server, options).await;
        let subscribing =
            tokio::spawn(async move { client.subscribe("a", QoS::AtLeastOnce).await });
        let packet = peer.receives().await;
        let Packet::Subscribe(subscribe) = packet.packet() else {
            panic!()
        };
        begins.insert(subscribe.properties.subscription_identifier.unwrap().get());
        subscribing.abort();
    }
    assert_eq!(begins.len(), 3);
}

#[tokio::test]
async fn the_application_chooses_the_first_identifier() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.first_subscription_identifier = SubscriptionIdentifier::new(LAST_IDENTIFIER);
    // Also where a session is continued, for which the default is a random number.
    options.connect.clean_start = CleanStart::Never;
    let (client, _, mut peer) = crate::connected_as(&server, options).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    // After the largest identifier, the smallest one is next.
    let mut doors = subscribed(&client, &mut peer, 2, "door/+").await;
    let to_lamps = publish_for(&[LAST_IDENTIFIER], "lamp/1", at_most_once());
    peer.sends(&to_lamps).await;
    peer.sends(&publish_for(&[1], "door/1", at_most_once()))
        .await;
    expect_message(&mut lamps, "lamp/1").await;
    expect_message(&mut doors, "door/1").await;
}

#[tokio::test]
async fn without_identifiers_every_stream_that_matches_gets_each_copy_once() {
    let server = TestServer::start().await;
    let (client, mut peer) = connected_without_identifiers(&server).await;
    let answer = async {
        peer.expects(subscribe(1, &["lamp/1"])).await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
    };
    let mut one = tokio::join!(client.subscribe("lamp/1", QoS::AtLeastOnce), answer)
        .0
        .unwrap();
    let mut all = subscribed(&client, &mut peer, 2, "lamp/#").await;
    let mut shared = subscribed(&client, &mut peer, 3, "$share/g/lamp/+").await;
    for packet_id in [1, 2] {
        peer.sends(&publish("lamp/1", at_least_once(packet_id)))
            .await;
        for stream in [&mut one, &mut all, &mut shared] {
            expect_message(stream, "lamp/1").await;
            expect_no_message(stream).await;
        }
        peer.expects(puback(packet_id)).await;
    }
}

#[tokio::test]
async fn a_repeated_topic_is_routed_to_the_current_streams() {
    let server = TestServer::start().await;
    let (client, mut peer) = connected_without_identifiers(&server).await;
    let mut one = subscribed(&client, &mut peer, 1, "lamp/1").await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    expect_message(&mut one, "lamp/1").await;
    let mut all = subscribed(&client, &mut peer, 2, "lamp/#").await;
    let mut again = subscribed(&client, &mut peer, 3, "lamp/#").await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    for stream in [&mut one, &mut all, &mut again] {
        expect_message(stream, "lamp/1").await;
        expect_no_message(stream).await;
    }
    drop(all);
    drop(one);
    peer.expects(unsubscribe(4, &["lamp/1"])).await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    expect_message(&mut again, "lamp/1").await;
    peer.sends(&publish("lamp/2", at_most_once())).await;
    expect_message(&mut again, "lamp/2").await;
    assert_eq!(client.unrouted(), 0);
}

/// rumqttc_topics_of_the_server [MQTT-4.7.2-1]
#[tokio::test]
async fn leading_wildcards_do_not_match_topics_with_a_dollar_sign() {
    let server = TestServer::start().await;
    let (client, mut peer) = connected_without_identifiers(&server).await;
    let mut all = subscribed(&client, &mut peer, 1, "#").await;
    let mut any = subscribed(&client, &mut peer, 2, "+/uptime").await;
    let mut own = subscribed(&client, &mut peer, 3, "$SYS/#").await;
    let mut aws = subscribed(&client, &mut peer, 4, "$aws/#").await;
    peer.sends(&publish("$SYS/uptime", at_least_once(1))).await;
    expect_message(&mut own, "$SYS/uptime").await;
    peer.expects(puback(1)).await;
    peer.sends(&publish("$aws/uptime", at_least_once(2))).await;
    expect_message(&mut aws, "$aws/uptime").await;
    peer.expects(puback(2)).await;
    expect_no_message(&mut all).await;
    expect_no_message(&mut any).await;
}

/// [U-3.8.4-1]
#[tokio::test]
async fn a_message_before_suback_is_routed_to_the_new_stream() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let answer = async {
        peer.receives().await;
        peer.sends(&publish_for(&[1], "lamp/1", at_most_once()))
            .await;
        peer.sends(&publish("lamp/2", at_most_once())).await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
    };
    let mut lamps = tokio::join!(client.subscribe("lamp/+", QoS::AtLeastOnce), answer)
        .0
        .unwrap();
    expect_message(&mut lamps, "lamp/1").await;
    expect_message(&mut lamps, "lamp/2").await;
}

#[tokio::test]
async fn unmatched_messages_are_routed_to_the_unmatched_stream_if_it_exists() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    wait_until_handled(&mut peer, 1).await;
    assert_eq!(client.unrouted(), 1);

    let mut rest = client.unmatched(StreamLimits::default()).unwrap();
    assert!(
        client.unmatched(StreamLimits::default()).is_none(),
        "there is one at a time"
    );
    peer.sends(&publish("door/1", at_least_once(2))).await;
    peer.sends(&publish("lamp/1", at_least_once(3))).await;
    peer.sends(&publish("door/2", at_least_once(4))).await;
    assert_eq!(soon(rest.next()).await.unwrap().topic(), "door/1");
    peer.expects(puback(2)).await;
    expect_message(&mut lamps, "lamp/1").await;
    peer.expects(puback(3)).await;
    assert_eq!(client.unrouted(), 1, "what was caught isn't counted");

    drop(rest);
    peer.expects(puback(4)).await;
    wait_until_handled(&mut peer, 5).await;
    assert_eq!(client.unrouted(), 2);
    drop(client.unmatched(StreamLimits::default()).unwrap());
}

#[tokio::test]
async fn the_unmatched_stream_of_a_stopped_client_ends() {
    let server = TestServer::start().await;
    let (client, _, _peer) = connected(&server).await;
    let mut rest = client.unmatched(StreamLimits::default()).unwrap();
    soon(client.disconnect()).await;
    assert!(soon(rest.next()).await.is_none());
}
