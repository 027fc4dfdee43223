//! Reading one value after another inside a section, and writing them into a buffer or a counter.

use bytes::BufMut;

use crate::decode::{DecodeOptions, Leniency};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet_type::Sender;
use crate::property::Properties;
use crate::reason_code::ReasonCode;
use crate::scope::ErrorScope;
use crate::varint::{self, Varint};

/// A section of one packet: it can't see past its end, and it knows where in the packet it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// The offset, in the packet, of the first byte behind the section.
    end: u32,
    sender: Sender,
    leniency: Leniency,
}

impl<'a> Reader<'a> {
    /// A reader of everything behind a fixed header of `header_len` bytes.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a packet is at most 268,435,460 bytes long"
    )]
    pub(crate) fn new(body: &'a [u8], header_len: u8, options: &DecodeOptions) -> Self {
        let end = u32::from(header_len) + body.len() as u32;
        Self {
            rest: body,
            end,
            sender: options.sender,
            leniency: options.leniency,
        }
    }

    /// A reader of bytes that were read before, and that end at `end`.
    pub(crate) fn of_validated(body: &'a [u8], end: u32) -> Self {
        Self {
            rest: body,
            end,
            sender: Sender::Any,
            leniency: Leniency::ALL,
        }
    }

    /// The offset, in the packet, of the first byte behind the section.
    #[inline(always)]
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a packet is at most 268,435,460 bytes long"
    )]
    pub(crate) fn offset(&self) -> u32 {
        self.end - self.rest.len() as u32
    }

    #[inline(always)]
    pub(crate) fn sender(&self) -> Sender {
        self.sender
    }

    #[inline(always)]
    pub(crate) fn leniency(&self) -> Leniency {
        self.leniency
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left, without taking it.
    #[inline(always)]
    pub(crate) fn peek_rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A reader that has `rest` left, which ends at `end`.
    pub(crate) fn standing_at(rest: &'a [u8], end: u32, sender: Sender) -> Self {
        Self {
            rest,
            end,
            sender,
            leniency: Leniency::ALL,
        }
    }

    /// Takes everything that is left.
    #[inline(always)]
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    #[inline(always)]
    pub(crate) fn take(
        &mut self,
        len: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.truncated(field));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(field));
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(|[byte]| byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        if let [byte @ 0..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u32::from(*byte));
        }
        match varint::read_long(self.rest) {
            Varint::Value(value, len) => {
                self.rest = self.rest.get(usize::from(len)..).unwrap_or_default();
                Ok(value)
            }
            Varint::Incomplete => Err(self.truncated(field)),
            Varint::Invalid => Err(self.malformed(field, Some(varint::broken_rule(self.rest)))),
        }
    }

    /// Two bytes of length, then as many bytes.
    #[inline(always)]
    pub(crate) fn prefixed(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = self.u16(field)?;
        self.take(usize::from(len), field)
    }

    /// A section of the properties that follow: their length, then as many bytes.
    #[inline(always)]
    pub(crate) fn properties(&mut self) -> Result<Self, DecodeError> {
        // Even an empty set states its length. [MQTT-2.2.2-1]
        let at = self.offset();
        if self.rest.is_empty() {
            return Err(self.malformed("property_length", Some("MQTT-2.2.2-1")));
        }
        let len = self.varint("property_length")?;
        let Some((section, rest)) = self.rest.split_at_checked(len as usize) else {
            return Err(self.malformed_at(at, "property_length", None));
        };
        self.rest = rest;
        Ok(Self {
            rest: section,
            end: self.offset(),
            ..*self
        })
    }

    /// Ends a section: every byte must be accounted for.
    #[inline(always)]
    pub(crate) fn finish(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.malformed(field, None))
        }
    }

    // Only these cross into code that is never inlined, and by value: a reader whose address is
    // taken lives in memory.
    #[inline(always)]
    fn truncated(&self, field: &'static str) -> DecodeError {
        malformed(self.end, field, None)
    }

    #[inline(always)]
    pub(crate) fn malformed(
        &self,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> DecodeError {
        malformed(self.offset(), field, statement)
    }

    #[inline(always)]
    pub(crate) fn malformed_at(
        &self,
        offset: u32,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> DecodeError {
        malformed(offset, field, statement)
    }

    #[inline(always)]
    pub(crate) fn protocol_at(
        &self,
        offset: u32,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> DecodeError {
        protocol_error(offset, field, statement)
    }
}

#[cold]
fn malformed(offset: u32, field: &'static str, statement: Option<&'static str>) -> DecodeError {
    let kind = DecodeErrorKind::Malformed;
    DecodeError {
        kind,
        reason_code: ReasonCode::MalformedPacket,
        offset,
        field,
        statement,
        scope: ErrorScope::Connection,
    }
}

#[cold]
fn protocol_error(
    offset: u32,
    field: &'static str,
    statement: Option<&'static str>,
) -> DecodeError {
    let kind = DecodeErrorKind::ProtocolError;
    DecodeError {
        kind,
        reason_code: ReasonCode::ProtocolError,
        offset,
        field,
        statement,
        scope: ErrorScope::Connection,
    }
}

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
