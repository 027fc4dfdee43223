//! Many topic filters at once: a tree of levels, in which a topic name finds the filters that match
//! it (§4.7).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::topic::{TopicFilter, TopicName};

/// Which of many filters match a topic name, without trying each of them.
///
/// Each filter has a value. The same filter may stand here more than once. Shared filters match
/// without their prefix; wildcards at the front leave topics alone that begin with `$`. Looking up
/// allocates nothing.
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
    /// The first is the root.
    levels: Vec<Level<T>>,
    /// Levels that nothing leads to any more.
    unused: Vec<usize>,
    len: usize,
}

#[derive(Clone)]
struct Level<T> {
    /// The way up, and whether `+` led down here.
    parent: usize,
    by_wildcard: bool,
    /// What lies behind a level of this name, and behind `+`.
    named: BTreeMap<Box<[u8]>, usize>,
    any: Option<usize>,
    /// The values of filters that end here, and of those that end in `#` behind this level.
    here: Vec<T>,
    below: Vec<T>,
}

impl<T> TopicMatcher<T> {
    /// Without filters.
    #[must_use]
    pub fn new() -> Self {
        Self {
            levels: Vec::from([Level::below(0, false)]),
            unused: Vec::new(),
            len: 0,
        }
    }

    /// How many filters there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a filter.
    pub fn insert(&mut self, filter: TopicFilter<'_>, value: T) {
        let (levels, multi) = split(&filter);
        let at = levels.fold(0, |at, name| self.child_or_new(at, name));
        if let Some(level) = self.levels.get_mut(at) {
            level.values(multi).push(value);
            self.len += 1;
        }
    }

    /// Removes one filter with this value; `true` if there was one.
    ///
    /// The cost grows with the levels of the filter and the number of values at this same filter,
    /// not with the number of other filters.
    ///
    /// Shared filters with the same filter behind their prefix are told apart by their values
    /// alone.
    pub fn remove(&mut self, filter: TopicFilter<'_>, value: &T) -> bool
    where
        T: PartialEq,
    {
        let (mut levels, multi) = split(&filter);
        let Some(at) = levels.try_fold(0, |at, name| self.levels.get(at)?.child(name)) else {
            return false;
        };
        let Some(values) = self.levels.get_mut(at).map(|level| level.values(multi)) else {
            return false;
        };
        let Some(index) = values.iter().position(|each| each == value) else {
            return false;
        };
        values.swap_remove(index);
        self.len -= 1;
        self.prune(at, split(&filter).0.rev());
        true
    }

    /// The values of the filters that match `name`, in no particular order.
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
        if let Some(child) = self.levels.get(at).and_then(|level| level.child(name)) {
            return child;
        }
        let by_wildcard = name == b"+";
        let level = Level::below(at, by_wildcard);
        let child = self.unused.pop().unwrap_or(self.levels.len());
        match self.levels.get_mut(child) {
            Some(unused) => *unused = level,
            None => self.levels.push(level),
        }
        if let Some(parent) = self.levels.get_mut(at) {
            if by_wildcard {
                parent.any = Some(child);
            } else {
                parent.named.insert(name.into(), child);
            }
        }
        child
    }

    /// Removes the level `at` and the levels above it that are empty now.
    ///
    /// `names` are the levels of the filter from its last one upwards: with its name a level is
    /// found among its siblings without looking at each of them.
    fn prune<'a>(&mut self, mut at: usize, names: impl Iterator<Item = &'a [u8]>) {
        for name in names {
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

/// The levels of a filter without its share, and whether `#` follows them.
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

/// The values that match a topic name; made by [`TopicMatcher::matches`].
///
/// It goes down and up again by the parents of levels, so that no name, however deep, needs a
/// stack.
#[derive(Clone)]
pub struct Matches<'m, 'n, T> {
    matcher: &'m TopicMatcher<T>,
    name: &'n [u8],
    /// The level that the walk is at.
    at: usize,
    /// Where the next level of the name begins; `None` behind the last.
    from: Option<usize>,
    next: Next,
    /// What was found there and not handed out.
    values: core::slice::Iter<'m, T>,
}

/// What to do next at a level, in this order.
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
            if let Some(value) = self.values.next() {
                return Some(value);
            }
            let level = self.matcher.levels.get(self.at)?;
            // A leading wildcard leaves topics alone that begin with `$`: `TopicFilter::matches`
            // cites the rule.
            let barred = self.at == 0 && self.name.first() == Some(&b'$');
            self.next = match self.next {
                Next::Below => {
                    if !barred {
                        self.values = level.below.iter();
                    }
                    Next::Here
                }
                Next::Here if self.from.is_some() => Next::Named,
                Next::Here => {
                    self.values = level.here.iter();
                    Next::Up
                }
                Next::Named => {
                    let rest = self.name.get(self.from?..)?;
                    let name = rest.split(|&byte| byte == b'/').next()?;
                    self.down(level.named.get(name).copied(), Next::Any)
                }
                Next::Any => self.down(level.any.filter(|_| !barred), Next::Up),
                Next::Up if self.at == 0 => return None,
                Next::Up => {
                    let end = self.from.map_or(self.name.len(), |from| from - 1);
                    let slash = self.name.get(..end)?.iter().rposition(|&byte| byte == b'/');
                    self.from = Some(slash.map_or(0, |slash| slash + 1));
                    self.at = level.parent;
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
    /// Goes to `child` and behind one level of the name, or does what is `otherwise` next.
    fn down(&mut self, child: Option<usize>, otherwise: Next) -> Next {
        let (Some(child), Some(from)) = (child, self.from) else {
            return otherwise;
        };
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
