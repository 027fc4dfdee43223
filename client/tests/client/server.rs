//! `TestServer`: does what the test says, packet by packet.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::codec::{DecodeOptions, Packet, PacketBuf, PacketType, Sender};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::packets::connack;
use crate::soon;

pub(crate) struct TestServer(TcpListener);

/// The server's side of one connection.
pub(crate) struct Peer {
    stream: TcpStream,
    input: BytesMut,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Where another one was before.
    pub(crate) async fn at(address: SocketAddr) -> Self {
        Self(TcpListener::bind(address).await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// A connection on which nothing was said yet.
    pub(crate) async fn accepts(&self) -> Peer {
        soon(self.accepts_whenever()).await
    }

    /// The same, whenever it comes.
    pub(crate) async fn accepts_whenever(&self) -> Peer {
        let (stream, _) = self.0.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer {
            stream,
            input: BytesMut::new(),
        }
    }

    /// A connection whose CONNECT was answered like this, and the CONNECT.
    pub(crate) async fn meets(&self, connack: &PacketBuf) -> (Peer, PacketBuf) {
        let mut peer = self.accepts().await;
        let connect = peer.receives().await;
        peer.sends(connack).await;
        (peer, connect)
    }

    /// A connection whose CONNECT was answered with success and no session.
    pub(crate) async fn welcomes(&self) -> Peer {
        self.answers(&connack()).await
    }

    /// A connection whose CONNECT was answered like this.
    pub(crate) async fn answers(&self, connack: &PacketBuf) -> Peer {
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
    /// The next packet.
    pub(crate) async fn receives(&mut self) -> PacketBuf {
        soon(self.reads()).await.unwrap()
    }

    /// The next packet, whenever it comes; `None` at the end.
    pub(crate) async fn reads_packet(&mut self) -> Option<PacketBuf> {
        self.reads().await
    }

    /// The next packet, and it is this one.
    #[track_caller]
    pub(crate) fn expects(&mut self, packet: PacketBuf) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let received = self.receives().await;
            assert_eq!(received, packet, "{caller}");
        }
    }

    /// The end, with nothing before it.
    pub(crate) async fn ends(&mut self) {
        assert_eq!(soon(self.reads()).await, None);
    }

    pub(crate) async fn sends(&mut self, packet: &PacketBuf) {
        self.sends_bytes(packet.as_bytes()).await;
    }

    pub(crate) async fn sends_bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Closes with a reset instead of a DISCONNECT.
    pub(crate) fn resets(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Ends what it sends, and goes on listening.
    pub(crate) async fn shuts_down(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads ten megabytes a second and answers nothing.
    pub(crate) async fn reads_slowly(mut self) {
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

    /// Every packet until the end, acknowledging messages as they come.
    pub(crate) async fn acknowledges_until_the_end(mut self) -> Vec<PacketBuf> {
        let mut packets = Vec::new();
        while let Some(packet) = soon(self.reads()).await {
            if let Packet::Publish(publish) = packet.packet()
                && let Some(id) = publish.delivery.packet_id()
            {
                self.sends(&crate::packets::puback(id.get())).await;
            }
            packets.push(packet);
        }
        packets
    }

    /// `None` at the end, however it came.
    async fn reads(&mut self) -> Option<PacketBuf> {
        let options = DecodeOptions {
            sender: Sender::Client,
            ..DecodeOptions::default()
        };
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
