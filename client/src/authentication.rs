//! Enhanced authentication (§4.12): what a client says in AUTH, step by step, and how it judges
//! what the server says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;

/// One exchange with the server, from its first data to the server's last.
///
/// It is asked while the client's lock is held: it computes, and waits for nothing.
pub trait Authenticator: Send {
    /// The data that begins the exchange: in CONNECT, or in the AUTH that asks for
    /// re-authentication. `None` leaves the property out; at most 65,535 bytes (§3.1.2.11.10).
    ///
    /// # Errors
    /// There is nothing to begin with. Nothing is sent; where it is about a connection, the attempt
    /// counts as one that another wouldn't mend.
    fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError>;

    /// The answer to the data in the server's AUTH (§4.12). `None` leaves the property out; at most
    /// 65,535 bytes.
    ///
    /// # Errors
    /// What the server said isn't acceptable: the connection ends.
    fn respond(
        &mut self,
        data: Option<&[u8]>,
    ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError>;

    /// The server is satisfied, and this is the last that it says. A method that authenticates the
    /// server as well judges it here: nothing was believed or sent so far.
    ///
    /// # Errors
    /// The server isn't who it should be: the connection ends.
    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthenticationError>;
}

/// Why an exchange can't go on, in the words of its [`Authenticator`]: fixed ones, so that no
/// secret gets into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct AuthenticationError {
    /// What was wrong.
    pub fault: &'static str,
}

impl AuthenticationError {
    /// With these words: "the server's signature is wrong".
    #[must_use]
    pub const fn new(fault: &'static str) -> Self {
        Self { fault }
    }
}

/// A method of enhanced authentication, and where its exchanges come from: each connection begins a
/// fresh one, and so does each re-authentication.
///
/// `Debug` prints the method alone. SCRAM-SHA-256, ready to be taken over, is in
/// `client/examples/scram/`.
///
/// ```
/// use dunlin_client::{Authentication, AuthenticationError, Authenticator, ConnectOptions, secret::Secret};
///
/// /// Shows a token, and takes the server's word for the rest.
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
    /// The method's name, as the server knows it (§3.1.2.11.9).
    pub method: String,
    /// How long a re-authentication may take; the exchange of CONNECT is bounded by the time for
    /// CONNACK.
    pub reauthenticate_within: Duration,
    exchanges: Arc<dyn Fn() -> Box<dyn Authenticator> + Send + Sync>,
}

impl Authentication {
    /// `method`, whose exchanges are made by `exchange`. A re-authentication has twenty seconds.
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

    /// A fresh exchange.
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

/// Why a re-authentication didn't happen (§4.12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReauthenticationError {
    /// There is no connection to do it on; the next one authenticates by itself.
    #[error("not connected")]
    NotConnected,
    /// The connection was made without a method, or with another one than the options have now.
    #[error("the connection was made without this method")]
    OtherMethod,
    /// One is under way.
    #[error("a re-authentication is under way")]
    UnderWay,
    /// The exchange couldn't go on; unless it never began, the connection ended.
    #[error(transparent)]
    Exchange(#[from] AuthenticationError),
    /// The server didn't come to an end in time, and the connection ended.
    #[error("no answer within {after:?}")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended first.
    #[error("the connection ended first")]
    ConnectionLost,
}
