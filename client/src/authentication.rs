//! Enhanced authentication (§4.12): what a client says in AUTH, step by step, and how it judges
//! what the server says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;

/// Authentication exchange with the server, from the first data to the server's last.
///
/// The methods are called while the client's lock is held: they must compute only, and not block.
pub trait Authenticator: Send {
    /// Returns the data that begins the exchange: in CONNECT, or in the AUTH that asks for
    /// re-authentication. `None` leaves the property out; at most 65,535 bytes (§3.1.2.11.10).
    ///
    /// # Errors
    /// The exchange can't begin. Nothing is sent; an attempt to connect fails with the class
    /// `Retry::Final`.
    fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError>;

    /// Returns the answer to the data in the server's AUTH (§4.12). `None` leaves the property out; at most
    /// 65,535 bytes.
    ///
    /// # Errors
    /// The data isn't acceptable: the connection ends.
    fn respond(
        &mut self,
        data: Option<&[u8]>,
    ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError>;

    /// Handles the server's last data, with which it accepts the client. A method that authenticates
    /// the server as well verifies the data here: no request was sent so far.
    ///
    /// # Errors
    /// The server didn't prove who it is: the connection ends.
    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthenticationError>;
}

/// Error of an [`Authenticator`] that can't go on. Its text is fixed, so that it contains no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct AuthenticationError {
    /// Text of the error.
    pub fault: &'static str,
}

impl AuthenticationError {
    /// Error with this text, such as "the server's signature is wrong".
    #[must_use]
    pub const fn new(fault: &'static str) -> Self {
        Self { fault }
    }
}

/// Method of enhanced authentication, with a factory of exchanges: each connection and each
/// re-authentication begins a new one.
///
/// `Debug` prints the method alone. An implementation of SCRAM-SHA-256 is in
/// `client/examples/scram/`.
///
/// ```
/// use dunlin_client::{Authentication, AuthenticationError, Authenticator, ConnectOptions, secret::Secret};
///
/// /// Sends a token, and doesn't authenticate the server.
/// struct Token(String);
///
/// impl Authenticator for Token {
///     fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
///         Ok(Some(self.0.clone().into_bytes().into()))
///     }
///
///     fn respond(&mut self, _: Option<&[u8]>) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
///         Err(AuthenticationError::new("the token was all there is"))
///     }
///
///     fn finish(&mut self, _: Option<&[u8]>) -> Result<(), AuthenticationError> {
///         Ok(())
///     }
/// }
///
/// let mut options = ConnectOptions::new("lamp-7");
/// options.authentication = Some(Authentication::new("TOKEN", || Token(read_token())));
/// # fn read_token() -> String { String::new() }
/// ```
#[derive(Clone)]
pub struct Authentication {
    /// Authentication Method (§3.1.2.11.9).
    pub method: String,
    /// Timeout of a re-authentication. Default: 20 s. The exchange of CONNECT has the timeout of
    /// CONNACK.
    pub reauthenticate_within: Duration,
    exchanges: Arc<dyn Fn() -> Box<dyn Authenticator> + Send + Sync>,
}

impl Authentication {
    /// Authentication by `method`, whose exchanges are created by `exchange`.
    pub fn new<A: Authenticator + 'static>(
        method: impl Into<String>,
        exchange: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        Self {
            method: method.into(),
            reauthenticate_within: Duration::from_secs(20),
            exchanges: Arc::new(move || Box::new(exchange())),
        }
    }

    /// New exchange.
    pub(crate) fn exchange(&self) -> Box<dyn Authenticator> {
        (self.exchanges)()
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Error of a re-authentication (§4.12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReauthenticationError {
    /// There is no connection. The next connection authenticates by itself.
    #[error("not connected")]
    NotConnected,
    /// The connection was made without a method, or with another one than the options have now.
    #[error("the connection was made without this method")]
    OtherMethod,
    /// A re-authentication is under way.
    #[error("a re-authentication is under way")]
    UnderWay,
    /// The exchange couldn't go on; unless it never began, the connection ended.
    #[error(transparent)]
    Exchange(#[from] AuthenticationError),
    /// The server didn't finish the exchange in time, and the connection ended.
    #[error("no answer within {after:?}")]
    Timeout {
        /// Time that the client waited.
        after: Duration,
    },
    /// The connection ended first.
    #[error("the connection ended first")]
    ConnectionLost,
}
