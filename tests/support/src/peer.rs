//! One end of a connection, as a test uses it.

use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_codec::{DecodeOptions, Packet, PacketBuf, Sender};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// One end of a connection: it sends and receives single packets.
#[derive(Debug)]
pub struct Peer<S = TcpStream> {
    /// Bytes of the connection.
    pub stream: S,
    input: BytesMut,
    /// Other end of the connection.
    sender: Sender,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Creates the end of a connection whose other end is `sender`.
    pub fn new(stream: S, sender: Sender) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            sender,
        }
    }

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
        let options = DecodeOptions::any_size().with_sender(self.sender);
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

impl Peer {
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
}

/// Waits 20 s at most; the test fails after that.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}
