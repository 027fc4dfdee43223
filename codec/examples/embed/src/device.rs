//! Device without an allocator: constants, a decode loop over a buffer, packets written into a slice.

use dunlin_codec::{
    Ack, AckType, Connect, DecodeError, DecodeOptions, Decoded, Delivery, EncodeError,
    EncodeOptions, Packet, PacketId, Publish, QoS, Sender, Subscribe, Subscription, TopicFilter,
    TopicName, Utf8String,
};

/// Topic of the device's state.
pub const STATE: TopicName<'static> = match TopicName::new("lamps/lamp-7/state") {
    Ok(topic) => topic,
    Err(_) => panic!("not a Topic Name"),
};

const CLIENT_ID: Utf8String<'static> = match Utf8String::new("lamp-7") {
    Ok(text) => text,
    Err(_) => panic!("not a UTF-8 Encoded String"),
};

const COMMANDS: TopicFilter<'static> = match TopicFilter::new("lamps/lamp-7/commands") {
    Ok(filter) => filter,
    Err(_) => panic!("not a Topic Filter"),
};

const SUBSCRIBE_ID: PacketId = match PacketId::new(1) {
    Some(packet_id) => packet_id,
    None => panic!("a Packet Identifier is not 0"),
};

/// Packets that the device sends first, made by the compiler.
const CONNECT: Connect<'static> = Connect::new(CLIENT_ID);
const SUBSCRIBE: Subscribe<'static> = Subscribe::new(
    SUBSCRIBE_ID,
    &[Subscription::new(COMMANDS, QoS::AtLeastOnce)],
);

/// The device has a receive buffer of 512 bytes and a server on the other side.
const DECODE: DecodeOptions = DecodeOptions::new()
    .with_max_packet_size(512)
    .with_sender(Sender::Server);
const ENCODE: EncodeOptions = EncodeOptions::from_sender(Sender::Client);

/// Lamp that can be switched by messages.
#[derive(Debug, Default)]
pub struct Device {
    /// True while the lamp is on.
    pub is_on: bool,
    /// True once the server has accepted the connection.
    pub is_connected: bool,
}

/// Bytes of input that were consumed, and bytes of output that were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    pub consumed: usize,
    pub written: usize,
}

impl Device {
    /// Writes CONNECT and SUBSCRIBE to the front of `out` and returns their length.
    ///
    /// # Errors
    /// `NoRoom` if `out` is too short.
    pub fn start(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let len = Packet::from(&CONNECT).encode_to_slice_with(out, &ENCODE)?;
        let rest = out.get_mut(len..).unwrap_or_default();
        Ok(len + Packet::from(SUBSCRIBE).encode_to_slice_with(rest, &ENCODE)?)
    }

    /// Handles all whole packets in `input` and writes the answers to the front of `out`.
    ///
    /// # Errors
    /// The first packet that isn't allowed.
    pub fn receive(&mut self, input: &[u8], out: &mut [u8]) -> Result<Progress, DecodeError> {
        let mut progress = Progress::default();
        loop {
            let rest = input.get(progress.consumed..).unwrap_or_default();
            let len = match Publish::decode_with(rest, &DECODE)? {
                Decoded::Packet(publish, len) => {
                    self.is_on = publish.payload == b"on";
                    let free = out.get_mut(progress.written..).unwrap_or_default();
                    progress.written += acknowledge(publish.packet_id(), free);
                    len
                }
                // Not a PUBLISH: the decoder of all packets takes it.
                Decoded::Other(_) => match Packet::decode_with(rest, &DECODE)? {
                    Some((packet, len)) => {
                        self.is_connected |= matches!(packet, Packet::ConnAck(_));
                        len
                    }
                    None => return Ok(progress),
                },
                // The rest of the packet hasn't arrived yet.
                Decoded::Incomplete => return Ok(progress),
            };
            progress.consumed += len;
        }
    }

    /// Writes a message with the state of the lamp to the front of `out` and returns its length.
    ///
    /// # Errors
    /// `NoRoom` if `out` is too short.
    pub fn publish_state(&self, packet_id: PacketId, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut publish = Publish::new(STATE, if self.is_on { b"on" } else { b"off" });
        publish.delivery = Delivery::AtLeastOnce {
            packet_id,
            dup: false,
        };
        publish.retain = true;
        publish.encode_to_slice(out)
    }
}

/// Writes the PUBACK of a message of QoS 1 and returns its length; 0 for other messages.
fn acknowledge(packet_id: Option<PacketId>, out: &mut [u8]) -> usize {
    packet_id
        .and_then(|packet_id| {
            Ack::success(packet_id)
                .encode_to_slice(AckType::PubAck, out)
                .ok()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PUBLISH of QoS 1 with identifier 7, topic `a`, payload `on`.
    const COMMAND: &[u8] = b"\x32\x08\x00\x01a\x00\x07\x00on";

    #[test]
    fn the_first_packets_are_constants() {
        let mut out = [0; 64];
        let len = Device::default().start(&mut out).unwrap();
        let (connect, connect_len) = Packet::decode(&out).unwrap().unwrap();
        assert!(matches!(connect, Packet::Connect(_)));
        let (subscribe, subscribe_len) = Packet::decode(&out[connect_len..]).unwrap().unwrap();
        assert_eq!(subscribe, Packet::from(SUBSCRIBE));
        assert_eq!(connect_len + subscribe_len, len);
        assert!(Device::default().start(&mut [0; 20]).is_err());
    }

    #[test]
    fn other_packets_do_not_stop_the_decode_loop() {
        // CONNACK, PINGRESP, the command, and the first byte of another packet.
        let mut input = [0; 18];
        input[..5].copy_from_slice(b"\x20\x03\x00\x00\x00");
        input[5..7].copy_from_slice(b"\xd0\x00");
        input[7..17].copy_from_slice(COMMAND);
        input[17] = 0x30;

        let (mut device, mut out) = (Device::default(), [0; 16]);
        let progress = device.receive(&input, &mut out).unwrap();
        assert!(device.is_connected && device.is_on);
        assert_eq!(progress.consumed, 17);
        assert_eq!(out[..progress.written], [0x40, 2, 0, 7]);
    }

    #[test]
    fn a_client_cannot_send_what_only_a_server_may() {
        let mut out = [0; 8];
        let error = Packet::PingResp
            .encode_to_slice_with(&mut out, &ENCODE)
            .unwrap_err();
        assert_eq!(error.field, "packet_type");
        assert_eq!(out, [0; 8]);
    }
}
