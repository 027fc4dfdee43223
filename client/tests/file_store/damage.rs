//! Files that were altered: 20 of each kind by default, 200 with `DUNLIN_FULL=1`.

use std::fs;
use std::ops::Range;
use std::path::Path;

use dunlin_client::store::{FileStore, Store};

use super::{Entries, entries, put, remove};

fn count() -> usize {
    if std::env::var_os("DUNLIN_FULL").is_some_and(|value| value == "1") {
        200
    } else {
        20
    }
}

/// A file with all that a client leaves in one: values that were replaced and removed, small and
/// large ones.
fn make(path: &Path) -> (Vec<u8>, Entries) {
    let mut store = FileStore::open(path).unwrap();
    for round in 0..40_u8 {
        let value = vec![round; 40 * usize::from(round)];
        store
            .apply(&[
                put(&[b'm', round], &value),
                put(b"a", &[round]),
                put(&[b'p', round], b"x"),
            ])
            .unwrap();
        store.apply(&[remove(&[b'p', round])]).unwrap();
    }
    let truth = store.load().unwrap().into_iter().collect();
    drop(store);
    (fs::read(path).unwrap(), truth)
}

/// Number of altered files that were refused, and of those that were read whole.
#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    whole: usize,
}

impl Outcomes {
    /// Opens an altered file: it is refused, or all of it is there; either way it is left as it is.
    fn open(&mut self, path: &Path, altered: &[u8], truth: &Entries) {
        fs::write(path, altered).unwrap();
        match entries(path) {
            Ok(found) => {
                assert_eq!(&found, truth, "neither the whole truth nor an error");
                self.whole += 1;
            }
            Err(error) => {
                assert!(
                    error.to_string().contains(path.to_str().unwrap()),
                    "{error}"
                );
                self.refused += 1;
            }
        }
        assert_eq!(fs::read(path).unwrap(), altered, "it was written to");
    }
}

const PREAMBLE: Range<usize> = 0..4096;

#[test]
fn a_flipped_bit_is_found_or_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let (whole, truth) = make(&path);
    let mut random = fastrand::Rng::with_seed(15);
    let (mut in_records, mut anywhere) = (Outcomes::default(), Outcomes::default());
    for _ in 0..count() {
        let mut flip = |range: Range<usize>| {
            let mut altered = whole.clone();
            altered[random.usize(range)] ^= 1 << random.u8(0..8);
            altered
        };
        in_records.open(&path, &flip(PREAMBLE.end..whole.len()), &truth);
        anywhere.open(&path, &flip(0..whole.len()), &truth);
    }
    println!("bits flipped in records: {in_records:?}; anywhere: {anywhere:?}");
    assert_eq!(in_records.whole, 0, "each bit of a record counts");
    // And those of the header and the marks, each.
    let mut in_header = Outcomes::default();
    for bit in [0..24, 512..532, 1024..1044]
        .into_iter()
        .flat_map(|bytes| bytes.start * 8..bytes.end * 8)
    {
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        in_header.open(&path, &altered, &truth);
    }
    println!("each bit of header and marks flipped: {in_header:?}");
    assert_eq!(in_header.refused, 24 * 8, "of two marks one is enough");
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let (whole, truth) = make(&path);
    let mut random = fastrand::Rng::with_seed(15);
    let mut outcomes = Outcomes::default();
    let at_random = (2..count()).map(|_| random.usize(0..whole.len()));
    for len in [0, whole.len() - 1].into_iter().chain(at_random) {
        outcomes.open(&path, &whole[..len], &truth);
    }
    println!("cut: {outcomes:?}");
    assert_eq!(outcomes.whole, 0);
}

#[test]
fn a_page_of_zeros_is_found_or_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let (whole, truth) = make(&path);
    let mut random = fastrand::Rng::with_seed(15);
    let mut outcomes = Outcomes::default();
    // The first page, the last one, then any of them, of 512 and of 4,096 bytes.
    let pages = |size: usize| whole.len().div_ceil(size);
    let mut at_random = || {
        let size = [512, 4096][random.usize(0..2)];
        (size, random.usize(0..pages(size)))
    };
    let chosen = [(4096, 0), (4096, pages(4096) - 1)];
    for (size, page) in chosen
        .into_iter()
        .chain(std::iter::repeat_with(&mut at_random))
        .take(count())
    {
        let mut altered = whole.clone();
        let end = altered.len().min((page + 1) * size);
        altered[page * size..end].fill(0);
        outcomes.open(&path, &altered, &truth);
    }
    println!("zeroed: {outcomes:?}");
    assert!(outcomes.refused > 0);
}
