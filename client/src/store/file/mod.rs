//! A store in one file: a log of commits that is checked whole before it is used, and never
//! repaired.

mod error;
mod format;
mod place;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use self::error::{Damage, FileStoreCause, FileStoreError};
use self::error::{Trying, damaged};
use self::format::{Mark, RECORD_HEADER, RECORDS, RecordHeader};
use self::place::{Place, Replace};
use super::{Change, Store};

/// A [`Store`] in a file of its own. A second one on the same file is refused.
///
/// The file is a log: each commit appends one record with a checksum and flushes it to disk once.
/// Once the log has 4 MiB and half of it is out of date, the file is replaced by a new one with the
/// current entries.
///
/// Every message of QoS 1 and 2 waits for one flush before it is sent, and all that are published
/// during a flush share the next one: one at a time, the disk's flush bounds the rate; with more in
/// flight it grows with their number (`bench/README.md` has figures).
///
/// A process or a machine that stops at any time leaves the last commit either whole or undone.
/// Damage is recognised: a file that was altered or cut is an error, and is never written to.
/// After a crash of the whole machine this holds for all commits but the last one, which counts as
/// undone where it isn't whole.
///
/// Beside the file lie its lock, `<name>.dunlin-lock`, which is empty and stays, and for moments
/// `<name>.dunlin-new`.
#[must_use = "a store keeps nothing by itself: start a client with it"]
pub struct FileStore {
    path: PathBuf,
    place: Place,
    file: File,
    /// The last record.
    last: Mark,
    live: Live,
    /// Length of the file at which it is replaced, if half of it is out of date.
    replace_at: u64,
    /// True if a commit failed: the file may have less than was asked for.
    has_failed: bool,
    record: Vec<u8>,
}

/// Keys with their values.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Bytes of a file that isn't worth replacing.
const SMALL: u64 = 4 << 20;
/// Bytes of a record after which the next one begins, where a file is replaced.
const RECORD_LEN: usize = 1 << 20;

impl FileStore {
    /// Opens the file, or makes a new one that only this user can read (mode 0600 on Unix). The
    /// folder has to exist.
    ///
    /// The whole file is read and checked before anything else happens. Nothing is repaired: a file
    /// that is damaged, empty, of another format version or of something else is left as it is.
    /// To start without it, move it to another place.
    ///
    /// Nothing here relies on catching panics, so a program built with `panic = "abort"` gets the
    /// same errors. What that changes is a [`Store`] of your own: if it panics in `apply`, the
    /// client stops with [`StopCause::Store`]; with `panic = "abort"` the process ends.
    ///
    /// # Errors
    /// The error's message begins with the path; inside is a [`FileStoreError`]. Its kind is
    /// * [`WouldBlock`](io::ErrorKind::WouldBlock): another store has the file, in this process or
    ///   in another one.
    /// * [`InvalidData`](io::ErrorKind::InvalidData): the file is damaged, was cut (to nothing,
    ///   too), or is something else.
    /// * [`Unsupported`](io::ErrorKind::Unsupported): the file has another format version.
    /// * [`NotFound`](io::ErrorKind::NotFound): the folder doesn't exist.
    /// * what the operating system says, for example
    ///   [`PermissionDenied`](io::ErrorKind::PermissionDenied).
    ///
    /// [`StopCause::Store`]: crate::StopCause::Store
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        Self::try_open(path).map_err(|cause| cause.at(path))
    }

    fn try_open(path: &Path) -> Result<Self, FileStoreCause> {
        // Lock before reading: another process may be writing.
        let place = Place::lock(path)?;
        let mut live = Live::default();
        // A missing file is the normal first start. A file that is there is read and checked whole,
        // before anything is changed.
        let (file, last) = match place.open()? {
            None => write_new(&place, &Entries::new()).map_err(Replace::into_cause)?,
            Some(mut file) => {
                let last = read_records(&mut file, |change| live.apply(&change))?;
                // A commit that was interrupted: its beginning mustn't lie after the next record.
                let len = file.metadata().trying("look at the file")?.len();
                if len > last.end {
                    file.set_len(last.end)
                        .trying("drop a commit that was interrupted")?;
                }
                (file, last)
            }
        };
        // The first commit replaces a file that an earlier process has left mostly outdated.
        let (path, record) = (path.to_owned(), Vec::new());
        Ok(Self {
            path,
            place,
            file,
            last,
            live,
            replace_at: SMALL,
            has_failed: false,
            record,
        })
    }

    /// Reads all keys with their values from the file.
    ///
    /// # Errors
    /// [`FileStoreCause::Damaged`] if the file was altered since it was opened,
    /// [`FileStoreCause::System`].
    fn entries(&mut self) -> Result<Entries, FileStoreCause> {
        let mut entries = Entries::new();
        // Replay all commits in their order: the last value of a key is the one that counts.
        read_records(&mut self.file, |change| match change {
            Change::Put { key, value } => drop(entries.insert(key, value)),
            Change::Remove { key } => drop(entries.remove(&key)),
        })?;
        Ok(entries)
    }

    /// Appends one record with these changes and flushes it.
    ///
    /// # Errors
    /// [`FileStoreCause::FailedBefore`] after a failed commit, [`FileStoreCause::TooLarge`] before
    /// anything is written, [`FileStoreCause::System`]; where the file is replaced, also those of
    /// `entries`.
    fn commit(&mut self, changes: &[Change]) -> Result<(), FileStoreCause> {
        if self.has_failed {
            return Err(FileStoreCause::FailedBefore);
        }
        if changes.is_empty() {
            return Ok(());
        }
        // Build the whole record in memory, so that a key that is too large fails before the file
        // is touched.
        format::begin_record(&mut self.record);
        for change in changes {
            format::add_change(&mut self.record, change)?;
        }
        let sequence = self.last.sequence + 1;
        format::finish_record(&mut self.record, sequence);
        // From here on the file may have a part of it.
        self.has_failed = true;
        let end = self.last.end + self.record.len() as u64;
        write_at(&mut self.file, self.last.end, &self.record).trying("write to the file")?;
        self.file.sync_data().trying("flush the file")?;
        // The mark isn't flushed by itself: the next commit does that. So it never names a record
        // that isn't on disk.
        self.last = Mark { sequence, end };
        write_at(&mut self.file, self.last.offset(), &self.last.encode())
            .trying("write to the file")?;
        changes.iter().for_each(|change| self.live.apply(change));
        self.record.clear();
        self.record.shrink_to(RECORD_LEN);
        self.replace_if_stale()?;
        self.has_failed = false;
        Ok(())
    }

    /// Replaces the file by one without outdated entries, if half of it is outdated.
    ///
    /// # Errors
    /// All errors of `entries`; [`FileStoreCause::System`] if it is in doubt which file a crash would leave.
    fn replace_if_stale(&mut self) -> Result<(), FileStoreCause> {
        // At least half of the file must be outdated, so each byte is copied about once for each
        // byte that was written.
        if self.last.end < self.replace_at || self.last.end / 2 < self.live.total {
            return Ok(());
        }
        // The values are read back from the file: in memory the store has only the keys and the
        // lengths.
        let entries = self.entries()?;
        match write_new(&self.place, &entries) {
            Ok((file, last)) => {
                (self.file, self.last, self.replace_at) = (file, last, SMALL);
                Ok(())
            }
            // The disk may be too full for two files: this one goes on.
            Err(Replace::Unchanged(_)) => {
                self.replace_at = self.last.end.saturating_mul(2);
                Ok(())
            }
            Err(Replace::InDoubt(cause)) => Err(cause),
        }
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let entries = self.entries().map_err(|cause| cause.at(&self.path))?;
        Ok(entries.into_iter().collect())
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        self.commit(changes).map_err(|cause| cause.at(&self.path))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path)
            .field("file_len", &self.last.end)
            .field("entries", &self.live.lens.len())
            .finish_non_exhaustive()
    }
}

/// The part of a file that isn't out of date.
#[derive(Debug, Default)]
struct Live {
    /// Bytes that each key with its value takes in a record.
    lens: HashMap<Vec<u8>, u64>,
    /// The sum of them.
    total: u64,
}

impl Live {
    fn apply(&mut self, change: &Change) {
        // `before` is the length of the value that this change makes outdated; `None` if the key is
        // new.
        let before = match change {
            Change::Put { key, value } => {
                let len = format::put_len(key, value);
                self.total += len;
                self.lens.insert(key.clone(), len)
            }
            Change::Remove { key } => self.lens.remove(key),
        };
        self.total -= before.unwrap_or_default();
    }
}

/// Makes a file with these entries and puts it in the place of the one that is there.
///
/// # Errors
/// [`Replace::Unchanged`] if the old file stays, [`Replace::InDoubt`] if a crash may bring it back.
fn write_new(place: &Place, entries: &Entries) -> Result<(File, Mark), Replace> {
    let mut last = Mark::EMPTY;
    let file = place.replace(|file| {
        // Records first, the header last. Each record takes about 1 MiB of entries, which bounds
        // the memory that writing takes.
        let (mut record, mut left) = (Vec::new(), entries.iter().peekable());
        file.seek(SeekFrom::Start(RECORDS))
            .trying("write the new file")?;
        while left.peek().is_some() {
            format::begin_record(&mut record);
            for (key, value) in left.by_ref() {
                format::add_change(
                    &mut record,
                    &Change::Put {
                        key: key.clone(),
                        value: value.clone(),
                    },
                )?;
                if record.len() >= RECORD_LEN {
                    break;
                }
            }
            last = Mark {
                sequence: last.sequence + 1,
                end: last.end + record.len() as u64,
            };
            format::finish_record(&mut record, last.sequence);
            file.write_all(&record).trying("write the new file")?;
        }
        write_at(file, 0, &format::encode_preamble(last)).trying("write the new file")
    })?;
    Ok((file, last))
}

fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Reads the whole file, checks it, and hands over the changes in it, in order; returns the last
/// whole record.
///
/// # Errors
/// [`FileStoreCause::NotAStore`], [`FileStoreCause::Version`], [`FileStoreCause::Damaged`] or
/// [`FileStoreCause::System`]; some changes may have been passed on by then.
fn read_records(
    file: &mut File,
    mut on_change: impl FnMut(Change),
) -> Result<Mark, FileStoreCause> {
    // 1. The part before the records: magic, version, and the mark of the last commit that is known
    // to be on disk.
    let len = file.metadata().trying("look at the file")?.len();
    file.seek(SeekFrom::Start(0)).trying("read the file")?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut preamble = Vec::new();
    reader
        .by_ref()
        .take(RECORDS)
        .read_to_end(&mut preamble)
        .trying("read the file")?;
    let mark = format::decode_preamble(&preamble)?;
    if len < mark.end {
        return Err(damaged(len, "it ends there; it was longer"));
    }
    // 2. The records. A fault before the mark's end is damage; after it, the first fault ends the
    // file.
    let (mut last, mut body) = (Mark::EMPTY, Vec::new());
    while last.end < len {
        let end = match read_record(&mut reader, last, len, &mut body)? {
            Ok(end) => end,
            Err(fault) if last.end < mark.end => return Err(damaged(last.end, fault)),
            // It was being written when the process or the machine stopped, and nobody was told
            // that it is there.
            Err(_) => break,
        };
        // The checksum was right, so an unknown change is no half-written record: damage, wherever
        // it is.
        let mut changes = &body[..];
        while let Some(change) =
            format::next_change(&mut changes).map_err(|fault| damaged(last.end, fault))?
        {
            on_change(change);
        }
        last = Mark {
            sequence: last.sequence + 1,
            end,
        };
    }
    // 3. The mark's record must have been found, and at the offset that the mark names.
    if last.sequence < mark.sequence || last.sequence == mark.sequence && last.end != mark.end {
        return Err(damaged(last.end, "records are missing"));
    }
    Ok(last)
}

/// Reads the record after `last` into `body` and returns its end. The inner error says what is
/// wrong with it.
///
/// # Errors
/// The outer one is [`FileStoreCause::System`].
fn read_record(
    reader: &mut impl Read,
    last: Mark,
    len: u64,
    body: &mut Vec<u8>,
) -> Result<Result<u64, &'static str>, FileStoreCause> {
    // The header has a checksum of its own: without it, an altered length would look like a record
    // that was cut.
    let mut header = [0; RECORD_HEADER];
    if len - last.end < RECORD_HEADER as u64 {
        return Ok(Err("a record is incomplete"));
    }
    reader.read_exact(&mut header).trying("read the file")?;
    let Some(header) = RecordHeader::decode(&header) else {
        return Ok(Err("a record's header is altered"));
    };
    // After a crash whole records of an older file may lie past the end; their numbers don't
    // continue.
    if header.sequence != last.sequence + 1 {
        return Ok(Err("a record is out of order"));
    }
    let begin = last.end + RECORD_HEADER as u64;
    // Memory is taken for what is there, whatever the header says.
    if len - begin < header.body_len {
        return Ok(Err("a record is incomplete"));
    }
    body.clear();
    reader
        .take(header.body_len)
        .read_to_end(body)
        .trying("read the file")?;
    if crc32fast::hash(body) != header.body_checksum {
        return Ok(Err("a record is altered"));
    }
    Ok(Ok(begin + header.body_len))
}
