//! A scripted server on a real socket.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_codec::{DecodeOptions, Packet, PacketBuf, PacketType, Sender};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::packets::connack;

/// Server on a real socket that sends and expects what the test says, packet by packet.
#[derive(Debug)]
pub struct TestServer(TcpListener);

/// Server's side of one connection.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    input: BytesMut,
}

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
        Peer {
            stream,
            input: BytesMut::new(),
        }
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

impl Peer {
    /// Reads the next packet, which has to come within 20 s.
    pub async fn receives(&mut self) -> PacketBuf {
        soon(self.next_packet()).await.unwrap()
    }

    /// Reads the next packet without a time limit; `None` at the end of the connection.
    pub async fn receives_or_end(&mut self) -> Option<PacketBuf> {
        self.next_packet().await
    }

    /// Reads the next packet, which has to be this one.
    #[track_caller]
    pub fn expects(&mut self, packet: PacketBuf) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let received = self.receives().await;
            assert_eq!(received, packet, "{caller}");
        }
    }

    /// Waits for the end of the connection, without a packet before it.
    pub async fn expects_end(&mut self) {
        assert_eq!(soon(self.next_packet()).await, None);
    }

    /// Sends a packet.
    pub async fn sends(&mut self, packet: &PacketBuf) {
        self.sends_bytes(packet.as_bytes()).await;
    }

    /// Sends bytes.
    pub async fn sends_bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Closes the connection with a TCP reset.
    pub fn resets(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Closes the server's sending side and goes on reading.
    pub async fn shuts_down(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads ten megabytes a second and answers nothing.
    pub async fn reads_slowly(mut self) {
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        while self
            .stream
            .read_buf(&mut self.input)
            .await
            .is_ok_and(|read| read > 0)
        {
            if self.input.len() >= 512 * 1024 {
                self.input.clear();
                interval.tick().await;
            }
        }
    }

    /// Reads every packet until the end, and acknowledges messages of QoS 1 as they arrive.
    pub async fn acknowledges_until_end(mut self) -> Vec<PacketBuf> {
        let mut packets = Vec::new();
        while let Some(packet) = soon(self.next_packet()).await {
            if let Packet::Publish(publish) = packet.packet()
                && let Some(id) = publish.delivery.packet_id()
            {
                self.sends(&crate::packets::puback(id.get())).await;
            }
            packets.push(packet);
        }
        packets
    }

    /// Reads the next packet; `None` at the end of the connection, with or without an error.
    async fn next_packet(&mut self) -> Option<PacketBuf> {
        let options = DecodeOptions::any_size().with_sender(Sender::Client);
        loop {
            if let Some(packet) = PacketBuf::take(&mut self.input, &options).unwrap() {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                assert!(self.input.is_empty(), "half a packet: {:?}", self.input);
                return None;
            }
        }
    }
}

/// Waits 20 s at most; the test fails after that.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}
