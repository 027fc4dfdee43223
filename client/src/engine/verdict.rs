//! How a request ended, kept small: most ends are good ones to which the server had nothing to add.

use dunlin_codec::{PacketId, ReasonCode};

use super::operation::{Outcome, Published};
use crate::error::RequestError;

/// An outcome, as requests keep it until it is taken.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A message is on the wire, or the server's; nothing more was said.
    Published { packet_id: Option<PacketId>, reason_code: ReasonCode, republished: bool },
    /// Everything else, which is rare, and large.
    Other(Box<Result<Outcome, RequestError>>),
}

impl From<Result<Outcome, RequestError>> for Verdict {
    fn from(outcome: Result<Outcome, RequestError>) -> Self {
        match outcome {
            Ok(Outcome::Published(Published {
                packet_id,
                reason_code,
                reason_string: None,
                user_properties,
                republished,
            })) if user_properties.is_empty() => Self::Published { packet_id, reason_code, republished },
            other => Self::Other(Box::new(other)),
        }
    }
}

impl From<Verdict> for Result<Outcome, RequestError> {
    #[inline]
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Published { packet_id, reason_code, republished } => Ok(Outcome::Published(Published {
                packet_id,
                reason_code,
                reason_string: None,
                user_properties: Vec::new(),
                republished,
            })),
            Verdict::Other(outcome) => *outcome,
        }
    }
}
