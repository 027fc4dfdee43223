//! Reading of bytes that were validated before, without judging them again.

use crate::property::{DataType, data_type};
use crate::varint::{self, Varint};

/// Bytes of a packet that was decoded. Every method returns `None` where the bytes end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validated<'a>(pub(crate) &'a [u8]);

impl<'a> Validated<'a> {
    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Takes two bytes of length, then as many bytes.
    #[inline(always)]
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        self.take(usize::from(u16::from_be_bytes(len)))
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<u32> {
        let Varint::Value(value, len) = varint::read(self.0) else {
            return None;
        };
        self.take(usize::from(len))?;
        Some(value)
    }

    /// Skips properties up to the first with identifier `id`, and that identifier.
    #[inline(always)]
    pub(crate) fn find_property(&mut self, id: u8) -> Option<()> {
        loop {
            match self.u8()? {
                // Properties of all kinds are mixed; the others are skipped by their data type.
                found if found == id => return Some(()),
                other => self.skip_value(other)?,
            }
        }
    }

    fn skip_value(&mut self, id: u8) -> Option<()> {
        match data_type(id)? {
            DataType::Byte => self.take(1).map(drop),
            DataType::TwoByteInteger => self.take(2).map(drop),
            DataType::FourByteInteger => self.take(4).map(drop),
            DataType::VariableByteInteger => self.varint().map(drop),
            DataType::Utf8EncodedString | DataType::BinaryData => self.prefixed().map(drop),
            DataType::Utf8StringPair => self.prefixed().and_then(|_| self.prefixed()).map(drop),
        }
    }
}
