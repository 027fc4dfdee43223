//! How a request ended, kept small: most ends are good ones to which the server had nothing to add.

use dunlin_codec::{PacketId, ReasonCode};

use crate::engine::outbound::operation::{Outcome, Published};
use crate::error::{Omitted, RequestError, copied_bytes};

/// An outcome, as requests keep it until it is taken.
#[derive(Debug)]
pub(in crate::engine) enum Conclusion {
    /// A message is the server's, and nothing more was said.
    Acknowledged {
        packet_id: PacketId,
        reason_code: ReasonCode,
        republished: bool,
    },
    /// Everything else, which is rarer, and large.
    Other(Box<Result<Outcome, RequestError>>),
}

impl Conclusion {
    /// Bytes of the server's texts in it.
    #[inline]
    pub(in crate::engine) fn copied_bytes(&self) -> usize {
        match self {
            Self::Acknowledged { .. } => 0,
            Self::Other(outcome) => match &**outcome {
                Ok(Outcome::Published(published)) => {
                    copied_bytes(published.reason_string.as_ref(), &published.user_properties)
                }
                Ok(Outcome::Answered(answer)) => {
                    copied_bytes(answer.reason_string.as_ref(), &answer.user_properties)
                }
                Ok(Outcome::Reauthenticated) => 0,
                Err(RequestError::Refused(reason)) => reason.copied_bytes(),
                Err(_) => 0,
            },
        }
    }
}

impl From<Result<Outcome, RequestError>> for Conclusion {
    fn from(outcome: Result<Outcome, RequestError>) -> Self {
        Self::Other(Box::new(outcome))
    }
}

impl From<Conclusion> for Result<Outcome, RequestError> {
    #[inline]
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Acknowledged {
                packet_id,
                reason_code,
                republished,
            } => Ok(Outcome::Published(Published {
                packet_id: Some(packet_id),
                reason_code,
                reason_string: None,
                user_properties: Vec::new(),
                omitted: Omitted::default(),
                republished,
            })),
            Conclusion::Other(outcome) => *outcome,
        }
    }
}
