//! CONNECT (§3.1): the first packet of a client, with the Will.

use core::fmt;

use super::encoding::Body;
use super::properties::{Properties, properties};
use crate::error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
use crate::on_demand::Large;
#[cfg(feature = "alloc")]
use crate::on_demand::OwnedLarge;
use crate::packet_type::PacketType;
use crate::property::{offset_of, row};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::redaction::{Redacted, UserName};
use crate::sink::Sink;
use crate::text::{BinaryData, Utf8String};
use crate::topic::TopicName;
use crate::topic_error::TopicError;
use crate::validated::Validated;
use crate::value::{Rule, Value};

const PROTOCOL_NAME: &[u8] = b"MQTT";
const PROTOCOL_VERSION: u8 = 5;

const USERNAME: u8 = 0b1000_0000;
const PASSWORD: u8 = 0b0100_0000;
const WILL_RETAIN: u8 = 0b0010_0000;
const WILL_QOS: u8 = 0b0001_1000;
const WILL: u8 = 0b0000_0100;
const CLEAN_START: u8 = 0b0000_0010;
const RESERVED: u8 = 0b0000_0001;

/// CONNECT (§3.1): a client's request for a session.
///
/// ```
/// use dunlin_codec::{BinaryData, Connect, ConnectProperties, TopicName, Utf8String, Will, WillProperties};
///
/// let connect = Connect {
///     clean_start: true,
///     keep_alive: 60,
///     properties: ConnectProperties {
///         session_expiry_interval: Some(3600),
///         ..ConnectProperties::default()
///     },
///     will: Some(Will {
///         properties: WillProperties { will_delay_interval: Some(5), ..WillProperties::default() },
///         ..Will::new(TopicName::new("lamps/7/state")?, BinaryData::new(b"gone")?)
///     }),
///     ..Connect::new(Utf8String::new("lamp-7")?)
/// };
/// assert_eq!(connect.encoded_len()?, 53);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Connect<'a> {
    /// Clean Start (§3.1.2.4): the server discards the session of an earlier connection.
    pub clean_start: bool,
    /// Keep Alive (§3.1.2.10): maximum time between two packets of the client, in seconds, 0 to
    /// 65,535; 0 means no limit.
    pub keep_alive: u16,
    /// Properties (§3.1.2.11): the client's limits and requests.
    pub properties: ConnectProperties<'a>,
    /// Client Identifier (§3.1.3.1), which names the session; empty means that the server assigns
    /// one.
    pub client_id: Utf8String<'a>,
    /// Will (§3.1.2.5): message that the server publishes if the client is lost; `None` for no
    /// message.
    pub will: Option<Will<'a>>,
    /// User Name (§3.1.3.5); `None` means that the packet has none.
    pub username: Option<Utf8String<'a>>,
    /// Password (§3.1.3.6), allowed without a User Name; `None` means that the packet has none.
    pub password: Option<BinaryData<'a>>,
}

/// Will (§3.1.2.5): message that the server publishes when the connection ends without a normal
/// DISCONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Will<'a> {
    /// QoS with which the server publishes the message; the default is QoS 0.
    pub qos: QoS,
    /// Will Retain flag (§3.1.2.7): the server publishes a retained message.
    pub retain: bool,
    /// Will Properties (§3.1.3.2): delay, and the properties of the message.
    pub properties: WillProperties<'a>,
    /// Will Topic (§3.1.3.3): topic that the message is published to.
    pub topic: TopicName<'a>,
    /// Will Payload (§3.1.3.4): 0 to 65,535 bytes.
    pub payload: BinaryData<'a>,
}

properties! {
    /// The properties of CONNECT (§3.1.2.11).
    ConnectProperties owned OwnedConnectProperties rule Some("U-3.1.2-2");
    once {
        /// Session Expiry Interval: seconds that the session outlives the connection. `None` means
        /// 0, `u32::MAX` that the session never expires.
        session_expiry_interval,
        /// Receive Maximum: number of unacknowledged messages of QoS 1 and 2 that the client
        /// accepts at a time; `None` means 65,535.
        receive_maximum,
        /// Maximum Packet Size that the client accepts, in bytes; `None` means 268,435,460, the
        /// protocol's limit.
        maximum_packet_size,
        /// Topic Alias Maximum: highest alias that the client accepts; `None` means 0, no aliases.
        topic_alias_maximum,
        /// Request Response Information: `true` asks the server for Response Information in
        /// CONNACK; `None` means `false`.
        request_response_information,
        /// Request Problem Information: `false` limits Reason Strings and User Properties to
        /// PUBLISH, CONNACK and DISCONNECT; `None` means `true`.
        request_problem_information,
        /// Authentication Method of enhanced authentication; `None` means no enhanced
        /// authentication.
        authentication_method,
        /// Authentication Data that begins the exchange; only with a method.
        authentication_data,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

properties! {
    /// The properties of a will (§3.1.3.2).
    WillProperties owned OwnedWillProperties rule None;
    once {
        /// Will Delay Interval: seconds between the loss of the client and the Will; `None` means
        /// 0.
        will_delay_interval,
        /// Payload Format Indicator; `None` means bytes of no stated format.
        payload_format_indicator,
        /// Message Expiry Interval in seconds; `None` means that the message never expires.
        message_expiry_interval,
        /// Content Type, whose form the application defines, such as a MIME type.
        content_type,
        /// Response Topic: topic that a response should be published to; `None` means that none is
        /// expected.
        response_topic,
        /// Correlation Data: bytes that a response should carry, so that the requester recognises
        /// it.
        correlation_data,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

impl<'a> Connect<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        // The variable header: protocol, flags, keep alive, properties (§3.1.2).
        read_protocol(r)?;
        let flags = read_flags(r)?;
        let keep_alive = r.u16("keep_alive")?;
        let before = r.peek_rest();
        let properties = ConnectProperties::read(r)?;
        // Authentication data has no meaning without a method.
        if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
            let at = offset_of(row::authentication_data::ID, before, r.end());
            r.refuse(r.protocol_at(at, row::authentication_data::NAME, Some("U-3.1.2-2")))?;
        }
        // The payload (§3.1.3): the Client Identifier is always there, all else has a flag.
        expect_more(r, "client_id", "MQTT-3.1.3-3")?;
        let client_id = Utf8String::read(r, Rule::form("client_id"))?;
        // Will, User Name and Password are there if their flags are set, in this order.
        let will = if flags & WILL != 0 {
            Some(Will::read(r, flags)?)
        } else {
            None
        };
        let username = if flags & USERNAME != 0 {
            expect_more(r, "username", "MQTT-3.1.2-17")?;
            Some(Utf8String::read(r, Rule::form("username"))?)
        } else {
            None
        };
        let password = if flags & PASSWORD != 0 {
            expect_more(r, "password", "MQTT-3.1.2-19")?;
            Some(BinaryData::read(r, Rule::form("password"))?)
        } else {
            None
        };
        if !r.is_empty() {
            // A field without its flag, or bytes that are nothing at all. [MQTT-3.1.2-16]
            // [MQTT-3.1.2-18]
            // The statement tells which flag is missing.
            let statement = match (username, password) {
                (None, _) => Some("MQTT-3.1.2-16"),
                (_, None) => Some("MQTT-3.1.2-18"),
                _ => None,
            };
            return Err(r.malformed("payload", statement));
        }
        let clean_start = flags & CLEAN_START != 0;
        Ok(Self {
            clean_start,
            keep_alive,
            properties,
            client_id,
            will,
            username,
            password,
        })
    }

    /// Sets the fields from a body that was checked before.
    fn fill(&mut self, mut rest: Validated<'a>) -> Option<()> {
        // The protocol's name and its version.
        rest.prefixed()?;
        rest.u8()?;
        let flags = rest.u8()?;
        self.clean_start = flags & CLEAN_START != 0;
        self.keep_alive = u16::reread(&mut rest)?;
        self.properties.fill(rest.properties()?)?;
        // The payload: each field but the first has a flag.
        self.client_id = Utf8String::reread(&mut rest)?;
        if flags & WILL != 0 {
            let will = self.will.insert(Will::new(
                TopicName::of_validated(""),
                BinaryData::default(),
            ));
            will.fill(&mut rest, flags)?;
        }
        if flags & USERNAME != 0 {
            self.username = Utf8String::reread(&mut rest);
        }
        if flags & PASSWORD != 0 {
            self.password = BinaryData::reread(&mut rest);
        }
        Some(())
    }
}

/// Reads the protocol's name and version, before anything of version 5 is read.
fn read_protocol<R: Record>(r: &mut Reader<'_, R>) -> Result<(), DecodeError> {
    let unsupported = |r: &Reader<'_, R>, at, field, statement| DecodeError {
        kind: DecodeErrorKind::UnsupportedVersion,
        reason_code: ReasonCode::UnsupportedProtocolVersion,
        ..r.malformed_at(at, field, Some(statement))
    };
    // The name is checked before the version: another protocol may have anything after its name.
    let at = r.offset();
    if r.prefixed("protocol_name")? != PROTOCOL_NAME {
        return Err(unsupported(r, at, "protocol_name", "MQTT-3.1.2-1"));
    }
    let at = r.offset();
    if r.u8("protocol_version")? != PROTOCOL_VERSION {
        return Err(unsupported(r, at, "protocol_version", "MQTT-3.1.2-2"));
    }
    Ok(())
}

fn read_flags<R: Record>(r: &mut Reader<'_, R>) -> Result<u8, DecodeError> {
    let at = r.offset();
    let flags = r.u8("connect_flags")?;
    // Each combination of flags that is not allowed breaks a statement of its own (§3.1.2.3 to
    // §3.1.2.7).
    let statement = if flags & RESERVED != 0 {
        "MQTT-3.1.2-3"
    } else if flags & WILL_QOS == WILL_QOS {
        "MQTT-3.1.2-12"
    } else if flags & WILL == 0 && flags & WILL_QOS != 0 {
        "MQTT-3.1.2-11"
    } else if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        "MQTT-3.1.2-13"
    } else {
        return Ok(flags);
    };
    r.refuse(r.malformed_at(at, "connect_flags", Some(statement)))?;
    Ok(flags)
}

/// Refuses a packet that ends where `field` must begin.
fn expect_more<R: Record>(
    r: &Reader<'_, R>,
    field: &'static str,
    statement: &'static str,
) -> Result<(), DecodeError> {
    if r.is_empty() {
        Err(r.malformed(field, Some(statement)))
    } else {
        Ok(())
    }
}

impl<'a> Will<'a> {
    fn read<R: Record>(r: &mut Reader<'a, R>, flags: u8) -> Result<Self, DecodeError> {
        expect_more(r, "will_properties", "MQTT-3.1.2-9")?;
        Ok(Self {
            // The flags were checked before: the Will QoS is 0, 1 or 2.
            qos: QoS::from_level((flags & WILL_QOS) >> 3).unwrap_or_default(),
            retain: flags & WILL_RETAIN != 0,
            properties: WillProperties::read(r).map_err(of_will)?,
            topic: TopicName::read_ruled(r, "will_topic", TopicError::WildcardInName.statement())?,
            payload: BinaryData::read(r, Rule::form("will_payload"))?,
        })
    }

    /// Sets the fields of a Will that was checked before.
    fn fill(&mut self, rest: &mut Validated<'a>, flags: u8) -> Option<()> {
        self.qos = QoS::from_level((flags & WILL_QOS) >> 3)?;
        self.retain = flags & WILL_RETAIN != 0;
        self.properties.fill(rest.properties()?)?;
        self.topic = TopicName::reread(rest)?;
        self.payload = BinaryData::reread(rest)?;
        Some(())
    }

    const fn flags(&self) -> u8 {
        WILL | self.qos.level() << 3 | if self.retain { WILL_RETAIN } else { 0 }
    }
}

/// Error about the properties of a Will. The rule of PUBLISH for its Response Topic isn't that of a
/// Will, whose Response Topic is a Topic Name like any other. [MQTT-4.7.0-1]
#[cold]
fn of_will(error: DecodeError) -> DecodeError {
    match error.statement {
        Some("MQTT-3.3.2-14") => DecodeError {
            statement: Some(TopicError::WildcardInName.statement()),
            ..error
        },
        _ => error,
    }
}

impl fmt::Debug for Connect<'_> {
    /// Writes all fields; of the password and of the part of the user name after its first `?` only
    /// the length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("properties", &self.properties)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field(
                "username",
                &self.username.as_ref().map(|username| UserName(username)),
            )
            .field(
                "password",
                &self.password.map(|password| Redacted(password.len())),
            )
            .finish()
    }
}

impl<'a> Large<'a> for Connect<'a> {
    fn read_checked(body: &'a [u8]) -> Self {
        let mut connect = Self::default();
        // The bytes were checked before, so this never ends early.
        let _ = connect.fill(Validated::new(body));
        connect
    }

    #[cfg(feature = "alloc")]
    fn lend(owned: OwnedLarge<'a>) -> Option<Self> {
        match owned {
            OwnedLarge::Connect(owned) => Some(owned.as_borrowed()),
            OwnedLarge::ConnAck(_) => None,
        }
    }
}

impl Body for Connect<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Connect
    }

    #[inline(always)]
    fn check(&self) -> Result<(), EncodeError> {
        if self.properties.authentication_data.is_some()
            && self.properties.authentication_method.is_none()
        {
            // The same rule as in decoding: data needs a method.
            return Err(EncodeError::new(
                EncodeErrorKind::Missing,
                "authentication_method",
            ));
        }
        Ok(())
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        sink.prefixed(PROTOCOL_NAME);
        sink.u8(PROTOCOL_VERSION);
        // The flags follow from the fields that are set.
        sink.u8(flag(self.username.is_some(), USERNAME)
            | flag(self.password.is_some(), PASSWORD)
            | self.will.as_ref().map_or(0, Will::flags)
            | flag(self.clean_start, CLEAN_START));
        sink.u16(self.keep_alive);
        sink.properties(&self.properties);
        // Client Identifier, Will, User Name and Password stand in this order. [MQTT-3.1.3-1]
        self.client_id.write(sink);
        if let Some(will) = &self.will {
            sink.properties(&will.properties);
            will.topic.write(sink);
            will.payload.write(sink);
        }
        if let Some(username) = &self.username {
            username.write(sink);
        }
        if let Some(password) = &self.password {
            password.write(sink);
        }
    }
}
