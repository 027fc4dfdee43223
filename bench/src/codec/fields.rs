//! Uses of a decoded packet's fields: reading them, or summing them up.

use std::hint::black_box;

/// Takes each field of a packet as the codec hands it out.
pub trait Fields {
    /// Packet types that are read; a packet of another type is a mistake of the benchmark.
    ///
    /// An application's loop knows which packets it handles, and so does the optimiser.
    const READS: Kinds = Kinds::ALL;

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

/// Set of packet types, of those that the cases have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kinds {
    pub connect: bool,
    pub connack: bool,
    pub publish: bool,
    pub puback: bool,
    pub subscribe: bool,
}

impl Kinds {
    pub const ALL: Self = Self {
        connect: true,
        connack: true,
        publish: true,
        puback: true,
        subscribe: true,
    };
    const NONE: Self = Self {
        connect: false,
        connack: false,
        publish: false,
        puback: false,
        subscribe: false,
    };

    /// The packet types of the case number `case`, or of a mixed stream.
    const fn of(case: u8) -> Self {
        let mut kinds = Self::NONE;
        match case {
            CONNECT => kinds.connect = true,
            CONNACK => kinds.connack = true,
            PUBLISH => kinds.publish = true,
            PUBACK => kinds.puback = true,
            SUBSCRIBE => kinds.subscribe = true,
            _ => (kinds.publish, kinds.puback) = (true, true),
        }
        kinds
    }
}

/// Packet types by the number in the fixed header (2.1.2), and a mixed stream.
pub const CONNECT: u8 = 1;
pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const SUBSCRIBE: u8 = 8;
pub const MIXED: u8 = 0;

/// Looks at each field of packets of the type `KIND` and forgets it.
pub struct Look<const KIND: u8>;

impl<const KIND: u8> Fields for Look<KIND> {
    const READS: Kinds = Kinds::of(KIND);

    #[inline]
    fn number(&mut self, value: impl Into<u64>) {
        black_box(value.into());
    }

    #[inline]
    fn bytes(&mut self, value: &[u8]) {
        black_box(value);
    }
}

/// A sum over all text and data in any order: two codecs that read the same have the same sum.
///
/// Numbers aren't part of it, since codecs differ in which numbers they leave out as defaults.
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

/// All text in the order in which it is read.
#[derive(Default)]
pub struct Texts(pub Vec<String>);

impl Fields for Texts {
    fn number(&mut self, _: impl Into<u64>) {}

    fn bytes(&mut self, _: &[u8]) {}

    fn text(&mut self, value: &str) {
        self.0.push(value.to_owned());
    }
}
