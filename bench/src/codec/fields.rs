//! Uses of a decoded packet's fields: reading them, or summing them up.

use std::hint::black_box;

/// Takes each field that a packet has, as the codec hands it out.
pub trait Fields {
    fn number(&mut self, value: impl Into<u64>);
    fn bytes(&mut self, value: &[u8]);

    fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    fn number_if(&mut self, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.number(value);
        }
    }

    fn bytes_if(&mut self, value: Option<impl AsRef<[u8]>>) {
        if let Some(value) = value {
            self.bytes(value.as_ref());
        }
    }

    fn text_if(&mut self, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.text(value.as_ref());
        }
    }
}

/// Looks at each field and forgets it.
pub struct Look;

impl Fields for Look {
    #[inline]
    fn number(&mut self, value: impl Into<u64>) {
        black_box(value.into());
    }

    #[inline]
    fn bytes(&mut self, value: &[u8]) {
        black_box(value);
    }
}

/// A sum over all text and data, in whatever order: two codecs that read the same have the same.
///
/// Numbers aren't in it, as codecs disagree on which they leave out because they are the default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    bytes: usize,
    hashes: u64,
}

impl Fields for Sum {
    fn number(&mut self, _: impl Into<u64>) {}

    fn bytes(&mut self, value: &[u8]) {
        let hash = value
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        self.bytes += value.len();
        self.hashes = self
            .hashes
            .wrapping_add(if value.is_empty() { 0 } else { hash });
    }
}

/// All text, as it comes.
#[derive(Default)]
pub struct Texts(pub Vec<String>);

impl Fields for Texts {
    fn number(&mut self, _: impl Into<u64>) {}

    fn bytes(&mut self, _: &[u8]) {}

    fn text(&mut self, value: &str) {
        self.0.push(value.to_owned());
    }
}
