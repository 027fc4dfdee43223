//! Iterators of a matcher: the values that match a topic name, and all filters with their values.

use core::fmt;
use core::iter::FusedIterator;

use super::entries::EntriesIter;
use super::{Level, TopicMatcher};
use crate::topic::TopicFilter;

/// Iterator over the values that match a topic name, returned by [`TopicMatcher::matches`].
///
/// The iterator goes back up by the parents of the nodes, so that no name, however deep, needs a
/// stack.
pub struct Matches<'m, 'n, T> {
    matcher: &'m TopicMatcher<T>,
    name: &'n [u8],
    /// Index of the current node.
    at: usize,
    /// Offset of the next level in the name; `None` after the last.
    from: Option<usize>,
    next: Next,
    /// Values found at the current node and not yet returned.
    found: EntriesIter<'m, T>,
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

impl<'m, 'n, T> Matches<'m, 'n, T> {
    pub(super) fn new(matcher: &'m TopicMatcher<T>, name: &'n [u8]) -> Self {
        Self {
            matcher,
            name,
            at: 0,
            from: Some(0),
            next: Next::Below,
            found: EntriesIter::default(),
        }
    }

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

impl<'m, T> Iterator for Matches<'m, '_, T> {
    type Item = &'m T;

    fn next(&mut self) -> Option<&'m T> {
        loop {
            // Values that were found at this node come first.
            if let Some((_, value)) = self.found.next() {
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
                        self.found = level.below.iter();
                    }
                    Next::Here
                }
                // Filters that end here match only if the name ends here too.
                Next::Here if self.from.is_some() => Next::Named,
                Next::Here => {
                    self.found = level.here.iter();
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

impl<T> FusedIterator for Matches<'_, '_, T> {}

impl<T> Clone for Matches<'_, '_, T> {
    fn clone(&self) -> Self {
        Self {
            found: self.found.clone(),
            ..*self
        }
    }
}

impl<T> fmt::Debug for Matches<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matches").finish_non_exhaustive()
    }
}

/// Iterator over all filters of a [`TopicMatcher`] with their values, in no particular order.
pub struct MatcherIter<'m, T> {
    /// Nodes whose filters have not begun.
    levels: core::slice::Iter<'m, Level<T>>,
    here: EntriesIter<'m, T>,
    below: EntriesIter<'m, T>,
    left: usize,
}

impl<'m, T> MatcherIter<'m, T> {
    pub(super) fn new(levels: &'m [Level<T>], len: usize) -> Self {
        Self {
            levels: levels.iter(),
            here: EntriesIter::default(),
            below: EntriesIter::default(),
            left: len,
        }
    }
}

impl<'m, T> Iterator for MatcherIter<'m, T> {
    type Item = (TopicFilter<'m>, &'m T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((filter, value)) = self.here.next().or_else(|| self.below.next()) {
                self.left = self.left.saturating_sub(1);
                return Some((TopicFilter::of_validated(filter), value));
            }
            // Nodes that were removed are in the list, and have no filters.
            let level = self.levels.next()?;
            self.here = level.here.iter();
            self.below = level.below.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for MatcherIter<'_, T> {}

impl<T> FusedIterator for MatcherIter<'_, T> {}

impl<T> Clone for MatcherIter<'_, T> {
    fn clone(&self) -> Self {
        Self {
            levels: self.levels.clone(),
            here: self.here.clone(),
            below: self.below.clone(),
            left: self.left,
        }
    }
}

impl<T> fmt::Debug for MatcherIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatcherIter")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
