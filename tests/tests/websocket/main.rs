//! The tool over WebSocket: with mosquitto, and with a scripted server that looks at its requests.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod mosquitto;
mod refused;
mod request;
mod sandbox;

use std::time::Duration;

use dunlin_test_support::packets;
use dunlin_test_support::websocket::{BINARY, WebSocketPeer, WebSocketServer};
use dunlin_tests::{Tool, dunlin};

/// Token, password and header that must not appear in any output.
const CANARY: &str = "canary-7f3a";

/// `dunlin connect` that ends once the server has accepted it.
fn connect(server: &WebSocketServer) -> Tool {
    let url = format!("ws://localhost:{}", server.address().port());
    dunlin([
        "connect",
        "--duration=0",
        "--reconnect=0",
        "--timeout=5s",
        "-H",
    ])
    .args([url])
}

/// Accepts CONNECT of a connection, and returns its payload.
async fn accepts_connect(peer: &mut WebSocketPeer) -> Vec<u8> {
    let (_, connect) = peer.receives().await;
    peer.sends(BINARY, packets::connack().as_bytes()).await;
    connect
}

/// Reads until the client has closed the connection, for 10 s at most.
async fn until_end(mut peer: WebSocketPeer) {
    let reading = async { while peer.receives_or_end().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .unwrap();
}
