//! Byte ranges of the fields of a packet, recorded by the decoder itself.

use alloc::vec::Vec;
use core::cell::RefCell;

use crate::packet::record_fields;
use crate::record::Record;

/// Bytes of one field of a packet.
///
/// ```
/// use dunlin_codec::{FieldSpan, field_spans};
///
/// // PUBLISH of "on" to "a"
/// let packet = [0x30, 0x06, 0x00, 0x01, b'a', 0x00, b'o', b'n'];
/// let payload: Option<FieldSpan> = field_spans(&packet).into_iter().find(|span| span.field == "payload");
/// assert_eq!(payload.map(|span| &packet[span.start..span.end]), Some(&b"on"[..]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FieldSpan {
    /// Name of the field in snake case, as [`DecodeError::field`](crate::DecodeError) has it.
    pub field: &'static str,
    /// Offset of the first byte of the field in the packet.
    pub start: usize,
    /// Offset of the first byte after the field.
    pub end: usize,
}

/// Fields of the packet at the front of `bytes`, in their order.
///
/// The fields lie side by side, from the first byte up to the first that can't be found:
/// because the packet is cut off, has a wrong length or an unknown property, or is of another
/// version of MQTT. Values are not judged. A property is one field, from its identifier on.
///
/// ```
/// use dunlin_codec::field_spans;
///
/// // PINGREQ
/// let spans = field_spans(&[0xc0, 0x00]);
/// assert_eq!((spans[1].field, spans[1].start, spans[1].end), ("remaining_length", 1, 2));
/// ```
#[must_use]
pub fn field_spans(bytes: &[u8]) -> Vec<FieldSpan> {
    let spans = RefCell::new(Vec::new());
    record_fields(bytes, &spans);
    spans.into_inner()
}

impl Record for &RefCell<Vec<FieldSpan>> {
    const READS_ON: bool = true;
    // The packet itself is dropped. Text would be searched for again in each User Property, up to the
    // last one.
    const ONLY_CHECKS: bool = true;

    type Check = Self;

    fn check(self) -> Self {
        self
    }

    fn field(self, name: &'static str, from: u32, to: u32) {
        let (start, end) = (from as usize, to as usize);
        let mut spans = self.borrow_mut();
        // The fields of a property, which are joined.
        while spans.last().is_some_and(|last| last.end > start) {
            spans.pop();
        }
        // An empty field, such as a payload of no bytes, is none.
        if start < end {
            spans.push(FieldSpan {
                field: name,
                start,
                end,
            });
        }
    }

    fn join(self, name: &'static str, from: u32, to: u32) {
        // The value after the identifier is cut off: there is no whole field.
        let mut spans = self.borrow_mut();
        if spans.pop_if(|last| last.field == "property_id").is_none() {
            drop(spans);
            self.field(name, from, to);
        }
    }
}
