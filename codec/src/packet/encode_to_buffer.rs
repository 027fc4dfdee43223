//! Encoding into a [`BufMut`]: a buffer that grows, such as `BytesMut` or `Vec<u8>`.

use bytes::BufMut;

use super::ack::{SHORT, Typed};
use super::empty::Empty;
use super::encoding::{Body, Lengths, first_byte, lengths};
use super::publish_forms::{Form, HEAD, PLAIN, Short, WITH_PROPERTIES};
use super::{
    Ack, AckType, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck,
    Unsubscribe,
};
use crate::error::{EncodeError, EncodeErrorKind};
use crate::on_demand::{Large, OnDemand};
use crate::packet_type::PacketType;
use crate::sink::{BufferSink, SliceSink};

impl Packet<'_> {
    /// Appends the packet to `out`, in its shortest form. [`encode_to_slice`](Self::encode_to_slice)
    /// is the form for memory of a fixed size.
    ///
    /// # Errors
    /// [`Missing`], [`NotAllowed`] or [`IllegalReasonCode`] if a field breaks a rule that its type
    /// can't hold, [`TooLarge`] above 268,435,455 bytes of Remaining Length, [`NoRoom`] if
    /// [`remaining_mut`](BufMut::remaining_mut) of `out` is less than
    /// [`encoded_len`](Self::encoded_len). Nothing is written then.
    ///
    /// [`IllegalReasonCode`]: crate::EncodeErrorKind::IllegalReasonCode
    /// [`Missing`]: crate::EncodeErrorKind::Missing
    /// [`NoRoom`]: crate::EncodeErrorKind::NoRoom
    /// [`NotAllowed`]: crate::EncodeErrorKind::NotAllowed
    /// [`TooLarge`]: crate::EncodeErrorKind::TooLarge
    #[inline]
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        // Messages and short acknowledgements first, as most packets are one: the jump to one of
        // fifteen places is often predicted wrong.
        if let Self::Publish(publish) = self {
            return publish.encode(out);
        }
        if let Some((ack_type, ack)) = self.as_ack()
            && let Some(short) = ack.short_form(ack_type)
            && out.remaining_mut() >= SHORT
        {
            out.put_slice(&short);
            return Ok(());
        }
        self.encode_any(out)
    }

    /// Encodes a packet of any type. Not inlined, so that [`encode`](Self::encode) stays small.
    #[inline(never)]
    fn encode_any(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => encode_on_demand(packet, out),
            Self::ConnAck(packet) => encode_on_demand(packet, out),
            Self::Publish(packet) => packet.encode(out),
            Self::PubAck(ack) => ack.encode(AckType::PubAck, out),
            Self::PubRec(ack) => ack.encode(AckType::PubRec, out),
            Self::PubRel(ack) => ack.encode(AckType::PubRel, out),
            Self::PubComp(ack) => ack.encode(AckType::PubComp, out),
            Self::Subscribe(packet) => packet.encode(out),
            Self::SubAck(packet) => packet.encode(out),
            Self::Unsubscribe(packet) => packet.encode(out),
            Self::UnsubAck(packet) => packet.encode(out),
            Self::PingReq => encode(&Empty(PacketType::PingReq), out),
            Self::PingResp => encode(&Empty(PacketType::PingResp), out),
            Self::Disconnect(packet) => packet.encode(out),
            Self::Auth(packet) => packet.encode(out),
        }
    }
}

/// Implements `encode`.
macro_rules! encodes {
    ($($packet:ident)*) => {$(
        impl $packet<'_> {
            /// Appends the packet to `out`; see [`Packet::encode`].
            ///
            /// # Errors
            /// The errors of [`Packet::encode`].
            #[inline]
            pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
                encode(self, out)
            }
        }
    )*};
}

encodes!(Connect ConnAck Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);

impl Publish<'_> {
    /// Appends the packet to `out`; see [`Packet::encode`].
    ///
    /// # Errors
    /// The errors of [`Packet::encode`].
    // Not inlined, as most callers would call the rest of it anyway.
    #[inline(never)]
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        // A short message without properties, as most are, takes four writes. On the stack, the copy
        // would have to wait for the stores before it.
        if let Some(short) = Short::of(self)
            && out.remaining_mut() >= short.len()
        {
            let first_properties = None;
            short.write(&mut BufferSink {
                out,
                first_properties,
            });
            return Ok(());
        }
        // One instance without and one with the code for properties.
        if self.has_properties() {
            encode_message::<WITH_PROPERTIES>(self, out)
        } else {
            encode_message::<PLAIN>(self, out)
        }
    }

    /// Appends all of the packet but the payload to `out`, so that the payload can be sent without
    /// a copy. The header announces the payload, which the caller sends next.
    ///
    /// # Errors
    /// The errors of [`Packet::encode`]; `out` needs no space for the payload.
    pub fn encode_head(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        let more = self.payload.len();
        if self.has_properties() {
            encode_announcing(&Form::<WITH_PROPERTIES, HEAD>(self), more, out)
        } else {
            encode_announcing(&Form::<PLAIN, HEAD>(self), more, out)
        }
    }
}

impl Ack<'_> {
    /// Appends the acknowledgement to `out` as a packet of `ack_type`; see [`Packet::encode`].
    ///
    /// # Errors
    /// The errors of [`Packet::encode`].
    #[inline]
    pub fn encode(&self, ack_type: AckType, out: &mut impl BufMut) -> Result<(), EncodeError> {
        // The usual short form is written at once.
        match self.short_form(ack_type) {
            Some(short) if out.remaining_mut() >= SHORT => {
                out.put_slice(&short);
                Ok(())
            }
            _ => encode(&Typed(ack_type, *self), out),
        }
    }
}

/// Encodes a PUBLISH: all but the payload like any packet, then the payload with one copy.
#[inline(never)]
fn encode_message<const PLAIN: bool>(
    publish: &Publish<'_>,
    out: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let (head, payload) = (Form::<PLAIN, HEAD>(publish), publish.payload);
    let lengths = lengths(&head, payload.len())?;
    // Nothing is written if the buffer can't take all of it.
    if out.remaining_mut().saturating_sub(payload.len()) < lengths.len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    write::<HEAD_STAGE>(&head, &lengths, out);
    out.put_slice(payload);
    Ok(())
}

/// Encodes a packet that is read on demand. A function of its own, because the packet with all its
/// fields would enlarge the stack frame that each call of [`Packet::encode`] sets up.
#[inline(never)]
fn encode_on_demand<'a, T: Large<'a> + Body>(
    packet: &OnDemand<'a, T>,
    out: &mut impl BufMut,
) -> Result<(), EncodeError> {
    packet.with(|packet| encode(packet, out))
}

/// Encodes a packet. One instance for each packet type, as in [`whole`](super::body::whole), called last.
#[inline(never)]
fn encode(body: &impl Body, out: &mut impl BufMut) -> Result<(), EncodeError> {
    encode_announcing(body, 0, out)
}

/// Writes a fixed header that announces the body and `more` bytes, then the body.
#[inline(always)]
fn encode_announcing(
    body: &impl Body,
    more: usize,
    out: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let lengths = lengths(body, more)?;
    // A full buffer is refused before the first byte, so that no half packet is sent.
    if out.remaining_mut() < lengths.len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    write::<STAGE>(body, &lengths, out);
    Ok(())
}

/// Writes a packet whose lengths are known into a buffer that has space for it: if it has at most
/// `STAGE` bytes, it is put together on the stack and copied at once.
///
/// A growing buffer keeps its length in memory, where each write would wait for the one before it.
#[inline(always)]
fn write<const STAGE: usize>(body: &impl Body, lengths: &Lengths, out: &mut impl BufMut) {
    let mut stage = [0; STAGE];
    if let Some(staged) = stage.get_mut(..lengths.len) {
        let mut sink = SliceSink {
            rest: &mut *staged,
            first_properties: lengths.first_properties,
        };
        body.write_packet(first_byte(body), lengths.remaining_length, &mut sink);
        out.put_slice(staged);
    } else {
        write_each_field(body, lengths, out);
    }
}

/// Maximum length in bytes of the head of a PUBLISH that is put together on the stack: a topic and a
/// few properties. A longer one costs few writes for its length.
const HEAD_STAGE: usize = 128;

/// Maximum length in bytes of another packet that is put together on the stack, enough for a CONNECT
/// with all its fields.
const STAGE: usize = 320;

/// Writes a packet like [`write`], with a call of the buffer for each field.
#[cold]
#[inline(never)]
fn write_each_field(body: &impl Body, lengths: &Lengths, out: &mut impl BufMut) {
    let mut sink = BufferSink {
        out,
        first_properties: lengths.first_properties,
    };
    body.write_packet(first_byte(body), lengths.remaining_length, &mut sink);
}
