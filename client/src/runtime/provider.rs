//! What each attempt to connect uses: asked for every time, so that tokens are fresh and endpoints
//! may change.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use dunlin_codec::ReasonCode;

use crate::engine::Ended;
use crate::error::{
    ConnectError, ConnectionError, ProviderError, ServerReason, StopCause, Violation,
};
use crate::secret::Secret;
use crate::transport::TransportOptions;

/// Where an attempt goes to, and with which credentials.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Target {
    /// The way to the server.
    pub transport: TransportOptions,
    /// The user name of CONNECT.
    pub username: Option<Secret<String>>,
    /// The password of CONNECT.
    pub password: Option<Secret<Vec<u8>>>,
}

/// An attempt that is about to begin.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NextAttempt {
    /// 1 for the first attempt since the last connection.
    pub number: u32,
    /// What [`ClientOptions`](crate::ClientOptions) say.
    pub target: Target,
    /// How the one before failed, or how the last connection ended.
    pub last: Option<Failure>,
}

/// Why another attempt is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The one before failed.
    Attempt(Arc<ConnectError>),
    /// A connection ended.
    Connection(Arc<ConnectionError>),
}

/// What a provider's answer comes in.
pub type Provided<'a> = Pin<Box<dyn Future<Output = Result<Target, ProviderError>> + Send + 'a>>;

/// Is asked before every attempt: for a fresh token, another endpoint, or the server that the last
/// one referred to.
///
/// A closure is one; so is [`aws::CustomAuthorizer`](crate::aws::CustomAuthorizer). After a failure
/// of the class [`Retry::Final`](crate::Retry::Final) (a password that the first attempt finds
/// refused, say) it is asked once more: if it then brings what it brought before, the client stops;
/// if it brings something else, the client goes on. TLS counts as the same where it is the same
/// [`TlsConnector`](crate::transport::TlsConnector): make one, and share it among the answers.
/// Bring a new one when a client certificate was replaced: the example `client_certificate` does
/// so.
///
/// ```
/// use dunlin_client::{NextAttempt, Provider, ProviderError};
///
/// let provider = Provider::new(|attempt: NextAttempt| async move {
///     let mut target = attempt.target;
///     target.password = Some(fetch_token().await.map_err(ProviderError::retryable)?.into());
///     Ok(target)
/// });
/// # async fn fetch_token() -> std::io::Result<Vec<u8>> { Ok(b"token".to_vec()) }
/// ```
pub trait ConnectProvider: Send + Sync {
    /// What the next attempt uses. An answer has
    /// [`ClientOptions::provide_within`](crate::ClientOptions::provide_within); then the future is
    /// dropped.
    fn provide(&self, attempt: NextAttempt) -> Provided<'_>;
}

impl<F, T> ConnectProvider for F
where
    F: Fn(NextAttempt) -> T + Send + Sync,
    T: Future<Output = Result<Target, ProviderError>> + Send + 'static,
{
    fn provide(&self, attempt: NextAttempt) -> Provided<'_> {
        Box::pin(self(attempt))
    }
}

/// The provider of a client; by default the one that brings what the options say.
#[derive(Clone, Default)]
pub struct Provider(Option<Arc<dyn ConnectProvider>>);

impl Provider {
    /// This one.
    pub fn new(provider: impl ConnectProvider + 'static) -> Self {
        Self(Some(Arc::new(provider)))
    }

    /// Whether asking again brings the same.
    pub(crate) const fn is_static(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn provide(&self, attempt: NextAttempt) -> Provided<'_> {
        match &self.0 {
            Some(provider) => provider.provide(attempt),
            None => Box::pin(ready(Ok(attempt.target))),
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_static() {
            "Provider(static)"
        } else {
            "Provider(..)"
        })
    }
}

impl NextAttempt {
    /// Where the server said to go instead, with 0x9C (for now) or 0x9D (for good): host names with
    /// or without ports, in a form that servers choose (§4.11).
    #[must_use]
    pub fn server_reference(&self) -> Option<&str> {
        self.last
            .as_ref()?
            .server_reason()?
            .server_reference
            .as_deref()
    }
}

impl Failure {
    /// What the server said, if it said something.
    #[must_use]
    pub fn server_reason(&self) -> Option<&ServerReason> {
        match self {
            Self::Attempt(cause) => match &**cause {
                ConnectError::Refused(reason) => Some(reason),
                _ => None,
            },
            Self::Connection(cause) => match &**cause {
                ConnectionError::Disconnected(reason) => Some(reason),
                _ => None,
            },
        }
    }

    /// The reason code of the server's CONNACK or DISCONNECT; `None` if the failure is another one.
    #[must_use]
    pub fn reason_code(&self) -> Option<ReasonCode> {
        self.server_reason().map(|reason| reason.reason_code)
    }

    /// The rule of the protocol that the server broke, if that is the failure.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Attempt(cause) => match &**cause {
                ConnectError::Protocol(violation) => Some(violation),
                _ => None,
            },
            Self::Connection(cause) => match &**cause {
                ConnectionError::Protocol(violation) => Some(violation),
                _ => None,
            },
        }
    }

    /// Whether the application asked for the end.
    pub(crate) fn is_requested(&self) -> bool {
        match self {
            Self::Attempt(cause) => matches!(**cause, ConnectError::Stopped),
            Self::Connection(cause) => matches!(**cause, ConnectionError::Requested),
        }
    }

    /// Whether the provider had nothing to connect with.
    pub(crate) fn is_of_provider(&self) -> bool {
        matches!(self, Self::Attempt(cause) if matches!(**cause, ConnectError::Provider(_)))
    }

    /// The cause of a stop after this failure.
    pub(crate) fn stop_cause(&self) -> StopCause {
        match self {
            _ if self.is_requested() => StopCause::Requested,
            Self::Attempt(cause) => StopCause::Connect(Arc::clone(cause)),
            Self::Connection(cause) => StopCause::Connection(Arc::clone(cause)),
        }
    }
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Attempt(error) => Self::Attempt(Arc::new(error)),
            Ended::Connection(error) => Self::Connection(Arc::new(error)),
        }
    }
}

impl Target {
    pub(crate) const fn new(
        transport: TransportOptions,
        username: Option<Secret<String>>,
        password: Option<Secret<Vec<u8>>>,
    ) -> Self {
        Self {
            transport,
            username,
            password,
        }
    }

    /// Whether an attempt with this target is the same as one with `other`.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let (one, two) = (&self.transport, &other.transport);
        let same_tls = match (&one.tls, &two.tls) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, None) => true,
            _ => false,
        };
        same_tls
            && (&one.host, one.port, one.connect_to) == (&two.host, two.port, two.connect_to)
            && one.proxy == two.proxy
            && (&self.username, &self.password) == (&other.username, &other.password)
    }
}
