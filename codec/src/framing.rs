//! Packets on a byte stream, for `tokio_util::codec`: decode as [`PacketBuf`], encode from
//! [`Packet`].

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::decode::DecodeOptions;
use crate::error::{DecodeError, EncodeError};
use crate::packet::Packet;
use crate::packet_buf::PacketBuf;

/// Cuts a byte stream into packets, and writes packets into one, with `tokio_util::codec::Framed`.
///
/// Memory follows what has really arrived: a packet that is only announced reserves nothing. After
/// an error nothing more can be decoded; send a DISCONNECT with its [reason
/// code](DecodeError::reason_code) and close (§4.13).
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
    /// Whose packets are decoded, up to which size, and what is forgiven.
    pub options: DecodeOptions,
}

impl PacketCodec {
    /// Decodes under `options`.
    #[must_use]
    pub const fn new(options: DecodeOptions) -> Self {
        Self { options }
    }
}

/// Why a framed stream ends.
#[derive(Debug)]
#[non_exhaustive]
pub enum FramingError {
    /// What came is no packet that may be accepted.
    Decode(DecodeError),
    /// What was to be sent can't be encoded; nothing of it was written.
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

/// Sends on what was received, byte by byte.
impl Encoder<PacketBuf> for PacketCodec {
    type Error = FramingError;

    fn encode(&mut self, packet: PacketBuf, out: &mut BytesMut) -> Result<(), FramingError> {
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

impl core::error::Error for FramingError {}
