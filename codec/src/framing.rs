//! Encoder and decoder of byte streams for `tokio_util::codec`.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::decode::DecodeOptions;
use crate::error::{DecodeError, EncodeError};
use crate::owned;
use crate::packet::Packet;
use crate::packet_buf::PacketBuf;
use crate::packet_type::Sender;

/// Encoder and decoder for `tokio_util::codec::Framed`: [`PacketBuf`] in, [`Packet`] out.
///
/// Packets are encoded as the side opposite to [`DecodeOptions::sender`]: a codec that decodes
/// packets of servers refuses to encode what only servers may send. With [`Sender::Any`], the
/// default, packets of both sides are decoded and encoded.
///
/// Memory is used for bytes that have arrived, not for bytes that a fixed header announces. After
/// an error nothing more can be decoded: send a DISCONNECT with its [reason
/// code](DecodeError::reason_code) and close the connection (§4.13).
///
/// ```
/// use bytes::BytesMut;
/// use dunlin_codec::{Packet, PacketCodec};
/// use tokio_util::codec::{Decoder, Encoder};
///
/// let (mut codec, mut stream) = (PacketCodec::default(), BytesMut::new());
/// codec.encode(&Packet::PingReq, &mut stream)?;
/// let received = codec.decode(&mut stream)?.expect("a whole packet");
/// assert_eq!(received.packet(), Packet::PingReq);
/// # Ok::<(), dunlin_codec::FramingError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PacketCodec {
    /// Options of decoding.
    pub options: DecodeOptions,
}

impl PacketCodec {
    /// Codec that decodes with `options`.
    #[must_use]
    pub const fn new(options: DecodeOptions) -> Self {
        Self { options }
    }
}

/// Error that ends a framed stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum FramingError {
    /// Received bytes are no packet that can be accepted.
    Decode(DecodeError),
    /// The packet to be sent can't be encoded; nothing was written.
    Encode(EncodeError),
    /// The stream itself failed, or ended within a packet.
    Io(io::Error),
}

impl Decoder for PacketCodec {
    type Item = PacketBuf;
    type Error = FramingError;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<PacketBuf>, FramingError> {
        Ok(PacketBuf::take(input, &self.options)?)
    }
}

impl Encoder<&Packet<'_>> for PacketCodec {
    type Error = FramingError;

    fn encode(&mut self, packet: &Packet<'_>, out: &mut BytesMut) -> Result<(), FramingError> {
        packet.check_sender(self.options.sender.opposite())?;
        // Reserved once, so that the buffer grows at most once for a packet.
        out.reserve(packet.encoded_len()?);
        Ok(packet.encode(out)?)
    }
}

impl Encoder<Packet<'_>> for PacketCodec {
    type Error = FramingError;

    fn encode(&mut self, packet: Packet<'_>, out: &mut BytesMut) -> Result<(), FramingError> {
        self.encode(&packet, out)
    }
}

impl Encoder<&owned::Packet> for PacketCodec {
    type Error = FramingError;

    fn encode(&mut self, packet: &owned::Packet, out: &mut BytesMut) -> Result<(), FramingError> {
        self.encode(packet.packet(), out)
    }
}

impl Encoder<owned::Packet> for PacketCodec {
    type Error = FramingError;

    fn encode(&mut self, packet: owned::Packet, out: &mut BytesMut) -> Result<(), FramingError> {
        self.encode(packet.packet(), out)
    }
}

/// Writes the bytes of a packet as they were received.
impl Encoder<PacketBuf> for PacketCodec {
    type Error = FramingError;

    fn encode(&mut self, packet: PacketBuf, out: &mut BytesMut) -> Result<(), FramingError> {
        // The bytes are decoded only if the sender has a say in them.
        if self.options.sender != Sender::Any {
            packet
                .packet()
                .check_sender(self.options.sender.opposite())?;
        }
        out.extend_from_slice(packet.as_bytes());
        Ok(())
    }
}

impl From<DecodeError> for FramingError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<EncodeError> for FramingError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<io::Error> for FramingError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl core::fmt::Display for FramingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FramingError {
    /// Source of the error that is wrapped: `Display` already says the error itself.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Decode(error) => error.source(),
            Self::Encode(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}
