//! Filters that end at one level of the tree, with their values.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, btree_map, btree_set};

use crate::topic::TopicFilter;

/// Set of pairs of a filter and a value. The filters differ in their Share Name at most.
///
/// Most levels have one pair or none, which need no tree.
#[derive(Clone, Default)]
pub(super) enum Entries<T> {
    #[default]
    Empty,
    One {
        filter: Box<str>,
        value: T,
    },
    /// Values of each filter; no set is empty.
    Many(BTreeMap<Box<str>, BTreeSet<T>>),
}

impl<T> Entries<T> {
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    #[inline]
    pub(super) fn iter(&self) -> EntriesIter<'_, T> {
        match self {
            Self::Empty => EntriesIter::default(),
            Self::One { filter, value } => EntriesIter::One(Some((filter, value))),
            Self::Many(filters) => EntriesIter::Many {
                filters: filters.iter(),
                values: None,
            },
        }
    }
}

impl<T: Ord> Entries<T> {
    /// Adds a pair; `false` if it is there already.
    pub(super) fn insert(&mut self, filter: &str, value: T) -> bool {
        let mut filters = match core::mem::take(self) {
            Self::Empty => {
                *self = Self::One {
                    filter: filter.into(),
                    value,
                };
                return true;
            }
            // A second pair needs the tree, unless it is the first one again.
            Self::One {
                filter: first,
                value: first_value,
            } => {
                if *first == *filter && first_value == value {
                    *self = Self::One {
                        filter: first,
                        value: first_value,
                    };
                    return false;
                }
                BTreeMap::from([(first, BTreeSet::from([first_value]))])
            }
            Self::Many(filters) => filters,
        };
        // The text is copied only for a filter that is new.
        let is_new = match filters.get_mut(filter) {
            Some(values) => values.insert(value),
            None => filters
                .insert(filter.into(), BTreeSet::from([value]))
                .is_none(),
        };
        *self = Self::Many(filters);
        is_new
    }

    /// Removes a pair; `false` if it isn't there.
    pub(super) fn remove(&mut self, filter: &str, value: &T) -> bool {
        match self {
            Self::Empty => false,
            Self::One {
                filter: first,
                value: first_value,
            } => {
                let is_this = **first == *filter && first_value == value;
                if is_this {
                    *self = Self::Empty;
                }
                is_this
            }
            Self::Many(filters) => {
                let Some(values) = filters.get_mut(filter) else {
                    return false;
                };
                let was_there = values.remove(value);
                // Sets and trees that are empty now are freed.
                if values.is_empty() {
                    filters.remove(filter);
                }
                if filters.is_empty() {
                    *self = Self::Empty;
                }
                was_there
            }
        }
    }

    /// Keeps the pairs for which `keep` is true; returns the number of those that were removed.
    pub(super) fn retain(&mut self, keep: &mut impl FnMut(TopicFilter<'_>, &T) -> bool) -> usize {
        let mut removed = 0;
        let mut keep = |filter: &str, value: &T| {
            let is_kept = keep(TopicFilter::of_validated(filter), value);
            removed += usize::from(!is_kept);
            is_kept
        };
        let is_empty = match self {
            Self::Empty => true,
            Self::One { filter, value } => !keep(filter, value),
            Self::Many(filters) => {
                filters.retain(|filter, values| {
                    values.retain(|value| keep(filter, value));
                    !values.is_empty()
                });
                filters.is_empty()
            }
        };
        if is_empty {
            *self = Self::Empty;
        }
        removed
    }
}

/// Iterator over the pairs of [`Entries`].
///
/// One pair, the usual case, is made and moved without the state that a tree needs.
pub(super) enum EntriesIter<'m, T> {
    One(Option<(&'m str, &'m T)>),
    Many {
        filters: btree_map::Iter<'m, Box<str>, BTreeSet<T>>,
        /// Filter whose values are next, and the rest of them.
        values: Option<(&'m str, btree_set::Iter<'m, T>)>,
    },
}

impl<'m, T> Iterator for EntriesIter<'m, T> {
    type Item = (&'m str, &'m T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(pair) => pair.take(),
            Self::Many { filters, values } => loop {
                if let Some((filter, values)) = values
                    && let Some(value) = values.next()
                {
                    return Some((filter, value));
                }
                let (filter, set) = filters.next()?;
                *values = Some((filter, set.iter()));
            },
        }
    }
}

impl<T> Default for EntriesIter<'_, T> {
    fn default() -> Self {
        Self::One(None)
    }
}

// Not derived, because that would ask for `T: Clone`.
impl<T> Clone for EntriesIter<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Self::One(pair) => Self::One(*pair),
            Self::Many { filters, values } => Self::Many {
                filters: filters.clone(),
                values: values.clone(),
            },
        }
    }
}
