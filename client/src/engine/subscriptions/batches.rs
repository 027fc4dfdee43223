//! Subscriptions in as few SUBSCRIBE packets as the limits allow.

use dunlin_codec::TopicFilter;

use super::ActiveSubscription;

/// Packets that subscriptions are distributed over.
///
/// A SUBSCRIBE has one subscription identifier. So subscriptions with different identifiers share a
/// packet only where that is allowed, and only if no topic matches two of their filters: then the
/// topic of a message tells which of them it is for.
#[derive(Debug)]
pub(in crate::engine) struct Batches {
    most: usize,
    maximum_packet_size: usize,
    shares_identifiers: bool,
    /// Packets that have no capacity left.
    full: Vec<Batch>,
    open: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    subscriptions: Vec<ActiveSubscription>,
    /// Bytes of filters and options.
    bytes: usize,
    /// `true` if all filters are without wildcards and share names.
    is_exact: bool,
}

impl Batches {
    /// Packets of at most so many filters and bytes.
    pub(in crate::engine) fn new(
        most: usize,
        maximum_packet_size: u32,
        shares_identifiers: bool,
    ) -> Self {
        let (full, open) = (Vec::new(), Vec::new());
        Self {
            most,
            maximum_packet_size: maximum_packet_size as usize,
            shares_identifiers,
            full,
            open,
        }
    }

    /// Puts a subscription into the first packet that takes it. A packet may be too large for the
    /// limit only if it has no other subscription.
    pub(in crate::engine) fn add(&mut self, active: ActiveSubscription) {
        let (most, size, shares) = (self.most, self.maximum_packet_size, self.shares_identifiers);
        let fits =
            |batch: &Batch| batch.size_with(&active) <= size && batch.may_take(&active, shares);
        // The first packet that takes it, or a new one.
        let index = self.open.iter().position(fits).unwrap_or_else(|| {
            self.open.push(Batch {
                subscriptions: Vec::new(),
                bytes: 0,
                is_exact: true,
            });
            self.open.len() - 1
        });
        let Some(batch) = self.open.get_mut(index) else {
            return;
        };
        batch.bytes += bytes_of(&active);
        batch.is_exact &= is_exact(&active.filter);
        batch.subscriptions.push(active);
        // A full packet is not looked at again.
        if batch.subscriptions.len() >= most {
            let batch = self.open.remove(index);
            self.full.push(batch);
        }
    }

    /// The subscriptions of each packet.
    pub(in crate::engine) fn finish(self) -> impl Iterator<Item = Vec<ActiveSubscription>> {
        self.full
            .into_iter()
            .chain(self.open)
            .map(|batch| batch.subscriptions)
    }
}

impl Batch {
    /// The size of the packet with one more subscription (§3.8).
    fn size_with(&self, active: &ActiveSubscription) -> usize {
        let first = self.subscriptions.first().unwrap_or(active);
        let properties = first
            .identifier
            .map_or(0, |identifier| 1 + varint_len(identifier.get() as usize));
        let remaining = 2 + 1 + properties + self.bytes + bytes_of(active);
        1 + varint_len(remaining) + remaining
    }

    /// Returns `true` if a subscription can be told from the others in this packet.
    fn may_take(&self, active: &ActiveSubscription, shares_identifiers: bool) -> bool {
        let Some(first) = self.subscriptions.first() else {
            return true;
        };
        match (first.identifier, active.identifier) {
            (Some(_), Some(_)) if shares_identifiers => !self.overlaps(&active.filter),
            (one, other) => one == other,
        }
    }

    /// Returns `true` if some topic matches `filter` and another one in this packet.
    fn overlaps(&self, filter: &str) -> bool {
        // Filters without wildcards are topics, and no two subscriptions have the same one.
        if self.is_exact && is_exact(filter) {
            return false;
        }
        self.subscriptions
            .iter()
            .any(|each| have_topic_in_common(filter, &each.filter))
    }
}

/// Length, filter and options.
fn bytes_of(active: &ActiveSubscription) -> usize {
    2 + active.filter.len() + 1
}

/// Bytes of a Variable Byte Integer (§1.5.5).
const fn varint_len(number: usize) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// Returns `true` if a filter matches one topic alone, and isn't shared.
fn is_exact(filter: &str) -> bool {
    TopicFilter::new(filter).is_ok_and(|filter| !filter.has_wildcard() && !filter.is_shared())
}

/// Returns `true` if some topic matches both filters. Filters of shared subscriptions count without
/// their share name.
fn have_topic_in_common(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (
        without_share(one).split('/'),
        without_share(other).split('/'),
    );
    loop {
        match (one.next(), other.next()) {
            // "a/#" matches "a" as well. [MQTT-4.7.1-2]
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => return false,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(one), Some(other)) if one == other => {}
            (Some(_), Some(_)) => return false,
        }
    }
}

/// Filter that topics are matched with. All filters here were checked when they were requested.
fn without_share(filter: &str) -> &str {
    // Filters of packets are compared in pairs, and most of them need no second look.
    if !filter.starts_with('$') {
        return filter;
    }
    TopicFilter::new(filter).map_or(filter, |filter| filter.without_share().as_str())
}

#[cfg(test)]
mod tests {
    use dunlin_codec::{SubscriptionIdentifier, SubscriptionOptions};

    use super::*;

    fn subscription(filter: &str, identifier: u32) -> ActiveSubscription {
        ActiveSubscription {
            filter: filter.to_owned(),
            options: SubscriptionOptions::default(),
            identifier: SubscriptionIdentifier::new(identifier),
            order: 0,
            is_current: false,
        }
    }

    fn batches(filters: &[(&str, u32)], most: usize, size: u32, shares: bool) -> Vec<Vec<String>> {
        let mut batches = Batches::new(most, size, shares);
        filters
            .iter()
            .for_each(|(filter, identifier)| batches.add(subscription(filter, *identifier)));
        batches
            .finish()
            .map(|batch| batch.into_iter().map(|each| each.filter).collect())
            .collect()
    }

    #[test]
    fn overlapping_filters_are_recognised() {
        for (one, other, expected) in [
            ("a", "b", false),
            ("a", "a", true),
            ("a", "a/b", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "b/#", false),
            ("#", "b", true),
            ("+", "b", true),
            ("+", "b/c", false),
            ("a/+/c", "a/b/+", true),
            ("a/+/c", "a/b/d", false),
            ("+/b", "a/+", true),
            ("$share/g/a/+", "a/b", true),
            ("$share/g/a", "$share/h/b", false),
        ] {
            assert_eq!(have_topic_in_common(one, other), expected, "{one} {other}");
            assert_eq!(have_topic_in_common(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_packet_has_as_many_filters_as_the_limits_allow() {
        let filters: Vec<_> = (0..20)
            .map(|number| (format!("lamp/{number:02}"), 0))
            .collect();
        let filters: Vec<_> = filters
            .iter()
            .map(|(filter, id)| (filter.as_str(), *id))
            .collect();
        let lens = |most, size| -> Vec<usize> {
            batches(&filters, most, size, true)
                .iter()
                .map(Vec::len)
                .collect()
        };
        assert_eq!(lens(usize::MAX, u32::MAX), [20]);
        assert_eq!(lens(8, u32::MAX), [8, 8, 4]);
        assert_eq!(lens(usize::MAX, 5 + 3 * 10), [3, 3, 3, 3, 3, 3, 2]);
        assert_eq!(lens(usize::MAX, 5 + 3 * 10 - 1), [2; 10]);
        assert_eq!(lens(usize::MAX, 1), [1; 20], "too large for all packets");
    }

    #[test]
    fn identifiers_are_shared_where_the_topic_tells_filters_apart() {
        let filters = [("a", 1), ("b", 2), ("+", 3), ("c/#", 4), ("c", 5), ("d", 6)];
        assert_eq!(batches(&filters, 9, 1000, false).len(), 6);
        let shared = batches(&filters, 9, 1000, true);
        assert_eq!(shared, [vec!["a", "b", "c/#", "d"], vec!["+"], vec!["c"]]);
        let same = [("a", 1), ("b", 2), ("c", 1)];
        assert_eq!(batches(&same, 9, 1000, false), [vec!["a", "c"], vec!["b"]]);
    }
}
