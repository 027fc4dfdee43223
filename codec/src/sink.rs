//! Writing values into a slice, a counter or (with `alloc`) a buffer.

use crate::varint;

#[cfg(feature = "alloc")]
mod buffer;

#[cfg(feature = "alloc")]
pub(crate) use buffer::BufferSink;

/// Set of properties that can be written.
pub(crate) trait WriteProperties {
    /// Writes the properties without the Property Length.
    fn write<S: Sink>(&self, sink: &mut S);
}

/// Destination of the bytes of a packet: a buffer, a slice or a counter. A length is found by the
/// same code that writes, so that the two can't differ.
pub(crate) trait Sink {
    /// Writes bytes whose number is known at run time only.
    fn bytes(&mut self, bytes: &[u8]);

    /// Writes bytes of which the compiler knows the number, with one store.
    fn array<const N: usize>(&mut self, bytes: [u8; N]);

    #[inline(always)]
    fn u8(&mut self, value: u8) {
        self.array([value]);
    }

    #[inline(always)]
    fn u16(&mut self, value: u16) {
        self.array(value.to_be_bytes());
    }

    #[inline(always)]
    fn u32(&mut self, value: u32) {
        self.array(value.to_be_bytes());
    }

    #[inline(always)]
    fn varint(&mut self, value: u32) {
        if let Ok(byte @ 0..=0x7f) = u8::try_from(value) {
            return self.u8(byte);
        }
        if let Some([a, b]) = varint::two_bytes(value) {
            return self.array([a, b]);
        }
        // One write for each length: a copy of a variable number of bytes would have to wait for the
        // stores before it.
        let [a, b, c, d] = varint::bytes(value);
        match varint::len(value) {
            3 => self.array([a, b, c]),
            _ => self.array([a, b, c, d]),
        }
    }

    /// Writes two bytes of length, then `bytes`, whose type guarantees at most 65,535.
    #[inline(always)]
    fn prefixed(&mut self, bytes: &[u8]) {
        self.u16(len_of(bytes));
        self.bytes(bytes);
    }

    /// Writes a fixed header, its first byte and the Remaining Length, with one write.
    #[inline(always)]
    fn header(&mut self, first: u8, remaining_length: u32) {
        if let Ok(byte @ 0..=0x7f) = u8::try_from(remaining_length) {
            return self.array([first, byte]);
        }
        if let Some([a, b]) = varint::two_bytes(remaining_length) {
            return self.array([first, a, b]);
        }
        let [a, b, c, d] = varint::bytes(remaining_length);
        match varint::len(remaining_length) {
            3 => self.array([first, a, b, c]),
            _ => self.array([first, a, b, c, d]),
        }
    }

    /// Writes a fixed header, then `bytes` like [`prefixed`](Self::prefixed). Up to 16,383 bytes of
    /// Remaining Length, the header and the length of `bytes` are one write.
    #[inline(always)]
    fn header_prefixed(&mut self, first: u8, remaining_length: u32, bytes: &[u8]) {
        let [high, low] = len_of(bytes).to_be_bytes();
        if let Ok(len @ 0..=0x7f) = u8::try_from(remaining_length) {
            self.array([first, len, high, low]);
        } else if let Some([a, b]) = varint::two_bytes(remaining_length) {
            self.array([first, a, b, high, low]);
        } else {
            self.header(first, remaining_length);
            self.array([high, low]);
        }
        self.bytes(bytes);
    }

    /// Writes the identifier of a property and the bytes of a number with one write.
    #[inline(always)]
    fn row(&mut self, id: u8, value: &[u8]) {
        match *value {
            [a] => self.array([id, a]),
            [a, b] => self.array([id, a, b]),
            [a, b, c, d] => self.array([id, a, b, c, d]),
            _ => {
                self.u8(id);
                self.bytes(value);
            }
        }
    }

    /// Writes the identifier of a property and the length of `bytes` with one write, then the
    /// bytes; see [`prefixed`](Self::prefixed).
    #[inline(always)]
    fn prefixed_row(&mut self, id: u8, bytes: &[u8]) {
        let [high, low] = len_of(bytes).to_be_bytes();
        self.array([id, high, low]);
        self.bytes(bytes);
    }

    /// Writes the Property Length, then the properties.
    #[inline(always)]
    fn properties<P: WriteProperties>(&mut self, properties: &P)
    where
        Self: Sized,
    {
        // A first pass counts, a second one writes.
        let len = self.properties_len(properties);
        self.varint(u32::try_from(len).unwrap_or(varint::MAX));
        if len > 0 {
            properties.write(self);
        }
    }

    /// Number of bytes of `properties` without the Property Length.
    #[inline(always)]
    fn properties_len<P: WriteProperties>(&mut self, properties: &P) -> u64 {
        Length::of(|counter| properties.write(counter)).bytes
    }
}

/// Length of text or data, whose type guarantees at most 65,535 bytes.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked when the text or data was made"
)]
fn len_of(bytes: &[u8]) -> u16 {
    debug_assert!(
        u16::try_from(bytes.len()).is_ok(),
        "longer than its type allows"
    );
    bytes.len() as u16
}

/// Counter of the bytes that would be written. `u64`, because a list can repeat one slice and be
/// longer than memory.
#[derive(Debug, Default)]
pub(crate) struct Length {
    pub(crate) bytes: u64,
    /// Bytes of the first set of properties without the Property Length, kept so that they need not
    /// be counted again for it; `None` if there is none.
    pub(crate) first_properties: Option<u64>,
}

impl Length {
    /// Number of bytes that `write` writes.
    #[inline(always)]
    pub(crate) fn of(write: impl FnOnce(&mut Self)) -> Self {
        let mut counter = Self::default();
        write(&mut counter);
        counter
    }
}

impl Sink for Length {
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, _: [u8; N]) {
        self.bytes += N as u64;
    }

    #[inline(always)]
    fn properties<P: WriteProperties>(&mut self, properties: &P) {
        // The Property Length has one to four bytes, and the properties are counted for it anyway.
        let len = self.properties_len(properties);
        self.bytes += varint::len(u32::try_from(len).unwrap_or(varint::MAX)) as u64 + len;
        // Only the first set is remembered: of the packets, only CONNECT has two.
        self.first_properties = self.first_properties.or(Some(len));
    }
}

/// Copies `from` to `to`, which has the same length. Up to 64 bytes take no call of `memcpy`.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    // Two copies of a fixed size, which overlap unless the length is twice that size.
    macro_rules! ends {
        ($len:literal) => {
            if let (Some(first), Some(last)) =
                (from.first_chunk::<$len>(), from.last_chunk::<$len>())
            {
                if let Some(place) = to.first_chunk_mut() {
                    *place = *first;
                }
                if let Some(place) = to.last_chunk_mut() {
                    *place = *last;
                }
            }
        };
    }
    // Most texts have 8 to 32 characters, so these come first.
    let len = from.len();
    if len >= 16 {
        if len <= 32 {
            ends!(16);
        } else if len <= 64 {
            ends!(32);
        } else {
            to.copy_from_slice(from);
        }
    } else if len >= 8 {
        ends!(8);
    } else if len >= 4 {
        ends!(4);
    } else if len >= 2 {
        ends!(2);
    } else {
        ends!(1);
    }
}

/// Writer into a slice that is long enough; bytes that don't fit are left out.
#[derive(Debug)]
pub(crate) struct SliceSink<'b> {
    pub(crate) rest: &'b mut [u8],
    /// Bytes of the first set of properties, as [`Length`] counted them.
    pub(crate) first_properties: Option<u64>,
}

impl Sink for SliceSink<'_> {
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        // The slice is as long as the packet, so that every write finds its place.
        if let Some((place, rest)) =
            core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())
        {
            copy(place, bytes);
            self.rest = rest;
        }
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((place, rest)) = core::mem::take(&mut self.rest).split_first_chunk_mut() {
            *place = bytes;
            self.rest = rest;
        }
    }

    #[inline(always)]
    fn properties_len<P: WriteProperties>(&mut self, properties: &P) -> u64 {
        // Only the first set was counted; the properties of a Will are counted here.
        self.first_properties
            .take()
            .unwrap_or_else(|| Length::of(|counter| properties.write(counter)).bytes)
    }
}
