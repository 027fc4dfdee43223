//! Writing values into a buffer that grows.

use bytes::BufMut;

use super::{Length, Sink, WriteProperties};

/// Writer into a buffer that has enough space.
#[derive(Debug)]
pub(crate) struct BufferSink<'b, B> {
    pub(crate) out: &'b mut B,
    /// Bytes of the first set of properties, as [`Length`] counted them; `None` if they were not
    /// counted.
    pub(crate) first_properties: Option<u64>,
}

impl<B: BufMut> Sink for BufferSink<'_, B> {
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.out.put_slice(&bytes);
    }

    #[inline(always)]
    fn properties_len<P: WriteProperties>(&mut self, properties: &P) -> u64 {
        self.first_properties
            .take()
            .unwrap_or_else(|| Length::of(|counter| properties.write(counter)).bytes)
    }
}
