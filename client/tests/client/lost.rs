//! Subscriptions that the server forgot and doesn't renew: told of in time, and never at the cost
//! of newer ones.

use dunlin_client::codec::{Packet, PacketBuf, ReasonCode};
use dunlin_client::{Client, Event, Events, QoS, RequestError, Subscription};

use crate::packets::{at_least_once, publish, suback};
use crate::server::{Peer, TestServer};
use crate::{connected_as, millis, options, soon};

const FILTER: &str = "lamp/+";

fn subscribe_id(packet: &PacketBuf) -> u16 {
    match packet.packet() {
        Packet::Subscribe(subscribe) => subscribe.packet_id.get(),
        other => panic!("{other:?}"),
    }
}

async fn subscribes(
    client: &Client,
    peer: &mut Peer,
    code: ReasonCode,
) -> Result<Subscription, RequestError> {
    let answer = async {
        let id = subscribe_id(&peer.receives().await);
        peer.sends(&suback(id, &[code])).await;
    };
    tokio::join!(client.subscribe(FILTER, QoS::AtLeastOnce), answer).0
}

/// Reconnected client whose renewed SUBSCRIBE the server has read and not answered.
async fn connected_before_renewal(server: &TestServer) -> (Client, Events, Peer, Subscription) {
    let mut options = options(server);
    options.connect.ack_timeout = millis(300);
    let (client, events, mut peer) = connected_as(server, options).await;
    let lamps = subscribes(&client, &mut peer, ReasonCode::GrantedQoS1)
        .await
        .unwrap();
    peer.resets();
    let mut peer = server.accepts_client().await;
    subscribe_id(&peer.receives().await);
    (client, events, peer, lamps)
}

async fn next_loss(events: &mut Events) -> RequestError {
    loop {
        if let Event::SubscriptionLost { cause, .. } = soon(events.next()).await.unwrap() {
            return *cause;
        }
    }
}

#[tokio::test]
async fn a_lost_subscription_is_reported_although_the_server_does_not_answer() {
    let server = TestServer::start().await;
    let (_client, mut events, _peer, mut lamps) = connected_before_renewal(&server).await;
    assert_eq!(
        next_loss(&mut events).await,
        RequestError::Timeout { after: millis(300) }
    );
    assert!(soon(lamps.next()).await.is_none());
}

#[tokio::test]
async fn a_subscription_after_a_loss_is_a_new_one() {
    let server = TestServer::start().await;
    let (client, _events, mut peer, _lamps) = connected_before_renewal(&server).await;
    let ended = peer.receives().await;
    assert!(
        matches!(ended.packet(), Packet::Unsubscribe(_)),
        "{ended:?}"
    );
    let mut newer = subscribes(&client, &mut peer, ReasonCode::GrantedQoS1)
        .await
        .unwrap();
    peer.sends(&publish("lamp/1", at_least_once(5))).await;
    assert_eq!(soon(newer.next()).await.unwrap().topic(), "lamp/1");
    assert_eq!(client.unrouted(), 0);
}

/// Refused before the renewal's time is over, or after it.
#[tokio::test]
async fn a_newer_request_that_fails_ends_the_unrenewed_subscription() {
    for late in [false, true] {
        let server = TestServer::start().await;
        let (client, mut events, mut peer, mut lamps) = connected_before_renewal(&server).await;
        tokio::time::sleep(millis(100)).await;
        let refuse = async {
            let id = subscribe_id(&peer.receives().await);
            tokio::time::sleep(millis(if late { 240 } else { 20 })).await;
            peer.sends(&suback(id, &[ReasonCode::NotAuthorized])).await;
        };
        let (again, ()) = tokio::join!(client.subscribe(FILTER, QoS::AtLeastOnce), refuse);
        assert!(matches!(again, Err(RequestError::Refused(_))), "{again:?}");
        next_loss(&mut events).await;
        assert!(soon(lamps.next()).await.is_none());
    }
}

#[tokio::test]
async fn a_newer_request_without_an_answer_ends_the_unrenewed_subscription() {
    let server = TestServer::start().await;
    let (client, mut events, _peer, mut lamps) = connected_before_renewal(&server).await;
    let again = soon(client.subscribe(FILTER, QoS::AtLeastOnce)).await;
    assert!(
        matches!(again, Err(RequestError::Timeout { .. })),
        "{again:?}"
    );
    next_loss(&mut events).await;
    assert!(soon(lamps.next()).await.is_none());
}
