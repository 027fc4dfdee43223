//! Access keys of AWS, which sign requests of the data plane by Signature Version 4.

use core::fmt;

/// Access key that requests may be signed with. `Debug` doesn't show the secret.
///
/// ```
/// use dunlin_sandbox::{AccessKey, SandboxOptions};
///
/// // Requests over HTTPS and WebSocket may be signed with this key.
/// let key = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".into(), secret: "of the test".into() };
/// let options = SandboxOptions {
///     https_port: Some(0),
///     access_keys: vec![key],
///     ..SandboxOptions::default()
/// };
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Access key id, such as `AKIAIOSFODNN7EXAMPLE`.
    pub id: String,
    /// Secret access key.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
