//! The fifteen control packets (§3): decode one from the front of some bytes, encode one into a
//! buffer.

use bytes::BufMut;

use crate::decode::DecodeOptions;
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::sink::{Length, Output, Sink, Stage};
use crate::varint;

mod ack;
mod auth;
mod connack;
mod connect;
mod decoding;
mod disconnect;
mod outcome;
mod packet_id;
mod publish;
mod refusal;
mod suback;
mod subscribe;
mod unsubscribe;

pub use ack::{Ack, AckProperties, AckType, OwnedAckProperties};
pub use auth::{Auth, AuthProperties, OwnedAuthProperties};
pub use connack::{ConnAck, ConnAckProperties, OwnedConnAckProperties};
pub use connect::{
    Connect, ConnectProperties, OwnedConnectProperties, OwnedWillProperties, Will, WillProperties,
};
pub(crate) use decoding::check;
#[cfg(feature = "spans")]
pub(crate) use decoding::record_fields;
pub use disconnect::{Disconnect, DisconnectProperties, OwnedDisconnectProperties};
pub use publish::{Delivery, OwnedPublishProperties, Publish, PublishProperties};
pub use suback::{OwnedSubAckProperties, SubAck, SubAckProperties, UnsubAck};
pub use subscribe::{
    OwnedSubscribeProperties, RetainHandling, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions,
};
pub use unsubscribe::{OwnedUnsubscribeProperties, Unsubscribe, UnsubscribeProperties};

/// An MQTT 5 control packet that borrows its text and data.
///
/// ```
/// use dunlin_codec::Packet;
///
/// let bytes = [0x30, 0x04, 0x00, 0x01, b'a', 0x00, 0xc0];
/// let Some((Packet::Publish(publish), 6)) = Packet::decode(&bytes)? else { panic!("a PUBLISH of 6 bytes") };
/// assert_eq!(publish.topic.as_deref(), Some("a"));
/// assert_eq!(Packet::decode(&bytes[6..])?, None, "half a PINGREQ: read more");
/// # Ok::<(), dunlin_codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// The client asks for a session (§3.1).
    Connect(Connect<'a>),
    /// The server answers CONNECT (§3.2).
    ConnAck(ConnAck<'a>),
    /// A message (§3.3).
    Publish(Publish<'a>),
    /// Answers a PUBLISH of QoS 1 (§3.4).
    PubAck(Ack<'a>),
    /// Answers a PUBLISH of QoS 2 (§3.5).
    PubRec(Ack<'a>),
    /// Answers PUBREC (§3.6).
    PubRel(Ack<'a>),
    /// Answers PUBREL (§3.7).
    PubComp(Ack<'a>),
    /// The client asks for subscriptions (§3.8).
    Subscribe(Subscribe<'a>),
    /// Answers SUBSCRIBE (§3.9).
    SubAck(SubAck<'a>),
    /// The client ends subscriptions (§3.10).
    Unsubscribe(Unsubscribe<'a>),
    /// Answers UNSUBSCRIBE (§3.11).
    UnsubAck(UnsubAck<'a>),
    /// The client shows that it is there (§3.12).
    PingReq,
    /// Answers PINGREQ (§3.13).
    PingResp,
    /// The last packet of a connection (§3.14).
    Disconnect(Disconnect<'a>),
    /// A step of enhanced authentication (§3.15).
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Decodes the packet at the front of `input`, strictly and from either side: the packet and
    /// its length.
    ///
    /// `Ok(None)` means "read more"; what stands behind the packet isn't looked at.
    ///
    /// # Errors
    /// The first breach found; the connection should be closed with its reason code (§4.13).
    pub fn decode(input: &'a [u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        Self::decode_with(input, &DecodeOptions::default())
    }

    /// As [`decode`](Self::decode), under `options`.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); too large where the header announces more than
    /// `options.max_packet_size`.
    #[inline]
    pub fn decode_with(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        decoding::decode(input, options, |packet| packet)
    }

    /// Which of the fifteen it is.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Appends the packet to `out`, in its shortest form.
    ///
    /// # Errors
    /// A value that its types can't keep out (see [`EncodeErrorKind`]), or no room in `out`;
    /// nothing is written then.
    #[inline]
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode(out),
            Self::ConnAck(packet) => packet.encode(out),
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

    /// The bytes that [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.encoded_len(),
            Self::ConnAck(packet) => packet.encoded_len(),
            Self::Publish(packet) => packet.encoded_len(),
            Self::PubAck(ack) => ack.encoded_len(AckType::PubAck),
            Self::PubRec(ack) => ack.encoded_len(AckType::PubRec),
            Self::PubRel(ack) => ack.encoded_len(AckType::PubRel),
            Self::PubComp(ack) => ack.encoded_len(AckType::PubComp),
            Self::Subscribe(packet) => packet.encoded_len(),
            Self::SubAck(packet) => packet.encoded_len(),
            Self::Unsubscribe(packet) => packet.encoded_len(),
            Self::UnsubAck(packet) => packet.encoded_len(),
            Self::PingReq | Self::PingResp => Ok(2),
            Self::Disconnect(packet) => packet.encoded_len(),
            Self::Auth(packet) => packet.encoded_len(),
        }
    }
}

/// What stands behind a packet's fixed header.
pub(crate) trait Body {
    fn packet_type(&self) -> PacketType;

    fn flags(&self) -> u8 {
        self.packet_type().flags()
    }

    /// The rules that the field types can't hold.
    fn check(&self) -> Result<(), EncodeError>;

    fn write<S: Sink>(&self, sink: &mut S);

    /// Writes it behind its fixed header.
    #[inline(always)]
    fn write_packet<S: Sink>(&self, first: u8, remaining_length: u32, sink: &mut S) {
        sink.header(first, remaining_length);
        self.write(sink);
    }
}

/// A packet without a body.
struct Empty(PacketType);

impl Body for Empty {
    fn packet_type(&self) -> PacketType {
        self.0
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write<S: Sink>(&self, _: &mut S) {}
}

/// As [`encode`], for packets of many pieces: where they fit, they are put together on the stack
/// and copied at once. A growing buffer keeps its end in memory, and each piece would wait there
/// for the one before it.
#[inline(never)]
fn encode_staged(body: &impl Body, out: &mut impl BufMut) -> Result<(), EncodeError> {
    let Lengths {
        remaining_length,
        len,
        first_properties,
    } = lengths(body, 0)?;
    let mut stage = [0; STAGE];
    let Some(staged) = stage.get_mut(..len) else {
        return encode(body, out);
    };
    if out.remaining_mut() < len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    body.write_packet(
        first_byte(body),
        remaining_length,
        &mut Stage {
            rest: staged,
            first_properties,
        },
    );
    out.put_slice(staged);
    Ok(())
}

/// The longest packet that is put together on the stack: a CONNECT with all that it can have, and
/// some room.
const STAGE: usize = 320;

fn first_byte(body: &impl Body) -> u8 {
    (body.packet_type() as u8) << 4 | body.flags()
}

/// As with decoding, a function of its own for each packet, called last.
#[inline(never)]
fn encode(body: &impl Body, out: &mut impl BufMut) -> Result<(), EncodeError> {
    encode_announcing(body, 0, out)
}

/// Writes a header that announces the body and `more` bytes, then the body.
#[inline(always)]
fn encode_announcing(
    body: &impl Body,
    more: usize,
    out: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let Lengths {
        remaining_length,
        len,
        first_properties,
    } = lengths(body, more)?;
    if out.remaining_mut() < len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    let mut sink = Output {
        out,
        first_properties,
    };
    body.write_packet(first_byte(body), remaining_length, &mut sink);
    Ok(())
}

fn encoded_len(body: &impl Body) -> Result<usize, EncodeError> {
    lengths(body, 0).map(|lengths| lengths.len)
}

/// What is known of a packet before it is written.
struct Lengths {
    remaining_length: u32,
    /// The bytes of header and body.
    len: usize,
    /// Those of the first properties in it.
    first_properties: Option<u64>,
}

/// The lengths of a body that may be written with `more` bytes behind it.
#[inline(always)]
fn lengths(body: &impl Body, more: usize) -> Result<Lengths, EncodeError> {
    body.check()?;
    let Length {
        bytes,
        first_properties,
    } = Length::of(|counter| body.write(counter));
    match u32::try_from(bytes + more as u64) {
        Ok(remaining_length) if remaining_length <= varint::MAX => {
            let len = 1 + varint::len(remaining_length) + remaining_length as usize - more;
            Ok(Lengths {
                remaining_length,
                len,
                first_properties,
            })
        }
        _ => Err(EncodeError::new(
            EncodeErrorKind::TooLarge,
            "remaining_length",
        )),
    }
}

/// Gives packets their two public methods.
macro_rules! encodes {
    ($encode:ident: $($packet:ident)*) => {$(
        impl $packet<'_> {
            /// Appends the packet to `out`; see [`Packet::encode`].
            ///
            /// # Errors
            /// As [`Packet::encode`].
            #[inline]
            pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
                $encode(self, out)
            }

            /// The bytes that [`encode`](Self::encode) writes.
            ///
            /// # Errors
            /// As [`Packet::encode`].
            pub fn encoded_len(&self) -> Result<usize, EncodeError> {
                encoded_len(self)
            }
        }

        impl<'a> From<$packet<'a>> for Packet<'a> {
            fn from(packet: $packet<'a>) -> Self {
                Self::$packet(packet)
            }
        }
    )*};
}

encodes!(encode_staged: Connect ConnAck);
encodes!(encode: Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);
