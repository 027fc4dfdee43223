//! Byte layout of a store file: a header, two marks, then records, each with a checksum.
//!
//! ```text
//! 0     magic (16 bytes), format version (u32), CRC-32 of both
//! 512   mark of even sequence numbers: sequence (u64), end (u64), CRC-32 of both
//! 1024  mark of odd sequence numbers
//! 4096  records: body length (u64), sequence (u64), CRC-32 of the body, CRC-32 of the header so far, body
//! ```
//!
//! Integers are big-endian. A record holds the changes of one commit. A mark names the last record
//! that is known to be on disk and the offset of its end: what is missing or wrong before that
//! offset is damage, what is incomplete after it was being written when the process or the machine
//! stopped. The marks lie in different sectors, so that a write which the machine interrupts leaves
//! one of them.

use super::error::{Damage, FileStoreCause};
use crate::store::Change;

/// Version of this layout and of the meaning of the records.
pub(super) const VERSION: u32 = 1;
/// Offset of the first record.
pub(super) const RECORDS: u64 = 4096;
/// Bytes of a record before its body.
pub(super) const RECORD_HEADER: usize = 24;
const MAGIC: [u8; 16] = *b"dunlin store\r\n\x1a\n";
const HEADER_LEN: usize = 24;
const MARK_LEN: usize = 20;
const MARK_OFFSETS: [u16; 2] = [512, 1024];

const PUT: u8 = 1;
const REMOVE: u8 = 2;

/// The last record that is known to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Sequence number of the record; 0 if there is none.
    pub(super) sequence: u64,
    /// Offset of its last byte plus one.
    pub(super) end: u64,
}

/// Header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) body_len: u64,
    pub(super) sequence: u64,
    pub(super) body_checksum: u32,
}

impl Mark {
    /// Mark of a file without records.
    pub(super) const EMPTY: Self = Self {
        sequence: 0,
        end: RECORDS,
    };

    /// Offset that this mark is written to.
    pub(super) fn offset(self) -> u64 {
        let [even, odd] = MARK_OFFSETS;
        u64::from(if self.sequence.is_multiple_of(2) {
            even
        } else {
            odd
        })
    }

    pub(super) fn encode(self) -> Vec<u8> {
        with_checksum([self.sequence.to_be_bytes(), self.end.to_be_bytes()].concat())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = checked(bytes)?;
        let (sequence, rest) = fields.split_first_chunk()?;
        let end = rest.first_chunk()?;
        let mark = Self {
            sequence: u64::from_be_bytes(*sequence),
            end: u64::from_be_bytes(*end),
        };
        (mark.end >= RECORDS).then_some(mark)
    }
}

/// Everything before the records of a file that holds records up to `mark`.
pub(super) fn encode_preamble(mark: Mark) -> Vec<u8> {
    let mut bytes = with_checksum([&MAGIC[..], &VERSION.to_be_bytes()].concat());
    // Both marks are the same at first, so one damaged mark is never fatal.
    for offset in MARK_OFFSETS {
        bytes.resize(usize::from(offset), 0);
        bytes.extend(mark.encode());
    }
    bytes.resize(usize::try_from(RECORDS).unwrap_or(usize::MAX), 0);
    bytes
}

/// Checks everything before the records.
///
/// # Errors
/// [`FileStoreCause::NotAStore`] without the magic, [`FileStoreCause::Version`] for another
/// version, [`FileStoreCause::Damaged`] if it is empty, or a checksum is wrong.
pub(super) fn decode_preamble(bytes: &[u8]) -> Result<Mark, FileStoreCause> {
    let damaged = |fault| FileStoreCause::Damaged(Damage { offset: 0, fault });
    if bytes.is_empty() {
        return Err(damaged("it is empty"));
    }
    // An empty file is damage, because stores are never empty. A short or foreign one is somebody
    // else's file.
    let header = bytes.get(..HEADER_LEN).ok_or(FileStoreCause::NotAStore)?;
    // With a wrong checksum, the readable part of the magic tells a damaged store from another kind
    // of file.
    let Some(fields) = checked(header) else {
        let is_store = header.starts_with(b"dunlin store");
        return Err(if is_store {
            damaged("its header is damaged")
        } else {
            FileStoreCause::NotAStore
        });
    };
    let version = match fields
        .strip_prefix(&MAGIC)
        .and_then(|version| version.try_into().ok())
    {
        Some(version) => u32::from_be_bytes(version),
        None => return Err(FileStoreCause::NotAStore),
    };
    // Checked before the marks, whose layout may differ in other versions.
    if version != VERSION {
        return Err(FileStoreCause::Version {
            found: version,
            supported: VERSION,
        });
    }
    // The newer mark that is whole. A crash while one was being written leaves the one before it.
    let marks = MARK_OFFSETS.into_iter().filter_map(|offset| {
        let offset = usize::from(offset);
        Mark::decode(bytes.get(offset..offset + MARK_LEN)?)
    });
    marks
        .max_by_key(|mark| mark.sequence)
        .ok_or_else(|| damaged("both marks of the last commit are damaged"))
}

impl RecordHeader {
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = checked(bytes)?;
        let (body_len, rest) = fields.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        Some(Self {
            body_len: u64::from_be_bytes(*body_len),
            sequence: u64::from_be_bytes(*sequence),
            body_checksum: u32::from_be_bytes(*rest.first_chunk()?),
        })
    }

    fn encode(self) -> Vec<u8> {
        let fields = [
            &self.body_len.to_be_bytes()[..],
            &self.sequence.to_be_bytes(),
            &self.body_checksum.to_be_bytes(),
        ];
        with_checksum(fields.concat())
    }
}

/// Starts a record in `into`, which is emptied: its header is written by [`finish_record`].
pub(super) fn begin_record(into: &mut Vec<u8>) {
    into.clear();
    into.resize(RECORD_HEADER, 0);
}

/// Adds a change to a record that was begun.
///
/// # Errors
/// [`FileStoreCause::TooLarge`] if the key or the value has more than 4,294,967,295 bytes.
pub(super) fn add_change(into: &mut Vec<u8>, change: &Change) -> Result<(), FileStoreCause> {
    match change {
        Change::Put { key, value } => {
            into.push(PUT);
            add_bytes(into, key)?;
            add_bytes(into, value)
        }
        Change::Remove { key } => {
            into.push(REMOVE);
            add_bytes(into, key)
        }
    }
}

/// Bytes that [`add_change`] adds for a key and its value.
pub(super) const fn put_len(key: &[u8], value: &[u8]) -> u64 {
    9 + key.len() as u64 + value.len() as u64
}

/// Completes a record that was begun.
pub(super) fn finish_record(record: &mut [u8], sequence: u64) {
    let Some((header, body)) = record.split_at_mut_checked(RECORD_HEADER) else {
        return;
    };
    // The header's own checksum covers the checksum of the body, so it protects both.
    let body_checksum = crc32fast::hash(body);
    let fields = RecordHeader {
        body_len: body.len() as u64,
        sequence,
        body_checksum,
    };
    header.copy_from_slice(&fields.encode());
}

/// The next change in the body of a record; `None` at its end.
///
/// # Errors
/// Text for [`Damage::fault`], if the bytes are no change.
pub(super) fn next_change(body: &mut &[u8]) -> Result<Option<Change>, &'static str> {
    // One byte says the kind; then come the key and, for `PUT`, the value, each after its length.
    let Some((kind, rest)) = body.split_first() else {
        return Ok(None);
    };
    *body = rest;
    let mut bytes = || take_bytes(body).ok_or("a change in it is incomplete");
    let change = match *kind {
        PUT => Change::Put {
            key: bytes()?,
            value: bytes()?,
        },
        REMOVE => Change::Remove { key: bytes()? },
        _ => return Err("it has a change of an unknown kind"),
    };
    Ok(Some(change))
}

fn add_bytes(into: &mut Vec<u8>, bytes: &[u8]) -> Result<(), FileStoreCause> {
    let len =
        u32::try_from(bytes.len()).map_err(|_| FileStoreCause::TooLarge { bytes: bytes.len() })?;
    into.extend_from_slice(&len.to_be_bytes());
    into.extend_from_slice(bytes);
    Ok(())
}

fn take_bytes(from: &mut &[u8]) -> Option<Vec<u8>> {
    let (len, rest) = from.split_first_chunk()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (bytes, rest) = rest.split_at_checked(len)?;
    *from = rest;
    Some(bytes.to_vec())
}

fn with_checksum(mut fields: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&fields);
    fields.extend_from_slice(&checksum.to_be_bytes());
    fields
}

/// The fields before the checksum at the end, if that is theirs.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (fields, checksum) = bytes.split_last_chunk()?;
    (crc32fast::hash(fields) == u32::from_be_bytes(*checksum)).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preamble_of_format_version_1_does_not_change() {
        let preamble = encode_preamble(Mark {
            sequence: 3,
            end: 5000,
        });
        assert_eq!(preamble.len(), 4096);
        assert_eq!(
            preamble[..24],
            *b"dunlin store\r\n\x1a\n\0\0\0\x01\x11\xe9\xf5\xf0"
        );
        assert_eq!(
            decode_preamble(&preamble).unwrap(),
            Mark {
                sequence: 3,
                end: 5000
            }
        );
    }

    #[test]
    fn a_record_is_decoded_to_the_changes_that_it_was_made_of() {
        let changes = [
            Change::Put {
                key: b"a".to_vec(),
                value: Vec::new(),
            },
            Change::Remove {
                key: vec![0; 70_000],
            },
            Change::Put {
                key: Vec::new(),
                value: vec![1; 300],
            },
        ];
        let mut record = Vec::new();
        begin_record(&mut record);
        changes
            .iter()
            .for_each(|change| add_change(&mut record, change).unwrap());
        finish_record(&mut record, 7);
        let (header, mut body) = record.split_at(RECORD_HEADER);
        let header = RecordHeader::decode(header).unwrap();
        assert_eq!((header.sequence, header.body_len), (7, body.len() as u64));
        let decoded: Vec<_> = std::iter::from_fn(|| next_change(&mut body).unwrap()).collect();
        assert_eq!(decoded, changes);
    }

    #[test]
    fn the_newer_commit_mark_counts_or_the_older_one_if_it_is_damaged() {
        let mut preamble = encode_preamble(Mark {
            sequence: 4,
            end: 6000,
        });
        let newer = Mark {
            sequence: 5,
            end: 7000,
        };
        let offset = usize::try_from(newer.offset()).unwrap();
        preamble[offset..offset + MARK_LEN].copy_from_slice(&newer.encode());
        assert_eq!(decode_preamble(&preamble).unwrap(), newer);
        preamble[offset] ^= 1;
        assert_eq!(
            decode_preamble(&preamble).unwrap(),
            Mark {
                sequence: 4,
                end: 6000
            }
        );
    }
}
