//! Matching of a topic name against many topic filters at once, by a tree of their levels (§4.7).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::topic::{TopicFilter, TopicName};

/// Collection of topic filters that finds those that match a topic name, without trying each.
///
/// Each filter has a value, and the same filter can be inserted more than once. Shared filters
/// match without their prefix; a filter with a leading wildcard doesn't match a topic that begins
/// with `$`. Matching allocates nothing.
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
    /// Values of the filters that end here, and of those that end with `#` below this level.
    here: Vec<T>,
    below: Vec<T>,
}

impl<T> TopicMatcher<T> {
    /// Empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            levels: Vec::from([Level::below(0, false)]),
            unused: Vec::new(),
            len: 0,
        }
    }

    /// Number of filters.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is no filter.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a filter with a value.
    pub fn insert(&mut self, filter: TopicFilter<'_>, value: T) {
        let (levels, multi) = split(&filter);
        // Walk down from the root, making the nodes that are missing.
        let at = levels.fold(0, |at, name| self.child_or_new(at, name));
        if let Some(level) = self.levels.get_mut(at) {
            level.values(multi).push(value);
            self.len += 1;
        }
    }

    /// Removes one filter with this value; returns `true` if there was one.
    ///
    /// The cost grows with the number of levels of the filter and of values of this same filter,
    /// not with the number of other filters.
    ///
    /// Shared filters that differ only in their Share Name are distinguished by their values alone.
    pub fn remove(&mut self, filter: TopicFilter<'_>, value: &T) -> bool
    where
        T: PartialEq,
    {
        // Find the node of the filter; without it there is nothing to remove.
        let (mut levels, multi) = split(&filter);
        let Some(at) = levels.try_fold(0, |at, name| self.levels.get(at)?.child(name)) else {
            return false;
        };
        let Some(values) = self.levels.get_mut(at).map(|level| level.values(multi)) else {
            return false;
        };
        // One value is removed; equal ones of the same filter stay.
        let Some(index) = values.iter().position(|each| each == value) else {
            return false;
        };
        // The order of the values doesn't matter. Nodes without values and children are removed.
        values.swap_remove(index);
        self.len -= 1;
        self.prune(at, split(&filter).0.rev());
        true
    }

    /// Values of the filters that match `name`, in no particular order.
    #[must_use]
    pub fn matches<'m, 'n>(&'m self, name: &TopicName<'n>) -> Matches<'m, 'n, T> {
        let name = name.as_bytes();
        Matches {
            matcher: self,
            name,
            at: 0,
            from: Some(0),
            next: Next::Below,
            values: [].iter(),
        }
    }

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
        let (named, any) = (BTreeMap::new(), None);
        Self {
            parent,
            by_wildcard,
            named,
            any,
            here: Vec::new(),
            below: Vec::new(),
        }
    }

    fn child(&self, name: &[u8]) -> Option<usize> {
        if name == b"+" {
            self.any
        } else {
            self.named.get(name).copied()
        }
    }

    fn values(&mut self, multi: bool) -> &mut Vec<T> {
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

/// Iterator over the values that match a topic name, returned by [`TopicMatcher::matches`].
///
/// The iterator goes back up by the parents of the nodes, so that no name, however deep, needs a
/// stack.
#[derive(Clone)]
pub struct Matches<'m, 'n, T> {
    matcher: &'m TopicMatcher<T>,
    name: &'n [u8],
    /// Index of the current node.
    at: usize,
    /// Offset of the next level in the name; `None` after the last.
    from: Option<usize>,
    next: Next,
    /// Values found at the current node and not yet returned.
    values: core::slice::Iter<'m, T>,
}

/// Next step at a node; the steps are taken in this order.
#[derive(Clone, Copy)]
enum Next {
    Below,
    Here,
    Named,
    Any,
    Up,
}

impl<'m, T> Iterator for Matches<'m, '_, T> {
    type Item = &'m T;

    fn next(&mut self) -> Option<&'m T> {
        loop {
            // Values that were found at this node come first.
            if let Some(value) = self.values.next() {
                return Some(value);
            }
            let level = self.matcher.levels.get(self.at)?;
            // A leading wildcard doesn't match a topic that begins with `$`; `TopicFilter::matches`
            // cites the rule.
            let barred = self.at == 0 && self.name.first() == Some(&b'$');
            self.next = match self.next {
                // Filters that end with `#` here match whatever follows.
                Next::Below => {
                    if !barred {
                        self.values = level.below.iter();
                    }
                    Next::Here
                }
                // Filters that end here match only if the name ends here too.
                Next::Here if self.from.is_some() => Next::Named,
                Next::Here => {
                    self.values = level.here.iter();
                    Next::Up
                }
                // The child with the name of the next level.
                Next::Named => {
                    let rest = self.name.get(self.from?..)?;
                    let name = rest.split(|&byte| byte == b'/').next()?;
                    self.down(level.named.get(name).copied(), Next::Any)
                }
                // The child for `+`, which matches any name.
                Next::Any => self.down(level.any.filter(|_| !barred), Next::Up),
                Next::Up if self.at == 0 => return None,
                Next::Up => {
                    // Back to the parent, and to the start of the level of the name that led here.
                    let end = self.from.map_or(self.name.len(), |from| from - 1);
                    let slash = self.name.get(..end)?.iter().rposition(|&byte| byte == b'/');
                    self.from = Some(slash.map_or(0, |slash| slash + 1));
                    self.at = level.parent;
                    // The child for `+` is the last of a node's children.
                    if level.by_wildcard {
                        Next::Up
                    } else {
                        Next::Any
                    }
                }
            };
        }
    }
}

impl<T> Matches<'_, '_, T> {
    /// Goes to `child` and past one level of the name, or does what is `otherwise` next.
    fn down(&mut self, child: Option<usize>, otherwise: Next) -> Next {
        // Without the child, or after the last level of the name, there is no way down.
        let (Some(child), Some(from)) = (child, self.from) else {
            return otherwise;
        };
        // The level of the name ends at the next slash, or with the name.
        let slash = self
            .name
            .get(from..)
            .and_then(|rest| rest.iter().position(|&byte| byte == b'/'));
        self.from = slash.map(|slash| from + slash + 1);
        self.at = child;
        Next::Below
    }
}

impl<T> Default for TopicMatcher<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for TopicMatcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicMatcher")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Matches<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matches").finish_non_exhaustive()
    }
}
