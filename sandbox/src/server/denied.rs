//! A request that is in order and isn't granted: the client is told, and stays connected.

use dunlin_codec::ReasonCode;

use crate::event::Outcome;
use crate::policy::Decision;

/// What a SUBACK or PUBACK says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) reason_code: ReasonCode,
    pub(crate) reason: String,
}

impl Denied {
    pub(crate) fn new(reason_code: ReasonCode, reason: impl ToString) -> Self {
        Self { reason_code, reason: reason.to_string() }
    }

    pub(crate) fn on_purpose(reason_code: ReasonCode) -> Self {
        Self::new(reason_code, "refused on purpose (fault)")
    }

    /// The decision, where it allows.
    pub(crate) fn unless_allowed(decision: Decision) -> Result<Decision, Self> {
        if decision.is_allowed() { Ok(decision) } else { Err(Self::new(ReasonCode::NotAuthorized, decision)) }
    }
}

impl<T> From<Result<T, Denied>> for Outcome<T> {
    fn from(result: Result<T, Denied>) -> Self {
        match result {
            Ok(allowed) => Self::Allowed(allowed),
            Err(denied) => Self::Refused { reason_code: Some(denied.reason_code), reason: denied.reason },
        }
    }
}
