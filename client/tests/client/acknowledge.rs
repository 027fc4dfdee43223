//! Acknowledging by hand, through the client's handles.

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::{Acknowledgement, Client, QoS, StreamLimits, Subscription};

use crate::packets::{
    ack, again, at_least_once, at_most_once, connack_resumed, exactly_once, puback, publish, pubrec, suback,
};
use crate::server::{Peer, TestServer};
use crate::{connected, soon, until_connected};

async fn subscribed(client: &Client, peer: &mut Peer) -> Subscription {
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS2])).await;
    };
    tokio::join!(soon(client.subscribe("lamp/+", QoS::ExactlyOnce)), answer).0.unwrap()
}

async fn takes(lamps: &mut Subscription, topic: &str) -> Acknowledgement {
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
        takes(&mut lamps, "lamp/1").await,
        takes(&mut lamps, "lamp/2").await,
        takes(&mut lamps, "lamp/3").await,
        takes(&mut lamps, "lamp/4").await,
    ];
    fourth.accept();
    third.accept();
    second.answer(ReasonCode::QuotaExceeded).unwrap();
    first.accept();
    peer.expects(puback(1)).await;
    peer.expects(ack(AckType::PubRec, 2, ReasonCode::QuotaExceeded)).await;
    peer.expects(puback(3)).await;
}

#[tokio::test]
async fn a_dropped_acknowledgement_brings_the_message_again() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    peer.sends(&publish("lamp/2", exactly_once(2))).await;
    drop(takes(&mut lamps, "lamp/1").await);
    let kept = takes(&mut lamps, "lamp/2").await;
    peer.resets();
    let mut peer = server.answers(&connack_resumed()).await;
    until_connected(&mut events).await;
    peer.sends(&publish("lamp/1", again(at_least_once(1)))).await;
    peer.sends(&publish("lamp/2", again(exactly_once(2)))).await;
    kept.accept();
    takes(&mut lamps, "lamp/1").await.accept();
    peer.expects(puback(1)).await;
    peer.expects(pubrec(2)).await;
}

#[tokio::test]
async fn what_matches_no_stream_may_be_acknowledged_by_hand() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut unmatched = client.unmatched(StreamLimits::default()).unwrap();
    peer.sends(&publish("left/over", at_least_once(1))).await;
    let (message, acknowledgement) = soon(unmatched.next_unacknowledged()).await.unwrap();
    assert_eq!(message.topic(), "left/over");
    acknowledgement.answer(ReasonCode::ImplementationSpecificError).unwrap();
    peer.expects(ack(AckType::PubAck, 1, ReasonCode::ImplementationSpecificError)).await;
}

#[tokio::test]
async fn a_code_that_is_not_a_clients_to_say_is_refused() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed(&client, &mut peer).await;
    peer.sends(&publish("lamp/1", at_least_once(1))).await;
    let acknowledgement = takes(&mut lamps, "lamp/1").await;
    assert!(acknowledgement.answer(ReasonCode::ServerBusy).is_err());
}
