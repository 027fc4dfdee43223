//! Owned lists, kept in the form of the wire.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::Lend;
use crate::sink::{BufferSink, Sink};
use crate::value::{Item, Value};

/// Owned form of [`Repeated`](crate::Repeated): a list of items in their order.
///
/// ```
/// use dunlin_codec::owned::{Lend, Repeated, TopicFilter};
///
/// let filters: Repeated<TopicFilter> = [TopicFilter::new("lamp/+")?, TopicFilter::new("#")?].into_iter().collect();
/// assert_eq!(filters.lend().len(), 2);
/// # Ok::<(), dunlin_codec::TopicError>(())
/// ```
pub struct Repeated<T> {
    bytes: Vec<u8>,
    count: usize,
    items: PhantomData<fn() -> T>,
}

#[expect(
    private_bounds,
    reason = "sealed: what repeats is the standard's choice"
)]
impl<T: Lend> Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    /// Adds `item` at the end.
    pub fn push(&mut self, item: &T) {
        self.push_lent(item.lend());
    }

    pub(super) fn push_lent(&mut self, item: T::Lent<'_>) {
        let mut sink = BufferSink {
            out: &mut self.bytes,
            first_properties: None,
        };
        // A property is kept with its identifier, as in a packet.
        if let Some(id) = <T::Lent<'_> as Item<'_>>::PROPERTY {
            sink.u8(id);
        }
        item.write(&mut sink);
        self.count += 1;
    }
}

impl<T: Lend + 'static> Lend for Repeated<T> {
    type Lent<'a> = crate::Repeated<'a, T::Lent<'a>>;

    fn lend(&self) -> Self::Lent<'_> {
        crate::Repeated::from_wire(&self.bytes, self.count)
    }
}

impl<T: Lend> FromIterator<T> for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut repeated = Self::default();
        for item in items {
            repeated.push(&item);
        }
        repeated
    }
}

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            count: 0,
            items: PhantomData,
        }
    }
}

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
        self.bytes == other.bytes
    }
}

impl<T> Eq for Repeated<T> {}

impl<T: Lend + 'static> fmt::Debug for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lend().fmt(f)
    }
}
