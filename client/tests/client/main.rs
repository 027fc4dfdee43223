//! The client against a scripted server on a real socket: short times, and no waiting but for
//! something.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../examples/client_certificate/provider.rs"]
mod certificate_files;
mod tls_front;

mod acknowledge;
mod backoff;
mod connect;
mod escape;
mod full;
mod handover;
mod idle;
mod log;
mod lost;
mod many;
mod observe;
mod pace;
mod provider;
mod queue_space;
mod reconnect;
mod request;
mod requests;
mod retry;
mod routing;
mod slow_store;
mod stalled;
mod stop;
mod store;
mod streams;
mod unmatched;

use std::future::Future;
use std::time::Duration;

use dunlin_client::codec::{Disconnect, DisconnectProperties, Packet, PacketBuf};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Event, Events, Reconnect};
use dunlin_test_support::{authority, packets, server};

use crate::server::{Peer, TestServer};

/// Nothing here may take longer.
async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), what)
        .await
        .unwrap()
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Plain TCP, no keep alive, and back within hundredths of a second.
fn options(server: &TestServer) -> ClientOptions {
    let transport = TransportOptions {
        connect_to: Some(server.address()),
        timeout: Duration::from_secs(2),
        ..TransportOptions::new("localhost", server.address().port())
    };
    let mut connect = ConnectOptions::new("lamp-7");
    connect.keep_alive = Duration::ZERO;
    let reconnect = Reconnect {
        min_delay: millis(10),
        max_delay: millis(20),
        ..Reconnect::default()
    };
    ClientOptions {
        reconnect,
        ..ClientOptions::new(transport, connect)
    }
}

/// A client that the server has let in, what it tells, and the server's side of its connection.
async fn connected_as(server: &TestServer, options: ClientOptions) -> (Client, Events, Peer) {
    let client = Client::start(options);
    let mut events = client.events();
    let peer = server.welcomes().await;
    until_connected(&mut events).await;
    (client, events, peer)
}

async fn until_connected(events: &mut Events) {
    while !matches!(soon(events.next()).await.unwrap(), Event::Connected(_)) {}
}

async fn connected(server: &TestServer) -> (Client, Events, Peer) {
    connected_as(server, options(server)).await
}

/// The DISCONNECT of a client whose session nobody goes on with.
fn disconnect_ending_session() -> PacketBuf {
    let properties = DisconnectProperties {
        session_expiry_interval: Some(0),
        ..DisconnectProperties::default()
    };
    packets::buf(Packet::Disconnect(Disconnect {
        properties,
        ..Disconnect::default()
    }))
}

/// Everything that a client tells until it has ended, each step as one word.
async fn story(events: &mut Events) -> String {
    let mut words = Vec::new();
    while let Some(event) = soon(events.next()).await {
        words.push(match event {
            Event::Attempt { .. } => "attempt",
            Event::Opened(_) => "opened",
            Event::Connected(_) => "connected",
            Event::Failed { .. } => "failed",
            Event::Disconnected { .. } => "disconnected",
            Event::SubscriptionLost { .. } => "lost",
            Event::MessageDropped { .. } => continue,
            Event::Stopped(_) => "stopped",
            other => panic!("{other:?}"),
        });
    }
    words.join(" ")
}
