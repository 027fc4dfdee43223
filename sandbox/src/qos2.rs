//! What a SUBSCRIBE at QoS 2 gets in the profile `aws`: AWS's documents name two answers, so it is
//! a setting.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What happens to a SUBSCRIBE with a filter at QoS 2 in the profile `aws`, which has QoS 0 and 1.
///
/// Parses from `no-answer`, `disconnect` and `grant`. The profile `mqtt5` has QoS 2 and ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscribeQoS2 {
    /// No SUBACK is sent and no subscription made, as the developer guide says: "the message broker
    /// doesn't send a PUBACK or SUBACK". The log tells.
    #[default]
    NoAnswer,
    /// DISCONNECT 0x9B (QoS not supported), which the guide also lists.
    Disconnect,
    /// The subscription is granted with QoS 1, as MQTT 5 would have it. AWS IoT Core doesn't do
    /// this.
    Grant,
}

/// A text that is no [`SubscribeQoS2`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} isn't known; there are: no-answer, disconnect, grant")]
pub struct SubscribeQoS2Error(String);

impl SubscribeQoS2 {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NoAnswer, Self::Disconnect, Self::Grant];

    const fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "no-answer",
            Self::Disconnect => "disconnect",
            Self::Grant => "grant",
        }
    }
}

impl FromStr for SubscribeQoS2 {
    type Err = SubscribeQoS2Error;

    fn from_str(text: &str) -> Result<Self, SubscribeQoS2Error> {
        let named = Self::ALL.into_iter().find(|answer| answer.name() == text);
        named.ok_or_else(|| SubscribeQoS2Error(text.into()))
    }
}

impl fmt::Display for SubscribeQoS2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spelled_alike_in_flags_and_files() {
        for answer in SubscribeQoS2::ALL {
            assert_eq!(answer.to_string().parse(), Ok(answer));
            assert_eq!(serde_json::to_value(answer).unwrap(), answer.to_string());
        }
    }
}
