//! Owned lists, kept in the form of the wire.

use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use super::{Lend, Own};
use crate::repeated::RepeatedIter;
use crate::sink::{BufferSink, Sink};
use crate::value::Item;

/// Owned form of [`Repeated`](crate::Repeated): a list of items in their order.
///
/// The items are kept as a packet has them, so that [`iter`](Self::iter) returns the borrowed types.
///
/// ```
/// use dunlin_codec::owned::{Repeated, UserProperty};
///
/// let mut pairs = Repeated::from([UserProperty::new("site", "north")?]);
/// pairs.push(&UserProperty::new("site", "south")?);
/// assert_eq!(pairs.len(), 2);
/// assert!(pairs.iter().all(|pair| pair.name == "site"));
/// # Ok::<(), dunlin_codec::TextError>(())
/// ```
pub struct Repeated<T> {
    bytes: Vec<u8>,
    count: usize,
    items: PhantomData<fn() -> T>,
}

impl<T> Repeated<T> {
    /// Empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            count: 0,
            items: PhantomData,
        }
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// True if there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Adds an item at the end.
    pub(super) fn push_item<'a>(&mut self, item: impl Item<'a>) {
        push_bytes(&mut self.bytes, item);
        self.count += 1;
    }
}

/// Appends the bytes of an item. A property is kept with its identifier, as in a packet.
fn push_bytes<'a, I: Item<'a>>(bytes: &mut Vec<u8>, item: I) {
    let mut sink = BufferSink {
        out: bytes,
        first_properties: None,
    };
    if let Some(id) = I::PROPERTY {
        sink.u8(id);
    }
    item.write(&mut sink);
}

#[expect(
    private_bounds,
    reason = "sealed: what repeats is the standard's choice"
)]
impl<T: Lend + 'static> Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    /// Adds `item` at the end.
    pub fn push(&mut self, item: &T) {
        self.push_item(item.lend());
    }

    /// Iterator over the items, which borrow from the list, in their order.
    #[must_use]
    pub fn iter(&self) -> RepeatedIter<'_, T::Lent<'_>> {
        self.as_borrowed().iter()
    }

    /// [`Repeated`](crate::Repeated) that borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> crate::Repeated<'_, T::Lent<'_>> {
        crate::Repeated::from_wire(&self.bytes, self.count)
    }
}

impl<T: Lend + 'static> Lend for Repeated<T> {
    type Lent<'a> = crate::Repeated<'a, T::Lent<'a>>;

    fn lend(&self) -> Self::Lent<'_> {
        crate::Repeated::from_wire(&self.bytes, self.count)
    }
}

impl<'a, T: Item<'a> + Own> Own for crate::Repeated<'a, T> {
    type Owned = Repeated<T::Owned>;

    fn own(&self) -> Repeated<T::Owned> {
        let mut owned = Repeated::new();
        self.iter().for_each(|item| owned.push_item(item));
        owned
    }
}

#[expect(
    private_bounds,
    reason = "sealed: what repeats is the standard's choice"
)]
impl<'a, T: Item<'a> + Own> crate::Repeated<'a, T> {
    /// Copy that owns its items.
    #[must_use]
    pub fn to_owned(&self) -> Repeated<T::Owned> {
        self.own()
    }
}

impl<'a, T: Item<'a> + Own<Owned = O>, O> From<crate::Repeated<'a, T>> for Repeated<O> {
    fn from(borrowed: crate::Repeated<'a, T>) -> Self {
        borrowed.own()
    }
}

impl<T: Lend + 'static> Extend<T> for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.push(&item);
        }
    }
}

impl<T: Lend + 'static> FromIterator<T> for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut repeated = Self::new();
        repeated.extend(items);
        repeated
    }
}

impl<T: Lend + 'static> From<Vec<T>> for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Lend + 'static, const N: usize> From<[T; N]> for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn from(items: [T; N]) -> Self {
        items.into_iter().collect()
    }
}

impl<'a, T: Lend + 'static> IntoIterator for &'a Repeated<T>
where
    for<'b> T::Lent<'b>: Item<'b>,
{
    type Item = T::Lent<'a>;
    type IntoIter = RepeatedIter<'a, T::Lent<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self::new()
    }
}

// These are not derived, because that would ask for the same of `T`.
impl<T> Clone for Repeated<T> {
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            ..*self
        }
    }
}

impl<T> PartialEq for Repeated<T> {
    fn eq(&self, other: &Self) -> bool {
        // Equal items have equal bytes.
        self.bytes == other.bytes
    }
}

impl<T> Eq for Repeated<T> {}

impl<T> Hash for Repeated<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<T: Lend + 'static> fmt::Debug for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_borrowed(), f)
    }
}
