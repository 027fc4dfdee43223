//! Packets that are kept as bytes: checked when they are taken, and read again later.

use super::ack::SHORT;
use super::body::none_or_refused;
use super::decoding::read;
use super::{Ack, Auth, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe};
use crate::decode::DecodeOptions;
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::on_demand::OnDemand;
use crate::packet_type::PacketType;
use crate::record::OnlyCheck;
use crate::validated::Validated;

/// Length of the packet at the front of `input`, which is checked as [`Packet::decode_with`] does.
///
/// # Errors
/// The errors of [`Packet::decode_with`].
#[inline]
pub(crate) fn check(input: &[u8], options: &DecodeOptions) -> Result<Option<usize>, DecodeError> {
    // Acknowledgements of four bytes are the most frequent packets beside PUBLISH.
    if Ack::short(input, options).is_some() {
        return Ok(Some(SHORT));
    }
    let Ok(Some((header, body))) = FixedHeader::split(input, options) else {
        return none_or_refused(input, options);
    };
    if header.packet_type == PacketType::Publish && Publish::check_plain(header, body) {
        return Ok(Some(header.packet_len()));
    }
    // Each field is checked, but no packet is put together: `drop` takes its place.
    Ok(read(header, body, options, OnlyCheck, drop)?.map(|((), len)| len))
}

/// Packet in `bytes`, which were checked or encoded before; `None` if there is none.
///
/// Nothing is judged again: neither rules nor ranges, nor whether a property is there twice. Only
/// bytes that become a `str` are looked at, as a `str` without `unsafe` demands.
#[inline(always)]
pub(crate) fn read_again(bytes: &[u8]) -> Option<Packet<'_>> {
    let options = DecodeOptions::any_size();
    if let Some((ack_type, ack)) = Ack::short(bytes, &options) {
        return Some(ack.into_packet(ack_type));
    }
    let (first, mut rest) = (*bytes.first()?, Validated::new(bytes.get(1..)?));
    rest.varint()?;
    let packet_type = PacketType::from_number(first >> 4)?;
    if packet_type == PacketType::Publish
        && let Some(publish) = Publish::plain_again(first & 0x0f, rest.peek_rest())
    {
        return Some(Packet::Publish(publish));
    }
    let mut packet = Packet::PingReq;
    fill(&mut packet, packet_type, first & 0x0f, rest)?;
    Some(packet)
}

/// Sets `packet` to the packet with this body, which was checked before.
#[inline(never)]
fn fill<'a>(
    packet: &mut Packet<'a>,
    packet_type: PacketType,
    flags: u8,
    body: Validated<'a>,
) -> Option<()> {
    *packet = match packet_type {
        PacketType::Publish => {
            // In place: a PUBLISH is large, and would be copied once more.
            *packet = Packet::Publish(Publish::EMPTY);
            return match packet {
                Packet::Publish(publish) => publish.fill(flags, body),
                _ => None,
            };
        }
        PacketType::Connect => Packet::Connect(OnDemand::from_wire(body.peek_rest())),
        PacketType::ConnAck => Packet::ConnAck(OnDemand::from_wire(body.peek_rest())),
        PacketType::PubAck => Packet::PubAck(Ack::reread(body)?),
        PacketType::PubRec => Packet::PubRec(Ack::reread(body)?),
        PacketType::PubRel => Packet::PubRel(Ack::reread(body)?),
        PacketType::PubComp => Packet::PubComp(Ack::reread(body)?),
        PacketType::Subscribe => Packet::Subscribe(Subscribe::reread(body)?),
        PacketType::SubAck => Packet::SubAck(SubAck::reread(body)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::reread(body)?),
        PacketType::UnsubAck => Packet::UnsubAck(UnsubAck::reread(body)?),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(Disconnect::reread(body)?),
        PacketType::Auth => Packet::Auth(Auth::reread(body)?),
    };
    Some(())
}
