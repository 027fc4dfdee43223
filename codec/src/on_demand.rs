//! Packet that is read on demand: bytes that were checked, or a packet that was built.

use core::fmt;
use core::hash::{Hash, Hasher};

/// Packet of many fields, CONNECT or CONNACK, that is read on demand.
///
/// One of them is there once in the life of a connection and is several times as large as a
/// PUBLISH. So a decoded [`Packet`](crate::Packet) keeps its bytes, which were checked when it was
/// decoded, and [`read`](Self::read) takes all fields from them. To build such a packet, fill in
/// the struct and refer to it:
///
/// ```
/// use dunlin_codec::{
///     BinaryData, Connect, ConnectProperties, Packet, QoS, TopicName, Utf8String, Will,
///     WillProperties,
/// };
///
/// let connect = Connect {
///     client_id: Utf8String::new("lamp-7")?,
///     keep_alive: 60,
///     properties: ConnectProperties {
///         session_expiry_interval: Some(3600),
///         ..ConnectProperties::default()
///     },
///     will: Some(Will {
///         qos: QoS::AtLeastOnce,
///         retain: true,
///         properties: WillProperties::default(),
///         topic: TopicName::new("lamps/lamp-7/status")?,
///         payload: BinaryData::new(b"gone")?,
///     }),
///     ..Connect::default()
/// };
/// // A reference, as the struct is large; `connect.encode` encodes without a `Packet`.
/// let packet = Packet::from(&connect);
/// let mut bytes = [0; 64];
/// let len = packet.encode_to_slice(&mut bytes)?;
///
/// let Some((Packet::Connect(decoded), _)) = Packet::decode(&bytes[..len])? else {
///     panic!("a CONNECT")
/// };
/// let decoded = decoded.read();
/// assert_eq!(decoded.client_id.as_str(), "lamp-7");
/// assert_eq!(decoded.will.map(|will| will.topic), Some(TopicName::new("lamps/lamp-7/status")?));
/// assert_eq!(decoded, connect);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct OnDemand<'a, T>(Source<'a, T>);

enum Source<'a, T> {
    /// Body of a packet, which was checked.
    Wire(&'a [u8]),
    Built(&'a T),
    #[cfg(feature = "alloc")]
    Owned(OwnedLarge<'a>),
}

/// Reference to the owned form of a packet that is read on demand. Not an associated type of
/// [`Large`]: then a `Packet` could not be used where one of a shorter lifetime is wanted.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy)]
pub(crate) enum OwnedLarge<'a> {
    Connect(&'a crate::owned::Connect),
    ConnAck(&'a crate::owned::ConnAck),
}

/// Packet that [`OnDemand`] reads.
pub(crate) trait Large<'a>: Copy + Default {
    /// Reads a body that was checked before.
    fn read_checked(body: &'a [u8]) -> Self;

    /// Borrows the packet from its owned form; `None` for another packet's.
    #[cfg(feature = "alloc")]
    fn lend(owned: OwnedLarge<'a>) -> Option<Self>;
}

#[expect(
    private_bounds,
    reason = "sealed: the crate decides which packets are large"
)]
impl<'a, T: Large<'a>> OnDemand<'a, T> {
    /// Packet that was built, for constants; elsewhere `From` does the same.
    ///
    /// ```
    /// use dunlin_codec::{ConnAck, OnDemand, Packet, ReasonCode};
    ///
    /// const REFUSAL: ConnAck<'static> = ConnAck::new(ReasonCode::ServerBusy);
    /// const PACKET: Packet<'static> = Packet::ConnAck(OnDemand::new(&REFUSAL));
    /// assert_eq!(PACKET, Packet::from(&REFUSAL));
    /// ```
    #[must_use]
    pub const fn new(packet: &'a T) -> Self {
        Self(Source::Built(packet))
    }

    pub(crate) const fn from_wire(body: &'a [u8]) -> Self {
        Self(Source::Wire(body))
    }

    /// Packet that borrows from `owned`, which has to be of the same type.
    #[cfg(feature = "alloc")]
    pub(crate) const fn from_owned(owned: OwnedLarge<'a>) -> Self {
        Self(Source::Owned(owned))
    }

    /// Packet with all its fields. Each call reads the bytes of a decoded packet again: one pass,
    /// without checking their rules.
    #[must_use]
    pub fn read(&self) -> T {
        match self.0 {
            Source::Wire(body) => T::read_checked(body),
            Source::Built(packet) => *packet,
            #[cfg(feature = "alloc")]
            Source::Owned(owned) => T::lend(owned).unwrap_or_default(),
        }
    }

    /// Calls `f` with the packet, which is not copied if it was built.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        match self.0 {
            Source::Built(packet) => f(packet),
            _ => f(&self.read()),
        }
    }
}

impl<'a, T: Large<'a>> From<&'a T> for OnDemand<'a, T> {
    fn from(packet: &'a T) -> Self {
        Self::new(packet)
    }
}

impl<T> Clone for OnDemand<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OnDemand<'_, T> {}

impl<T> Clone for Source<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Source<'_, T> {}

impl<'a, T: Large<'a> + PartialEq> PartialEq for OnDemand<'a, T> {
    /// Compares the fields, whether they were decoded or built.
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl<'a, T: Large<'a> + Eq> Eq for OnDemand<'a, T> {}

impl<'a, T: Large<'a> + Hash> Hash for OnDemand<'a, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.with(|packet| packet.hash(state));
    }
}

impl<'a, T: Large<'a> + fmt::Display> fmt::Display for OnDemand<'a, T> {
    /// One line of text for people, as the packet has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|packet| packet.fmt(f))
    }
}

impl<'a, T: Large<'a> + fmt::Debug> fmt::Debug for OnDemand<'a, T> {
    /// Shows the packet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}
