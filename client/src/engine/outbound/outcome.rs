//! Outcomes of requests: as the application takes them, and in the compact form in which they are
//! kept until then.

use dunlin_codec::{PacketId, ReasonCode};

use crate::error::{Omitted, RequestError, copied_bytes};

/// Outcome of a request that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A message of QoS 0 was written; a message of QoS 1 or 2 was acknowledged.
    Published(Published),
    /// SUBACK or UNSUBACK was received, whatever its reason codes are.
    Answered(Answered),
    /// Re-authentication succeeded on both sides.
    Reauthenticated,
}

/// Outcome of a publish that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Packet Identifier of the exchange; `None` at QoS 0.
    pub packet_id: Option<PacketId>,
    /// Reason code of PUBACK or PUBCOMP: success, or success without matching subscribers.
    ///
    /// At QoS 2 it is [`PacketIdentifierNotFound`](ReasonCode::PacketIdentifierNotFound) if the
    /// server has lost the exchange after PUBREC: it had received the message by then.
    pub reason_code: ReasonCode,
    /// Reason String of the server; `None` if it sent none.
    pub reason_string: Option<String>,
    /// User Properties of the server, in order: pairs of name and value.
    pub user_properties: Vec<(String, String)>,
    /// Sizes of the parts of the reason string and the user properties that were not copied.
    pub omitted: Omitted,
    /// `true` if the message was published a second time after its session was lost. The server
    /// may then have received it twice.
    pub republished: bool,
}

impl Published {
    /// Outcome at QoS 0, which has no acknowledgement.
    pub(crate) const fn unacknowledged() -> Self {
        Self {
            packet_id: None,
            reason_code: ReasonCode::Success,
            reason_string: None,
            user_properties: Vec::new(),
            omitted: Omitted {
                user_properties: 0,
                bytes: 0,
            },
            republished: false,
        }
    }
}

/// Content of a SUBACK or UNSUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// Packet Identifier of the exchange.
    pub packet_id: PacketId,
    /// Reason codes, one for each filter, in the order of the request.
    pub reason_codes: Vec<ReasonCode>,
    /// Reason String of the server; `None` if it sent none.
    pub reason_string: Option<String>,
    /// User Properties of the server, in order: pairs of name and value.
    pub user_properties: Vec<(String, String)>,
    /// Sizes of the parts of the reason string and the user properties that were not copied.
    pub omitted: Omitted,
    /// `true` if the request was sent again as a new one, because the first connection ended before
    /// the answer.
    pub reissued: bool,
}

/// An outcome as a request keeps it until it is taken.
///
/// Most requests end with a plain success, which needs no memory of its own.
#[derive(Debug)]
pub(in crate::engine) enum CompactOutcome {
    /// PUBACK or PUBCOMP without texts.
    Acknowledged {
        packet_id: PacketId,
        reason_code: ReasonCode,
        republished: bool,
    },
    /// Any other outcome.
    Other(Box<Result<Outcome, RequestError>>),
}

impl CompactOutcome {
    /// Bytes of the server's texts in the outcome.
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

impl From<Result<Outcome, RequestError>> for CompactOutcome {
    fn from(outcome: Result<Outcome, RequestError>) -> Self {
        Self::Other(Box::new(outcome))
    }
}

impl From<CompactOutcome> for Result<Outcome, RequestError> {
    #[inline]
    fn from(outcome: CompactOutcome) -> Self {
        match outcome {
            CompactOutcome::Acknowledged {
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
            CompactOutcome::Other(outcome) => *outcome,
        }
    }
}
