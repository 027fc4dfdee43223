//! A scripted client.

use std::ops::{Deref, DerefMut};

use dunlin_codec::{Ack, AckType, Disconnect, Packet, QoS, ReasonCode, Sender};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::packets::id;
use crate::peer::Peer;
use crate::values::{Encoded, subscribe, subscription};

/// Client that sends and receives single packets.
#[derive(Debug)]
pub struct TestClient<S = TcpStream>(Peer<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TestClient<S> {
    /// Creates a client that has sent nothing yet.
    pub fn new(stream: S) -> Self {
        Self(Peer::new(stream, Sender::Server))
    }

    /// Sends a packet. Errors are ignored: the server may have closed the connection, and a test
    /// looks at what it sent before.
    pub async fn sends(&mut self, packet: impl Encoded) {
        self.sends_bytes(&packet.encoded()).await;
    }

    /// Sends bytes. Errors are ignored, as by [`sends`](Self::sends).
    pub async fn sends_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Receives a CONNACK; returns its reason code and Reason String.
    pub async fn receives_connack(&mut self) -> (ReasonCode, Option<String>) {
        match self.receives().await.packet() {
            Packet::ConnAck(connack) => {
                let connack = connack.read();
                let reason = connack.properties.reason_string;
                (
                    connack.reason_code,
                    reason.map(|reason| reason.as_str().into()),
                )
            }
            other => panic!("a CONNACK, not {other:?}"),
        }
    }

    /// Receives a SUBACK; returns its reason codes and Reason String.
    pub async fn receives_suback(&mut self) -> (Vec<ReasonCode>, Option<String>) {
        match self.receives().await.packet() {
            Packet::SubAck(suback) => {
                let reason = suback
                    .properties
                    .reason_string
                    .map(|reason| reason.as_str().into());
                (suback.reason_codes.iter().collect(), reason)
            }
            other => panic!("a SUBACK, not {other:?}"),
        }
    }

    /// Receives a PUBACK; returns its reason code and Reason String.
    pub async fn receives_puback(&mut self) -> (ReasonCode, Option<String>) {
        match self.receives().await.packet() {
            Packet::PubAck(Ack {
                reason_code,
                properties,
                ..
            }) => (
                reason_code,
                properties
                    .reason_string
                    .map(|reason| reason.as_str().into()),
            ),
            other => panic!("a PUBACK, not {other:?}"),
        }
    }

    /// Receives a DISCONNECT; returns its reason code and Reason String.
    pub async fn receives_disconnect(&mut self) -> (ReasonCode, Option<String>) {
        match self.receives().await.packet() {
            Packet::Disconnect(Disconnect {
                reason_code,
                properties,
            }) => (
                reason_code,
                properties
                    .reason_string
                    .map(|reason| reason.as_str().into()),
            ),
            other => panic!("a DISCONNECT, not {other:?}"),
        }
    }

    /// Receives and acknowledges a PUBLISH; returns its payload, QoS and RETAIN.
    pub async fn receives_message(&mut self) -> (String, QoS, bool) {
        let packet = self.receives().await;
        let Packet::Publish(publish) = packet.packet() else {
            panic!("a PUBLISH, not {packet:?}")
        };
        if let Some(packet_id) = publish.delivery.packet_id() {
            let puback = Ack::success(packet_id).into_packet(AckType::PubAck);
            self.sends(puback).await;
        }
        (
            String::from_utf8(publish.payload.into()).unwrap(),
            publish.delivery.qos(),
            publish.retain,
        )
    }

    /// Receives an acknowledgement: its type, Packet Identifier and reason code.
    pub async fn receives_ack(&mut self) -> (AckType, u16, ReasonCode) {
        let packet = self.receives().await;
        let (kind, ack) = match packet.packet() {
            Packet::PubAck(ack) => (AckType::PubAck, ack),
            Packet::PubRec(ack) => (AckType::PubRec, ack),
            Packet::PubRel(ack) => (AckType::PubRel, ack),
            Packet::PubComp(ack) => (AckType::PubComp, ack),
            other => panic!("an acknowledgement, not {other:?}"),
        };
        (kind, ack.packet_id.get(), ack.reason_code)
    }

    /// Sends an acknowledgement with success.
    pub async fn sends_ack(&mut self, kind: AckType, packet_id: u16) {
        self.sends(Ack::success(id(packet_id)).into_packet(kind))
            .await;
    }

    /// Sends PINGREQ and checks that PINGRESP is the next packet.
    pub async fn receives_nothing_more(&mut self) {
        self.sends(Packet::PingReq).await;
        assert_eq!(self.receives().await.packet(), Packet::PingResp);
    }

    /// Subscribes at QoS 1; returns the reason codes and the Reason String of SUBACK.
    pub async fn subscribes(&mut self, filter: &str) -> (Vec<ReasonCode>, Option<String>) {
        self.sends(subscribe(&[subscription(filter)])).await;
        self.receives_suback().await
    }
}

impl<S> Deref for TestClient<S> {
    type Target = Peer<S>;

    fn deref(&self) -> &Peer<S> {
        &self.0
    }
}

impl<S> DerefMut for TestClient<S> {
    fn deref_mut(&mut self) -> &mut Peer<S> {
        &mut self.0
    }
}
