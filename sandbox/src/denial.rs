//! How a denial is told: AWS's documentation leaves it open, so it is a setting.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the server says no. Parses from `reason-code`, `disconnect` and `close`, as in flags and in
/// the config file.
///
/// ```
/// use dunlin_sandbox::Denial;
///
/// assert_eq!("disconnect".parse(), Ok(Denial::Disconnect));
/// assert!("shrug".parse::<Denial>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// In the packet that answers the request: CONNACK, SUBACK or PUBACK with its code.
    #[default]
    ReasonCode,
    /// DISCONNECT with the code, and the end of the connection. Before a CONNACK none may be sent,
    /// so that a denied CONNECT is only closed.
    Disconnect,
    /// The connection is closed without a word.
    Close,
}

/// How each kind of denial is told: the config file's `deny` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Denials {
    /// A CONNECT that an authorizer or the policy refuses.
    pub connect: Denial,
    /// A SUBSCRIBE or PUBLISH that the policy refuses. A denied PUBLISH of QoS 0 has no answer
    /// that could tell, and ends the connection whatever is set here: with DISCONNECT, or with
    /// `Close` without.
    pub operation: Denial,
    /// A SUBSCRIBE or PUBLISH on a topic that begins with `$` and that AWS IoT Core doesn't
    /// define, in the profile `aws`. The default is `Disconnect`: the developer guide says
    /// that it "can result in a terminated connection".
    pub reserved_topic: Denial,
}

impl Default for Denials {
    fn default() -> Self {
        let told = Denial::ReasonCode;
        Self {
            connect: told,
            operation: told,
            reserved_topic: Denial::Disconnect,
        }
    }
}

/// A text that is no denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no way to deny; there are: reason-code, disconnect, close")]
pub struct DenialError(String);

impl Denial {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ReasonCode, Self::Disconnect, Self::Close];

    const fn name(self) -> &'static str {
        match self {
            Self::ReasonCode => "reason-code",
            Self::Disconnect => "disconnect",
            Self::Close => "close",
        }
    }
}

impl FromStr for Denial {
    type Err = DenialError;

    fn from_str(text: &str) -> Result<Self, DenialError> {
        let named = Self::ALL.into_iter().find(|denial| denial.name() == text);
        named.ok_or_else(|| DenialError(text.into()))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_spelled_alike_in_flags_and_files() {
        for denial in Denial::ALL {
            assert_eq!(denial.to_string().parse(), Ok(denial));
            assert_eq!(serde_json::to_value(denial).unwrap(), denial.to_string());
        }
    }

    #[test]
    fn what_a_file_leaves_out_is_told_by_reason_codes() {
        let denials: Denials = serde_json::from_str(r#"{"operation":"close"}"#).unwrap();
        assert_eq!(
            denials,
            Denials {
                operation: Denial::Close,
                ..Denials::default()
            }
        );
    }
}
