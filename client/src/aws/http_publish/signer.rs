//! `RequestSigner`: hook that signs requests, for SigV4.

use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

/// Hook that signs requests, such as SigV4 of an AWS SDK (service `iotdata`).
///
/// The closure is called for each request, on the task that publishes, and returns the headers to
/// add.
///
/// ```
/// use dunlin_client::aws::http_publish::{RequestSigner, SigningError, UnsignedRequest};
///
/// let signer = RequestSigner::new(|request: UnsignedRequest<'_>| {
///     let signature = sign(request.method, request.path, request.query, request.body)
///         .map_err(|error| SigningError(error.to_string()))?;
///     Ok(vec![("authorization".to_owned(), signature.into())])
/// });
/// # fn sign(_: &str, _: &str, _: &str, _: &[u8]) -> std::io::Result<String> { Ok(String::new()) }
/// # let _ = signer;
/// ```
#[derive(Clone)]
pub struct RequestSigner(Arc<Sign>);

type Sign = dyn Fn(UnsignedRequest<'_>) -> Result<Vec<(String, Secret<String>)>, SigningError>
    + Send
    + Sync;

/// Request to sign.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct UnsignedRequest<'a> {
    /// Method: `POST`.
    pub method: &'a str,
    /// Path as it is sent: `/topics/` and the topic, percent-encoded.
    pub path: &'a str,
    /// Query as it is sent, without the `?`; may be empty.
    pub query: &'a str,
    /// Headers in the order in which they are sent, beginning with `host`, and without those of the
    /// signer.
    pub headers: &'a [(String, Secret<String>)],
    /// Payload of the message.
    pub body: &'a [u8],
}

/// Reason why a request couldn't be signed; it must not contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SigningError(pub String);

impl RequestSigner {
    /// Signer that calls `sign` for each request.
    pub fn new(
        sign: impl Fn(UnsignedRequest<'_>) -> Result<Vec<(String, Secret<String>)>, SigningError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(sign))
    }

    pub(super) fn sign(
        &self,
        request: UnsignedRequest<'_>,
    ) -> Result<Vec<(String, Secret<String>)>, SigningError> {
        (self.0)(request)
    }
}

impl fmt::Debug for RequestSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestSigner(..)")
    }
}
