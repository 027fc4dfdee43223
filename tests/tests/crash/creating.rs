//! A process is killed while it makes its store.

use std::process::{Command, Stdio};
use std::time::Duration;

use dunlin_client::store::{FileStore, Store};

use super::crashes;

#[test]
fn a_process_that_is_killed_while_it_makes_the_file_leaves_one_that_can_be_opened_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::new();
    let mut with_file = 0;
    for crash in 0..crashes() {
        let path = folder.path().join(format!("session-{crash}"));
        // Nobody listens on the port: the process makes its store, and goes on trying to connect.
        let mut process = Command::new(env!("CARGO_BIN_EXE_exactly_once"))
            .args(["localhost", "9"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(0..8_000)));
        process.kill().unwrap();
        process.wait().unwrap();
        with_file += usize::from(path.exists());
        let records = FileStore::open(&path)
            .unwrap()
            .application_records()
            .unwrap();
        assert!(records.is_empty());
        assert!(
            !folder
                .path()
                .join(format!("session-{crash}.dunlin-new"))
                .exists()
        );
    }
    println!(
        "{} kills: {} before the file was there",
        crashes(),
        crashes() - with_file
    );
}
