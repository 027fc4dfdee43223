//! A session that outlives its client: another one goes on where it ended.

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::{Client, Message, QoS, RequestError, StreamLimits};

use crate::packets::{at_least_once, connack_resumed, id, puback, publish, suback, with_dup};
use crate::server::TestServer;
use crate::{connected, options, soon};

#[tokio::test]
async fn another_client_finishes_the_exchanges_of_a_session() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.expects(publish("a", at_least_once(1))).await;
    let (session, _) = tokio::join!(client.disconnect_keeping_session(), peer.receives());
    let session = session.unwrap();
    assert_eq!(session.in_flight(), 1);
    assert!(matches!(soon(receipt).await, Err(RequestError::Stopped(_))));
    assert!(
        client.disconnect_keeping_session().await.is_none(),
        "there is one, and it was given away"
    );

    let other = Client::start_with_session(options(&server), session);
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    peer.expects(publish("a", with_dup(at_least_once(1)))).await;
    peer.sends(&puback(1)).await;
    let receipt = other
        .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.expects(publish("a", at_least_once(2))).await;
    peer.sends(&puback(2)).await;
    assert_eq!(soon(receipt).await.unwrap().packet_id, Some(id(2)));
}

#[tokio::test]
async fn messages_of_inherited_subscriptions_are_unmatched_and_not_lost() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let subscribed = async {
        assert_eq!(
            peer.receives().await.packet().packet_type(),
            PacketType::Subscribe
        );
        peer.sends(&suback(1, &[ReasonCode::GrantedQoS1])).await;
        peer.sends(&publish("a", at_least_once(7))).await;
    };
    let (subscription, ()) = tokio::join!(client.subscribe("a", QoS::AtLeastOnce), subscribed);
    let session = client.disconnect_keeping_session().await.unwrap();
    let mut subscription = subscription.unwrap();
    assert!(
        soon(subscription.next()).await.is_none(),
        "it comes again, elsewhere"
    );
    drop(subscription);
    assert_eq!(session.subscriptions().count(), 1);

    let other = Client::start_with_session(options(&server), session);
    let mut unmatched = other.unmatched(StreamLimits::default()).unwrap();
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    peer.sends(&publish("a", with_dup(at_least_once(7)))).await;
    assert_eq!(soon(unmatched.next()).await.unwrap().topic(), "a");
    peer.expects(puback(7)).await;
}
