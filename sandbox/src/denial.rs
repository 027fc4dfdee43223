//! Answers to a denied request: AWS's documentation leaves them open, so they are settings.

use serde::{Deserialize, Serialize};

use crate::setting::setting;

/// Answer to a denied request. Parses from `reason-code`, `disconnect` and `close`, as in flags and
/// in the config file.
///
/// ```
/// use dunlin_sandbox::Denial;
///
/// assert_eq!("disconnect".parse(), Ok(Denial::Disconnect));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Denial {
    /// The packet that answers the request, with a reason code: CONNACK, SUBACK or PUBACK.
    #[default]
    ReasonCode,
    /// DISCONNECT with the code, and the end of the connection. Before a CONNACK none may be sent,
    /// so that a denied CONNECT is only closed.
    Disconnect,
    /// No packet: the connection is closed.
    Close,
}

/// Answer to each kind of denied request: the config file's `deny` table.
///
/// ```
/// use dunlin_sandbox::{Denial, Denials, SandboxOptions};
///
/// // How does the application cope with a server that closes the connection without a word?
/// let options = SandboxOptions {
///     denials: Denials {
///         operation: Denial::Close,
///         ..Denials::default()
///     },
///     ..SandboxOptions::default()
/// };
/// ```
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

setting!(Denial {
    ReasonCode => "reason-code",
    Disconnect => "disconnect",
    Close => "close",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_settings_mean_an_answer_with_a_reason_code() {
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
