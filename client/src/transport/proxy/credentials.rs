//! `ProxyCredentials`: user name and password for a proxy.

use crate::secret::Secret;

/// Credentials for a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyCredentials {
    /// User name: for HTTP without a colon, for SOCKS5 of 1 to 255 bytes.
    pub username: String,
    /// Password; for SOCKS5 of 1 to 255 bytes.
    pub password: Secret<String>,
}
