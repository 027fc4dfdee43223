//! AUTH (§3.15): a step of enhanced authentication.

use super::encoding::Body;
use super::outcome;
use super::properties::{Properties, properties};
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::property::row;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
#[cfg(feature = "alloc")]
use crate::validated::Validated;

/// AUTH (§3.15): a step of enhanced authentication.
///
/// ```
/// use dunlin_codec::{Auth, AuthProperties, BinaryData, ReasonCode, Utf8String};
///
/// let method = Utf8String::new("SCRAM-SHA-256")?;
/// let mut auth = Auth::new(ReasonCode::ContinueAuthentication, method);
/// auth.properties.authentication_data = Some(BinaryData::new(b"n,,n=lamp")?);
/// assert_eq!(auth.encoded_len()?, 32);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Auth<'a> {
    /// Reason code (§3.15.2.1): success, continue authentication, or re-authenticate.
    pub reason_code: ReasonCode,
    /// Properties (§3.15.2.2): the method and its data.
    pub properties: AuthProperties<'a>,
}

properties! {
    /// The properties of AUTH (§3.15.2.2).
    AuthProperties owned OwnedAuthProperties rule Some("U-3.15-1");
    once {
        /// Authentication Method, which is that of CONNECT; `None` only in an AUTH without reason
        /// code and properties (§3.15.2.1).
        authentication_method,
        /// Authentication Data, whose form the method defines.
        authentication_data,
        /// Reason String: text for logs, not to be parsed; `None` means the sender gave none.
        reason_string,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

impl AuthProperties<'_> {
    /// True if the method is missing. The standard requires one, and allows an AUTH without reason
    /// code and properties: all others have one.
    fn lacks_method(&self, reason_code: ReasonCode) -> bool {
        self.authentication_method.is_none()
            && (reason_code != ReasonCode::Success || !self.is_empty())
    }
}

impl<'a> Auth<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        // An AUTH without reason code and properties is the short form of success. [U-3.4-1]
        let short = r.is_empty();
        let (reason_code, properties): (_, AuthProperties<'a>) =
            outcome::read(PacketType::Auth, r)?;
        // Only servers send success, in whatever form.
        if short && !reason_code.is_legal_in(PacketType::Auth, r.sender()) {
            let statement = PacketType::Auth.reason_code_rule();
            return Err(r.protocol_at(r.offset(), "reason_code", statement));
        }
        // All other forms name the method.
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

    /// Reads a body that was checked before.
    #[cfg(feature = "alloc")]
    pub(super) fn reread(mut rest: Validated<'a>) -> Option<Self> {
        let (reason_code, properties) = outcome::reread(&mut rest)?;
        Some(Self {
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

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        outcome::write(self.reason_code, &self.properties, sink);
    }
}
