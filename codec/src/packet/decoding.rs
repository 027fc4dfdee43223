//! Decoding of a packet of any type.

use super::ack::SHORT;
use super::body::{Front, whole};
use super::{
    Ack, AckType, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck,
    Unsubscribe,
};
use crate::decode::DecodeOptions;
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::on_demand::OnDemand;
use crate::packet_type::PacketType;
use crate::reader::Reader;
use crate::record::Record;

impl<'a> Packet<'a> {
    /// Decodes the packet at the front of `input`, strictly and from either side: the packet and
    /// its length in bytes, at most 1 MiB ([`DecodeOptions::default`]).
    ///
    /// `Ok(None)` means "read more". Bytes after the packet are not looked at.
    ///
    /// # Errors
    /// The first fault of the packet: [`Malformed`](crate::DecodeErrorKind::Malformed) if it can't
    /// be parsed, [`ProtocolError`](crate::DecodeErrorKind::ProtocolError) if a value is not
    /// allowed, [`UnsupportedVersion`](crate::DecodeErrorKind::UnsupportedVersion) for a CONNECT of
    /// another version, [`TooLarge`](crate::DecodeErrorKind::TooLarge) if the fixed header announces
    /// more than 1 MiB. Unless the [scope](DecodeError::scope) is one message, the connection
    /// should be closed with the error's reason code (§4.13).
    #[inline(always)]
    pub fn decode(input: &'a [u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        const OPTIONS: &DecodeOptions = &DecodeOptions::new();
        Self::decode_with(input, OPTIONS)
    }

    /// Decodes the packet at the front of `input` like [`decode`](Self::decode), with options.
    ///
    /// # Errors
    /// The errors of [`decode`](Self::decode), and
    /// [`TooLarge`](crate::DecodeErrorKind::TooLarge) if the fixed header announces more than
    /// `options.max_packet_size` bytes,
    /// [`WrongDirection`](crate::DecodeErrorKind::WrongDirection) if `options.sender` may never
    /// send such a packet.
    // Inlined, and so are the two usual forms: the fields of a packet then go straight to the
    // caller's variables. A result that is returned through memory would be copied twice by `?` and
    // the pattern, which takes longer than decoding does.
    #[inline(always)]
    pub fn decode_with(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        if let Some((ack_type, ack)) = Ack::short(input, options) {
            return Ok(Some((ack.into_packet(ack_type), SHORT)));
        }
        let Ok(Some((header, body))) = FixedHeader::split(input, options) else {
            return match refusal(input, options) {
                Some(error) => Err(error),
                None => Ok(None),
            };
        };
        let len = header.packet_len();
        if header.packet_type == PacketType::Publish
            && let Some(publish) = Publish::plain(header, body)
        {
            return Ok(Some((Self::Publish(publish), len)));
        }
        // All other packets are read into one place.
        let mut packet = Self::PingReq;
        let outcome = if header.packet_type == PacketType::Publish {
            packet = Self::Publish(Publish::EMPTY);
            read_publish(&mut packet, header, body, options)
        } else {
            read(header, body, options, (), |read| packet = read).map(drop)
        };
        match outcome {
            Ok(()) => Ok(Some((packet, len))),
            Err(error) => Err(error),
        }
    }
}

/// Reads the body of a PUBLISH into `packet`, which is an empty one.
#[inline(never)]
fn read_publish<'a>(
    packet: &mut Packet<'a>,
    header: FixedHeader,
    body: &'a [u8],
    options: &DecodeOptions,
) -> Result<(), DecodeError> {
    let mut r = Reader::new(body, header.header_len, options, ());
    match packet {
        Packet::Publish(publish) => publish.read_into(header, &mut r, false),
        _ => Ok(()),
    }
}

/// Error of a packet that can't be split from `input`; `None` if more has to be read.
#[cold]
#[inline(never)]
fn refusal(input: &[u8], options: &DecodeOptions) -> Option<DecodeError> {
    FixedHeader::split(input, options).err()
}

/// Reads the body of a packet, telling `record` which bytes are which field.
#[inline(always)]
pub(super) fn read<'a, T, R: Record>(
    header: FixedHeader,
    body: &'a [u8],
    options: &DecodeOptions,
    record: R,
    keep: impl FnOnce(Packet<'a>) -> T,
) -> Front<T> {
    macro_rules! read {
        ($packet:ident) => {
            whole(header, body, options, record, |_, r| {
                $packet::read(r).map(|packet| keep(Packet::$packet(packet)))
            })
        };
    }
    macro_rules! read_ack {
        ($ack:ident) => {
            whole(header, body, options, record, |_, r| {
                Ack::read(AckType::$ack, r).map(|ack| keep(Packet::$ack(ack)))
            })
        };
    }
    // The bytes of these two are kept, and read on demand.
    macro_rules! keep_bytes {
        ($packet:ident) => {
            whole(header, body, options, record, |_, r| {
                $packet::read(&mut r.check())?;
                Ok(keep(Packet::$packet(OnDemand::from_wire(body))))
            })
        };
    }
    // One call for each type; PUBLISH has a second one for messages without properties.
    match header.packet_type {
        PacketType::Connect => keep_bytes!(Connect),
        PacketType::ConnAck => keep_bytes!(ConnAck),
        PacketType::Publish if Publish::is_plain(header, body) => {
            whole(header, body, options, record, |header, r| {
                Publish::read_plain(header, r).map(|publish| keep(Packet::Publish(publish)))
            })
        }
        PacketType::Publish => whole(header, body, options, record, |header, r| {
            Publish::read(header, r).map(|publish| keep(Packet::Publish(publish)))
        }),
        PacketType::PubAck => read_ack!(PubAck),
        PacketType::PubRec => read_ack!(PubRec),
        PacketType::PubRel => read_ack!(PubRel),
        PacketType::PubComp => read_ack!(PubComp),
        PacketType::Subscribe => read!(Subscribe),
        PacketType::SubAck => read!(SubAck),
        PacketType::Unsubscribe => read!(Unsubscribe),
        PacketType::UnsubAck => read!(UnsubAck),
        PacketType::PingReq => whole(header, body, options, record, |_, r| {
            empty(r).map(|()| keep(Packet::PingReq))
        }),
        PacketType::PingResp => whole(header, body, options, record, |_, r| {
            empty(r).map(|()| keep(Packet::PingResp))
        }),
        PacketType::Disconnect => read!(Disconnect),
        PacketType::Auth => read!(Auth),
    }
}

/// Tells `record` the fields of the packet at the front of `input`, as far as they can be read.
#[cfg(feature = "spans")]
pub(crate) fn record_fields<R: Record>(input: &[u8], record: R) {
    use crate::decode::Leniency;
    use crate::varint::{self, Varint};

    // The fixed header is taken apart here: wrong flags must not hide the fields after them.
    let [first, rest @ ..] = input else { return };
    record.field("packet_type", 0, 1);
    let Varint::Value(remaining_length, length_len) = varint::read(rest) else {
        return;
    };
    let header_len = 1 + length_len;
    record.field("remaining_length", 1, header_len.into());
    let Some(packet_type) = PacketType::from_number(first >> 4) else {
        return;
    };
    let header = FixedHeader {
        packet_type,
        flags: first & 0x0f,
        remaining_length,
        header_len,
    };

    // Of a packet that is cut off, the fields that are there.
    let end = input.len().min(header.packet_len());
    let body = input.get(header_len.into()..end).unwrap_or_default();
    let options = DecodeOptions::any_size().with_leniency(Leniency::ALL);
    // The fields that were read before a fault are all that is asked for.
    let _ = read(header, body, &options, record, drop);
}

/// Refuses a PINGREQ or PINGRESP with a body.
fn empty<R: Record>(r: &Reader<'_, R>) -> Result<(), DecodeError> {
    if r.is_empty() {
        Ok(())
    } else {
        Err(r.malformed_at(1, "remaining_length", None))
    }
}
