//! Messages on their way to the application: routed, held, acknowledged when they are taken.

use dunlin_client::codec::{PacketBuf, ReasonCode};
use dunlin_client::{Client, Event, Message, Offline, QoS, RequestError, Subscription};

use crate::packets::{
    at_least_once, at_most_once, connack_resumed, connack_with, disconnect, exactly_once, puback,
    pubcomp, publish, pubrec, pubrel, suback, unsuback, unsubscribe,
};
use crate::server::{Peer, TestServer};
use crate::{
    connected, connected_as, disconnect_ending_session, millis, options, soon, until_connected,
};

pub(crate) async fn subscribed(
    client: &Client,
    peer: &mut Peer,
    packet_id: u16,
    filter: &str,
) -> Subscription {
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(packet_id, &[ReasonCode::GrantedQoS1]))
            .await;
    };
    tokio::join!(soon(client.subscribe(filter, QoS::AtLeastOnce)), answer)
        .0
        .unwrap()
}

/// Sends a message without a stream and waits for its acknowledgement: the client has then handled
/// everything that was sent before.
pub(crate) async fn wait_until_handled(peer: &mut Peer, packet_id: u16) {
    peer.sends(&publish("nobody/wants/this", at_least_once(packet_id)))
        .await;
    peer.expects(puback(packet_id)).await;
}

/// Does the same at QoS 0, since an acknowledgement would wait behind pending ones.
pub(crate) async fn wait_until_routed(client: &Client, peer: &mut Peer) {
    let before = client.unrouted();
    peer.sends(&publish("nobody/wants/this", at_most_once()))
        .await;
    while client.unrouted() == before {
        tokio::task::yield_now().await;
    }
}

/// `Subscription` implements `futures_core::Stream`.
#[tokio::test]
async fn a_subscription_is_a_stream() {
    async fn first<S: futures_core::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await
    }
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    assert_eq!(soon(first(&mut lamps)).await.unwrap().topic(), "lamp/1");
    peer.expects(puback(1)).await;
    drop(peer);
    assert!(matches!(
        soon(first(&mut events)).await,
        Some(Event::Disconnected { .. })
    ));
}

/// gneiss_messages_reorder
#[tokio::test]
async fn a_message_is_acknowledged_when_it_is_consumed() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    assert_eq!(lamps.granted_qos(), QoS::AtLeastOnce);
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", exactly_once(2))).await;
    peer.sends(&publish("lamp/3", at_most_once())).await;
    for topic in ["lamp/1", "lamp/2", "lamp/3"] {
        assert_eq!(soon(lamps.next()).await.unwrap().topic(), topic);
    }
    peer.expects(puback(1)).await;
    peer.expects(pubrec(2)).await;
    peer.sends(&pubrel(2)).await;
    peer.expects(pubcomp(2)).await;
}

#[tokio::test]
async fn an_unread_message_is_not_acknowledged() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    wait_until_routed(&client, &mut peer).await;
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
    assert_eq!(
        soon(lamps.next()).await.unwrap().topic(),
        "lamp/1",
        "what came can still be taken"
    );
    assert!(soon(lamps.next()).await.is_none());
}

/// [MQTT-4.5.0-2]
#[tokio::test]
async fn a_message_without_a_stream_is_acknowledged_and_counted() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    wait_until_handled(&mut peer, 9).await;
    assert_eq!(client.unrouted(), 1);
}

#[tokio::test]
async fn every_stream_that_matches_gets_a_message_once() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut one = subscribed(&client, &mut peer, 1, "lamp/1").await;
    let mut all = subscribed(&client, &mut peer, 2, "lamp/#").await;
    let mut shared = subscribed(&client, &mut peer, 3, "$share/g/lamp/+").await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", at_most_once())).await;
    assert_eq!(soon(one.next()).await.unwrap().topic(), "lamp/1");
    for stream in [&mut all, &mut shared] {
        assert_eq!(soon(stream.next()).await.unwrap().topic(), "lamp/1");
        assert_eq!(soon(stream.next()).await.unwrap().topic(), "lamp/2");
    }
    peer.expects(puback(1)).await;
}

#[tokio::test]
async fn a_dropped_stream_unsubscribes_and_frees_its_messages() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    wait_until_routed(&client, &mut peer).await;
    drop(lamps);
    peer.expects(puback(1)).await;
    peer.expects(unsubscribe(2, &["lamp/+"])).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_without_a_connection_unsubscribes_on_the_next_one() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    // Whatever else is refused meanwhile.
    options.connect.offline = Offline::Reject;
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    drop(peer);
    while !matches!(
        soon(events.next()).await.unwrap(),
        Event::Disconnected { .. }
    ) {}
    drop(lamps);
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    peer.expects(unsubscribe(2, &["lamp/+"])).await;
    peer.sends(&unsuback(2, &[ReasonCode::Success])).await;
    until_connected(&mut events).await;
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
}

/// They would fill the queue, and push out of it what was accepted.
#[tokio::test]
async fn subscriptions_that_were_given_up_before_they_were_sent_leave_nothing_behind() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue.count = 3;
    options.connect.offline = Offline::DropOldest;
    let client = Client::start(options);
    let kept = client
        .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    for _ in 0..20 {
        let given_up = client.subscribe("lamp/+", QoS::AtMostOnce);
        assert!(tokio::time::timeout(millis(1), given_up).await.is_err());
        let late = client.request("b", b"", millis(1)).await;
        assert!(
            matches!(late, Err(RequestError::NoReply { .. })),
            "{late:?}"
        );
    }
    assert_eq!(
        (client.statistics().unfinished, client.statistics().dropped),
        (1, 0)
    );
    let mut peer = server.accepts_client().await;
    peer.expects(publish("a", at_least_once(1))).await;
    peer.sends(&puback(1)).await;
    soon(kept).await.unwrap();
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
}

#[tokio::test]
async fn a_filter_that_another_stream_has_stays_subscribed() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let first = subscribed(&client, &mut peer, 1, "lamp/+").await;
    let mut second = subscribed(&client, &mut peer, 2, "lamp/+").await;
    drop(first);
    wait_until_handled(&mut peer, 9).await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    assert_eq!(soon(second.next()).await.unwrap().topic(), "lamp/1");
    drop(second);
    peer.expects(unsubscribe(3, &["lamp/+"])).await;
}

#[tokio::test]
async fn an_unsubscribed_stream_ends_when_it_is_drained() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    wait_until_handled(&mut peer, 9).await;
    let answer = async {
        peer.expects(unsubscribe(2, &["lamp/+"])).await;
        peer.sends(&unsuback(2, &[ReasonCode::Success])).await;
    };
    tokio::join!(soon(client.unsubscribe("lamp/+")), answer)
        .0
        .unwrap();
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    assert!(soon(lamps.next()).await.is_none());
    drop(lamps);
    wait_until_handled(&mut peer, 10).await;
}

#[tokio::test]
async fn a_message_whose_future_was_dropped_is_returned_next() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    assert!(
        tokio::time::timeout(millis(10), lamps.next())
            .await
            .is_err()
    );
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    drop(lamps.next());
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    peer.expects(puback(1)).await;
}

/// paho_full_stream_drops, mqtt5_unbounded_channel
#[tokio::test]
async fn a_full_stream_drops_the_newest_of_qos_0_and_nothing_else() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    let mut bytes = Vec::new();
    for _ in 0..10_100 {
        bytes.extend_from_slice(publish("lamp/0", at_most_once()).as_bytes());
    }
    bytes.extend_from_slice(publish("lamp/1", at_least_once(1)).as_bytes());
    peer.sends_bytes(&bytes).await;
    wait_until_routed(&client, &mut peer).await;
    assert_eq!(lamps.dropped(), 100);
    for _ in 0..10_000 {
        assert_eq!(lamps.next().await.unwrap().topic(), "lamp/0");
    }
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
}

/// The promise that callers can't deadlock the client: the stream is full, the window is 1, and
/// every message is answered by a publish whose receipt is awaited before the next one is taken.
#[tokio::test]
async fn publishing_from_inside_a_message_loop_goes_on() {
    const ROUNDS: u16 = 200;
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = Some(2);
    options.connect.queue.count = 1;
    let client = Client::start(options);
    let properties = dunlin_client::codec::ConnAckProperties {
        receive_maximum: 1.try_into().ok(),
        ..dunlin_client::codec::ConnAckProperties::default()
    };
    let mut peer = server.accepts_client_with(&connack_with(properties)).await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;

    let serve = tokio::spawn(async move {
        let (mut sent, mut acknowledged, mut answered) = (0, 0, 0);
        while acknowledged < ROUNDS || answered < ROUNDS {
            while sent < ROUNDS && sent - acknowledged < 2 {
                sent += 1;
                peer.sends(&publish("lamp/7", at_least_once(sent))).await;
            }
            let packet: PacketBuf = peer.receives().await;
            match packet.packet() {
                dunlin_client::codec::Packet::PubAck(_) => acknowledged += 1,
                dunlin_client::codec::Packet::Publish(publish) => {
                    answered += 1;
                    peer.sends(&puback(publish.delivery.packet_id().unwrap().get()))
                        .await;
                }
                other => panic!("{other:?}"),
            }
        }
    });
    for _ in 0..ROUNDS {
        soon(lamps.next()).await.unwrap();
        let answer = Message::new("answer", "ok").qos(QoS::AtLeastOnce);
        soon(soon(client.publish(answer)).await.unwrap())
            .await
            .unwrap();
    }
    soon(serve).await.unwrap();
}

/// mqtt5_unbounded_channel
#[tokio::test]
async fn messages_that_wait_are_bounded_by_the_receive_maximum() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = Some(2);
    let (client, _, mut peer) = connected_as(&server, options).await;
    let _lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    for packet_id in 1..=3 {
        peer.sends(&publish("lamp/1", at_least_once(packet_id)))
            .await;
    }
    peer.expects(disconnect(ReasonCode::ReceiveMaximumExceeded))
        .await;
    peer.expects_end().await;
}
