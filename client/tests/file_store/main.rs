//! A store in a file: what was committed is there again, and a file that isn't as it was written is
//! refused untouched.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use dunlin_client::store::{Change, FileStore, FileStoreCause, FileStoreError, Store};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn put(key: &[u8], value: &[u8]) -> Change {
    Change::Put {
        key: key.to_vec(),
        value: value.to_vec(),
    }
}

fn remove(key: &[u8]) -> Change {
    Change::Remove { key: key.to_vec() }
}

fn entries(path: &Path) -> std::io::Result<Entries> {
    Ok(FileStore::open(path)?.load()?.into_iter().collect())
}

fn cause_of(error: &std::io::Error) -> &FileStoreError {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[test]
fn written_records_are_read_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let mut store = FileStore::open(&path).unwrap();
    assert!(store.load().unwrap().is_empty());
    store
        .apply(&[put(b"a", b"1"), put(b"b", b""), put(b"a", b"2")])
        .unwrap();
    store.apply(&[remove(b"b"), remove(b"c")]).unwrap();
    store.apply(&[]).unwrap();
    drop(store);
    assert_eq!(
        entries(&path).unwrap(),
        Entries::from([(b"a".to_vec(), b"2".to_vec())])
    );
}

#[test]
fn a_file_that_is_in_use_is_refused_by_every_path_that_leads_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let store = FileStore::open(&path).unwrap();
    let mut paths = vec![path.clone(), folder.path().join(".").join("session")];
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        paths.push(link);
    }
    for path in paths {
        let refused = FileStore::open(&path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock, "{refused}");
        assert!(matches!(
            cause_of(&refused),
            FileStoreError {
                cause: FileStoreCause::InUse,
                ..
            }
        ));
        assert!(
            refused.to_string().starts_with(path.to_str().unwrap()),
            "{refused}"
        );
    }
    drop(store);
    drop(FileStore::open(&path).unwrap());
}

#[test]
fn an_io_error_keeps_its_kind_and_names_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no folder").join("session");
    let refused = FileStore::open(&path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(refused.to_string().contains("no folder"), "{refused}");
    let refused = FileStore::open(folder.path()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData, "{refused}");
    assert_eq!(
        FileStore::open("").unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_a_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let mut store = FileStore::open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    // The same holds after the file was rewritten.
    let big = vec![7; 3 << 20];
    (0..3).for_each(|_| store.apply(&[put(b"a", &big)]).unwrap());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&folder.path().join("session.dunlin-lock")), 0o600);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    for other in ["", "something else", &"something else".repeat(1000)] {
        fs::write(&path, other).unwrap();
        let refused = FileStore::open(&path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData, "{refused}");
        assert_eq!(fs::read(&path).unwrap(), other.as_bytes());
    }
}

#[test]
fn another_format_version_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    drop(FileStore::open(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[19] = 2;
    let checksum = crc32fast::hash(&bytes[..20]);
    bytes[20..24].copy_from_slice(&checksum.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let refused = FileStore::open(&path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(
        refused.to_string().contains("format version 2"),
        "{refused}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

/// A process that was killed while it created or rewrote the file.
#[test]
fn the_temporary_file_of_a_killed_process_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let left = folder.path().join("session.dunlin-new");
    for len in [0, 10, 5000] {
        fs::write(&left, vec![1; len]).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        store.apply(&[put(b"a", &len.to_be_bytes())]).unwrap();
        assert!(!left.exists());
        drop(store);
        assert_eq!(entries(&path).unwrap()[&b"a"[..]], len.to_be_bytes());
    }
}

/// The last record has no mark: its process was killed before it knew that the record is there.
#[test]
fn a_commit_that_was_interrupted_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let mut store = FileStore::open(&path).unwrap();
    store.apply(&[put(b"a", b"1")]).unwrap();
    let before = fs::read(&path).unwrap();
    store.apply(&[put(b"a", b"2"), put(b"b", b"2")]).unwrap();
    drop(store);
    let after = fs::read(&path).unwrap();
    for len in before.len()..=after.len() {
        // Of the second commit the record's first bytes, and not its mark.
        let torn = [&before[..], &after[before.len()..len]].concat();
        fs::write(&path, torn).unwrap();
        let found = entries(&path).unwrap();
        let values = if len == after.len() {
            (b"2", Some(b"2"))
        } else {
            (b"1", None)
        };
        assert_eq!(found[&b"a"[..]], values.0);
        assert_eq!(
            found.get(&b"b"[..]).map(Vec::as_slice),
            values.1.map(|value| &value[..])
        );
        FileStore::open(&path)
            .unwrap()
            .apply(&[put(b"c", b"3")])
            .unwrap();
        assert_eq!(
            entries(&path).unwrap().len(),
            found.len() + 1,
            "it goes on behind that"
        );
    }
}

#[test]
fn a_file_is_rewritten_when_most_of_it_is_out_of_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let mut store = FileStore::open(&path).unwrap();
    let large = vec![7; 3 << 20];
    store.apply(&[put(b"stays", &large)]).unwrap();
    for round in 0..200_u32 {
        store
            .apply(&[
                put(b"changes", &vec![8; 100_000]),
                put(&round.to_be_bytes(), b""),
            ])
            .unwrap();
        store.apply(&[remove(&round.to_be_bytes())]).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 8 << 20);
    }
    let entries: Entries = store.load().unwrap().into_iter().collect();
    assert_eq!(
        entries,
        Entries::from([
            (b"changes".to_vec(), vec![8; 100_000]),
            (b"stays".to_vec(), large),
        ])
    );
    drop(store);
    assert_eq!(self::entries(&path).unwrap(), entries);
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|each| each.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "the file and its lock: {names:?}");
}
