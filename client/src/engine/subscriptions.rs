//! What the server granted, to be asked for again when it has forgotten.

use std::collections::HashMap;

use dunlin_codec::{SubscriptionIdentifier, SubscriptionOptions};

/// Subscriptions by their filters. As many as the application asks for.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    by_filter: HashMap<String, Place>,
    next: u64,
}

/// A subscription, with its place among all that were ever granted.
#[derive(Debug)]
struct Place {
    number: u64,
    active: ActiveSubscription,
}

/// A subscription that the server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveSubscription {
    pub(super) filter: String,
    pub(super) options: SubscriptionOptions,
    /// What the application has the server name it by, where it can.
    pub(super) identifier: Option<SubscriptionIdentifier>,
    /// The place of its SUBSCRIBE among all requests.
    pub(super) order: u64,
    /// Whether the server granted it in the session that it has now.
    pub(super) is_current: bool,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.by_filter.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_filter.is_empty()
    }

    pub(super) fn contains(&self, filter: &str) -> bool {
        self.by_filter.contains_key(filter)
    }

    /// All of them, in the order in which they were granted.
    pub(super) fn in_order(&self) -> Vec<&ActiveSubscription> {
        let mut places: Vec<_> = self.by_filter.values().collect();
        places.sort_unstable_by_key(|place| place.number);
        places.into_iter().map(|place| &place.active).collect()
    }

    /// The server granted one; an earlier one of the same filter is replaced. [MQTT-3.8.4-3]
    pub(super) fn grant(&mut self, active: ActiveSubscription) {
        self.next += 1;
        self.by_filter.insert(active.filter.clone(), Place { number: self.next, active });
    }

    /// One was asked for again in place `order`, and granted.
    pub(super) fn renew(&mut self, filter: &str, order: u64) {
        if let Some(Place { active, .. }) = self.by_filter.get_mut(filter) {
            active.order = order;
            active.is_current = true;
        }
    }

    /// Whether there is one, and it was asked for up to the place `order`.
    pub(super) fn is_older(&self, filter: &str, order: u64) -> bool {
        self.by_filter.get(filter).is_some_and(|place| place.active.order <= order)
    }

    /// Whether there is one that the server may have forgotten.
    pub(super) fn is_doubtful(&self, filter: &str) -> bool {
        self.by_filter.get(filter).is_some_and(|place| !place.active.is_current)
    }

    /// One that was asked for up to the place `order` has ended.
    pub(super) fn end(&mut self, filter: &str, order: u64) {
        if self.is_older(filter, order) {
            self.by_filter.remove(filter);
        }
    }

    /// The server may have forgotten them.
    pub(super) fn doubt(&mut self) {
        self.by_filter.values_mut().for_each(|place| place.active.is_current = false);
    }
}
