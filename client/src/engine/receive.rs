//! The way of received bytes to the packets in them: one packet after another, in order.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use dunlin_codec::{Ack, Decoded, FixedHeader, Packet, PacketType};

use super::connection_state::ConnectionState;
use super::core::Core;
use super::exit::Exit;
use super::inbound::received_publish::take_publish;
use super::violation::protocol_error;

/// Maximum size in bytes of a packet other than PUBLISH: no other has a reason to be large.
const LARGEST_OTHER: u32 = 1 << 20;

/// Takes one packet from the front of `input`. Returns `false` if there is no whole one.
///
/// # Errors
/// The connection has to end.
pub(super) fn take_packet(
    state: &mut ConnectionState,
    core: &mut Core,
    input: &mut BytesMut,
    now: Instant,
) -> Result<bool, Exit> {
    // The size is checked before the rest of the packet has arrived.
    let header = match FixedHeader::peek(input, core.decode.max_packet_size) {
        Ok(Some(header)) => header,
        Ok(None) => return Ok(false),
        // The decoder knows who sends: of a packet that a server may never send, nothing else counts.
        Err(error) => {
            let decoded = Packet::decode_with(input, &core.decode);
            return Err(decoded.err().unwrap_or(error).into());
        }
    };
    // Messages are the most frequent packets, and become one shared buffer.
    if header.packet_type == PacketType::Publish
        && let ConnectionState::Open(open) = state
    {
        return take_publish(input, header, open, core);
    }
    if header.packet_len() > LARGEST_OTHER as usize {
        FixedHeader::peek(input, LARGEST_OTHER)?;
    }

    // Acknowledgements are the most frequent of the other packets, and have a decoder of their own.
    if let ConnectionState::Open(open) = state
        && let Decoded::Packet((ack_type, ack), len) = Ack::decode_with(input, &core.decode)?
    {
        open.handle_ack(ack_type, &ack, core)?;
        input.advance(len);
        return Ok(true);
    }
    // Any other packet is decoded where it lies.
    let Some((packet, len)) = Packet::decode_with(input, &core.decode)? else {
        return Ok(false);
    };
    let result = match state {
        ConnectionState::Open(open) => open.handle_packet(&packet, core),
        ConnectionState::Connecting(connecting) => {
            match connecting.handle_packet(&packet, now, core) {
                // CONNACK: what follows belongs to an open connection.
                Ok(Some(open)) => {
                    *state = ConnectionState::Open(open);
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(exit) => Err(exit),
            }
        }
        ConnectionState::Disconnected | ConnectionState::Closing(_) => {
            let packet_type = packet.packet_type();
            Err(protocol_error(packet_type, "without a connection", "MQTT-3.2.0-1").into())
        }
    };
    // A packet that ends the connection regularly was received as well.
    if !matches!(result, Err(Exit::Violation(_))) {
        input.advance(len);
    }
    result.map(|()| true)
}
