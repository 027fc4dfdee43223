//! `DisconnectOptions`: content of the DISCONNECT that a client sends.

use dunlin_codec::{
    Disconnect, DisconnectProperties, PacketType, ReasonCode, Sender, UserProperty, Utf8String,
};

use crate::error::{OptionsError, text};
use crate::will;

/// Content of the DISCONNECT that the application asks for (§3.14).
///
/// ```
/// use dunlin_client::DisconnectOptions;
///
/// let disconnect = DisconnectOptions {
///     reason_string: Some("battery low".to_owned()),
///     user_properties: vec![("volts".to_owned(), "3.1".to_owned())],
///     ..DisconnectOptions::default()
/// };
/// # assert!(!disconnect.with_will);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisconnectOptions {
    /// Disconnect with Will Message (reason code 0x04): the server publishes the will all the same.
    /// Default: `false`. Any reason code other than 0x00 has the same effect.
    pub with_will: bool,
    /// Reason code. `None`, the default, means 0x04 with [`with_will`](Self::with_will) and 0x00
    /// without. One that a client may not send is refused (§3.14.2.1).
    pub reason_code: Option<ReasonCode>,
    /// Reason String of at most 65,535 bytes; left out if the packet would exceed the server's Maximum
    /// Packet Size. Default: `None`.
    pub reason_string: Option<String>,
    /// User Properties, in order; left out if the packet would exceed the server's Maximum Packet Size.
    /// Default: empty.
    pub user_properties: Vec<(String, String)>,
    /// Session Expiry Interval in seconds that replaces the one in CONNECT; 0 ends the session now. A
    /// value above 0 is refused if CONNECT had 0 or none (§3.14.2.2.2).
    ///
    /// `None`, the default: a [`Client`](crate::Client) that stops ends its session with 0, unless the
    /// session goes on: in a store, by [`disconnect_keeping_session`](crate::Client::disconnect_keeping_session), or for
    /// the next run of a client with [`CleanStart::Never`](crate::CleanStart::Never). Then,
    /// and for an [`Engine`](crate::engine::Engine), the value in CONNECT stays.
    pub session_expiry_interval: Option<u32>,
}

impl DisconnectOptions {
    /// Checks that the packet can be sent after a CONNECT with this Session Expiry Interval.
    /// [U-3.14.2-1]
    pub(crate) fn check(&self, session_expiry_interval: Option<u32>) -> Result<(), OptionsError> {
        // A session that CONNECT ended with the connection can't be prolonged by DISCONNECT
        // (§3.14.2.2.2).
        let prolongs = self
            .session_expiry_interval
            .is_some_and(|seconds| seconds > 0);
        if prolongs && session_expiry_interval.unwrap_or(0) == 0 {
            return Err(OptionsError::DisconnectSessionExpiry);
        }
        if !self
            .code()
            .is_legal_in(PacketType::Disconnect, Sender::Client)
        {
            return Err(OptionsError::DisconnectReasonCode {
                reason_code: self.code(),
            });
        }
        self.to_packet(&self.user_properties()?)?;
        Ok(())
    }

    const fn code(&self) -> ReasonCode {
        match self.reason_code {
            Some(code) => code,
            None if self.with_will => ReasonCode::DisconnectWithWill,
            None => ReasonCode::Success,
        }
    }

    /// User properties for [`to_packet`](Self::to_packet).
    pub(crate) fn user_properties(&self) -> Result<Vec<UserProperty<'_>>, OptionsError> {
        will::user_properties("disconnect user property", &self.user_properties)
    }

    pub(crate) fn to_packet<'a>(
        &'a self,
        user_properties: &'a [UserProperty<'a>],
    ) -> Result<Disconnect<'a>, OptionsError> {
        let reason_string = self
            .reason_string
            .as_deref()
            .map(Utf8String::new)
            .transpose();
        Ok(Disconnect {
            properties: DisconnectProperties {
                reason_string: reason_string.map_err(text("disconnect reason string"))?,
                user_properties: user_properties.into(),
                ..self.without_texts().properties
            },
            ..self.without_texts()
        })
    }

    /// Packet without reason string and user properties.
    pub(crate) fn without_texts(&self) -> Disconnect<'static> {
        let properties = DisconnectProperties {
            session_expiry_interval: self.session_expiry_interval,
            ..DisconnectProperties::default()
        };
        Disconnect {
            reason_code: self.code(),
            properties,
        }
    }
}
