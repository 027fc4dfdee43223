//! A request that is in order and isn't granted: the client is told, and stays connected.

use dunlin_codec::ReasonCode;

use crate::denial::{Denial, Denials};
use crate::event::Outcome;
use crate::policy::Decision;
use crate::server::close_reason::{CloseReason, without_controls};

/// What a SUBACK or PUBACK says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) reason_code: ReasonCode,
    pub(crate) reason: String,
    /// The policy's decision, where it is the reason: the one denial for which there is a choice
    /// how to tell it.
    pub(crate) decision: Option<Box<Decision>>,
    /// The topic is one of those that the service keeps for itself: there is a choice for it, too.
    pub(crate) is_reserved: bool,
    /// It is thrown away and the connection goes on, even where nothing tells the client.
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

    /// The decision, where it allows.
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

    /// How the connection ends, where the denial isn't told by the answer to its request.
    pub(crate) fn ending(&self, denials: Denials) -> Option<CloseReason> {
        let denial = match &self.decision {
            Some(_) => denials.operation,
            None if self.is_reserved => denials.reserved_topic,
            None => return None,
        };
        match denial {
            Denial::ReasonCode => None,
            Denial::Disconnect => Some(CloseReason::told(self.reason_code, self.reason.clone())),
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
