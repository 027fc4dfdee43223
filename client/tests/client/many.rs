//! Several subscriptions in one packet: asked for, renewed and ended together, each with a stream
//! of its own.

use dunlin_client::codec::{
    Packet, PacketBuf, PacketType, Publish, PublishProperties, ReasonCode, SubscriptionIdentifier,
    TopicName,
};
use dunlin_client::{QoS, RequestError, Subscription};

use crate::packets::{at_most_once, buf, connack, suback, unsuback};
use crate::server::{Peer, TestServer};
use crate::streams::subscribed;
use crate::{connected, soon};

const GRANTED: ReasonCode = ReasonCode::GrantedQoS1;

/// PUBLISH at QoS 0 with this Subscription Identifier.
fn publish_for(identifier: u32, topic: &str) -> PacketBuf {
    let identifiers = [SubscriptionIdentifier::new(identifier).unwrap()];
    let properties = PublishProperties {
        subscription_identifiers: (&identifiers).into(),
        ..PublishProperties::default()
    };
    let publish = Publish {
        delivery: at_most_once(),
        properties,
        ..Publish::new(TopicName::new(topic).unwrap(), b"on")
    };
    buf(Packet::Publish(publish))
}

/// Receives a SUBSCRIBE: its Packet Identifier, Subscription Identifier and filters.
async fn receives_subscribe(peer: &mut Peer) -> (u16, u32, Vec<String>) {
    let received = peer.receives().await;
    let Packet::Subscribe(subscribe) = received.packet() else {
        panic!("{received:?}")
    };
    let filters = subscribe
        .subscriptions
        .iter()
        .map(|each| each.filter.as_str().to_owned())
        .collect();
    let identifier = subscribe
        .properties
        .subscription_identifier
        .map_or(0, |identifier| identifier.get());
    (subscribe.packet_id.get(), identifier, filters)
}

async fn expect_message(stream: &mut Subscription, topic: &str) {
    assert_eq!(soon(stream.next()).await.unwrap().topic(), topic);
}

async fn expect_no_message(stream: &mut Subscription) {
    let next = std::future::poll_fn(|cx| std::task::Poll::Ready(stream.poll_next(cx))).await;
    assert!(next.is_pending(), "{next:?}");
}

#[tokio::test]
async fn several_filters_are_asked_for_in_one_packet_and_each_has_its_stream() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut before = subscribed(&client, &mut peer, 1, "lamp/1").await;
    let filters = [
        ("lamp/#", QoS::AtLeastOnce),
        ("door/+", QoS::AtMostOnce),
        ("secret", QoS::AtMostOnce),
    ];
    let asks = client.subscribe_many(filters, &[("origin", "kitchen")]);
    let answers = async {
        let received = peer.receives().await;
        let Packet::Subscribe(subscribe) = received.packet() else {
            panic!("{received:?}")
        };
        let pairs = subscribe.properties.user_properties.iter();
        let pairs: Vec<_> = pairs
            .map(|pair| format!("{}={}", pair.name, pair.value))
            .collect();
        assert_eq!(
            (subscribe.subscriptions.len(), pairs),
            (3, vec!["origin=kitchen".to_owned()])
        );
        peer.sends(&suback(
            2,
            &[GRANTED, ReasonCode::Success, ReasonCode::NotAuthorized],
        ))
        .await;
        subscribe.properties.subscription_identifier.unwrap().get()
    };
    let (subscriptions, identifier) = tokio::join!(soon(asks), answers);
    let mut subscriptions = subscriptions.unwrap();
    let Some(Err(RequestError::Refused(reason))) = subscriptions.pop() else {
        panic!()
    };
    assert_eq!(reason.reason_code, ReasonCode::NotAuthorized);
    let mut door = subscriptions.pop().unwrap().unwrap();
    let mut lamps = subscriptions.pop().unwrap().unwrap();
    assert_eq!(
        (lamps.granted_qos(), door.granted_qos()),
        (QoS::AtLeastOnce, QoS::AtMostOnce)
    );
    assert_eq!((lamps.filter(), door.filter()), ("lamp/#", "door/+"));

    // The topic tells which of them a message is for; other subscriptions don't get it.
    peer.sends(&publish_for(identifier, "door/1")).await;
    peer.sends(&publish_for(identifier, "lamp/1")).await;
    expect_message(&mut door, "door/1").await;
    expect_message(&mut lamps, "lamp/1").await;
    expect_no_message(&mut before).await;
    expect_no_message(&mut door).await;

    let ends = client.unsubscribe_many(&["lamp/#", "door/+"], &[("origin", "kitchen")]);
    let answers = async {
        let mut received = peer.receives().await;
        // The refused filter's stream is gone.
        if let Packet::Unsubscribe(unsubscribe) = received.packet()
            && unsubscribe.properties.user_properties.is_empty()
        {
            peer.sends(&unsuback(
                unsubscribe.packet_id.get(),
                &[ReasonCode::Success],
            ))
            .await;
            received = peer.receives().await;
        }
        let Packet::Unsubscribe(unsubscribe) = received.packet() else {
            panic!("{received:?}")
        };
        assert_eq!(
            (
                unsubscribe.filters.len(),
                unsubscribe.properties.user_properties.len()
            ),
            (2, 1)
        );
        let codes = [ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
        peer.sends(&unsuback(unsubscribe.packet_id.get(), &codes))
            .await;
    };
    let (answer, ()) = tokio::join!(soon(ends), answers);
    assert_eq!(
        answer.unwrap().reason_codes,
        [ReasonCode::Success, ReasonCode::NoSubscriptionExisted]
    );
    assert!(soon(lamps.next()).await.is_none());
    assert!(soon(door.next()).await.is_none());
}

#[tokio::test]
async fn a_request_of_several_filters_that_cannot_be_made_is_an_error() {
    let server = TestServer::start().await;
    let (client, _, _peer) = connected(&server).await;
    let none: [(&str, QoS); 0] = [];
    assert!(matches!(
        client.subscribe_many(none, &[]).await,
        Err(RequestError::Encode(_))
    ));
    let wrong = client
        .subscribe_many([("a", QoS::AtMostOnce), ("b#", QoS::AtMostOnce)], &[])
        .await;
    assert!(matches!(wrong, Err(RequestError::Topic(_))));
    let nul = client
        .subscribe_many([("a", QoS::AtMostOnce)], &[("a", "\0")])
        .await;
    assert!(matches!(
        nul,
        Err(RequestError::Text {
            field: "user property",
            ..
        })
    ));
    let nul = client.unsubscribe_many(&["a"], &[("a", "\0")]).await;
    assert!(matches!(nul, Err(RequestError::Text { .. })));
}

#[tokio::test]
async fn renewals_share_a_packet_and_messages_still_find_their_streams() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut streams = Vec::new();
    for (index, filter) in ["lamp/1", "lamp/+", "door/#", "window"]
        .into_iter()
        .enumerate()
    {
        streams.push(
            subscribed(
                &client,
                &mut peer,
                u16::try_from(index + 1).unwrap(),
                filter,
            )
            .await,
        );
    }
    let mut shared = 0;
    for _ in 0..2 {
        peer.resets();
        peer = server.accepts_client_with(&connack()).await;
        crate::until_connected(&mut events).await;
        let (first, one, filters) = receives_subscribe(&mut peer).await;
        assert_eq!(
            filters,
            ["lamp/1", "door/#", "window"],
            "no topic matches two of them"
        );
        let (second, other, filters) = receives_subscribe(&mut peer).await;
        assert_eq!(filters, ["lamp/+"]);
        assert_ne!(one, other);
        shared = one;
        peer.sends(&suback(first, &[GRANTED; 3])).await;
        peer.sends(&suback(second, &[GRANTED])).await;

        for (identifier, topic, index) in [
            (one, "lamp/1", 0),
            (other, "lamp/1", 1),
            (one, "door/a/b", 2),
            (one, "window", 3),
        ] {
            peer.sends(&publish_for(identifier, topic)).await;
            expect_message(&mut streams[index], topic).await;
        }
        for stream in &mut streams {
            expect_no_message(stream).await;
        }
    }

    // A closed stream's messages go to no other one, though others have its identifier.
    drop(streams.remove(2));
    let ended = peer.receives().await;
    assert_eq!(ended.packet().packet_type(), PacketType::Unsubscribe);
    peer.sends(&publish_for(shared, "door/late")).await;
    peer.sends(&publish_for(shared, "window")).await;
    expect_message(&mut streams[2], "window").await;
    expect_no_message(&mut streams[0]).await;
}

#[tokio::test]
async fn two_thousand_subscriptions_are_renewed_in_one_packet() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let names: Vec<_> = (0..2_000)
        .map(|number| format!("device/{number}/command"))
        .collect();
    let mut streams = Vec::new();
    for chunk in names.chunks(500) {
        let asks = client.subscribe_many(
            chunk.iter().map(|name| (name.as_str(), QoS::AtMostOnce)),
            &[],
        );
        let answers = async {
            let (id, _, filters) = receives_subscribe(&mut peer).await;
            peer.sends(&suback(id, &vec![ReasonCode::Success; filters.len()]))
                .await;
        };
        let (granted, ()) = tokio::join!(soon(asks), answers);
        streams.extend(granted.unwrap().into_iter().map(Result::unwrap));
    }
    peer.resets();
    peer = server.accepts_client_with(&connack()).await;
    crate::until_connected(&mut events).await;
    let (id, identifier, filters) = receives_subscribe(&mut peer).await;
    assert_eq!(filters.len(), 2_000);
    peer.sends(&suback(id, &vec![ReasonCode::Success; 2_000]))
        .await;
    peer.sends(&publish_for(identifier, "device/1234/command"))
        .await;
    expect_message(&mut streams[1_234], "device/1234/command").await;
    soon(client.disconnect()).await;
}
