//! `ConnectProvider`: returns server and credentials for each attempt to connect, so that tokens,
//! passwords and headers are fresh and endpoints may change.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{EndCause, ProviderError};
use crate::secret::Secret;
use crate::transport::TransportOptions;

/// Server and credentials of an attempt to connect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Target {
    /// Address of the server, TLS and proxy, and with WebSocket path, query and headers.
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
    /// End of the attempt before, or of the last connection; `None` for the first attempt.
    pub last: Option<EndCause>,
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
///
/// Path, query and headers of WebSocket (feature `websocket`) are options of [`Target::transport`], so
/// they may be fresh for each attempt, too.
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
        #[cfg(feature = "websocket")]
        let same_websocket = one.websocket == two.websocket;
        #[cfg(not(feature = "websocket"))]
        let same_websocket = true;
        let same_stream = match (&one.stream_opener, &two.stream_opener) {
            (Some(one), Some(two)) => one.is_same_as(two),
            (None, None) => true,
            _ => false,
        };
        same_tls
            && same_stream
            && same_websocket
            && (&one.host, one.port, one.connect_to) == (&two.host, two.port, two.connect_to)
            && one.proxy == two.proxy
            && (&self.username, &self.password) == (&other.username, &other.password)
    }
}
