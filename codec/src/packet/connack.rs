//! CONNACK (§3.2): the server's answer to CONNECT.

use super::encoding::Body;
use super::outcome;
use super::properties::{Properties, properties};
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::on_demand::Large;
#[cfg(feature = "alloc")]
use crate::on_demand::OwnedLarge;
use crate::packet_type::PacketType;
use crate::property::{offset_of, row};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
use crate::validated::Validated;
use crate::value::Value;

/// CONNACK (§3.2): the server accepts or refuses a connection.
///
/// ```
/// use dunlin_codec::{ConnAck, ConnAckProperties, ReasonCode, Utf8String};
///
/// let connack = ConnAck {
///     properties: ConnAckProperties {
///         reason_string: Some(Utf8String::new("no such user")?),
///         ..ConnAckProperties::default()
///     },
///     ..ConnAck::new(ReasonCode::NotAuthorized)
/// };
/// assert_eq!(connack.encoded_len()?, 20);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ConnAck<'a> {
    /// Session Present flag (§3.2.2.1.1): the server continues an earlier session; never set in a
    /// refusal.
    pub session_present: bool,
    /// Reason code (§3.2.2.2): success, or the reason of a refusal (0x80 and above).
    pub reason_code: ReasonCode,
    /// Properties (§3.2.2.3): the server's limits and features.
    pub properties: ConnAckProperties<'a>,
}

properties! {
    /// The properties of CONNACK (§3.2.2.3).
    ConnAckProperties owned OwnedConnAckProperties rule Some("U-3.2.2-1");
    once {
        /// Session Expiry Interval in seconds, which replaces that of CONNECT; `None` means that of
        /// CONNECT.
        session_expiry_interval,
        /// Receive Maximum: number of unacknowledged messages of QoS 1 and 2 that the server
        /// accepts at a time; `None` means 65,535.
        receive_maximum,
        /// Maximum QoS that clients may publish with, QoS 0 or 1; `None` means QoS 2.
        maximum_qos,
        /// Retain Available: `false` means that retained messages are not supported; `None` means
        /// `true`.
        retain_available,
        /// Maximum Packet Size that the server accepts, in bytes; `None` means 268,435,460, the
        /// protocol's limit.
        maximum_packet_size,
        /// Assigned Client Identifier; only for a client that sent none.
        assigned_client_identifier,
        /// Topic Alias Maximum: highest alias that the server accepts; `None` means 0, no aliases.
        topic_alias_maximum,
        /// Reason String: text for logs, not to be parsed; `None` means the sender gave none.
        reason_string,
        /// Wildcard Subscription Available: `false` forbids wildcards in filters; `None` means
        /// `true`.
        wildcard_subscription_available,
        /// Subscription Identifiers Available: `false` forbids them in SUBSCRIBE; `None` means
        /// `true`.
        subscription_identifier_available,
        /// Shared Subscription Available: `false` forbids shared subscriptions; `None` means
        /// `true`.
        shared_subscription_available,
        /// Server Keep Alive in seconds, which replaces that of CONNECT; `None` means that of
        /// CONNECT.
        server_keep_alive,
        /// Response Information: text from which the client builds Response Topics.
        response_information,
        /// Server Reference: other servers to use, separated by spaces.
        server_reference,
        /// Authentication Method, which is that of CONNECT.
        authentication_method,
        /// Authentication Data that ends the exchange; only with a method.
        authentication_data,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

impl<'a> ConnAck<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        // Only bit 0 of the flags has a meaning.
        let flags_at = r.offset();
        let flags = r.u8("connect_acknowledge_flags")?;
        if flags > 1 {
            r.refuse(r.malformed_at(flags_at, "connect_acknowledge_flags", Some("MQTT-3.2.2-1")))?;
        }
        let reason_code = ReasonCode::read(r, PacketType::ConnAck)?;
        // A server that refuses a connection has no session with it, but some set the flag.
        let mut session_present = flags == 1;
        if session_present && reason_code.is_error() {
            if !r.leniency().session_present_on_refusal {
                return Err(r.protocol_at(flags_at, "session_present", Some("MQTT-3.2.2-6")));
            }
            session_present = false;
        }
        // The position is kept for the offset of an error.
        let before = r.peek_rest();
        let properties = ConnAckProperties::read(r)?;
        if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
            let at = offset_of(row::authentication_data::ID, before, r.end());
            return Err(r.protocol_at(at, row::authentication_data::NAME, Some("U-3.2.2-1")));
        }
        // A CONNACK has no payload.
        r.finish("properties")?;
        Ok(Self {
            session_present,
            reason_code,
            properties,
        })
    }

    /// Sets the fields from a body that was checked before.
    fn fill(&mut self, mut rest: Validated<'a>) -> Option<()> {
        let flags = rest.u8()?;
        self.reason_code = ReasonCode::reread(&mut rest)?;
        // In a refusal the flag has no meaning, if it was accepted at all.
        self.session_present = flags == 1 && !self.reason_code.is_error();
        self.properties.fill(rest.properties()?)?;
        Some(())
    }
}

impl<'a> Large<'a> for ConnAck<'a> {
    fn read_checked(body: &'a [u8]) -> Self {
        let mut connack = Self::default();
        // The bytes were checked before, so this never ends early.
        let _ = connack.fill(Validated::new(body));
        connack
    }

    #[cfg(feature = "alloc")]
    fn lend(owned: OwnedLarge<'a>) -> Option<Self> {
        match owned {
            OwnedLarge::ConnAck(owned) => Some(owned.as_borrowed()),
            OwnedLarge::Connect(_) => None,
        }
    }
}

impl Body for ConnAck<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::ConnAck
    }

    #[inline(always)]
    fn check(&self) -> Result<(), EncodeError> {
        if self.session_present && self.reason_code.is_error() {
            return Err(EncodeError::new(
                EncodeErrorKind::NotAllowed,
                "session_present",
            ));
        }
        // The absence of the property means QoS 2.
        if self.properties.maximum_qos == Some(QoS::ExactlyOnce) {
            return Err(EncodeError::new(EncodeErrorKind::NotAllowed, "maximum_qos"));
        }
        if self.properties.authentication_data.is_some()
            && self.properties.authentication_method.is_none()
        {
            return Err(EncodeError::new(
                EncodeErrorKind::Missing,
                "authentication_method",
            ));
        }
        outcome::check(self.reason_code, PacketType::ConnAck)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.u8(u8::from(self.session_present));
        self.reason_code.write(sink);
        sink.properties(&self.properties);
    }
}
