//! What a client says when it leaves.

use dunlin_codec::{Disconnect, DisconnectProperties, ReasonCode};

use crate::options::OptionsError;

/// What is in the DISCONNECT that the application asks for (§3.14): by default neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Farewell {
    /// Whether the server publishes the will although the client has said goodbye (0x04).
    pub with_will: bool,
    /// How many seconds the session still lives, instead of what CONNECT said: 0 ends it now. Where CONNECT said 0 or
    /// nothing, there is nothing to prolong (§3.14.2.2.2).
    pub session_expiry_interval: Option<u32>,
}

impl Farewell {
    /// Whether it may be said where CONNECT said `session_expiry_interval`. [U-3.14.2-1]
    pub(crate) fn check(&self, session_expiry_interval: Option<u32>) -> Result<(), OptionsError> {
        let prolongs = self.session_expiry_interval.is_some_and(|seconds| seconds > 0);
        if prolongs && session_expiry_interval.unwrap_or(0) == 0 {
            return Err(OptionsError::Farewell);
        }
        Ok(())
    }

    pub(crate) fn to_packet(self) -> Disconnect<'static> {
        let reason_code = if self.with_will { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
        let properties = DisconnectProperties {
            session_expiry_interval: self.session_expiry_interval,
            ..DisconnectProperties::default()
        };
        Disconnect { reason_code, properties }
    }
}
