//! Options of decoding (a size limit, the sender, deviations that are accepted), and the answer of a
//! decoder of one packet type.

use crate::packet_type::{PacketType, Sender};
use crate::varint;

/// Options of decoding. The default accepts packets of up to 1 MiB from either side, and no deviation
/// from the standard.
///
/// ```
/// use dunlin_codec::{DecodeErrorKind, DecodeOptions, Packet, Sender};
///
/// // Options of a server that accepts packets of up to 64 KiB.
/// const OPTIONS: DecodeOptions = DecodeOptions::new()
///     .with_max_packet_size(64 * 1024)
///     .with_sender(Sender::Client);
///
/// // The fixed header of a PUBLISH of 65,540 bytes is enough to refuse it.
/// let error = Packet::decode_with(&[0x30, 0x80, 0x80, 0x04], &OPTIONS).unwrap_err();
/// assert_eq!(error.kind, DecodeErrorKind::TooLarge);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Maximum Packet Size of the receiver (§3.1.2.11.4): length in bytes of a whole packet, fixed
    /// header included. Default: [`DEFAULT_MAX_PACKET_SIZE`](Self::DEFAULT_MAX_PACKET_SIZE).
    pub max_packet_size: u32,
    /// Sender of the packets; packets that only the other side may send are refused. Default: any.
    pub sender: Sender,
    /// Deviations from the standard that are accepted. Default: none.
    pub leniency: Leniency,
}

impl DecodeOptions {
    /// Maximum Packet Size in bytes unless another is given: 1 MiB.
    ///
    /// An incomplete packet stays in the caller's buffer until its last byte has arrived, so a server
    /// needs a bound far below that of the protocol.
    pub const DEFAULT_MAX_PACKET_SIZE: u32 = 1024 * 1024;

    /// Length in bytes of the largest packet of the protocol (§2.1.4): five bytes of fixed header and
    /// 268,435,455 more.
    pub const PROTOCOL_MAX_PACKET_SIZE: u32 = 5 + varint::MAX;

    /// Default options, for constants.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_packet_size: Self::DEFAULT_MAX_PACKET_SIZE,
            sender: Sender::Any,
            leniency: Leniency::NONE,
        }
    }

    /// Default options, but for packets of any size: up to
    /// [`PROTOCOL_MAX_PACKET_SIZE`](Self::PROTOCOL_MAX_PACKET_SIZE), 256 MiB.
    #[must_use]
    pub const fn any_size() -> Self {
        Self::new().with_max_packet_size(Self::PROTOCOL_MAX_PACKET_SIZE)
    }

    /// These options with another Maximum Packet Size, in bytes.
    #[must_use]
    pub const fn with_max_packet_size(mut self, max_packet_size: u32) -> Self {
        self.max_packet_size = max_packet_size;
        self
    }

    /// These options for packets of another sender.
    #[must_use]
    pub const fn with_sender(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    /// These options with other deviations from the standard that are accepted.
    #[must_use]
    pub const fn with_leniency(mut self, leniency: Leniency) -> Self {
        self.leniency = leniency;
        self
    }
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Deviations from the standard that some servers make and that a receiver may accept. Default:
/// none.
///
/// A deviation that is accepted never goes on: the decoded packet doesn't have it, nor do the bytes
/// of a [`PacketBuf`](crate::PacketBuf).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Leniency {
    /// DUP flag at QoS 0: brokers that bridge MQTT 3.1.1 pass the flag on from QoS 1. The flag is
    /// ignored.
    pub dup_at_qos_0: bool,
    /// Session Present in a CONNACK that refuses the connection: some servers set the flag before
    /// they decide. The flag is ignored.
    pub session_present_on_refusal: bool,
}

impl Leniency {
    /// No deviation: what the standard says.
    pub const NONE: Self = Self {
        dup_at_qos_0: false,
        session_present_on_refusal: false,
    };

    /// True if no deviation is accepted.
    #[must_use]
    pub const fn is_none(self) -> bool {
        !self.dup_at_qos_0 && !self.session_present_on_refusal
    }

    /// All deviations that the codec can accept.
    pub const ALL: Self = Self {
        dup_at_qos_0: true,
        session_present_on_refusal: true,
    };
}

/// Answer of a decoder of one packet type, such as [`Publish::decode`](crate::Publish::decode).
///
/// ```
/// use dunlin_codec::{Decoded, Packet, PacketType, Publish};
///
/// let mut input: &[u8] = &[0x30, 0x04, 0x00, 0x01, b'a', 0x00, 0xc0, 0x00, 0x30];
/// let mut seen = Vec::new();
/// loop {
///     let len = match Publish::decode(input)? {
///         Decoded::Packet(publish, len) => {
///             seen.push(publish.topic.map(|topic| topic.to_string()));
///             len
///         }
///         // Not a PUBLISH: the decoder of all packets takes it.
///         Decoded::Other(_) => match Packet::decode(input)? {
///             Some((_, len)) => len,
///             None => break,
///         },
///         // Read more.
///         Decoded::Incomplete => break,
///     };
///     input = &input[len..];
/// }
/// assert_eq!((seen, input), (vec![Some("a".to_owned())], &[0x30][..]));
/// # Ok::<(), dunlin_codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use]
pub enum Decoded<T> {
    /// Packet of this type, with its length in bytes.
    Packet(T, usize),
    /// The input ends within the fixed header, or within a packet of this type: read more.
    Incomplete,
    /// A packet of another type is at the front, whole or not: decode it with
    /// [`Packet::decode`](crate::Packet::decode).
    Other(PacketType),
}

impl<T> Decoded<T> {
    /// Packet and its length in bytes; `None` for another packet and for an incomplete one.
    #[must_use]
    pub fn packet(self) -> Option<(T, usize)> {
        match self {
            Self::Packet(packet, len) => Some((packet, len)),
            Self::Incomplete | Self::Other(_) => None,
        }
    }

    /// Answer with `f` applied to the packet.
    #[inline]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Decoded<U> {
        match self {
            Self::Packet(packet, len) => Decoded::Packet(f(packet), len),
            Self::Incomplete => Decoded::Incomplete,
            Self::Other(packet_type) => Decoded::Other(packet_type),
        }
    }
}
