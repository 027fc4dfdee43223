//! `--ready-file`: tells scripts where the sandbox is, for as long as it is there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dunlin_sandbox::Ready;
use tempfile::NamedTempFile;

use crate::diagnosis::{Diagnosis, folder};

/// The file; removed when dropped, because its promise no longer holds then.
pub(super) struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    pub(super) fn write(path: &Path, ready: &Ready) -> Result<Self, Diagnosis> {
        write(path, ready)
            .map(|()| Self {
                path: path.to_owned(),
            })
            .map_err(|error| folder::not_writable("--ready-file", path, &error))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // The user may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whole or not at all: whoever waits for the file reads it as soon as it is there.
fn write(path: &Path, ready: &Ready) -> io::Result<()> {
    // A rename is atomic only within one file system, so the temporary file is in the same folder.
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    if !directory.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "its folder doesn't exist",
        ));
    }
    let mut file = NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, ready)?;
    file.write_all(b"\n")?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
