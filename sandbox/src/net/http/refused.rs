//! Refusals of HTTP requests: statuses and names of errors as AWS IoT Core has them.

use hyper::StatusCode;

use crate::server::{Limit, RequestRefusal};

/// Refusal of a request: its answer, and the reason for the log.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    /// Text for the client.
    pub(super) message: String,
    /// Text for the log, which may say more.
    pub(super) reason: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, error: &'static str, text: &str) -> Self {
        Self {
            status,
            error,
            message: text.into(),
            reason: text.into(),
        }
    }

    pub(super) fn invalid(reason: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequestException", &reason)
    }

    pub(super) fn throttled(reason: String) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self {
            reason,
            ..Self::new(status, "ThrottlingException", "Rate exceeded")
        }
    }

    pub(super) fn not_found(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", text)
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLargeException",
            "Request entity too large",
        )
    }

    /// The client learns no reason, as at AWS; the log has it.
    pub(super) fn forbidden(reason: String) -> Self {
        Self {
            reason,
            ..Self::new(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden")
        }
    }

    /// Answer to a message that wasn't published.
    pub(super) fn of(refusal: &RequestRefusal) -> Self {
        let reason = refusal.to_string();
        match refusal {
            RequestRefusal::Authorizer(_) | RequestRefusal::Policy(_) => Self::forbidden(reason),
            RequestRefusal::Limit(Limit::Payload { .. }) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                &reason,
            ),
            RequestRefusal::RetainedFull
            | RequestRefusal::SubscriberFull
            | RequestRefusal::NoMemory => Self::throttled(reason),
            RequestRefusal::Fault(_) | RequestRefusal::TakenOver => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalFailureException",
                &reason,
            ),
            RequestRefusal::Limit(_) | RequestRefusal::NoTopic | RequestRefusal::PayloadFormat => {
                Self::invalid(reason)
            }
        }
    }
}
