//! Packets that are kept as bytes: checked when they are taken, and read again later.

use super::ack::SHORT;
use super::body::none_or_refused;
use super::decoding::read;
use super::{Ack, Packet, Publish};
use crate::decode::DecodeOptions;
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::packet_type::PacketType;
use crate::record::{OnlyCheck, Reread};

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

/// Packet at the front of `bytes`, which were checked or encoded before; `None` if there is none.
#[inline(always)]
pub(crate) fn read_again(bytes: &[u8]) -> Option<Packet<'_>> {
    let options = DecodeOptions::any_size();
    if let Some((ack_type, ack)) = Ack::short(bytes, &options) {
        return Some(ack.into_packet(ack_type));
    }
    let (header, body) = FixedHeader::split(bytes, &options).ok()??;
    if header.packet_type == PacketType::Publish
        && let Some(publish) = Publish::plain_again(header, body)
    {
        return Some(Packet::Publish(publish));
    }
    let mut packet = Packet::PingReq;
    read(header, body, &options, Reread, |read| packet = read).ok()?;
    Some(packet)
}
