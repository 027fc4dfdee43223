//! Packet that owns its bytes: to `Packet` what `PathBuf` is to `Path`.

use core::fmt;
use core::hash::{Hash, Hasher};

use bytes::{Buf, Bytes, BytesMut};

use crate::decode::{DecodeOptions, Decoded};
use crate::error::{DecodeError, EncodeError};
use crate::header::FixedHeader;
use crate::packet::{self, Packet, Publish};

/// Valid control packet in one shared buffer ([`Bytes`]).
///
/// The packet is checked once, when it is taken. [`packet`](Self::packet) only finds the fields:
/// neither the rules of the standard nor the order and number of properties are looked at again.
/// Only text is checked once more, as a `str` without `unsafe` demands; that is cheap for up to 64
/// ASCII characters (feature `fast-text`).
///
/// A `PacketBuf` is as small as its [`Bytes`] and keeps no offsets. Any part that the packet borrows
/// can be shared without a copy by [`share`](Self::share). A shared part, however small, keeps the
/// whole buffer in memory; copy it where that matters.
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
    /// Takes the packet at the front of `input`; bytes after it stay. `None` means "read more".
    ///
    /// A flag that [`DecodeOptions::leniency`] ignores is cleared in the bytes, which a strict
    /// decoder accepts then.
    ///
    /// No memory is reserved for a packet that is incomplete. [`FixedHeader::peek`] says how long
    /// it will be.
    ///
    /// # Errors
    /// The errors of [`Packet::decode_with`]; `input` is not changed then.
    #[inline]
    pub fn take(
        input: &mut BytesMut,
        options: &DecodeOptions,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(len) = packet::check(input, options)? else {
            return Ok(None);
        };
        Ok(Some(Self::of_checked(input.split_to(len), options)))
    }

    /// Takes the PUBLISH at the front of `input`, with the result of `read`, which sees the decoded
    /// packet and so saves a second decoding.
    ///
    /// # Errors
    /// The errors of [`Packet::decode_with`]; `input` is not changed then.
    pub fn take_publish<T>(
        input: &mut BytesMut,
        options: &DecodeOptions,
        read: impl FnOnce(&Publish<'_>) -> T,
    ) -> Result<Decoded<(Self, T)>, DecodeError> {
        // Decoding borrows `input`, so `read` has to finish before the bytes are taken.
        let (found, len) = match Publish::decode_with(input, options)? {
            Decoded::Packet(publish, len) => (read(&publish), len),
            Decoded::Incomplete => return Ok(Decoded::Incomplete),
            Decoded::Other(packet_type) => return Ok(Decoded::Other(packet_type)),
        };
        let packet = Self::of_checked(input.split_to(len), options);
        Ok(Decoded::Packet((packet, found), len))
    }

    /// Packet in bytes that were checked with `options`.
    #[inline]
    fn of_checked(mut bytes: BytesMut, options: &DecodeOptions) -> Self {
        // A flag that was ignored is cleared, so that others can decode these bytes strictly.
        if !options.leniency.is_none()
            && let Some((at, strict)) = packet::ignored_flag(&bytes)
            && let Some(byte) = bytes.get_mut(at)
        {
            *byte = strict;
        }
        Self {
            bytes: bytes.freeze(),
        }
    }

    /// Takes the packet at the front of `input` like [`take`](Self::take), from shared bytes.
    ///
    /// # Errors
    /// The errors of [`Packet::decode_with`]; `input` is not changed then.
    pub fn take_shared(
        input: &mut Bytes,
        options: &DecodeOptions,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(len) = packet::check(input, options)? else {
            return Ok(None);
        };
        let bytes = input.copy_to_bytes(len);
        // Shared bytes can't be changed: a packet with a flag that was ignored is copied.
        if !options.leniency.is_none() && packet::ignored_flag(&bytes).is_some() {
            return Ok(Some(Self::of_checked(BytesMut::from(&*bytes), options)));
        }
        Ok(Some(Self { bytes }))
    }

    /// Encodes `packet` into a new buffer.
    ///
    /// # Errors
    /// The errors of [`Packet::encode`] but for [`NoRoom`](crate::EncodeErrorKind::NoRoom).
    pub fn new(packet: &Packet<'_>) -> Result<Self, EncodeError> {
        // The exact length, so that the buffer never grows.
        let mut bytes = BytesMut::with_capacity(packet.encoded_len()?);
        packet.encode(&mut bytes)?;
        Ok(Self {
            bytes: bytes.freeze(),
        })
    }

    /// Packet that borrows these bytes. They were checked before, so that this only finds the fields;
    /// the fields of a CONNECT or CONNACK, and the items of lists, are found when they are read.
    #[inline]
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "every constructor has decoded these very bytes, or encoded them"
    )]
    pub fn packet(&self) -> Packet<'_> {
        packet::read_again(&self.bytes).expect("a packet that was valid before")
    }

    /// Fixed header of the packet.
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

    /// Bytes of the packet.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes of the packet, shared.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Copy of the packet in a buffer of its own, so that the buffer it was read into can be freed.
    #[must_use]
    pub fn to_owned_buffer(&self) -> Self {
        Self {
            bytes: Bytes::copy_from_slice(&self.bytes),
        }
    }

    /// Part of this packet as shared bytes; a copy if `part` does not lie in the packet.
    #[must_use]
    pub fn share(&self, part: &[u8]) -> Bytes {
        // Only addresses are compared: a part of another buffer may have the same content.
        let (whole, part_range) = (self.bytes.as_ptr_range(), part.as_ptr_range());
        if whole.start <= part_range.start && part_range.end <= whole.end {
            self.bytes.slice_ref(part)
        } else {
            Bytes::copy_from_slice(part)
        }
    }
}

impl AsRef<[u8]> for PacketBuf {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<PacketBuf> for Bytes {
    fn from(packet: PacketBuf) -> Self {
        packet.bytes
    }
}

impl TryFrom<&Packet<'_>> for PacketBuf {
    type Error = EncodeError;

    /// See [`PacketBuf::new`].
    ///
    /// # Errors
    /// The errors of [`PacketBuf::new`].
    fn try_from(packet: &Packet<'_>) -> Result<Self, EncodeError> {
        Self::new(packet)
    }
}

impl PartialEq for PacketBuf {
    /// Compares the decoded packets: short and long forms of the same packet are equal.
    fn eq(&self, other: &Self) -> bool {
        self.packet() == other.packet()
    }
}

impl Eq for PacketBuf {}

impl Hash for PacketBuf {
    /// Hashes the decoded packet, like the comparison.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.packet().hash(state);
    }
}

impl fmt::Display for PacketBuf {
    /// One line of text for people, as [`Packet`] has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.packet(), f)
    }
}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.packet(), f)
    }
}
