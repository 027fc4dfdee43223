//! Options of decoding (a size limit, the sender, deviations that are accepted), and the answer of a
//! decoder of one packet type.

use crate::packet_type::{PacketType, Sender};

/// Options of decoding. The default accepts packets of any size from either side, and no
/// deviation from the standard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DecodeOptions {
    /// Maximum Packet Size of the receiver (§3.1.2.11.4): length in bytes of a whole packet, fixed
    /// header included. Default: `u32::MAX`, no limit but the protocol's 268,435,460 bytes.
    pub max_packet_size: u32,
    /// Sender of the packets; packets that only the other side may send are refused. Default: any.
    pub sender: Sender,
    /// Deviations from the standard that are accepted. Default: none.
    pub leniency: Leniency,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            max_packet_size: u32::MAX,
            sender: Sender::Any,
            leniency: Leniency::default(),
        }
    }
}

/// Deviations from the standard that some servers make and that a receiver may accept. Default:
/// none.
///
/// A deviation that is accepted never goes on: the decoded packet doesn't have it, nor do the bytes
/// of a [`PacketBuf`](crate::PacketBuf).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Leniency {
    /// DUP flag at QoS 0: brokers that bridge MQTT 3.1.1 pass the flag on from QoS 1. The flag is
    /// ignored.
    pub dup_at_qos_0: bool,
    /// Session Present in a CONNACK that refuses the connection: some servers set the flag before
    /// they decide. The flag is ignored.
    pub session_present_on_refusal: bool,
}

impl Leniency {
    /// True if no deviation is accepted.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_none(self) -> bool {
        !self.dup_at_qos_0 && !self.session_present_on_refusal
    }

    pub(crate) const ALL: Self = Self {
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
