//! The fifteen control packets (§3), decoded from the front of a slice and encoded into a buffer.

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
mod properties;
mod publish;
mod reason_code;
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
pub(crate) use properties::Properties;
pub use publish::{OwnedPublishProperties, Publish, PublishProperties};
pub use suback::{OwnedSubAckProperties, SubAck, SubAckProperties, UnsubAck};
pub use subscribe::{
    OwnedSubscribeProperties, RetainHandling, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions,
};
pub use unsubscribe::{OwnedUnsubscribeProperties, Unsubscribe, UnsubscribeProperties};

/// MQTT 5 control packet that borrows its text and data.
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
    /// CONNECT (§3.1): a client's request for a session.
    Connect(Connect<'a>),
    /// CONNACK (§3.2): the answer to CONNECT.
    ConnAck(ConnAck<'a>),
    /// PUBLISH (§3.3): an application message.
    Publish(Publish<'a>),
    /// PUBACK (§3.4): the answer to a PUBLISH of QoS 1.
    PubAck(Ack<'a>),
    /// PUBREC (§3.5): the first answer to a PUBLISH of QoS 2.
    PubRec(Ack<'a>),
    /// PUBREL (§3.6): the answer to PUBREC.
    PubRel(Ack<'a>),
    /// PUBCOMP (§3.7): the answer to PUBREL.
    PubComp(Ack<'a>),
    /// SUBSCRIBE (§3.8): a client's request for subscriptions.
    Subscribe(Subscribe<'a>),
    /// SUBACK (§3.9): the answer to SUBSCRIBE.
    SubAck(SubAck<'a>),
    /// UNSUBSCRIBE (§3.10): a client's request to end subscriptions.
    Unsubscribe(Unsubscribe<'a>),
    /// UNSUBACK (§3.11): the answer to UNSUBSCRIBE.
    UnsubAck(UnsubAck<'a>),
    /// PINGREQ (§3.12): a client's sign of life.
    PingReq,
    /// PINGRESP (§3.13): the answer to PINGREQ.
    PingResp,
    /// DISCONNECT (§3.14): the last packet of a connection.
    Disconnect(Disconnect<'a>),
    /// AUTH (§3.15): a step of enhanced authentication.
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Decodes the packet at the front of `input`, strictly and from either side: the packet and
    /// its length in bytes.
    ///
    /// `Ok(None)` means "read more". Bytes behind the packet are not looked at.
    ///
    /// # Errors
    /// The first fault of the packet: [`Malformed`](crate::DecodeErrorKind::Malformed) if it can't
    /// be parsed, [`ProtocolError`](crate::DecodeErrorKind::ProtocolError) if a value is not
    /// allowed, [`UnsupportedVersion`](crate::DecodeErrorKind::UnsupportedVersion) for a CONNECT of
    /// another version. Unless the [scope](DecodeError::scope) is one message, the connection
    /// should be closed with the error's reason code (§4.13).
    pub fn decode(input: &'a [u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        Self::decode_with(input, &DecodeOptions::default())
    }

    /// Decodes the packet at the front of `input` like [`decode`](Self::decode), with options.
    ///
    /// # Errors
    /// The errors of [`decode`](Self::decode), and
    /// [`TooLarge`](crate::DecodeErrorKind::TooLarge) if the fixed header announces more than
    /// `options.max_packet_size` bytes,
    /// [`WrongDirection`](crate::DecodeErrorKind::WrongDirection) if `options.sender` may never
    /// send such a packet.
    #[inline]
    pub fn decode_with(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        decoding::decode(input, options, |packet| packet)
    }

    /// Type of the packet.
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
    /// [`EncodeErrorKind::Missing`], [`NotAllowed`](EncodeErrorKind::NotAllowed) or
    /// [`IllegalReasonCode`](EncodeErrorKind::IllegalReasonCode) if a field breaks a rule that its
    /// type can't hold, [`TooLarge`](EncodeErrorKind::TooLarge) above 268,435,455 bytes of
    /// Remaining Length, [`NoRoom`](EncodeErrorKind::NoRoom) if `out` is full. Nothing is written
    /// then.
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

    /// Number of bytes that [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// The errors of [`encode`](Self::encode) but for [`NoRoom`](EncodeErrorKind::NoRoom).
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

/// Part of a packet behind its fixed header.
pub(crate) trait Body {
    fn packet_type(&self) -> PacketType;

    fn flags(&self) -> u8 {
        self.packet_type().flags()
    }

    /// Checks the rules that the types of the fields can't hold.
    fn check(&self) -> Result<(), EncodeError>;

    fn write<S: Sink>(&self, sink: &mut S);

    /// Writes the fixed header and the body.
    #[inline(always)]
    fn write_packet<S: Sink>(&self, first: u8, remaining_length: u32, sink: &mut S) {
        sink.header(first, remaining_length);
        self.write(sink);
    }
}

/// PINGREQ or PINGRESP, which have no body.
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

/// Encodes a packet of many fields: if it fits, it is put together on the stack and copied at once.
///
/// A growing buffer keeps its length in memory, where each write would wait for the one before it.
#[inline(never)]
fn encode_staged(body: &impl Body, out: &mut impl BufMut) -> Result<(), EncodeError> {
    let Lengths {
        remaining_length,
        len,
        first_properties,
    } = lengths(body, 0)?;
    // A packet that doesn't fit the stage is written field by field.
    let mut stage = [0; STAGE];
    let Some(staged) = stage.get_mut(..len) else {
        return encode(body, out);
    };
    // Nothing is written if the buffer can't take all of it.
    if out.remaining_mut() < len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    // The lengths are known, so the properties are not counted again.
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

/// Maximum length in bytes of a packet that is put together on the stack, enough for a CONNECT with
/// all its fields.
const STAGE: usize = 320;

fn first_byte(body: &impl Body) -> u8 {
    (body.packet_type() as u8) << 4 | body.flags()
}

/// Encodes a packet. One instance for each packet type, as in [`decoding`], called last.
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

/// Lengths of a packet, known before it is written.
struct Lengths {
    remaining_length: u32,
    /// Bytes of fixed header and body.
    len: usize,
    /// Bytes of the first set of properties, without its length; `None` if the packet has none.
    first_properties: Option<u64>,
}

/// Lengths of a packet whose body is followed by `more` bytes.
#[inline(always)]
fn lengths(body: &impl Body, more: usize) -> Result<Lengths, EncodeError> {
    // Rules that the types can't hold come first: a wrong packet has no length.
    body.check()?;
    let Length {
        bytes,
        first_properties,
    } = Length::of(|counter| body.write(counter));
    // The Remaining Length has at most four bytes.
    match u32::try_from(bytes + more as u64) {
        Ok(remaining_length) if remaining_length <= varint::MAX => {
            // First byte, Remaining Length, and the body without the bytes that are sent apart.
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

/// Implements `encode`, `encoded_len` and `From` for packets.
macro_rules! encodes {
    ($encode:ident: $($packet:ident)*) => {$(
        impl $packet<'_> {
            /// Appends the packet to `out`; see [`Packet::encode`].
            ///
            /// # Errors
            /// The errors of [`Packet::encode`].
            #[inline]
            pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
                $encode(self, out)
            }

            /// Number of bytes that [`encode`](Self::encode) writes.
            ///
            /// # Errors
            /// The errors of [`Packet::encode`].
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
