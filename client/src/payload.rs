//! The payload of a message to publish: borrowed or owned bytes.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// The payload of a [`Message`](crate::Message): bytes that are borrowed, or owned as they came.
///
/// Made by `From`: of a reference to anything that has bytes (`&str`, `&[u8]`, `&String`, `&Bytes`,
/// ..) without a copy, and of a `String`, a `Vec<u8>` or [`Bytes`] by value.
///
/// ```
/// use dunlin_client::Payload;
///
/// assert_eq!(Payload::from("on"), Payload::from(vec![b'o', b'n']));
/// ```
#[derive(Clone)]
pub struct Payload<'a>(Source<'a>);

#[derive(Clone)]
enum Source<'a> {
    Borrowed(&'a [u8]),
    Vec(Vec<u8>),
    Shared(Bytes),
}

impl Payload<'_> {
    /// Bytes of their own; owned ones aren't copied.
    #[cfg(feature = "http")]
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.0 {
            Source::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Source::Vec(bytes) => bytes.into(),
            Source::Shared(bytes) => bytes,
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Borrowed(bytes) => bytes,
            Source::Vec(bytes) => bytes,
            Source::Shared(bytes) => bytes,
        }
    }
}

impl Default for Payload<'_> {
    fn default() -> Self {
        Self(Source::Borrowed(&[]))
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a T) -> Self {
        Self(Source::Borrowed(bytes.as_ref()))
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Source::Vec(bytes))
    }
}

impl From<String> for Payload<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Source::Shared(bytes))
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

impl fmt::Debug for Payload<'_> {
    /// The number of bytes alone: payloads may be large, or secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
