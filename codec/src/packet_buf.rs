//! One whole packet in one shared buffer: to `Packet` what `PathBuf` is to `Path`.

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use crate::decode::{DecodeOptions, Leniency};
use crate::error::{DecodeError, EncodeError};
use crate::header::FixedHeader;
use crate::packet::{self, Packet, Publish};

/// One valid control packet, owned by one [`Bytes`].
///
/// [`packet`](Self::packet) parses again whenever it is asked: that costs as much as decoding did,
/// and nothing is kept twice. Any part that it borrows becomes a shared owned one by
/// [`share`](Self::share). A kept part, however small, keeps the packet's whole buffer alive; copy
/// it where that matters.
///
/// ```
/// use bytes::BytesMut;
/// use dunlin_codec::{DecodeOptions, Packet, PacketBuf};
///
/// let mut input = BytesMut::from(&[0x30, 0x06, 0x00, 0x01, b'a', 0x00, b'h', b'i'][..]);
/// let owned = PacketBuf::take(&mut input, &DecodeOptions::default())?.expect("a whole packet");
/// let Packet::Publish(publish) = owned.packet() else { panic!("a PUBLISH") };
/// let payload = owned.share(publish.payload);
/// assert_eq!(payload, "hi");
/// # Ok::<(), dunlin_codec::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct PacketBuf {
    bytes: Bytes,
}

impl PacketBuf {
    /// Takes the packet at the front of `input`, if all of it is there; bytes behind it stay.
    /// `None` means "read more".
    ///
    /// Nothing is reserved here: how much to read is the caller's decision, [`FixedHeader::peek`]
    /// says how much there will be.
    ///
    /// # Errors
    /// As [`Packet::decode_with`]; `input` is left as it was.
    pub fn take(
        input: &mut BytesMut,
        options: &DecodeOptions,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(len) = packet::check(input, options)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            bytes: input.split_to(len).freeze(),
        }))
    }

    /// Takes the PUBLISH at the front of `input`, with what `read` finds in it while it is decoded:
    /// whoever remembers where things are needn't parse again. `None` means "read more", or
    /// that another packet stands there.
    ///
    /// # Errors
    /// As [`Packet::decode_with`]; `input` is left as it was.
    pub fn take_publish<T>(
        input: &mut BytesMut,
        options: &DecodeOptions,
        read: impl FnOnce(&Publish<'_>) -> T,
    ) -> Result<Option<(Self, T)>, DecodeError> {
        let Some((publish, len)) = Publish::decode(input, options)? else {
            return Ok(None);
        };
        let found = read(&publish);
        Ok(Some((
            Self {
                bytes: input.split_to(len).freeze(),
            },
            found,
        )))
    }

    /// As [`take`](Self::take), from bytes that are shared already.
    ///
    /// # Errors
    /// As [`Packet::decode_with`]; `input` is left as it was.
    pub fn take_shared(
        input: &mut Bytes,
        options: &DecodeOptions,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(len) = packet::check(input, options)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            bytes: input.copy_to_bytes(len),
        }))
    }

    /// Encodes `packet` into a buffer of its own.
    ///
    /// # Errors
    /// As [`Packet::encode`].
    pub fn new(packet: &Packet<'_>) -> Result<Self, EncodeError> {
        let mut bytes = BytesMut::with_capacity(packet.encoded_len()?);
        packet.encode(&mut bytes)?;
        Ok(Self {
            bytes: bytes.freeze(),
        })
    }

    /// The packet, parsed again.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "every constructor has decoded these very bytes, or encoded them"
    )]
    pub fn packet(&self) -> Packet<'_> {
        let options = DecodeOptions {
            leniency: Leniency::ALL,
            ..DecodeOptions::default()
        };
        let decoded = Packet::decode_with(&self.bytes, &options).ok().flatten();
        decoded
            .map(|(packet, _)| packet)
            .expect("a packet that was valid before")
    }

    /// The fixed header.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "every constructor has decoded these very bytes, or encoded them"
    )]
    pub fn header(&self) -> FixedHeader {
        FixedHeader::peek(&self.bytes, u32::MAX)
            .ok()
            .flatten()
            .expect("a header that was valid before")
    }

    /// The packet's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The packet's bytes, shared.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The same packet in a buffer of its own, which lets go of the one that it was read into.
    #[must_use]
    pub fn to_owned_buffer(&self) -> Self {
        Self {
            bytes: Bytes::copy_from_slice(&self.bytes),
        }
    }

    /// A part of this packet as shared bytes; a copy where `part` lies elsewhere.
    #[must_use]
    pub fn share(&self, part: &[u8]) -> Bytes {
        let (whole, part_range) = (self.bytes.as_ptr_range(), part.as_ptr_range());
        if whole.start <= part_range.start && part_range.end <= whole.end {
            self.bytes.slice_ref(part)
        } else {
            Bytes::copy_from_slice(part)
        }
    }
}

impl PartialEq for PacketBuf {
    /// Compares what the packets say; short and long forms of the same packet are equal.
    fn eq(&self, other: &Self) -> bool {
        self.packet() == other.packet()
    }
}

impl Eq for PacketBuf {}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packet().fmt(f)
    }
}
