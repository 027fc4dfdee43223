//! A scripted server on a real socket.

use std::net::SocketAddr;

use dunlin_codec::{PacketBuf, PacketType, Sender};
use tokio::net::TcpListener;

use crate::packets::connack;
pub use crate::peer::Peer;
use crate::peer::soon;

/// Server on a real socket that sends and expects what the test says, packet by packet.
#[derive(Debug)]
pub struct TestServer(TcpListener);

impl TestServer {
    /// Starts a server on a free port.
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Starts a server on the address that another one had before.
    pub async fn at(address: SocketAddr) -> Self {
        Self(TcpListener::bind(address).await.unwrap())
    }

    /// Address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Accepts a TCP connection within 20 s and reads nothing from it.
    pub async fn accepts(&self) -> Peer {
        soon(self.accepts_without_timeout()).await
    }

    /// Accepts a TCP connection without a time limit.
    pub async fn accepts_without_timeout(&self) -> Peer {
        let (stream, _) = self.0.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::new(stream, Sender::Client)
    }

    /// Accepts a connection, answers its CONNECT with `connack`, and returns both.
    pub async fn accepts_connect(&self, connack: &PacketBuf) -> (Peer, PacketBuf) {
        let mut peer = self.accepts().await;
        let connect = peer.receives().await;
        peer.sends(connack).await;
        (peer, connect)
    }

    /// Accepts a connection and answers its CONNECT with success and no session.
    pub async fn accepts_client(&self) -> Peer {
        self.accepts_client_with(&connack()).await
    }

    /// Accepts a connection and answers its CONNECT with `connack`.
    pub async fn accepts_client_with(&self, connack: &PacketBuf) -> Peer {
        let mut peer = self.accepts().await;
        assert_eq!(
            peer.receives().await.packet().packet_type(),
            PacketType::Connect
        );
        peer.sends(connack).await;
        peer
    }
}
