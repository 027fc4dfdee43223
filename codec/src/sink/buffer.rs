//! Buffers that packets are appended to, and writing values into one of any kind.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use bytes::buf::{Chain, Limit};
use bytes::{BufMut, BytesMut};

use super::{Length, Sink, WriteProperties};

/// Buffer that packets are appended to: a [`BufMut`] that can also lend its next bytes as a slice.
///
/// `BytesMut`, `Vec<u8>` and all other buffers of the crate `bytes` implement it. To write a packet
/// into a slice takes about half the time of a call of `BufMut` for each field. A `BufMut` of your
/// own needs no method: `impl EncodeBuffer for MyBuffer {}`.
///
/// ```
/// use bytes::BytesMut;
/// use dunlin_codec::{EncodeBuffer, EncodeError, Packet};
///
/// fn ping(out: &mut impl EncodeBuffer) -> Result<(), EncodeError> {
///     Packet::PingReq.encode(out)
/// }
///
/// let mut out = BytesMut::new();
/// ping(&mut out)?;
/// assert_eq!(out[..], [0xc0, 0x00]);
/// # Ok::<(), EncodeError>(())
/// ```
pub trait EncodeBuffer: BufMut {
    /// Appends `len` bytes of any value, growing the buffer if needed, and lends them to be
    /// overwritten. `None`, the default, means that the buffer can't: nothing is appended, and the
    /// packet is written through the methods of `BufMut`.
    ///
    /// The encoder calls it after [`remaining_mut`](BufMut::remaining_mut) was found to be at least
    /// `len`, and overwrites all of the bytes.
    #[inline]
    fn append(&mut self, _len: usize) -> Option<&mut [u8]> {
        None
    }

    /// Appends `len` bytes like [`append`](Self::append) if they fit into the capacity that is there.
    /// `None`, the default, means that they don't, or that `len` is above 128.
    #[inline]
    fn append_short(&mut self, _len: usize) -> Option<&mut [u8]> {
        None
    }
}

/// Maximum number of bytes that `append_short` appends.
pub(crate) const SHORT: usize = 128;

/// Implements [`EncodeBuffer`] for a growing buffer, with the methods that both have.
macro_rules! growing {
    ($($buffer:ty)*) => {$(
        impl EncodeBuffer for $buffer {
            #[inline]
            fn append(&mut self, len: usize) -> Option<&mut [u8]> {
                let start = self.len();
                // Bytes have to be written before they can be lent; zeros are the cheapest. A
                // constant number of them takes a few stores, any other a call of `memset`.
                let spare = self.capacity() - start;
                if len <= SHORT && spare >= SHORT {
                    self.extend_from_slice(&[0; SHORT]);
                    self.truncate(start + len);
                } else if len <= 2 * SHORT && spare >= 2 * SHORT {
                    self.extend_from_slice(&[0; 2 * SHORT]);
                    self.truncate(start + len);
                } else {
                    self.resize(start.checked_add(len)?, 0);
                }
                self.get_mut(start..)
            }

            #[inline(always)]
            fn append_short(&mut self, len: usize) -> Option<&mut [u8]> {
                const HALF: usize = SHORT / 2;
                let start = self.len();
                let spare = self.capacity() - start;
                // The capacity is there, so this never allocates.
                if len <= HALF && spare >= HALF {
                    self.extend_from_slice(&[0; HALF]);
                } else if len <= SHORT && spare >= SHORT {
                    self.extend_from_slice(&[0; SHORT]);
                } else {
                    return None;
                }
                self.truncate(start + len);
                self.get_mut(start..)
            }
        }
    )*};
}

growing!(BytesMut Vec<u8>);

// Slices and combinations of buffers are written through `BufMut`.
impl EncodeBuffer for &mut [u8] {}
impl EncodeBuffer for &mut [MaybeUninit<u8>] {}
impl<T: BufMut> EncodeBuffer for Limit<T> {}
impl<T: BufMut, U: BufMut> EncodeBuffer for Chain<T, U> {}

/// Implements [`EncodeBuffer`] for pointers to a buffer.
macro_rules! pointers {
    ($($pointer:ty)*) => {$(
        impl<T: EncodeBuffer + ?Sized> EncodeBuffer for $pointer {
            #[inline]
            fn append(&mut self, len: usize) -> Option<&mut [u8]> {
                (**self).append(len)
            }

            #[inline]
            fn append_short(&mut self, len: usize) -> Option<&mut [u8]> {
                (**self).append_short(len)
            }
        }
    )*};
}

pointers!(&mut T Box<T>);

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
