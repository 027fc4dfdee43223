//! `HttpPublishError`: cause of a message that wasn't published over HTTP.

use std::fmt;
use std::time::Duration;

use dunlin_codec::Escaped;

use super::signer::SigningError;
use crate::error::{PeerAddress, RequestError, TransportError};

/// Cause of a message that wasn't published over HTTP. No text contains a secret of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpPublishError {
    /// A part of the message can't be sent, such as its topic; nothing was sent.
    #[error(transparent)]
    Message(#[from] RequestError),
    /// QoS 2 and topic aliases don't exist over HTTP; nothing was sent.
    #[error("{0} isn't possible over HTTP")]
    NotOverHttp(&'static str),
    /// Headers or query of the options can't stand in a request, or a header is there twice; nothing
    /// was sent.
    #[error("the {0} can't stand in a request")]
    InvalidRequest(&'static str),
    /// The signer failed; nothing was sent.
    #[error("the request can't be signed: {0}")]
    Signing(#[from] SigningError),
    /// No connection could be opened; nothing was sent.
    #[error(transparent)]
    Connect(TransportError),
    /// The connection failed before the answer was complete. The message may have been published.
    #[error("no complete answer: {error}")]
    Connection {
        /// Address of the server; through a proxy, that of the proxy.
        peer: PeerAddress,
        /// Error of the connection: [`TransportError::Tls`] for an alert, such as one about the client
        /// certificate; [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the server closed it.
        /// Boxed, because few errors are as big.
        error: Box<TransportError>,
    },
    /// The answer didn't come within [`answer_timeout`](super::HttpPublishOptions::answer_timeout).
    /// The message may have been published.
    #[error("{stage} did not come within {after:?}")]
    TimedOut {
        /// Address of the server; through a proxy, that of the proxy.
        peer: PeerAddress,
        /// Part of the answer that was missing.
        stage: AnswerStage,
        /// Time-out of the stage.
        after: Duration,
    },
    /// The answer breaks the rules of HTTP/1.1, as that of a server of another protocol, or came before
    /// the request. The message may have been published.
    #[error("the answer isn't valid HTTP: {}", Escaped(detail))]
    NotHttp {
        /// Address of the server; through a proxy, that of the proxy.
        peer: PeerAddress,
        /// Rule that the answer breaks.
        detail: String,
    },
    /// The head of the answer is longer than 16 KiB or has more than 64 headers, or a successful
    /// answer has a body of more than 16 KiB. The message may have been published.
    #[error("the answer is too long: more than 16 KiB or 64 headers")]
    AnswerTooLong {
        /// Address of the server; through a proxy, that of the proxy.
        peer: PeerAddress,
    },
    /// The server answered with another status than 200.
    #[error("{refusal}")]
    Refused {
        /// Address of the server; through a proxy, that of the proxy.
        peer: PeerAddress,
        /// Answer of the server. Boxed, because it has several texts.
        refusal: Box<HttpRefusal>,
    },
}

impl HttpPublishError {
    /// True if the same message may be accepted later: after an error of the network, a time-out,
    /// throttling, or an error of the server itself. It may then be published twice.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Message(_)
            | Self::NotOverHttp(_)
            | Self::InvalidRequest(_)
            | Self::NotHttp { .. }
            | Self::AnswerTooLong { .. } => false,
            // An error of TLS is about certificates or versions, which time doesn't mend.
            Self::Connect(error) => !matches!(error, TransportError::Tls { .. }),
            Self::Connection { error, .. } => !matches!(**error, TransportError::Tls { .. }),
            Self::Signing(_) | Self::TimedOut { .. } => true,
            Self::Refused { refusal, .. } => refusal.kind.is_retryable(),
        }
    }

    /// Address of the server; through a proxy, that of the proxy. `None` if there was no connection.
    #[must_use]
    pub const fn peer(&self) -> Option<&PeerAddress> {
        match self {
            Self::Connection { peer, .. }
            | Self::TimedOut { peer, .. }
            | Self::NotHttp { peer, .. }
            | Self::AnswerTooLong { peer }
            | Self::Refused { peer, .. } => Some(peer),
            _ => None,
        }
    }
}

/// Part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerStage {
    /// Status and headers.
    Head,
    /// Body after the headers.
    Body,
}

impl fmt::Display for AnswerStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "the answer to the request",
            Self::Body => "the body of the answer",
        })
    }
}

/// Answer of a server that didn't publish the message. Its texts are the server's: they are cut, and
/// escaped when they are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRefusal {
    /// HTTP status code.
    pub status: u16,
    /// Reason phrase of the status in the standard; empty for a status without one.
    pub reason: &'static str,
    /// Kind of the refusal, of `error_type` or else of the status.
    pub kind: RefusalKind,
    /// Name of the error in the header `x-amzn-ErrorType`, without what follows a colon, cut after 100
    /// bytes; `None` if there was none, as from a proxy.
    pub error_type: Option<String>,
    /// Text of the body: its `message` if it is JSON of AWS, else the first 1,024 bytes; may be empty.
    pub message: String,
    /// Id of the request in the header `x-amzn-RequestId`, or else the `traceId` of the body, cut after
    /// 100 bytes; `None` if there was neither.
    pub request_id: Option<String>,
}

impl fmt::Display for HttpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused the message: HTTP {}", self.status)?;
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        if let Some(error_type) = &self.error_type {
            write!(f, " ({})", Escaped(error_type))?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", Escaped(&self.message))?;
        }
        Ok(())
    }
}

/// Kind of a refusal of AWS IoT Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// `InvalidRequestException` (400): a part of the request is wrong, such as the topic.
    InvalidRequest,
    /// `UnauthorizedException` (401): there are no credentials, or wrong ones.
    Unauthorized,
    /// `ForbiddenException` (403): the authorizer refused the client, its policy doesn't allow the
    /// topic or retained messages, or the signature is wrong.
    Forbidden,
    /// `ResourceNotFoundException` (404): the server doesn't publish at this path.
    NotFound,
    /// `MethodNotAllowedException` (405).
    MethodNotAllowed,
    /// `RequestEntityTooLargeException` (413): the payload is too large.
    TooLarge,
    /// `ThrottlingException` (429): too many requests.
    Throttled,
    /// `InternalFailureException` (500).
    InternalFailure,
    /// `ServiceUnavailableException` (503), or a gateway without a server (502, 504).
    Unavailable,
    /// Any other answer, such as a redirection, which isn't followed.
    Other,
}

impl RefusalKind {
    /// Kind of a refusal with this name of AWS, or else with this status.
    pub(super) fn of(status: u16, error_type: Option<&str>) -> Self {
        match error_type.unwrap_or_default() {
            "InvalidRequestException" => Self::InvalidRequest,
            "UnauthorizedException" => Self::Unauthorized,
            "ForbiddenException" => Self::Forbidden,
            "ResourceNotFoundException" => Self::NotFound,
            "MethodNotAllowedException" => Self::MethodNotAllowed,
            "RequestEntityTooLargeException" => Self::TooLarge,
            "ThrottlingException" => Self::Throttled,
            "InternalFailureException" => Self::InternalFailure,
            "ServiceUnavailableException" => Self::Unavailable,
            _ => match status {
                400 => Self::InvalidRequest,
                401 => Self::Unauthorized,
                403 => Self::Forbidden,
                404 => Self::NotFound,
                405 => Self::MethodNotAllowed,
                413 => Self::TooLarge,
                429 => Self::Throttled,
                500 => Self::InternalFailure,
                502..=504 => Self::Unavailable,
                _ => Self::Other,
            },
        }
    }

    /// True if the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::InternalFailure | Self::Unavailable
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_error_wins_over_its_status() {
        let name = Some("ThrottlingException");
        assert_eq!(RefusalKind::of(400, name), RefusalKind::Throttled);
        assert_eq!(RefusalKind::of(403, Some("?")), RefusalKind::Forbidden);
        assert_eq!(RefusalKind::of(302, None), RefusalKind::Other);
        assert!(RefusalKind::of(503, None).is_retryable());
        assert!(!RefusalKind::of(403, None).is_retryable());
    }
}
