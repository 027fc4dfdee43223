//! Location of a store file: its path without symbolic links, the lock beside it, and its atomic
//! replacement.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::{FileStoreCause, Trying};

/// A store file's path, held by this store alone.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    folder: PathBuf,
    /// The new file, until it has the name of the old one.
    temporary: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Place {
    /// Finds the file that `path` names, and locks it. What a killed process left of a new file is
    /// removed.
    ///
    /// # Errors
    /// [`FileStoreCause::InUse`] if another store has locked it, [`FileStoreCause::System`] if the
    /// folder or the lock can't be used.
    pub(super) fn lock(path: &Path) -> Result<Self, FileStoreCause> {
        let (folder, name) = resolve(path).trying("find the file's folder")?;
        let beside = |suffix: &str| {
            let mut name = name.clone();
            name.push(suffix);
            folder.join(name)
        };
        // The lock is a file of its own, which is never replaced: a lock on the store's file would
        // stay with the old file when a new one takes its name. The system releases it when the
        // process ends, however that happens.
        let lock = private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(LOCK_SUFFIX));
        let lock = lock.trying("open the lock file beside the file")?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileStoreCause::InUse),
            Err(TryLockError::Error(error)) => {
                return Err(error).trying("lock the lock file beside the file");
            }
        }
        // Only now is the temporary file known to be of a process that has ended.
        let place = Self {
            path: folder.join(&name),
            temporary: beside(TEMPORARY_SUFFIX),
            folder,
            _lock: lock,
        };
        place.remove_temporary()?;
        Ok(place)
    }

    /// Opens the file if there is one, without changing it.
    ///
    /// # Errors
    /// [`FileStoreCause::NotAStore`] if the path is no regular file, [`FileStoreCause::System`] if it
    /// can't be opened.
    pub(super) fn open(&self) -> Result<Option<File>, FileStoreCause> {
        // Folders, pipes and devices are refused before they are opened: opening a pipe would
        // block.
        match fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => return Err(FileStoreCause::NotAStore),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).trying("look at the file"),
        }
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path)
            .trying("open the file")
            .map(Some)
    }

    /// Replaces the file by one with these contents, all at once: a crash leaves the old one or the
    /// new one.
    ///
    /// Fails with [`Replace::Unchanged`] while the old file is the one that counts.
    pub(super) fn replace(
        &self,
        write: impl FnOnce(&mut File) -> Result<(), FileStoreCause>,
    ) -> Result<File, Replace> {
        // Write and flush the new file under another name, then rename it: at any time the name
        // leads to one complete file.
        let made = self.make_temporary(write).and_then(|file| {
            fs::rename(&self.temporary, &self.path).trying("rename the new file")?;
            Ok(file)
        });
        let file = made.map_err(|cause| {
            // The first error is the one to report; what is left is removed at the next start.
            drop(self.remove_temporary());
            Replace::Unchanged(cause)
        })?;
        // The name is in the folder, which has to be on disk as well.
        sync_folder(&self.folder)
            .trying("flush the file's folder")
            .map_err(Replace::InDoubt)?;
        Ok(file)
    }

    fn make_temporary(
        &self,
        write: impl FnOnce(&mut File) -> Result<(), FileStoreCause>,
    ) -> Result<File, FileStoreCause> {
        // `create_new` never follows a link that somebody else has put there.
        let new = private()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&self.temporary);
        let mut file = new.trying("create the new file")?;
        write(&mut file)?;
        file.flush()
            .and_then(|()| file.sync_all())
            .trying("flush the new file")?;
        Ok(file)
    }

    fn remove_temporary(&self) -> Result<(), FileStoreCause> {
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).trying("remove what an earlier process left of a new file")
            }
            _ => Ok(()),
        }
    }
}

/// Why a file wasn't replaced.
#[derive(Debug)]
pub(super) enum Replace {
    /// The old file is there, as it was.
    Unchanged(FileStoreCause),
    /// The new file is there, but after a crash of the machine it may be the old one.
    InDoubt(FileStoreCause),
}

impl Replace {
    pub(super) fn into_cause(self) -> FileStoreCause {
        match self {
            Self::Unchanged(cause) | Self::InDoubt(cause) => cause,
        }
    }
}

const LOCK_SUFFIX: &str = ".dunlin-lock";
const TEMPORARY_SUFFIX: &str = ".dunlin-new";

/// The folder and the name of the file that `path` names: two paths of one file have to meet in one
/// lock.
fn resolve(path: &Path) -> io::Result<(PathBuf, std::ffi::OsString)> {
    // A new file has no canonical path yet, so its folder's is taken. A symbolic link to a missing
    // file is an error: a rename would replace the link, not its target.
    let path = match fs::canonicalize(path) {
        Ok(path) => path,
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() =>
        {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            fs::canonicalize(folder.unwrap_or_else(|| Path::new(".")))?.join(name)
        }
        Err(error) => return Err(error),
    };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().map(OsStr::to_owned)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Ok((folder.to_owned(), name))
}

/// For files that hold messages: nobody but this user may read them.
fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A name that the folder doesn't have on disk yet would be gone after a crash of the whole
/// machine.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems have no such call.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
