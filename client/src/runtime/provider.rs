//! `ConnectProvider`: returns server and credentials for each attempt to connect, so that tokens are
//! fresh and endpoints may change.

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

/// Server and credentials of an attempt to connect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Target {
    /// Address of the server, TLS and proxy.
    pub transport: TransportOptions,
    /// User Name of CONNECT; `None` means none.
    pub username: Option<Secret<String>>,
    /// Password of CONNECT; `None` means none.
    pub password: Option<Secret<Vec<u8>>>,
}

/// Attempt that is about to begin.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NextAttempt {
    /// Number of the attempt since the last connection, from 1.
    pub number: u32,
    /// Target of [`ClientOptions`](crate::ClientOptions).
    pub target: Target,
    /// Failure of the attempt before, or end of the last connection; `None` for the first attempt.
    pub last: Option<Failure>,
}

/// Cause of another attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The attempt before failed.
    Attempt(Arc<ConnectError>),
    /// A connection ended.
    Connection(Arc<ConnectionError>),
}

/// Future that a provider returns.
pub type Provided<'a> = Pin<Box<dyn Future<Output = Result<Target, ProviderError>> + Send + 'a>>;

/// Provider that is asked before every attempt: for a fresh token, another endpoint, or the server
/// that the last one referred to.
///
/// Closures implement it, and so does [`aws::CustomAuthorizer`](crate::aws::CustomAuthorizer).
///
/// After a failure of the class [`Retry::Final`](crate::Retry::Final) (a refused password in the first
/// attempt, for example) the provider is asked once more. If it returns the same target as before, the
/// client stops; if it returns another one, the client goes on. TLS is the same if it is the same
/// [`TlsConnector`](crate::transport::TlsConnector): create one, and share it among the targets.
/// Return a new one after a client certificate was replaced, as the example `client_certificate` does.
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
    /// Returns the target of the next attempt. After
    /// [`ClientOptions::provide_within`](crate::ClientOptions::provide_within) the future is dropped.
    ///
    /// # Errors
    /// The future resolves with a [`ProviderError`], which says whether another call may succeed.
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

/// Provider of a client. The default returns the target of the client's options.
#[derive(Clone, Default)]
pub struct Provider(Option<Arc<dyn ConnectProvider>>);

impl Provider {
    /// Provider that calls `provider`.
    pub fn new(provider: impl ConnectProvider + 'static) -> Self {
        Self(Some(Arc::new(provider)))
    }

    /// True if every call returns the target of the options.
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
    /// Server Reference of the last failure: other servers to use, with reason code 0x9C (temporarily)
    /// or 0x9D (permanently). Host names with or without ports, in a form that servers choose (§4.11).
    /// `None` if there is none.
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
    /// Reason that the server gave; `None` if it gave none.
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

    /// Reason code of the server's CONNACK or DISCONNECT; `None` if the failure is another one.
    #[must_use]
    pub fn reason_code(&self) -> Option<ReasonCode> {
        self.server_reason().map(|reason| reason.reason_code)
    }

    /// Violation of the protocol by the server; `None` if the failure is another one.
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

    /// True if the application stopped the client.
    pub(crate) fn is_requested(&self) -> bool {
        match self {
            Self::Attempt(cause) => matches!(**cause, ConnectError::Stopped),
            Self::Connection(cause) => matches!(**cause, ConnectionError::Requested),
        }
    }

    /// True if the provider returned an error.
    pub(crate) fn is_of_provider(&self) -> bool {
        matches!(self, Self::Attempt(cause) if matches!(**cause, ConnectError::Provider(_)))
    }

    /// Cause of a stop after this failure.
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

    /// True if an attempt with this target is the same as one with `other`.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let (one, two) = (&self.transport, &other.transport);
        // Connectors are compared by identity: their content can't be compared, and a provider that
        // builds a new one has probably changed it.
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
