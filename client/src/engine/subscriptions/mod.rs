//! Subscriptions that the server granted: kept to be requested again when the server has lost the
//! session.

pub(super) mod answers;
mod batches;
#[cfg(feature = "tokio")]
pub(super) mod dropped;
pub(super) mod renewal;
pub(super) mod shared_identifiers;

use std::collections::HashMap;

use dunlin_codec::{QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter};

use super::persistence::dirty::DirtySet;

/// Subscriptions by their filters, as many as the application asks for.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    by_filter: HashMap<String, Granted>,
    /// Number of the subscription that was granted last.
    last_number: u64,
    /// Filters whose record in a store has changed.
    pub(super) dirty: DirtySet<String>,
}

/// A subscription with its number among all that were ever granted.
#[derive(Debug)]
struct Granted {
    number: u64,
    active: ActiveSubscription,
}

/// A subscription that the server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveSubscription {
    pub(super) filter: String,
    pub(super) options: SubscriptionOptions,
    /// Subscription Identifier that the application chose; `None` without one.
    pub(super) identifier: Option<SubscriptionIdentifier>,
    /// Number of the send of its SUBSCRIBE.
    pub(super) order: u64,
    /// `true` if the server granted it in the session that it has now.
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

    /// All subscriptions in the order in which they were granted.
    pub(super) fn in_order(&self) -> Vec<&ActiveSubscription> {
        let mut granted: Vec<_> = self.by_filter.values().collect();
        granted.sort_unstable_by_key(|granted| granted.number);
        granted.into_iter().map(|granted| &granted.active).collect()
    }

    /// Adds a subscription; it replaces an earlier one with the same filter. [MQTT-3.8.4-3]
    fn grant(&mut self, active: ActiveSubscription) {
        self.last_number += 1;
        self.mark_dirty(&active.filter);
        let number = self.last_number;
        self.by_filter
            .insert(active.filter.clone(), Granted { number, active });
    }

    /// Notes that a resubscription with the number `order` was granted.
    fn renew(&mut self, filter: &str, order: u64) {
        self.mark_dirty(filter);
        if let Some(Granted { active, .. }) = self.by_filter.get_mut(filter) {
            active.order = order;
            active.is_current = true;
        }
    }

    /// Returns `true` if there is a subscription that was requested no later than `order`.
    fn is_older(&self, filter: &str, order: u64) -> bool {
        self.by_filter
            .get(filter)
            .is_some_and(|granted| granted.active.order <= order)
    }

    /// Returns `true` if there is a subscription that the server may have forgotten.
    fn is_doubtful(&self, filter: &str) -> bool {
        self.by_filter
            .get(filter)
            .is_some_and(|granted| !granted.active.is_current)
    }

    /// Removes a subscription that was requested no later than `order`.
    pub(super) fn end(&mut self, filter: &str, order: u64) {
        if self.is_older(filter, order) {
            self.mark_dirty(filter);
            self.by_filter.remove(filter);
        }
    }

    /// Notes that the server may have forgotten all subscriptions.
    pub(super) fn doubt(&mut self) {
        self.mark_all_dirty();
        self.by_filter
            .values_mut()
            .for_each(|granted| granted.active.is_current = false);
    }

    fn mark_dirty(&mut self, filter: &str) {
        if self.dirty.is_recording() {
            self.dirty.mark(filter.to_owned());
        }
    }

    /// Marks all records as changed, if a store is in use.
    pub(super) fn mark_all_dirty(&mut self) {
        if self.dirty.is_recording() {
            self.dirty.mark_all(self.by_filter.keys().cloned());
        }
    }

    /// Record of a subscription for a store: options, identifier, whether it is current, order and
    /// number. `None` if there is no such subscription.
    pub(super) fn record(&self, filter: &str) -> Option<Vec<u8>> {
        let Granted { number, active } = self.by_filter.get(filter)?;
        let SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        } = active.options;
        // Bit 0: current, bit 1: no local, bit 2: retain as published.
        let flags = u8::from(active.is_current)
            | u8::from(no_local) << 1
            | u8::from(retain_as_published) << 2;
        let identifier = active.identifier.map_or(0, SubscriptionIdentifier::get);
        let mut record = vec![flags, qos.level(), retain_handling as u8];
        record.extend_from_slice(&identifier.to_be_bytes());
        record.extend_from_slice(&active.order.to_be_bytes());
        record.extend_from_slice(&number.to_be_bytes());
        Some(record)
    }

    /// Restores a subscription from its record; `None` if the record is not valid.
    pub(super) fn restore(&mut self, filter: &str, record: &[u8]) -> Option<()> {
        let (&[flags, qos, retain_handling], rest) = record.split_first_chunk()?;
        let (identifier, rest) = rest.split_first_chunk()?;
        let (order, number) = rest.split_first_chunk()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        // Numbers in the record are indexes into these lists.
        let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        let handlings = [
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::DontSend,
        ];
        let active = ActiveSubscription {
            filter: TopicFilter::new(filter).ok()?.as_str().to_owned(),
            options: SubscriptionOptions {
                qos: *levels.get(usize::from(qos))?,
                no_local: flags & 2 != 0,
                retain_as_published: flags & 4 != 0,
                retain_handling: *handlings.get(usize::from(retain_handling))?,
            },
            identifier: SubscriptionIdentifier::new(u32::from_be_bytes(*identifier)),
            order: u64::from_be_bytes(*order),
            is_current: flags & 1 != 0,
        };
        self.last_number = self.last_number.max(number);
        self.by_filter
            .insert(filter.to_owned(), Granted { number, active });
        Some(())
    }

    /// Highest number or order of all subscriptions; 0 if there are none.
    pub(super) fn highest_number(&self) -> u64 {
        self.by_filter
            .values()
            .map(|granted| granted.active.order.max(granted.number))
            .max()
            .unwrap_or_default()
    }
}
