//! Permissions that an authorizer grants.

use std::time::Duration;

use crate::policy::Policy;

/// What an authorizer granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The authorizer that granted it.
    pub authorizer: String,
    /// Who the client is, as the Lambda said.
    pub principal_id: String,
    /// What the client may do.
    pub policy: Policy,
    /// The connection ends after this.
    pub disconnect_after: Duration,
    /// The Lambda is asked again after this; `None` means never.
    pub refresh_after: Option<Duration>,
}
