//! AUTH (§3.15): a step of enhanced authentication.

use super::{Body, outcome};
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::property::{Properties, properties, row};
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::sink::Sink;
use crate::spans::Record;

/// A step of enhanced authentication (§3.15).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Auth<'a> {
    /// Whether it goes on, starts again, or is over.
    pub reason_code: ReasonCode,
    /// The method and its data.
    pub properties: AuthProperties<'a>,
}

properties! {
    /// The properties of AUTH (§3.15.2.2).
    AuthProperties owned OwnedAuthProperties rule Some("U-3.15-1");
    once {
        /// The method of CONNECT. May be absent only where everything is (§3.15.2.1).
        authentication_method,
        /// What the method has to say.
        authentication_data,
        /// Text for people: logs, not programs.
        reason_string,
    }
    many {
        /// What the application adds.
        user_properties: user_property,
    }
}

impl AuthProperties<'_> {
    /// The standard lets an AUTH leave out everything and demands a method at the same time: what
    /// is there has one.
    fn lacks_method(&self, reason_code: ReasonCode) -> bool {
        self.authentication_method.is_none()
            && (reason_code != ReasonCode::Success || !self.is_empty())
    }
}

impl<'a> Auth<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        let short = r.is_empty();
        let (reason_code, properties): (_, AuthProperties<'a>) =
            outcome::read(PacketType::Auth, r)?;
        if !short && properties.authentication_method.is_none() {
            return Err(r.protocol_at(
                r.offset(),
                row::authentication_method::NAME,
                Some("U-3.15-1"),
            ));
        }
        Ok(Self {
            reason_code,
            properties,
        })
    }
}

impl Body for Auth<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Auth
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.properties.lacks_method(self.reason_code) {
            return Err(EncodeError::new(
                EncodeErrorKind::Missing,
                "authentication_method",
            ));
        }
        outcome::check(self.reason_code, PacketType::Auth)
    }

    fn write<S: Sink>(&self, sink: &mut S) {
        outcome::write(self.reason_code, &self.properties, sink);
    }
}
