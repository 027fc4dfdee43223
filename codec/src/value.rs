//! Values on the wire: traits of those that stand alone, and of those that stand in lists.

use core::fmt;

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::record::Record;
use crate::sink::Sink;
use crate::validated::Validated;

/// Field and statement for the error about a value that is not allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) field: &'static str,
    pub(crate) statement: Option<&'static str>,
}

impl Rule {
    /// Rule of a field that breaks no statement of its packet.
    pub(crate) const fn form(field: &'static str) -> Self {
        Self {
            field,
            statement: None,
        }
    }
}

/// Value that can be read from and written to the wire.
pub(crate) trait Value<'a>: Sized {
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError>;
    fn write<S: Sink>(&self, sink: &mut S);

    /// Reads the value from bytes that were checked before; `None` where they end.
    fn reread(rest: &mut Validated<'a>) -> Option<Self>;

    /// Writes the property identifier and the value, with one write where possible.
    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        sink.u8(id);
        self.write(sink);
    }
}

/// Item of a [`Repeated`](crate::Repeated).
pub(crate) trait Item<'a>: Value<'a> + Copy + PartialEq + fmt::Debug {
    /// Identifier of a property, of which others may lie between two items; `None` for no property.
    const PROPERTY: Option<u8> = None;

    /// Skips the next item of bytes that were checked before; `None` where they end.
    fn skip(rest: &mut Validated<'a>) -> Option<()>;

    /// Writes items one after the other, without the identifier of a property.
    #[inline(always)]
    fn write_all<S: Sink>(items: &[Self], sink: &mut S) {
        // A loop, as a closure would keep the position of the sink in memory.
        for item in items {
            item.write(sink);
        }
    }
}
