//! Subscription identifiers that several subscriptions share.

use dunlin_codec::SubscriptionIdentifier;

/// Subscription identifiers that several subscriptions have since they were renewed.
#[derive(Debug, Default)]
pub(in crate::engine) struct SharedIdentifiers {
    /// `true` if whoever drives the engine can tell such subscriptions apart by the topic.
    pub(in crate::engine) is_allowed: bool,
    /// Identifiers with all of their filters, until they are taken.
    pub(in crate::engine) shared: Vec<(SubscriptionIdentifier, Vec<String>)>,
}
