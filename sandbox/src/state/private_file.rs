//! Files and folders of one user: nobody else can read them, and none is trusted that others can
//! write.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::state::state_error::StateError;

/// Makes a directory, and those above it, that nobody else can look into, whatever the umask.
///
/// # Errors
/// [`StateError::Writable`] if it is there already and others can write to it.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), StateError> {
    if dir.is_dir() {
        return refuse_writable(dir);
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder.create(dir).and_then(|()| set_mode(dir, 0o700));
    created.map_err(|source| StateError::Io {
        path: dir.into(),
        source,
    })
}

/// Writes a file that nobody else can read, whole or not at all. What `path` was before, a link
/// too, is replaced.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let half = half_written(path);
    let write = || {
        let mut file = create_private(&half)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&half, path)
    };
    write().map_err(|source| {
        // The error is told; half a file is nobody's.
        let _ = fs::remove_file(&half);
        StateError::Io {
            path: path.into(),
            source,
        }
    })
}

/// Temporary name of a file while it is written.
pub(super) fn half_written(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.{HALF_WRITTEN}", std::process::id()))
}

/// Creates a file that nobody else can read. It must not be there yet, not even as a link to
/// another file.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    // An earlier process with this id may have left one.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // The umask may have taken more away than it should.
    set_mode(path, 0o600)?;
    Ok(file)
}

/// The file whose lock processes wait for; it stays, so that all of them have the same.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => File::open(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "it isn't a file of the sandbox",
        )),
        Err(_) => match create_private(path) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::open(path),
            created => created,
        },
    }
}

/// Refuses a file or folder that others can write to, or own: they could put a key there that is
/// trusted.
pub(crate) fn refuse_writable(path: &Path) -> Result<(), StateError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::metadata(path).map_err(|source| StateError::Io {
            path: path.into(),
            source,
        })?;
        if found.mode() & 0o022 != 0 {
            let mode = if found.is_dir() { "700" } else { "600" };
            return Err(StateError::Writable {
                path: path.into(),
                mode,
            });
        }
        if !is_trusted(found.uid(), rustix::process::geteuid().as_raw()) {
            return Err(StateError::NotOwned {
                path: path.into(),
                owner: found.uid(),
            });
        }
    }
    let _ = path;
    Ok(())
}

/// Returns whether a user trusts files of this owner: their own and those of root, who can write to
/// all files anyway.
#[cfg(unix)]
pub(super) const fn is_trusted(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    let _ = (path, mode);
    Ok(())
}

/// Removes what processes left behind that were killed while they wrote. Only the one that holds
/// the lock writes here.
pub(super) fn remove_half_written(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path
            .extension()
            .is_some_and(|extension| extension == HALF_WRITTEN)
        {
            let _ = fs::remove_file(path);
        }
    }
}

pub(super) const HALF_WRITTEN: &str = "new";
/// Bit of a folder's mode: entries can be renamed and removed by their owners only.
#[cfg(unix)]
pub(super) const STICKY: u32 = 0o1000;
