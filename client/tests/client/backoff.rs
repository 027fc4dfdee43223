//! The waits between attempts, as the driver keeps them: how long each is told in the event before
//! it.

use std::time::Duration;

use dunlin_client::codec::ReasonCode;
use dunlin_client::{Client, Event, Events};
use tokio::time::Instant;

use crate::packets::refusal;
use crate::server::TestServer;
use crate::{millis, options, soon};

/// Returns the delay that the client announces before its next attempt, and lets it attempt.
async fn announced_delay(events: &mut Events) -> Duration {
    let told = loop {
        if let Event::Disconnected { retry_in, .. } = soon(events.next()).await.unwrap() {
            break retry_in.unwrap();
        }
    };
    while !matches!(soon(events.next()).await.unwrap(), Event::Attempt { .. }) {}
    told
}

/// reconnect_failure_backoff
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn delays_double_up_to_the_maximum_and_stay_there() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = millis(20);
    options.reconnect.base_delay = millis(20);
    options.reconnect.max_delay = millis(100);
    let begun = Instant::now();
    let client = Client::start(options);
    let mut events = client.events();
    let mut total = Duration::ZERO;
    for longest in [40, 80, 100, 100, 100, 100] {
        server
            .accepts_client_with(&refusal(ReasonCode::ServerBusy))
            .await;
        let told = announced_delay(&mut events).await;
        assert!((millis(20)..=millis(longest)).contains(&told), "{told:?}");
        total += told;
    }
    assert!(begun.elapsed() >= total);
}

/// reconnect_backoff_sufficient_reset
#[tokio::test]
async fn a_connection_that_lasted_resets_the_delay() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = millis(1);
    options.reconnect.base_delay = millis(1);
    options.reconnect.max_delay = millis(1000);
    options.reconnect.stable_after = Duration::ZERO;
    let client = Client::start(options);
    let mut events = client.events();
    for _ in 0..12 {
        drop(server.accepts_client().await);
        assert!(announced_delay(&mut events).await <= millis(2));
    }
}

/// mqtt5_kick_restarts_the_backoff, reconnect_backoff_insufficient_reset
#[tokio::test]
async fn a_connection_that_did_not_last_does_not_reset_the_delay() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = millis(20);
    options.reconnect.max_delay = millis(20);
    options.reconnect.max_attempts = Some(3);
    let client = Client::start(options);
    let mut events = client.events();
    for _ in 0..3 {
        drop(server.accepts_client().await);
        announced_delay(&mut events).await;
    }
    drop(server.accepts_client().await);
    let last = loop {
        if let Event::Disconnected { retry_in, .. } = soon(events.next()).await.unwrap() {
            break retry_in;
        }
    };
    assert_eq!(
        last, None,
        "they were counted as if there had been no connection"
    );
}
