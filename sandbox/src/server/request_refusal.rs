//! Refusal of one valid request: the answer has its reason code, and the client stays connected.

use dunlin_codec::{Escaped, ReasonCode, needs_escape};

use crate::authorizer::Refusal;
use crate::event::Outcome;
use crate::policy::Decision;
use crate::server::limit::Limit;
use crate::server::limits::{MAX_RETAINED, MAX_RETAINED_BYTES};

/// Reason to refuse a CONNECT, a subscription, a message or a refresh. `Display` is the sentence for
/// the reason string and the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestRefusal {
    /// The authorizers refuse the credentials.
    #[error(transparent)]
    Authorizer(Box<Refusal>),
    /// The policy doesn't allow the request.
    #[error("{0}")]
    Policy(Box<Decision>),
    /// The request breaks a limit of the profile.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// A fault on demand.
    #[error("refused on purpose (fault)")]
    Fault(ReasonCode),
    #[error("no topic")]
    NoTopic,
    #[error("the payload isn't the UTF-8 that its format indicator says")]
    PayloadFormat,
    /// The message would be retained, and there is no space.
    #[error(
        "the sandbox keeps at most {MAX_RETAINED} retained messages, and {} MiB of them",
        MAX_RETAINED_BYTES / (1024 * 1024)
    )]
    RetainedFull,
    /// The queue of a subscriber is full, and the setting refuses the message.
    #[error("the queue of a subscriber is full")]
    SubscriberFull,
    /// The filters of all subscriptions use as much memory as they may.
    #[error("the sandbox has no memory left for more subscriptions")]
    NoMemory,
    /// The session has ended, or another connection has it.
    #[error("another client has taken the client id over")]
    TakenOver,
}

impl RequestRefusal {
    /// Returns the decision of a policy if it allows the request.
    ///
    /// # Errors
    /// [`RequestRefusal::Policy`] if it doesn't.
    pub(crate) fn unless_allowed(decision: Decision) -> Result<Decision, Self> {
        if decision.is_allowed() {
            Ok(decision)
        } else {
            Err(Self::Policy(Box::new(decision)))
        }
    }

    /// Reason code of the answer to the request.
    pub(crate) const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Authorizer(refusal) => refusal.reason_code(),
            Self::Policy(_) => ReasonCode::NotAuthorized,
            Self::Limit(limit) => limit.reason_code(),
            Self::Fault(reason_code) => *reason_code,
            Self::NoTopic => ReasonCode::TopicNameInvalid,
            Self::PayloadFormat => ReasonCode::PayloadFormatInvalid,
            Self::RetainedFull | Self::SubscriberFull | Self::NoMemory => ReasonCode::QuotaExceeded,
            Self::TakenOver => ReasonCode::UnspecifiedError,
        }
    }

    /// Sentence for the reason string and the log, without control characters.
    pub(crate) fn reason(&self) -> String {
        without_controls(self.to_string())
    }

    /// True for a message beyond the rate of the profile: it is discarded and the connection goes on,
    /// even at QoS 0, where no packet can tell the client.
    pub(crate) const fn is_discarded(&self) -> bool {
        matches!(self, Self::Limit(Limit::Messages(_)))
    }
}

impl From<Refusal> for RequestRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Authorizer(Box::new(refusal))
    }
}

impl<T> From<Result<T, RequestRefusal>> for Outcome<T> {
    fn from(result: Result<T, RequestRefusal>) -> Self {
        match result {
            Ok(allowed) => Self::Allowed(allowed),
            Err(refusal) => Self::Refused {
                reason_code: Some(refusal.reason_code()),
                reason: refusal.reason(),
                decision: match refusal {
                    RequestRefusal::Policy(decision) => Some(decision),
                    _ => None,
                },
            },
        }
    }
}

/// Escapes control characters in a reason that goes out in a packet, as it may quote text of a
/// client.
pub(crate) fn without_controls(reason: String) -> String {
    if reason.chars().any(needs_escape) {
        Escaped(reason).to_string()
    } else {
        reason
    }
}
