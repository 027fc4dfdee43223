//! A store in one file: an embedded database that survives crashes.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Change, Store};

/// A [`Store`] in a file of its own. A second one on the same file is refused.
#[must_use = "a store keeps nothing by itself: start a client with it"]
pub struct FileStore(Database);

/// Keys with their values.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

const SESSION: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("session");

/// What is read once and written in small pieces needs little, in bytes.
const CACHE: usize = 1 << 20;

impl FileStore {
    /// Opens the file, or makes a new one. An empty file is as a new one.
    ///
    /// # Errors
    /// It is no such file, it is damaged or in use, or the system won't have it.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let is_new = !path.exists();
        let database = guard(|| Database::builder().set_cache_size(CACHE).create(path))?;
        if is_new {
            sync_folder_of(path)?;
        }
        Ok(Self(database))
    }
}

/// What a damaged file makes the database panic at is an error here.
fn guard<T, E: Into<Box<dyn Error + Send + Sync>>>(act: impl FnOnce() -> Result<T, E>) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result.map_err(io::Error::other),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is damaged")),
    }
}

/// A file that the folder doesn't know yet would be gone after a crash of the whole machine.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Other systems have no such call.
#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<Entries> {
        guard(|| entries_of(&self.0))
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        guard(|| write(&self.0, changes))
    }
}

fn entries_of(database: &Database) -> Result<Entries, redb::Error> {
    let table = match database.begin_read()?.open_table(SESSION) {
        Ok(table) => table,
        // Nothing was ever kept.
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let entries = table.iter()?.map(|entry| {
        let (key, value) = entry?;
        Ok((key.value().to_vec(), value.value().to_vec()))
    });
    entries.collect()
}

fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    {
        let mut table = writing.open_table(SESSION)?;
        for change in changes {
            match change {
                Change::Put { key, value } => drop(table.insert(&key[..], &value[..])?),
                Change::Remove { key } => drop(table.remove(&key[..])?),
            }
        }
    }
    Ok(writing.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &[u8], value: &[u8]) -> Change {
        Change::Put { key: key.to_vec(), value: value.to_vec() }
    }

    #[test]
    fn what_was_put_is_there_when_the_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session");
        let mut store = FileStore::open(&path).unwrap();
        assert!(store.load().unwrap().is_empty());
        store.apply(&[put(b"a", b"1"), put(b"b", b""), put(b"a", b"2")]).unwrap();
        store.apply(&[Change::Remove { key: b"b".to_vec() }, Change::Remove { key: b"c".to_vec() }]).unwrap();
        assert!(FileStore::open(&path).is_err(), "one client at a time");
        drop(store);
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!(store.load().unwrap(), [(b"a".to_vec(), b"2".to_vec())]);
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session");
        std::fs::write(&path, "something else").unwrap();
        assert!(FileStore::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"something else", "it is left as it was");
    }

    #[test]
    fn a_damaged_file_is_an_error_or_a_store_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session");
        let value = vec![7; 3000];
        FileStore::open(&path).unwrap().apply(&[put(b"a", &value), put(b"b", &value)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut refused = 0;
        for place in (0..512).chain((512..whole.len()).step_by(4099)) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0xff;
            std::fs::write(&path, damaged).unwrap();
            refused += u32::from(FileStore::open(&path).and_then(|mut store| store.load()).is_err());
        }
        assert!(refused > 0);
        for len in [whole.len() / 2, 4096, 100] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let _: io::Result<_> = FileStore::open(&path).and_then(|mut store| store.load());
        }
    }
}
