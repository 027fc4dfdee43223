//! A client that has nothing to do does nothing.

use std::time::Duration;

use dunlin_client::codec::ReasonCode;
use dunlin_client::{Client, Message, QoS};

use crate::packets::{puback, refusal};
use crate::server::TestServer;
use crate::{connected, millis, options};

/// How often this test's runtime went to sleep during `duration`: once for each time that it was woken.
async fn naps(duration: Duration) -> u64 {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_park_count(0);
    tokio::time::sleep(duration).await;
    metrics.worker_park_count(0) - before
}

#[tokio::test]
async fn an_idle_connection_sleeps() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client.publish(Message::new("a", "on").qos(QoS::AtLeastOnce)).await.unwrap();
    peer.receives().await;
    peer.sends(&puback(1)).await;
    receipt.await.unwrap();
    let naps = naps(millis(200)).await;
    assert!(naps < 10, "{naps}");
}

#[tokio::test]
async fn a_client_between_two_attempts_sleeps() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = Duration::from_secs(60);
    options.reconnect.max_delay = Duration::from_secs(60);
    let _client = Client::start(options);
    drop(server.answers(&refusal(ReasonCode::ServerBusy)).await);
    tokio::time::sleep(millis(20)).await;
    let naps = naps(millis(200)).await;
    assert!(naps < 10, "{naps}");
}

#[tokio::test]
async fn a_client_that_waits_for_connack_sleeps() {
    let server = TestServer::start().await;
    let _client = Client::start(options(&server));
    let mut peer = server.accepts().await;
    peer.receives().await;
    let naps = naps(millis(200)).await;
    assert!(naps < 10, "{naps}");
}

/// A stop that waits for an acknowledgement waits, and doesn't look again and again.
#[tokio::test]
async fn a_client_that_is_about_to_end_sleeps() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    drop(client.publish(Message::new("a", "on").qos(QoS::AtLeastOnce)).await.unwrap());
    peer.receives().await;
    let (naps, ()) = tokio::join!(naps(millis(200)), client.disconnect_within(millis(250)));
    assert!(naps < 20, "{naps}");
}
