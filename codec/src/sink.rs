//! Writing values into a buffer, a slice or a counter.

use bytes::BufMut;

use crate::property::Properties;
use crate::varint;

/// Where the bytes of a packet go: into a buffer, or into a counter. A length is a dry run, so the
/// two can't drift.
pub(crate) trait Sink {
    fn bytes(&mut self, bytes: &[u8]);

    #[inline(always)]
    fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    #[inline(always)]
    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    #[inline(always)]
    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    #[inline(always)]
    fn varint(&mut self, value: u32) {
        if let Ok(byte @ 0..=0x7f) = u8::try_from(value) {
            return self.u8(byte);
        }
        // Each length on its own: a copy of so many bytes as turn out to be needed would wait for
        // the stores before it.
        let [a, b, c, d] = varint::bytes(value);
        match varint::len(value) {
            2 => self.bytes(&[a, b]),
            3 => self.bytes(&[a, b, c]),
            _ => self.bytes(&[a, b, c, d]),
        }
    }

    /// Two bytes of length, then `bytes`, of which their type made sure that there are at most
    /// 65,535.
    #[inline(always)]
    fn prefixed(&mut self, bytes: &[u8]) {
        self.u16(len_of(bytes));
        self.bytes(bytes);
    }

    /// A fixed header: its first byte and the Remaining Length, in one stroke.
    #[inline(always)]
    fn header(&mut self, first: u8, remaining_length: u32) {
        if let Ok(byte @ 0..=0x7f) = u8::try_from(remaining_length) {
            return self.bytes(&[first, byte]);
        }
        let [a, b, c, d] = varint::bytes(remaining_length);
        match varint::len(remaining_length) {
            2 => self.bytes(&[first, a, b]),
            3 => self.bytes(&[first, a, b, c]),
            _ => self.bytes(&[first, a, b, c, d]),
        }
    }

    /// A fixed header, then what [`prefixed`](Self::prefixed) writes: of short packets up to the
    /// bytes in one stroke.
    #[inline(always)]
    fn header_prefixed(&mut self, first: u8, remaining_length: u32, bytes: &[u8]) {
        let [high, low] = len_of(bytes).to_be_bytes();
        if let Ok(len @ 0..=0x7f) = u8::try_from(remaining_length) {
            self.bytes(&[first, len, high, low]);
        } else {
            self.header(first, remaining_length);
            self.bytes(&[high, low]);
        }
        self.bytes(bytes);
    }

    /// The identifier of a property and the bytes of a number, in one stroke.
    #[inline(always)]
    fn row(&mut self, id: u8, value: &[u8]) {
        match *value {
            [a] => self.bytes(&[id, a]),
            [a, b] => self.bytes(&[id, a, b]),
            [a, b, c, d] => self.bytes(&[id, a, b, c, d]),
            _ => {
                self.u8(id);
                self.bytes(value);
            }
        }
    }

    /// The identifier of a property and the length of its bytes in one stroke, then the bytes; as
    /// [`prefixed`](Self::prefixed).
    #[inline(always)]
    fn prefixed_row(&mut self, id: u8, bytes: &[u8]) {
        let [high, low] = len_of(bytes).to_be_bytes();
        self.bytes(&[id, high, low]);
        self.bytes(bytes);
    }

    /// The length of `properties`, then the properties.
    #[inline(always)]
    fn properties<'a, P: Properties<'a>>(&mut self, properties: &P)
    where
        Self: Sized,
    {
        let len = self.properties_len(properties);
        self.varint(u32::try_from(len).unwrap_or(varint::MAX));
        if len > 0 {
            properties.write(self);
        }
    }

    /// The bytes of `properties`.
    #[inline(always)]
    fn properties_len<'a, P: Properties<'a>>(&mut self, properties: &P) -> u64 {
        Length::of(|counter| properties.write(counter)).bytes
    }
}

/// The length of what its type keeps at 65,535 bytes or less.
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

/// Counts what would be written; `u64`, as what a program says can be more than its memory holds.
#[derive(Debug, Default)]
pub(crate) struct Length {
    pub(crate) bytes: u64,
    /// Of these, the first set of properties without its length: what is counted once needn't be
    /// counted again.
    pub(crate) first_properties: Option<u64>,
}

impl Length {
    /// The bytes that `write` writes.
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
    fn properties<'a, P: Properties<'a>>(&mut self, properties: &P) {
        let len = self.properties_len(properties);
        self.bytes += varint::len(u32::try_from(len).unwrap_or(varint::MAX)) as u64 + len;
        self.first_properties = self.first_properties.or(Some(len));
    }
}

/// Writes into a slice that has room; what doesn't fit is left out.
#[derive(Debug)]
pub(crate) struct Stage<'b> {
    pub(crate) rest: &'b mut [u8],
    /// As counted by [`Length`].
    pub(crate) first_properties: Option<u64>,
}

impl Sink for Stage<'_> {
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some((place, rest)) =
            core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())
        {
            place.copy_from_slice(bytes);
            self.rest = rest;
        }
    }

    #[inline(always)]
    fn properties_len<'a, P: Properties<'a>>(&mut self, properties: &P) -> u64 {
        self.first_properties
            .take()
            .unwrap_or_else(|| Length::of(|counter| properties.write(counter)).bytes)
    }
}

/// Writes into a buffer that has room.
#[derive(Debug)]
pub(crate) struct Output<'b, B> {
    pub(crate) out: &'b mut B,
    /// As counted by [`Length`], where it was.
    pub(crate) first_properties: Option<u64>,
}

impl<B: BufMut> Sink for Output<'_, B> {
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    #[inline(always)]
    fn properties_len<'a, P: Properties<'a>>(&mut self, properties: &P) -> u64 {
        self.first_properties
            .take()
            .unwrap_or_else(|| Length::of(|counter| properties.write(counter)).bytes)
    }
}
