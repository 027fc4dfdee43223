//! CONNACK (§3.2): the server's answer to CONNECT.

use super::{Body, outcome};
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::property::{Properties, Value, offset_of, properties, row};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::sink::Sink;
use crate::spans::Record;

/// The server lets the client in, or says why not (§3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnAck<'a> {
    /// Whether the server goes on with a session that it had; never when it refuses (§3.2.2.1.1).
    pub session_present: bool,
    /// 0x00, or why not.
    pub reason_code: ReasonCode,
    /// What the server can take and offers.
    pub properties: ConnAckProperties<'a>,
}

properties! {
    /// The properties of CONNACK (§3.2.2.3).
    ConnAckProperties owned OwnedConnAckProperties rule Some("U-3.2.2-1");
    once {
        /// Seconds that the session outlives the connection; absent is what the client asked for.
        session_expiry_interval,
        /// Unacknowledged messages of QoS 1 and 2 that the server takes at a time; absent is 65,535.
        receive_maximum,
        /// The highest QoS to publish with, 0 or 1; absent is 2.
        maximum_qos,
        /// Whether messages can be retained; absent is yes.
        retain_available,
        /// The largest packet in bytes that the server takes; absent is the protocol's own limit.
        maximum_packet_size,
        /// The client identifier of a client that came without one.
        assigned_client_identifier,
        /// The highest topic alias that the server takes; absent is 0: none.
        topic_alias_maximum,
        /// Text for people: logs, not programs.
        reason_string,
        /// Whether filters may have wildcards; absent is yes.
        wildcard_subscription_available,
        /// Whether subscriptions may have identifiers; absent is yes.
        subscription_identifier_available,
        /// Whether subscriptions may be shared; absent is yes.
        shared_subscription_available,
        /// Seconds of keep alive that the client must use instead of its own.
        server_keep_alive,
        /// What the client may build response topics from.
        response_information,
        /// Other servers to use, separated by spaces.
        server_reference,
        /// The method of enhanced authentication, as in CONNECT.
        authentication_method,
        /// The last data of that method.
        authentication_data,
    }
    many {
        /// What the application adds.
        user_properties: user_property,
    }
}

impl<'a> ConnAck<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        let flags_at = r.offset();
        let flags = r.u8("connect_acknowledge_flags")?;
        if flags > 1 {
            r.refuse(r.malformed_at(flags_at, "connect_acknowledge_flags", Some("MQTT-3.2.2-1")))?;
        }
        let reason_code = ReasonCode::read(r, PacketType::ConnAck)?;
        let mut session_present = flags == 1;
        if session_present && reason_code.is_error() {
            if !r.leniency().session_present_on_refusal {
                return Err(r.protocol_at(flags_at, "session_present", Some("MQTT-3.2.2-6")));
            }
            session_present = false;
        }
        let before = r.peek_rest();
        let properties = ConnAckProperties::read(r)?;
        if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
            let at = offset_of(row::authentication_data::ID, before, r.end());
            return Err(r.protocol_at(at, row::authentication_data::NAME, Some("U-3.2.2-1")));
        }
        r.finish("properties")?;
        Ok(Self {
            session_present,
            reason_code,
            properties,
        })
    }
}

impl Body for ConnAck<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::ConnAck
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.session_present && self.reason_code.is_error() {
            return Err(EncodeError::new(
                EncodeErrorKind::NotAllowed,
                "session_present",
            ));
        }
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

    fn write<S: Sink>(&self, sink: &mut S) {
        sink.u8(u8::from(self.session_present));
        self.reason_code.write(sink);
        sink.properties(&self.properties);
    }
}
