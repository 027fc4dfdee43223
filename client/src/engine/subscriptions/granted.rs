//! What the server granted, to be asked for again when it has forgotten.

use std::collections::{BTreeSet, HashMap};

use dunlin_codec::{QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter};

/// Subscriptions by their filters. As many as the application asks for.
#[derive(Debug, Default)]
pub(in crate::engine) struct Subscriptions {
    by_filter: HashMap<String, Place>,
    next: u64,
    /// Filters whose subscription has changed, where that is to be known.
    pub(in crate::engine) noted: Option<BTreeSet<String>>,
}

/// A subscription, with its place among all that were ever granted.
#[derive(Debug)]
struct Place {
    number: u64,
    active: ActiveSubscription,
}

/// A subscription that the server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct ActiveSubscription {
    pub(in crate::engine) filter: String,
    pub(in crate::engine) options: SubscriptionOptions,
    /// What the application has the server name it by, where it can.
    pub(in crate::engine) identifier: Option<SubscriptionIdentifier>,
    /// The place of its SUBSCRIBE among all requests.
    pub(in crate::engine) order: u64,
    /// Whether the server granted it in the session that it has now.
    pub(in crate::engine) is_current: bool,
}

impl Subscriptions {
    pub(in crate::engine) fn len(&self) -> usize {
        self.by_filter.len()
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.by_filter.is_empty()
    }

    pub(in crate::engine) fn contains(&self, filter: &str) -> bool {
        self.by_filter.contains_key(filter)
    }

    /// All of them, in the order in which they were granted.
    pub(in crate::engine) fn in_order(&self) -> Vec<&ActiveSubscription> {
        let mut places: Vec<_> = self.by_filter.values().collect();
        places.sort_unstable_by_key(|place| place.number);
        places.into_iter().map(|place| &place.active).collect()
    }

    /// The server granted one; an earlier one of the same filter is replaced. [MQTT-3.8.4-3]
    pub(in crate::engine) fn grant(&mut self, active: ActiveSubscription) {
        self.next += 1;
        self.note(&active.filter);
        self.by_filter.insert(
            active.filter.clone(),
            Place {
                number: self.next,
                active,
            },
        );
    }

    /// One was asked for again in place `order`, and granted.
    pub(in crate::engine) fn renew(&mut self, filter: &str, order: u64) {
        self.note(filter);
        if let Some(Place { active, .. }) = self.by_filter.get_mut(filter) {
            active.order = order;
            active.is_current = true;
        }
    }

    /// Whether there is one, and it was asked for up to the place `order`.
    pub(in crate::engine) fn is_older(&self, filter: &str, order: u64) -> bool {
        self.by_filter
            .get(filter)
            .is_some_and(|place| place.active.order <= order)
    }

    /// Whether there is one that the server may have forgotten.
    pub(in crate::engine) fn is_doubtful(&self, filter: &str) -> bool {
        self.by_filter
            .get(filter)
            .is_some_and(|place| !place.active.is_current)
    }

    /// One that was asked for up to the place `order` has ended.
    pub(in crate::engine) fn end(&mut self, filter: &str, order: u64) {
        if self.is_older(filter, order) {
            self.note(filter);
            self.by_filter.remove(filter);
        }
    }

    /// The server may have forgotten them.
    pub(in crate::engine) fn doubt(&mut self) {
        self.note_all();
        self.by_filter
            .values_mut()
            .for_each(|place| place.active.is_current = false);
    }

    fn note(&mut self, filter: &str) {
        if let Some(noted) = &mut self.noted {
            noted.insert(filter.to_owned());
        }
    }

    /// All that there is counts as changed, where that is to be known.
    pub(in crate::engine) fn note_all(&mut self) {
        if let Some(noted) = &mut self.noted {
            noted.extend(self.by_filter.keys().cloned());
        }
    }

    /// All that is to be known of one: options, identifier, whether it is current, order and
    /// number.
    pub(in crate::engine) fn record(&self, filter: &str) -> Option<Vec<u8>> {
        let Place { number, active } = self.by_filter.get(filter)?;
        let SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        } = active.options;
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

    /// Puts one back as it was recorded; `None` if that is no record.
    pub(in crate::engine) fn restore(&mut self, filter: &str, record: &[u8]) -> Option<()> {
        let (&[flags, qos, retain_handling], rest) = record.split_first_chunk()?;
        let (identifier, rest) = rest.split_first_chunk()?;
        let (order, number) = rest.split_first_chunk()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
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
        self.next = self.next.max(number);
        self.by_filter
            .insert(filter.to_owned(), Place { number, active });
        Some(())
    }

    /// The highest number in any of them.
    pub(in crate::engine) fn last_number(&self) -> u64 {
        self.by_filter
            .values()
            .map(|place| place.active.order.max(place.number))
            .max()
            .unwrap_or_default()
    }
}
