//! Permissions that an authorizer grants.

use std::time::Duration;

use crate::policy::Policy;

/// Permissions of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The authorizer that granted it.
    pub authorizer: String,
    /// Principal id that the Lambda answered.
    pub principal_id: String,
    /// Policy of the client.
    pub policy: Policy,
    /// Time until the connection ends.
    pub disconnect_after: Duration,
    /// Time until the Lambda is asked again; `None` means never.
    pub refresh_after: Option<Duration>,
}

impl Grant {
    /// Permissions of a client whose request for WebSocket was signed (SigV4). No IoT policy applies to
    /// it; AWS IoT Core ends such a connection after a day.
    pub(crate) fn of_access_key(key_id: &str) -> Self {
        Self {
            authorizer: format!("SigV4 of {key_id}"),
            principal_id: key_id.into(),
            policy: Policy::unrestricted(),
            disconnect_after: Duration::from_secs(24 * 60 * 60),
            refresh_after: None,
        }
    }
}
