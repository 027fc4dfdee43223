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
mod transports;

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
mod own;
mod pace;
mod ping;
mod provider;
mod queue_space;
mod reconnect;
mod records;
mod request;
mod requests;
mod retry;
mod retry_classes;
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
use dunlin_client::{Client, ClientOptions, ConnectOptions, EndCause, Event, Events, Reconnect};
use dunlin_test_support::{authority, packets, server};

use crate::server::{Peer, TestServer};

/// Waits 5 s at most; the test fails after that.
async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), what)
        .await
        .unwrap()
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// The transport of this run ([`transports`]), no keep alive, and a backoff of 10 to 20 ms.
fn options(server: &TestServer) -> ClientOptions {
    let transport = transports::options(server);
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

/// A connected client, its events, and the server's side of its connection.
async fn connected_as(server: &TestServer, options: ClientOptions) -> (Client, Events, Peer) {
    let client = Client::start(options);
    let mut events = client.events();
    let peer = server.accepts_client().await;
    until_connected(&mut events).await;
    (client, events, peer)
}

async fn until_connected(events: &mut Events) {
    while !matches!(soon(events.next()).await.unwrap(), Event::Connected(_)) {}
}

async fn connected(server: &TestServer) -> (Client, Events, Peer) {
    connected_as(server, options(server)).await
}

/// DISCONNECT of a client that ends its session with the connection.
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

/// Names of all events until the client has stopped, separated by spaces.
async fn event_names(events: &mut Events) -> String {
    let mut words = Vec::new();
    while let Some(event) = soon(events.next()).await {
        words.push(match event {
            Event::Attempt { .. } => "attempt",
            Event::Opened(_) => "opened",
            Event::Connected(_) => "connected",
            Event::Disconnected {
                cause: EndCause::Attempt(_),
                ..
            } => "failed",
            Event::Disconnected {
                cause: EndCause::Connection(_),
                ..
            } => "disconnected",
            Event::SubscriptionLost { .. } => "lost",
            Event::MessageDropped { .. } => continue,
            Event::Stopped(_) => "stopped",
            other => panic!("{other:?}"),
        });
    }
    words.join(" ")
}
