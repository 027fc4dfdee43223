//! A store in one file: an embedded database that survives crashes.

use std::fmt;
use std::io;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Change, Store};

/// A [`Store`] in a file of its own. A second one on the same file is refused.
pub struct FileStore(Database);

const SESSION: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("session");

/// What is read once and written in small pieces needs little, in bytes.
const CACHE: usize = 1 << 20;

impl FileStore {
    /// Opens the file, or makes a new one.
    ///
    /// # Errors
    /// It is no such file, it is in use, or the system won't have it.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let database = Database::builder().set_cache_size(CACHE).create(path);
        database.map(Self).map_err(io::Error::other)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let reading = self.0.begin_read().map_err(io::Error::other)?;
        let table = match reading.open_table(SESSION) {
            Ok(table) => table,
            // Nothing was ever kept.
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(io::Error::other(error)),
        };
        let entries = table.iter().map_err(io::Error::other)?;
        entries
            .map(|entry| {
                let (key, value) = entry.map_err(io::Error::other)?;
                Ok((key.value().to_vec(), value.value().to_vec()))
            })
            .collect()
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        let writing = self.0.begin_write().map_err(io::Error::other)?;
        {
            let mut table = writing.open_table(SESSION).map_err(io::Error::other)?;
            for change in changes {
                match change {
                    Change::Put { key, value } => {
                        table.insert(&key[..], &value[..]).map_err(io::Error::other)?;
                    }
                    Change::Remove { key } => {
                        table.remove(&key[..]).map_err(io::Error::other)?;
                    }
                }
            }
        }
        writing.commit().map_err(io::Error::other)
    }
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
}
