//! MQTT over WebSocket against a scripted server: handshake, frames, close codes, and servers that
//! break the rules.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod close;
mod frames;
mod handshake;
mod hostile;
mod reconnect;

use std::future::Future;
use std::time::Duration;

use dunlin_client::transport::{TransportError, TransportOptions, WebSocketError};
use dunlin_client::{
    Client, ClientOptions, ConnectError, ConnectOptions, ConnectionError, EndCause, Event, Events,
    Reconnect,
};
use dunlin_test_support::packets;
use dunlin_test_support::websocket::{BINARY, WebSocketPeer, WebSocketServer};

/// Waits 5 s at most; the test fails after that.
async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), what)
        .await
        .unwrap()
}

fn transport(server: &WebSocketServer) -> TransportOptions {
    TransportOptions {
        connect_to: Some(server.address()),
        websocket: Some(Box::default()),
        timeout: Duration::from_secs(2),
        ..TransportOptions::new("broker.example", 80)
    }
}

/// WebSocket without TLS, no keep alive, and a backoff of 10 to 20 ms.
fn options(server: &WebSocketServer) -> ClientOptions {
    let mut connect = ConnectOptions::new("lamp-7");
    connect.keep_alive = Duration::ZERO;
    let reconnect = Reconnect {
        min_delay: Duration::from_millis(10),
        max_delay: Duration::from_millis(20),
        ..Reconnect::default()
    };
    ClientOptions {
        reconnect,
        ..ClientOptions::new(transport(server), connect)
    }
}

/// A connected client, its events, and the server's side of its connection.
async fn connected(server: &WebSocketServer) -> (Client, Events, WebSocketPeer) {
    connected_as(server, options(server)).await
}

async fn connected_as(
    server: &WebSocketServer,
    options: ClientOptions,
) -> (Client, Events, WebSocketPeer) {
    let client = Client::start(options);
    let events = client.events();
    let mut peer = server.accepts().await;
    peer.receives().await;
    peer.sends(BINARY, packets::connack().as_bytes()).await;
    client
        .until_connected(Duration::from_secs(5))
        .await
        .unwrap();
    (client, events, peer)
}

/// WebSocket's part of an error of the transport.
fn websocket_error(error: TransportError) -> WebSocketError {
    match error {
        TransportError::WebSocket { error, .. } => *error,
        error => panic!("{error}"),
    }
}

/// Cause of the next disconnection.
async fn end_of(events: &mut Events) -> EndCause {
    loop {
        if let Event::Disconnected { cause, .. } = soon(events.next()).await.unwrap() {
            return cause;
        }
    }
}

/// WebSocket's part of the end of an attempt or of a connection.
fn websocket_end(cause: &EndCause) -> WebSocketError {
    let error = match cause {
        EndCause::Connection(error) => match &**error {
            ConnectionError::Transport(error) => error,
            error => panic!("{error}"),
        },
        EndCause::Attempt(error) => match &**error {
            ConnectError::Transport(error) => error,
            error => panic!("{error}"),
        },
    };
    websocket_error(error.clone())
}
