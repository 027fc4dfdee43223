//! Errors of the start of a sandbox.

use core::net::SocketAddr;
use std::io;

use tokio_rustls::rustls;

use crate::authorizer::LambdaMissing;
use crate::pki::PkiError;
use crate::state::StateError;

/// Reason why a sandbox doesn't start.
///
/// ```
/// use dunlin_sandbox::{Sandbox, SandboxOptions, StartError};
///
/// # async fn example() -> Result<(), StartError> {
/// match Sandbox::start(SandboxOptions::default()).await {
///     Ok(sandbox) => sandbox.stop().await,
///     Err(StartError::Listen { address, .. }) => println!("another program listens on {address}"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state directory can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Keys or certificates can't be used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The system refuses to listen on an address.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Address and port.
        address: SocketAddr,
        /// Error of the system.
        source: io::Error,
    },
    /// Two authorizers have one name; holds the name.
    #[error("there are two authorizers named {0:?}")]
    DuplicateAuthorizer(String),
    /// No authorizer has the name of the default one; holds the name.
    #[error("the default authorizer {0:?} doesn't exist")]
    UnknownDefault(String),
    /// A program or file of a Lambda is missing.
    #[error("the Lambda of the authorizer {authorizer:?} can't run: {missing}")]
    Lambda {
        /// Name of the authorizer.
        authorizer: String,
        /// Program or file that is missing.
        missing: LambdaMissing,
    },
    /// The program of the watchdog doesn't start.
    #[error("can't start the watchdog: {0}")]
    Watchdog(io::Error),
    /// The TLS library refuses the certificate.
    #[error("can't set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The runtime shuts down.
    #[error("the runtime is shutting down")]
    Runtime,
}
