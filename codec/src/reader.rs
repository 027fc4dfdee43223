//! Reading one value after another inside a section of a packet.

use crate::decode::{DecodeOptions, Leniency};
use crate::error::DecodeError;
use crate::packet_type::Sender;
use crate::record::Record;
use crate::varint::{self, Varint};

/// Reader of a section of a packet. It never reads beyond the section and knows its offset in the
/// packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a, R = ()> {
    rest: &'a [u8],
    /// Offset in the packet of the first byte after the section.
    end: u32,
    sender: Sender,
    leniency: Leniency,
    record: R,
}

impl<'a> Reader<'a> {
    /// Reader of bytes that were read before, and that end at offset `end`.
    pub(crate) fn of_validated(body: &'a [u8], end: u32) -> Self {
        Self::with_rest(body, end, Sender::Any)
    }

    /// Reader of `rest`, which ends at offset `end`.
    pub(crate) fn with_rest(rest: &'a [u8], end: u32, sender: Sender) -> Self {
        Self {
            rest,
            end,
            sender,
            leniency: Leniency::ALL,
            record: (),
        }
    }
}

impl<'a, R: Record> Reader<'a, R> {
    /// Reader of the body of a packet with a fixed header of `header_len` bytes.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a packet is at most 268,435,460 bytes long"
    )]
    pub(crate) fn new(body: &'a [u8], header_len: u8, options: &DecodeOptions, record: R) -> Self {
        let end = u32::from(header_len) + body.len() as u32;
        Self {
            rest: body,
            end,
            sender: options.sender,
            leniency: options.leniency,
            record,
        }
    }

    /// Offset in the packet of the first byte after the section.
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
        self.end.wrapping_sub(self.rest.len() as u32)
    }

    /// Reader of the same bytes for a packet that keeps them as they are.
    #[inline(always)]
    pub(crate) fn check(&self) -> Reader<'a, R::Check> {
        Reader {
            rest: self.rest,
            end: self.end,
            sender: self.sender,
            leniency: self.leniency,
            record: self.record.check(),
        }
    }

    /// Goes on where `other`, a reader of the same section, has stopped.
    #[inline(always)]
    pub(crate) fn resume<S>(&mut self, other: &Reader<'a, S>) {
        self.rest = other.rest;
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

    /// Bytes that are left; they stay there.
    #[inline(always)]
    pub(crate) fn peek_rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Records the field that ends here.
    #[inline(always)]
    fn recorded(&self, field: &'static str, from: u32) {
        self.record.field(field, from, self.offset());
    }

    /// Records everything since offset `from` as one field.
    #[inline(always)]
    pub(crate) fn join(&self, from: u32, field: &'static str) {
        self.record.join(field, from, self.offset());
    }

    /// Refuses the packet for a fault in its values. A reader that records the fields reads on,
    /// with another value in place of the one at fault.
    ///
    /// # Errors
    /// `error`, unless the fields are recorded.
    #[inline(always)]
    pub(crate) fn refuse(&self, error: DecodeError) -> Result<(), DecodeError> {
        if R::READS_ON { Ok(()) } else { Err(error) }
    }

    /// Takes all bytes that are left as one field.
    #[inline(always)]
    pub(crate) fn rest(&mut self, field: &'static str) -> &'a [u8] {
        let at = self.offset();
        let rest = core::mem::take(&mut self.rest);
        self.recorded(field, at);
        rest
    }

    #[inline(always)]
    fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        // The section is the limit: a field that reaches beyond it is cut off.
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

    /// Takes a field of `N` bytes.
    #[inline(always)]
    fn number<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let at = self.offset();
        let bytes = self.array(field);
        if bytes.is_ok() {
            self.recorded(field, at);
        }
        bytes
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.number(field).map(|[byte]| byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.number(field).map(u16::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.number(field).map(u32::from_be_bytes)
    }

    /// Takes a Variable Byte Integer (§1.5.5).
    #[inline(always)]
    pub(crate) fn varint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let at = self.offset();
        // One byte is the usual case.
        if let [byte @ 0..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            self.recorded(field, at);
            return Ok(u32::from(*byte));
        }
        // Up to four bytes, out of line.
        match varint::read_long(self.rest) {
            Varint::Value(value, len) => {
                self.rest = self.rest.get(usize::from(len)..).unwrap_or_default();
                self.recorded(field, at);
                Ok(value)
            }
            Varint::Incomplete => Err(self.truncated(field)),
            Varint::Invalid => Err(self.malformed(field, Some(varint::broken_rule(self.rest)))),
        }
    }

    /// Takes two bytes of length, then as many bytes (§1.5.4, §1.5.6).
    #[inline(always)]
    pub(crate) fn prefixed(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.offset();
        let len = self.array(field).map(u16::from_be_bytes)?;
        let bytes = self.take(usize::from(len), field);
        if bytes.is_ok() {
            self.recorded(field, at);
        }
        bytes
    }

    /// Takes the Property Length and returns a reader of the properties.
    #[inline(always)]
    pub(crate) fn properties(&mut self) -> Result<Self, DecodeError> {
        // The Property Length is there even without properties. [MQTT-2.2.2-1]
        let at = self.offset();
        if self.rest.is_empty() {
            return Err(self.malformed("property_length", Some("MQTT-2.2.2-1")));
        }
        let len = self.varint("property_length")?;
        // A length beyond the end of the packet is refused before any property is read.
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

    /// Refuses bytes that are left at the end of a section.
    #[inline(always)]
    pub(crate) fn finish(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.malformed(field, None))
        }
    }

    // The functions that make errors are never inlined, and take values instead of the reader: a
    // reader whose address is taken would be kept in memory instead of registers.
    #[inline(always)]
    fn truncated(&self, field: &'static str) -> DecodeError {
        DecodeError::malformed(self.end, field, None)
    }

    #[inline(always)]
    pub(crate) fn malformed(
        &self,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> DecodeError {
        DecodeError::malformed(self.offset(), field, statement)
    }

    #[inline(always)]
    pub(crate) fn malformed_at(
        &self,
        offset: u32,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> DecodeError {
        DecodeError::malformed(offset, field, statement)
    }

    #[inline(always)]
    pub(crate) fn protocol_at(
        &self,
        offset: u32,
        field: &'static str,
        statement: Option<&'static str>,
    ) -> DecodeError {
        DecodeError::protocol_error(offset, field, statement)
    }
}
