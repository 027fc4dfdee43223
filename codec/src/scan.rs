//! Search for NUL, bytes beyond ASCII and wildcards, eight bytes at a time.

/// Result of one pass over some bytes, in the high bit of each byte of two words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// High bits set by NUL and by all bytes beyond ASCII.
    odd: u64,
    /// High bits set by `+` and `#`, and by many bytes beyond ASCII.
    wildcards: u64,
}

impl Scan {
    /// Result for no bytes.
    const EMPTY: Self = Self {
        odd: 0,
        wildcards: 0,
    };

    /// Scans `bytes` in steps of 16, 8 or 4 bytes; the last step overlaps the one before it.
    ///
    /// Only texts above 32 bytes need a loop, which is in a function of its own: the code that the
    /// compiler puts around a loop would slow short texts down.
    #[inline(always)]
    pub(crate) const fn of(bytes: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
            let long = if bytes.len() > 32 {
                Self::of_long(bytes)
            } else {
                Self::EMPTY
            };
            long.and_16(first).and_16(last)
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
        {
            Self::EMPTY
                .and(u64::from_ne_bytes(*first))
                .and(u64::from_ne_bytes(*last))
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
        {
            let (first, last) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
            Self::EMPTY.and(((first as u64) << 32) | last as u64)
        // Two or three bytes: first, second and last cover them all.
        } else if let ([first, second, ..], [.., last]) = (bytes, bytes) {
            let (first, second, last) = (*first as u64, *second as u64, *last as u64);
            Self::EMPTY.and(((ONES * first) & !0xffff) | (second << 8) | last)
        // One byte, repeated: its neighbours can't differ from it.
        } else if let [byte] = bytes {
            Self::EMPTY.and(ONES * *byte as u64)
        } else {
            Self::EMPTY
        }
    }

    /// Scans all but the last bytes, of which there are fewer than 16.
    #[inline(never)]
    const fn of_long(bytes: &[u8]) -> Self {
        let (mut scan, mut chunks) = (Self::EMPTY, bytes.as_chunks::<16>().0);
        while let [chunk, rest @ ..] = chunks {
            scan = scan.and_16(chunk);
            chunks = rest;
        }
        scan
    }

    #[inline(always)]
    const fn and_16(self, bytes: &[u8; 16]) -> Self {
        let [first, second] = bytes.as_chunks::<8>().0 else {
            return self;
        };
        self.and(u64::from_ne_bytes(*first))
            .and(u64::from_ne_bytes(*second))
    }

    #[inline(always)]
    const fn and(self, bytes: u64) -> Self {
        Self {
            // The subtraction sets the high bit for NUL; the byte itself has it beyond ASCII.
            odd: self.odd | bytes | bytes.wrapping_sub(ONES),
            wildcards: self.wildcards | wildcards(bytes),
        }
    }

    /// True if all bytes are ASCII without NUL, and so a valid string.
    #[inline(always)]
    pub(crate) const fn plain(self) -> bool {
        self.odd & HIGHS == 0
    }

    /// True if all bytes are ASCII without NUL, `+` and `#`.
    #[inline(always)]
    pub(crate) const fn plain_without_wildcard(self) -> bool {
        (self.odd | self.wildcards) & HIGHS == 0
    }

    /// True if there is a `+` or `#`, provided that all bytes are [plain](Self::plain).
    #[inline(always)]
    pub(crate) const fn wildcard(self) -> bool {
        self.wildcards & HIGHS != 0
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Word with the high bit set in each byte that is `+` or `#`, which differ in the bit 0x08.
///
/// For ASCII it is exact that a bit is set or none. A byte after a wildcard may be marked wrongly,
/// where the subtraction borrows.
#[inline(always)]
pub(crate) const fn wildcards(bytes: u64) -> u64 {
    ((bytes ^ (ONES * 0x2b)) | (ONES * 0x08)).wrapping_sub(ONES * 0x09) & HIGHS
}

/// True if `text` has a `+` or `#`.
#[inline(always)]
pub(crate) const fn has_wildcard(text: &[u8]) -> bool {
    let scan = Scan::of(text);
    // Beyond ASCII a mark may be wrong.
    scan.wildcard() && (scan.plain() || contains(text, b'+') || contains(text, b'#'))
}

/// True if `text` has a NUL.
#[inline(always)]
pub(crate) const fn has_nul(text: &[u8]) -> bool {
    !Scan::of(text).plain() && contains(text, 0)
}

/// True if `byte` is among `bytes`, which are looked at in steps of eight.
#[inline(never)]
const fn contains(bytes: &[u8], byte: u8) -> bool {
    let (chunks, mut rest) = bytes.as_chunks::<8>();
    let mut chunks = chunks;
    while let [chunk, after @ ..] = chunks {
        // A byte that is equal becomes 0, and a word with a 0 among its bytes borrows from a high
        // bit that wasn't set.
        let differences = u64::from_ne_bytes(*chunk) ^ (ONES * byte as u64);
        if differences.wrapping_sub(ONES) & !differences & HIGHS != 0 {
            return true;
        }
        chunks = after;
    }
    while let [first, after @ ..] = rest {
        if *first == byte {
            return true;
        }
        rest = after;
    }
    false
}
