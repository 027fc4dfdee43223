//! One law: whatever a client sends, it is answered in order.

use bytes::BytesMut;
use dunlin_codec::{Ack, DecodeOptions, Disconnect, Packet, PacketBuf, PacketId, QoS, Sender};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::server::tests::harness::{
    ALL, Harness, connect, grant, publish, subscribe, subscription,
};

proptest! {
    /// Whatever comes, the answers are packets that a server may send, and the last one of a connection says why.
    #[test]
    fn any_input_is_answered_in_order(
        is_connected: bool,
        packets in vec((select(golden()), any::<Index>(), any::<Option<u8>>()), 1..8),
    ) {
        let mut harness = Harness::new();
        let mut connection = if is_connected { harness.connected("c") } else { harness.accepted() };
        let mut input = BytesMut::new();
        for (mut packet, at, byte) in packets {
            // Some packets have one byte replaced, at any place.
            if let Some(byte) = byte {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            input.extend_from_slice(&packet);
            connection.handle_input(&mut input, &mut harness.hub, harness.now);
            // A CONNECT that is still valid is let in.
            if connection.poll_authorization().is_some() {
                connection.handle_authorization(Ok(grant(ALL)), &mut harness.hub, harness.now);
            }
        }
        // After its own DISCONNECT a client gets nothing.
        let mut events = connection.output.events.iter();
        let was_closed_by_client = events.any(|event| event.to_string().ends_with("by the client"));
        connection.poll_deliveries(&mut harness.hub, harness.now);
        let mut last = None;
        // Everything that was sent must be decodable as a packet of a server.
        while let Some(packet) = PacketBuf::take(&mut connection.output.bytes, &SERVER).unwrap() {
            last = Some(packet);
        }
        prop_assert!(connection.output.bytes.is_empty());
        if connection.output.close.is_some() && !was_closed_by_client {
            let last = last.expect("a last word");
            prop_assert!(matches!(last.packet(), Packet::Disconnect(_) | Packet::ConnAck(_)), "{:?}", last);
        }
    }
}

const SERVER: DecodeOptions = DecodeOptions::any_size().with_sender(Sender::Server);

/// One packet of each kind, to be bent.
fn golden() -> Vec<Vec<u8>> {
    let packet_id = PacketId::new(7).unwrap();
    let subscriptions = [subscription("t/#"), subscription("$share/g/t")];
    let connect = connect("c");
    let packets: Vec<Packet<'_>> = vec![
        Packet::from(&connect),
        publish("t/1", QoS::AtMostOnce).into(),
        publish("t/1", QoS::AtLeastOnce).into(),
        publish("t/1", QoS::ExactlyOnce).into(),
        subscribe(&subscriptions).into(),
        Packet::PubAck(Ack::success(packet_id)),
        Packet::PubRel(Ack::success(packet_id)),
        Packet::PingReq,
        Packet::Disconnect(Disconnect::default()),
    ];
    let encoded = |packet: &Packet<'_>| {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes).unwrap();
        bytes
    };
    packets.iter().map(encoded).collect()
}
