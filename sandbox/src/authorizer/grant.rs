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
