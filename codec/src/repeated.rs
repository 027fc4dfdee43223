//! Lists of a packet: validated bytes in a decoded packet, a slice in one that was built.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;

use crate::sink::Sink;
use crate::validated::Validated;
use crate::value::Item;

/// List of items in their order: user properties, subscription identifiers, filters, reason codes.
///
/// The list of a decoded packet borrows its bytes and reads the items again on each iteration; that
/// of a packet that was built borrows a slice. Equality and `Debug` compare and show the items of
/// either.
///
/// ```
/// use dunlin_codec::{ReasonCode, Repeated};
///
/// let codes: Repeated<'_, ReasonCode> = (&[ReasonCode::Success, ReasonCode::NotAuthorized]).into();
/// assert_eq!(codes.len(), 2);
/// assert!(codes.iter().any(ReasonCode::is_error));
/// ```
pub struct Repeated<'a, T>(Source<'a, T>);

enum Source<'a, T> {
    /// `count` items in validated bytes; between properties other properties may lie.
    Wire { bytes: &'a [u8], count: u32 },
    /// Items of a packet that was built; `count` is 0 if there is none, and 1 otherwise.
    Built { items: &'a [T], count: u32 },
}

impl<'a, T> Repeated<'a, T> {
    /// Empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self::from_slice(&[])
    }

    /// List of the items of a slice, for constants; elsewhere `From` does the same.
    #[inline]
    #[must_use]
    pub const fn from_slice(items: &'a [T]) -> Self {
        // More items than a packet can have are counted by the slice.
        let count = if items.is_empty() { 0 } else { 1 };
        Self(Source::Built { items, count })
    }

    /// Number of items.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Wire { count, .. } => count as usize,
            Source::Built { items, .. } => items.len(),
        }
    }

    /// True if there is no item.
    // All variants have a count, so that this asks nothing else.
    #[inline(always)]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self.0 {
            Source::Wire { count, .. } | Source::Built { count, .. } => count == 0,
        }
    }

    /// List of `count` items. A packet has at most 268,435,455 bytes, and so never more items.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "of more items, no packet can have any"
    )]
    pub(crate) const fn from_wire(bytes: &'a [u8], count: usize) -> Self {
        let count = count as u32;
        Self(Source::Wire { bytes, count })
    }

    /// List of all the bytes that are left, which were checked before.
    #[cfg(feature = "alloc")]
    pub(crate) fn reread(mut rest: Validated<'a>) -> Self
    where
        T: Item<'a>,
    {
        let (bytes, mut count) = (rest.peek_rest(), 0);
        while T::skip(&mut rest).is_some() {
            count += 1;
        }
        Self::from_wire(bytes, count)
    }

    /// Counts one more property, whose identifier is the first byte of `from`.
    #[inline]
    pub(crate) fn found_in(&mut self, from: &'a [u8]) {
        self.0 = match self.0 {
            // The list begins at its first property; the others are found from there.
            Source::Wire { bytes, count } if count > 0 => Source::Wire {
                bytes,
                count: count + 1,
            },
            _ => Source::Wire {
                bytes: from,
                count: 1,
            },
        };
    }
}

#[expect(
    private_bounds,
    reason = "sealed: what repeats is the standard's choice"
)]
impl<'a, T: Item<'a>> Repeated<'a, T> {
    /// Iterator over the items, in their order.
    #[inline(always)]
    #[must_use]
    pub fn iter(&self) -> RepeatedIter<'a, T> {
        // Most lists of properties are empty: nothing else is looked at then.
        if self.is_empty() {
            return RepeatedIter {
                left: 0,
                rest: Rest::Built(&[]),
            };
        }
        match self.0 {
            Source::Wire { bytes, count } => RepeatedIter {
                left: count,
                rest: Rest::Wire(Validated::new(bytes)),
            },
            Source::Built { items, .. } => RepeatedIter {
                left: 1,
                rest: Rest::Built(items),
            },
        }
    }

    /// True if `test` is true of an item that was given as a value, or `test_wire` of the bytes of a
    /// list from the wire. Tests of validated bytes needn't read the texts among them.
    #[inline]
    pub(crate) fn any(
        &self,
        test: impl Fn(&T) -> bool,
        test_wire: impl Fn(Validated<'a>) -> bool,
    ) -> bool {
        match self.0 {
            Source::Wire { bytes, .. } => test_wire(Validated::new(bytes)),
            Source::Built { items, .. } => items.iter().any(test),
        }
    }

    /// Writes the items, each property with its identifier.
    #[inline(always)]
    pub(crate) fn write<S: Sink>(&self, sink: &mut S) {
        match self.0 {
            Source::Wire { bytes, count } => Self::write_wire(bytes, count, sink),
            Source::Built { items, .. } => match T::PROPERTY {
                Some(id) => {
                    // A loop, as a closure would keep the position of the sink in memory.
                    for item in items {
                        item.write_row(id, sink);
                    }
                }
                None => T::write_all(items, sink),
            },
        }
    }

    /// Copies the items of a list from the wire, which are valid already.
    #[inline(always)]
    fn write_wire<S: Sink>(bytes: &'a [u8], count: u32, sink: &mut S) {
        // Items that are no properties have nothing between them.
        let Some(id) = T::PROPERTY else {
            return sink.bytes(bytes);
        };
        let mut rest = Validated::new(bytes);
        for _ in 0..count {
            // The list was validated, so its items are found.
            let Some(value) = rest.next_property(id) else {
                return;
            };
            sink.u8(id);
            sink.bytes(value);
        }
    }
}

/// Iterator over the items of a [`Repeated`], in their order.
pub struct RepeatedIter<'a, T> {
    /// Number of items that are left in validated bytes; of a slice 1, or 0 at its end.
    left: u32,
    rest: Rest<'a, T>,
}

enum Rest<'a, T> {
    Wire(Validated<'a>),
    Built(&'a [T]),
}

impl<'a, T: Item<'a>> Iterator for RepeatedIter<'a, T> {
    type Item = T;

    // Inlined up to the end of the list, as most lists of properties are empty.
    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        // The count tells where the list ends: other properties may follow.
        let left = self.left.checked_sub(1)?;
        match &mut self.rest {
            Rest::Wire(rest) => {
                self.left = left;
                next_in(rest)
            }
            Rest::Built(items) => {
                let (first, others) = items.split_first()?;
                *items = others;
                self.left = u32::from(!others.is_empty());
                Some(*first)
            }
        }
    }

    /// Distinguishes slice and bytes once instead of once for each item.
    #[inline]
    fn fold<B, F: FnMut(B, T) -> B>(self, start: B, mut each: F) -> B {
        match self.rest {
            Rest::Built(items) => items.iter().copied().fold(start, each),
            Rest::Wire(_) => {
                let mut result = start;
                for item in self {
                    result = each(result, item);
                }
                result
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match self.rest {
            Rest::Wire(_) => self.left as usize,
            Rest::Built(items) => items.len(),
        };
        (len, Some(len))
    }
}

/// Next item of a list in validated bytes.
#[inline]
fn next_in<'a, T: Item<'a>>(rest: &mut Validated<'a>) -> Option<T> {
    // Other properties may lie between two of the list.
    if let Some(id) = T::PROPERTY {
        rest.find_property(id)?;
    }
    T::reread(rest)
}

impl<'a, T: Item<'a>> ExactSizeIterator for RepeatedIter<'a, T> {}

impl<'a, T: Item<'a>> FusedIterator for RepeatedIter<'a, T> {}

// Not derived, because that would ask for `T: Clone`.
impl<T> Clone for RepeatedIter<'_, T> {
    fn clone(&self) -> Self {
        Self {
            left: self.left,
            rest: match &self.rest {
                Rest::Wire(rest) => Rest::Wire(*rest),
                Rest::Built(items) => Rest::Built(items),
            },
        }
    }
}

impl<'a, T: Item<'a>> IntoIterator for Repeated<'a, T> {
    type Item = T;
    type IntoIter = RepeatedIter<'a, T>;

    #[inline(always)]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T: Item<'a>> IntoIterator for &Repeated<'a, T> {
    type Item = T;
    type IntoIter = RepeatedIter<'a, T>;

    #[inline(always)]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> From<&'a [T]> for Repeated<'a, T> {
    fn from(items: &'a [T]) -> Self {
        Self::from_slice(items)
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for Repeated<'a, T> {
    fn from(items: &'a [T; N]) -> Self {
        Self::from_slice(items)
    }
}

impl<T> Default for Repeated<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Repeated<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Repeated<'_, T> {}

impl<T> Clone for Source<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Source<'_, T> {}

impl<'a, T: Item<'a>> PartialEq for Repeated<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Item<'a> + Eq> Eq for Repeated<'a, T> {}

impl<'a, T: Item<'a> + Hash> Hash for Repeated<'a, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|item| item.hash(state));
    }
}

impl<'a, T: Item<'a>> fmt::Debug for Repeated<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Item<'a>> fmt::Debug for RepeatedIter<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepeatedIter")
            .field("left", &self.len())
            .finish()
    }
}
