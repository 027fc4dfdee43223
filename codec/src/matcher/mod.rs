//! Matching of a topic name against many topic filters at once, by a tree of their levels (§4.7).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::topic::{TopicFilter, TopicName};

mod entries;
mod iter;

pub use iter::{MatcherIter, Matches};

use entries::Entries;

/// Set of topic filters with values, which finds the values of all filters that match a topic name
/// without trying each filter.
///
/// A pair of a filter and a value is there once; the same filter can be there with many values, and
/// the same value with many filters. Shared filters match without their prefix; a filter with a
/// leading wildcard doesn't match a topic that begins with `$`. Matching allocates nothing.
///
/// The cost of an operation grows with the number of levels of the filter or topic. With the number
/// of filters and values it grows as a search in an ordered tree does.
///
/// ```
/// use dunlin_codec::{TopicFilter, TopicMatcher, TopicName};
///
/// let mut matcher = TopicMatcher::new();
/// matcher.insert(TopicFilter::new("lamp/+")?, "lamps");
/// matcher.insert(TopicFilter::new("#")?, "all");
/// let mut found: Vec<_> = matcher.matches(&TopicName::new("lamp/7")?).copied().collect();
/// found.sort();
/// assert_eq!(found, ["all", "lamps"]);
/// assert_eq!(matcher.matches(&TopicName::new("$SYS/uptime")?).count(), 0);
///
/// assert!(matcher.remove(TopicFilter::new("#")?, &"all"));
/// let (filter, value) = matcher.iter().next().expect("one filter is left");
/// assert_eq!((filter.as_str(), *value), ("lamp/+", "lamps"));
/// # Ok::<(), dunlin_codec::TopicError>(())
/// ```
#[derive(Clone)]
pub struct TopicMatcher<T> {
    /// Nodes of the tree; the first is the root.
    levels: Vec<Level<T>>,
    /// Indexes of nodes that were removed and can be used again.
    unused: Vec<usize>,
    len: usize,
}

#[derive(Clone)]
struct Level<T> {
    /// Index of the parent, and true if this is its child for `+`.
    parent: usize,
    by_wildcard: bool,
    /// Children by their name, and the child for `+`.
    named: BTreeMap<Box<[u8]>, usize>,
    any: Option<usize>,
    /// Filters that end here, and those that end with `#` below this level.
    here: Entries<T>,
    below: Entries<T>,
}

impl<T> TopicMatcher<T> {
    /// Empty set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            levels: Vec::from([Level::below(0, false)]),
            unused: Vec::new(),
            len: 0,
        }
    }

    /// Number of pairs of a filter and a value.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is no filter.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes all filters and frees their memory.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Values of the filters that match `name`, in no particular order. A value of several filters
    /// that match is returned once for each.
    #[must_use]
    pub fn matches<'m, 'n>(&'m self, name: &TopicName<'n>) -> Matches<'m, 'n, T> {
        Matches::new(self, name.as_bytes())
    }

    /// All filters with their values, in no particular order.
    #[must_use]
    pub fn iter(&self) -> MatcherIter<'_, T> {
        MatcherIter::new(&self.levels, self.len)
    }

    /// Child of the node `at`, which is made if it doesn't exist.
    fn child_or_new(&mut self, at: usize, name: &[u8]) -> usize {
        // The node may be there already.
        if let Some(child) = self.levels.get(at).and_then(|level| level.child(name)) {
            return child;
        }
        let by_wildcard = name == b"+";
        let level = Level::below(at, by_wildcard);
        // Indexes of removed nodes are used again, so that the list doesn't grow with changes.
        let child = self.unused.pop().unwrap_or(self.levels.len());
        match self.levels.get_mut(child) {
            Some(unused) => *unused = level,
            None => self.levels.push(level),
        }
        // The parent learns its child last, when the child exists.
        if let Some(parent) = self.levels.get_mut(at) {
            if by_wildcard {
                parent.any = Some(child);
            } else {
                parent.named.insert(name.into(), child);
            }
        }
        child
    }

    /// Removes the node `at` and those of its ancestors that are empty now.
    ///
    /// `names` are the levels of the filter, the last first: with its name a node is found among
    /// its siblings without looking at each of them.
    fn prune<'a>(&mut self, mut at: usize, names: impl Iterator<Item = &'a [u8]>) {
        for name in names {
            // The first node that is still in use ends the walk; so does the root.
            let Some(level) = self.levels.get(at).filter(|level| level.is_empty()) else {
                return;
            };
            let (parent, by_wildcard) = (level.parent, level.by_wildcard);
            let Some(above) = self.levels.get_mut(parent) else {
                return;
            };
            if by_wildcard {
                above.any = None;
            } else {
                above.named.remove(name);
            }
            self.unused.push(at);
            at = parent;
        }
    }

    /// Indexes of all nodes, each after its parent.
    fn parents_first(&self) -> Vec<usize> {
        let mut order = Vec::from([0]);
        let mut next = 0;
        while let Some(level) = order.get(next).and_then(|&at| self.levels.get(at)) {
            order.extend(level.named.values().copied().chain(level.any));
            next += 1;
        }
        order
    }
}

impl<T: Ord> TopicMatcher<T> {
    /// Adds a filter with a value; returns `false` if this pair is there already.
    pub fn insert(&mut self, filter: TopicFilter<'_>, value: T) -> bool {
        let (levels, multi) = split(&filter);
        // Walk down from the root, making the nodes that are missing.
        let at = levels.fold(0, |at, name| self.child_or_new(at, name));
        let is_new = self
            .levels
            .get_mut(at)
            .is_some_and(|level| level.entries(multi).insert(filter.as_str(), value));
        self.len += usize::from(is_new);
        is_new
    }

    /// Removes the filter with this value; returns `false` if there is no such pair.
    pub fn remove(&mut self, filter: TopicFilter<'_>, value: &T) -> bool {
        // Find the node of the filter; without it there is nothing to remove.
        let (mut levels, multi) = split(&filter);
        let Some(at) = levels.try_fold(0, |at, name| self.levels.get(at)?.child(name)) else {
            return false;
        };
        let was_there = self
            .levels
            .get_mut(at)
            .is_some_and(|level| level.entries(multi).remove(filter.as_str(), value));
        if was_there {
            self.len -= 1;
            // Nodes without filters and children are removed.
            self.prune(at, split(&filter).0.rev());
        }
        was_there
    }

    /// Keeps the filters for which `keep` returns `true`, and removes all others. The cost is that
    /// of looking at each filter once.
    ///
    /// ```
    /// use dunlin_codec::{TopicFilter, TopicMatcher};
    ///
    /// let mut matcher: TopicMatcher<u32> =
    ///     [(TopicFilter::new("lamp/+")?, 1), (TopicFilter::new("lamp/+")?, 2)].into_iter().collect();
    /// matcher.retain(|_, client| *client != 1);
    /// assert_eq!(matcher.len(), 1);
    /// # Ok::<(), dunlin_codec::TopicError>(())
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(TopicFilter<'_>, &T) -> bool) {
        // Children come before their parents, so that a parent knows which of them are empty.
        let order = self.parents_first();
        let mut is_removed = Vec::from_iter(core::iter::repeat_n(false, self.levels.len()));
        for &at in order.iter().rev() {
            let Some(level) = self.levels.get_mut(at) else {
                continue;
            };
            self.len -= level.here.retain(&mut keep) + level.below.retain(&mut keep);
            let is_kept = |child: &usize| is_removed.get(*child) == Some(&false);
            level.named.retain(|_, child| is_kept(child));
            level.any = level.any.filter(is_kept);
            // The root stays, however empty.
            if at != 0
                && level.is_empty()
                && let Some(is_removed) = is_removed.get_mut(at)
            {
                *is_removed = true;
                self.unused.push(at);
            }
        }
    }
}

/// Levels of a filter without its share, and true if `#` follows them.
fn split<'a>(filter: &TopicFilter<'a>) -> (impl DoubleEndedIterator<Item = &'a [u8]>, bool) {
    let filter = filter.without_share().as_bytes();
    let levels = filter
        .split(|&byte| byte == b'/')
        .filter(|&name| name != b"#");
    (levels, filter.last() == Some(&b'#'))
}

impl<T> Level<T> {
    fn below(parent: usize, by_wildcard: bool) -> Self {
        Self {
            parent,
            by_wildcard,
            named: BTreeMap::new(),
            any: None,
            here: Entries::Empty,
            below: Entries::Empty,
        }
    }

    fn child(&self, name: &[u8]) -> Option<usize> {
        if name == b"+" {
            self.any
        } else {
            self.named.get(name).copied()
        }
    }

    fn entries(&mut self, multi: bool) -> &mut Entries<T> {
        if multi {
            &mut self.below
        } else {
            &mut self.here
        }
    }

    fn is_empty(&self) -> bool {
        self.named.is_empty() && self.any.is_none() && self.here.is_empty() && self.below.is_empty()
    }
}

impl<T> Default for TopicMatcher<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T: Ord> Extend<(TopicFilter<'a>, T)> for TopicMatcher<T> {
    fn extend<I: IntoIterator<Item = (TopicFilter<'a>, T)>>(&mut self, pairs: I) {
        for (filter, value) in pairs {
            self.insert(filter, value);
        }
    }
}

impl<'a, T: Ord> FromIterator<(TopicFilter<'a>, T)> for TopicMatcher<T> {
    fn from_iter<I: IntoIterator<Item = (TopicFilter<'a>, T)>>(pairs: I) -> Self {
        let mut matcher = Self::new();
        matcher.extend(pairs);
        matcher
    }
}

impl<'m, T> IntoIterator for &'m TopicMatcher<T> {
    type Item = (TopicFilter<'m>, &'m T);
    type IntoIter = MatcherIter<'m, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> fmt::Debug for TopicMatcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicMatcher")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
