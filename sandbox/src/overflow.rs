//! What happens to a message for a subscriber whose queue is full.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What happens to a message of QoS 1 or 2 when as many messages wait for a subscriber as may:
/// 1,000, or 4 MiB.
///
/// Parses from `drop`, `end-session` and `refuse`. The log tells every message that is lost. A
/// message of QoS 0 is always dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenQueueFull {
    /// The new message isn't queued for this subscriber: what AWS IoT Core documents, and the
    /// default of its profile.
    Drop,
    /// The session ends, so that its client learns of the gap: with DISCONNECT 0x97 if it is
    /// connected, else by the next CONNACK, which says that there is no session. The default of
    /// the profile `mqtt5`.
    EndSession,
    /// The publisher is told 0x97 (Quota exceeded), and nobody gets the message. A retained message
    /// that a new subscription would get has no publisher to refuse: the session ends, as with
    /// [`Self::EndSession`].
    Refuse,
}

/// A text that is no [`WhenQueueFull`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} isn't known; there are: drop, end-session, refuse")]
pub struct WhenQueueFullError(String);

impl WhenQueueFull {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Drop, Self::EndSession, Self::Refuse];

    const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::EndSession => "end-session",
            Self::Refuse => "refuse",
        }
    }
}

impl FromStr for WhenQueueFull {
    type Err = WhenQueueFullError;

    fn from_str(text: &str) -> Result<Self, WhenQueueFullError> {
        let named = Self::ALL.into_iter().find(|when| when.name() == text);
        named.ok_or_else(|| WhenQueueFullError(text.into()))
    }
}

impl fmt::Display for WhenQueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spelled_alike_in_flags_and_files() {
        for when in WhenQueueFull::ALL {
            assert_eq!(when.to_string().parse(), Ok(when));
            assert_eq!(serde_json::to_value(when).unwrap(), when.to_string());
        }
    }
}
