//! Refusal of one valid request: the client is told, and stays connected.

use dunlin_codec::ReasonCode;

use crate::denial::{Denial, Denials};
use crate::event::Outcome;
use crate::policy::Decision;
use crate::server::close_reason::{CloseReason, without_controls};

/// Refusal of a subscription or a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) reason_code: ReasonCode,
    pub(crate) reason: String,
    /// Decision of the policy, if it is the reason; a setting chooses how it is told.
    pub(crate) decision: Option<Box<Decision>>,
    /// The topic is reserved by the service; a setting chooses how it is told.
    pub(crate) is_reserved: bool,
    /// The message is discarded and the connection goes on, even if no packet can tell the client.
    pub(crate) is_discarded: bool,
}

impl Denied {
    pub(crate) fn new(reason_code: ReasonCode, reason: impl ToString) -> Self {
        Self {
            reason_code,
            reason: without_controls(reason.to_string().into()).into_owned(),
            decision: None,
            is_reserved: false,
            is_discarded: false,
        }
    }

    pub(crate) fn on_purpose(reason_code: ReasonCode) -> Self {
        Self::new(reason_code, "refused on purpose (fault)")
    }

    /// The decision, if it allows the request.
    ///
    /// # Errors
    /// The refusal, if it doesn't.
    pub(crate) fn unless_allowed(decision: Decision) -> Result<Decision, Self> {
        if decision.is_allowed() {
            return Ok(decision);
        }
        let denied = Self::new(ReasonCode::NotAuthorized, &decision);
        Err(Self {
            decision: Some(Box::new(decision)),
            ..denied
        })
    }

    /// End of the connection, if the setting tells the refusal so; `None` if the answer to the
    /// request tells it.
    pub(crate) fn ending(&self, denials: Denials) -> Option<CloseReason> {
        // The settings are about the policy and about reserved topics. All other refusals, such as
        // a full queue, are told by the answer.
        let denial = match &self.decision {
            Some(_) => denials.operation,
            None if self.is_reserved => denials.reserved_topic,
            None => return None,
        };
        match denial {
            Denial::ReasonCode => None,
            Denial::Disconnect => Some(CloseReason::with_code(
                self.reason_code,
                self.reason.clone(),
            )),
            Denial::Close => Some(CloseReason::Silent {
                reason: self.reason.clone(),
            }),
        }
    }
}

impl<T> From<Result<T, Denied>> for Outcome<T> {
    fn from(result: Result<T, Denied>) -> Self {
        match result {
            Ok(allowed) => Self::Allowed(allowed),
            Err(Denied {
                reason_code,
                reason,
                decision,
                ..
            }) => Self::Refused {
                reason_code: Some(reason_code),
                reason,
                decision,
            },
        }
    }
}
