//! Finds the `dunlin` binary, and builds it where it is missing or older than its sources.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The binary of this workspace, in the profile of the tests.
///
/// cargo builds it by itself when the tests of the whole workspace run, but not for this package
/// alone.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = beside_the_tests();
        if is_stale(&path) {
            build(&path);
        }
        path
    })
}

/// Test executables live in `target/<profile>/deps`, binaries one floor up.
fn beside_the_tests() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let deps = test.parent().expect("it lies in a folder");
    let folder = if deps.ends_with("deps") {
        deps.parent().unwrap_or(deps)
    } else {
        deps
    };
    folder.join(format!("dunlin{}", env::consts::EXE_SUFFIX))
}

fn is_stale(binary: &Path) -> bool {
    let Ok(built) = fs::metadata(binary).and_then(|metadata| metadata.modified()) else {
        return true;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ["cli", "client", "codec", "sandbox"]
        .iter()
        .any(|member| newest(&root.join(member).join("src")) > built)
}

fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let times = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => newest(&entry.path()),
        Ok(metadata) => metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        Err(_) => SystemTime::UNIX_EPOCH,
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn build(binary: &Path) {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", "dunlin"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if binary
        .parent()
        .is_some_and(|folder| folder.ends_with("release"))
    {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "cargo build --package dunlin");
}
