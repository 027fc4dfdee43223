//! A client that has nothing to do does nothing.

use std::time::Duration;

use dunlin_client::codec::ReasonCode;
use dunlin_client::{Client, Event, Message, QoS, StreamLimits};

use crate::packets::{at_least_once, puback, publish, refusal};
use crate::server::TestServer;
use crate::{connected, connected_as, millis, options, soon};

/// Number of wake-ups of this test's runtime during `duration`.
async fn wake_ups(duration: Duration) -> u64 {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_park_count(0);
    tokio::time::sleep(duration).await;
    metrics.worker_park_count(0) - before
}

/// Time that this test's runtime was awake during `duration`.
async fn time_awake(duration: Duration) -> Duration {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_total_busy_duration(0);
    tokio::time::sleep(duration).await;
    metrics.worker_total_busy_duration(0) - before
}

#[tokio::test]
async fn an_idle_connection_sleeps() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.receives().await;
    peer.sends(&puback(1)).await;
    receipt.await.unwrap();
    let naps = wake_ups(millis(200)).await;
    assert!(naps < 10, "{naps}");
}

#[tokio::test]
async fn a_client_between_two_attempts_sleeps() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = Duration::from_secs(60);
    options.reconnect.max_delay = Duration::from_secs(60);
    let _client = Client::start(options);
    drop(
        server
            .accepts_client_with(&refusal(ReasonCode::ServerBusy))
            .await,
    );
    tokio::time::sleep(millis(20)).await;
    let naps = wake_ups(millis(200)).await;
    assert!(naps < 10, "{naps}");
}

/// The report of a message that blocks all others is due when there is no connection any more.
#[tokio::test]
async fn a_client_whose_window_was_closed_when_the_connection_ended_sleeps() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = Some(1);
    options.reconnect.min_delay = Duration::from_secs(60);
    options.reconnect.max_delay = Duration::from_secs(60);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let _unmatched = client.unmatched(StreamLimits::default()).unwrap();
    peer.sends(&publish("a", at_least_once(1))).await;
    while client.statistics().messages_received.at_least_once == 0 {
        tokio::task::yield_now().await;
    }
    peer.resets();
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Disconnected { .. })
    ));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    // A task that is always ready lets the runtime never sleep.
    let busy = time_awake(millis(400)).await;
    assert!(busy < millis(200), "{busy:?}");
}

#[tokio::test]
async fn a_client_that_waits_for_connack_sleeps() {
    let server = TestServer::start().await;
    let _client = Client::start(options(&server));
    let mut peer = server.accepts().await;
    peer.receives().await;
    let naps = wake_ups(millis(200)).await;
    assert!(naps < 10, "{naps}");
}

/// A stop that waits for an acknowledgement waits, and doesn't look again and again.
#[tokio::test]
async fn a_client_that_is_about_to_end_sleeps() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    drop(
        client
            .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    peer.receives().await;
    let (naps, ()) = tokio::join!(wake_ups(millis(200)), client.disconnect_within(millis(250)));
    assert!(naps < 20, "{naps}");
}
