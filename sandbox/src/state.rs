//! The state directory: where keys stay between runs and running sandboxes are found.

mod run_file;

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dunlin_codec::Escaped;

pub(crate) use run_file::RunFile;
pub use run_file::RunningSandbox;

use crate::shell::shell_quoted;

/// Dunlin's state directory; the sandbox keeps to `sandbox/` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

/// Reason why the state directory can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Nothing says where it could be.
    #[error("no state directory: neither DUNLIN_STATE_DIR nor XDG_STATE_HOME nor HOME is set")]
    NoHome,
    /// Others can write to it, so that its keys could be theirs.
    #[error("others can write to {}; to mend it: chmod {mode} {}", Escaped(path.display()), Escaped(shell_quoted(&path.to_string_lossy())))]
    Writable {
        /// Which file or directory.
        path: PathBuf,
        /// The mode for `chmod`: octal digits, or a change such as `o-w`.
        mode: &'static str,
    },
    /// Another user owns it, so that its keys could be theirs. Files of root are trusted.
    #[error("{} belongs to another user (uid {owner})", Escaped(path.display()))]
    NotOwned {
        /// Which file or directory.
        path: PathBuf,
        /// The id of the user who owns it.
        owner: u32,
    },
    /// The file or directory can't be created, read or written.
    #[error("{}: {source}", Escaped(path.display()))]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateDir {
    /// This directory. It is made when something is kept in it.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // Others read the paths in it from where they are.
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
        }
    }

    /// Chooses `explicit`, else `DUNLIN_STATE_DIR`, else `dunlin` in `XDG_STATE_HOME` or
    /// `~/.local/state`.
    ///
    /// # Errors
    /// [`StateError::NoHome`] if nothing of these is set.
    pub fn resolve(explicit: Option<PathBuf>) -> Result<Self, StateError> {
        Self::resolve_with(explicit, |name| env::var_os(name).map(PathBuf::from))
    }

    /// Folder of the sandbox's files.
    #[must_use]
    pub fn sandbox(&self) -> PathBuf {
        self.root.join("sandbox")
    }

    /// The sandboxes that run with this state directory, the oldest process id first.
    ///
    /// # Errors
    /// [`StateError::Writable`] or [`StateError::NotOwned`] if others could put a sandbox of their
    /// own here, which would be trusted.
    pub fn running(&self) -> Result<Vec<RunningSandbox>, StateError> {
        let dir = self.run_dir();
        match fs::metadata(&dir) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StateError::Io { path: dir, source }),
        }
        self.refuse_writable_parents()?;
        refuse_writable(&self.sandbox())?;
        refuse_writable(&dir)?;
        run_file::find(&dir)
    }

    fn resolve_with(
        explicit: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Self, StateError> {
        let set = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
        // A relative XDG_STATE_HOME is to be ignored, says the XDG base directory specification.
        let xdg = || set("XDG_STATE_HOME").filter(|path| path.is_absolute());
        explicit
            .or_else(|| set("DUNLIN_STATE_DIR"))
            .or_else(|| xdg().map(|home| home.join("dunlin")))
            .or_else(|| set("HOME").map(|home| home.join(".local/state/dunlin")))
            .map(Self::at)
            .ok_or(StateError::NoHome)
    }

    /// Checks the folders above `sandbox`: whoever can write to one can put another folder in its
    /// place. With the sticky bit, as `/tmp` has it, only the owner of an entry can.
    ///
    /// The state directory itself may be written by its owner alone. Folders above it may be
    /// written by a group: where each user has a group, `umask 002` makes all folders so.
    ///
    /// # Errors
    /// [`StateError::Writable`], or [`StateError::NotOwned`] for the state directory itself.
    fn refuse_writable_parents(&self) -> Result<(), StateError> {
        #[cfg(unix)]
        for path in self.root.ancestors() {
            let Ok(found) = fs::metadata(path) else {
                // It is made later, and for this user alone.
                continue;
            };
            let mode = std::os::unix::fs::MetadataExt::mode(&found);
            let is_root = path == self.root;
            if mode & STICKY != 0 {
                continue;
            }
            if is_root {
                refuse_writable(path)?;
            } else if mode & 0o002 != 0 {
                return Err(StateError::Writable {
                    path: path.into(),
                    // Nothing is taken from its group: others may have reasons for that.
                    mode: "o-w",
                });
            }
        }
        Ok(())
    }

    fn run_dir(&self) -> PathBuf {
        self.sandbox().join("run")
    }

    /// Locks the folder until the file is dropped: no other process opens keys here meanwhile.
    ///
    /// # Errors
    /// [`StateError::Writable`] or [`StateError::NotOwned`] if others could put keys of their own
    /// here, [`StateError::Io`] if the folder can't be created or locked.
    pub(crate) fn lock(&self) -> Result<File, StateError> {
        let dir = self.sandbox();
        self.refuse_writable_parents()?;
        create_private_dir(&dir)?;
        let path = dir.join("lock");
        let locked = open_lock(&path).and_then(|file| file.lock().map(|()| file));
        let locked = locked.map_err(|source| StateError::Io { path, source })?;
        remove_half_written(&dir);
        Ok(locked)
    }
}

/// Makes a directory, and those above it, that nobody else can look into, whatever the umask.
///
/// # Errors
/// [`StateError::Writable`] if it is there already and others can write to it.
fn create_private_dir(dir: &Path) -> Result<(), StateError> {
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
fn half_written(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.{HALF_WRITTEN}", std::process::id()))
}

/// Creates a file that nobody else can read. It must not be there yet, not even as a link to
/// another file.
fn create_private(path: &Path) -> io::Result<File> {
    // An earlier process with this id may have left one behind.
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
fn open_lock(path: &Path) -> io::Result<File> {
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
const fn is_trusted(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    let _ = (path, mode);
    Ok(())
}

/// Removes what processes left behind that were killed while they wrote. Only the one that holds
/// the lock writes here.
fn remove_half_written(dir: &Path) {
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

const HALF_WRITTEN: &str = "new";
/// Bit of a folder's mode: entries can be renamed and removed by their owners only.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(explicit: Option<&str>, environment: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| PathBuf::from(value))
        };
        StateDir::resolve_with(explicit.map(PathBuf::from), variable)
            .ok()
            .map(|dir| dir.sandbox())
    }

    #[test]
    fn the_nearest_word_decides_where_the_state_is() {
        let all = [
            ("DUNLIN_STATE_DIR", "/d"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        let expected = |path: &str| Some(PathBuf::from(path));
        assert_eq!(resolve(Some("/e"), &all), expected("/e/sandbox"));
        assert_eq!(resolve(None, &all), expected("/d/sandbox"));
        assert_eq!(resolve(None, &all[1..]), expected("/x/dunlin/sandbox"));
        assert_eq!(
            resolve(None, &all[2..]),
            expected("/h/.local/state/dunlin/sandbox")
        );
    }

    #[test]
    fn an_empty_or_relative_variable_counts_as_unset() {
        let environment = [
            ("DUNLIN_STATE_DIR", ""),
            ("XDG_STATE_HOME", "x"),
            ("HOME", "/h"),
        ];
        assert_eq!(
            resolve(None, &environment),
            Some("/h/.local/state/dunlin/sandbox".into())
        );
    }

    #[test]
    fn a_relative_directory_is_found_from_anywhere() {
        assert!(StateDir::at("state").sandbox().is_absolute());
    }

    #[test]
    fn no_home_is_an_error_that_says_what_to_set() {
        assert_eq!(resolve(None, &[]), None);
        assert!(StateError::NoHome.to_string().contains("DUNLIN_STATE_DIR"));
    }
    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_to_is_refused_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        drop(state.lock().unwrap());
        set_mode(&state.sandbox(), 0o770).unwrap();
        let told = state.lock().unwrap_err().to_string();
        assert!(
            told.ends_with(&format!(
                "; to mend it: chmod 700 {}",
                state.sandbox().display()
            )),
            "{told}"
        );
        set_mode(&state.sandbox(), 0o700).unwrap();
        state.lock().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_above_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let above = dir.path().join("above");
        let root = above.join("state");
        fs::create_dir_all(&root).unwrap();
        let state = StateDir::at(&root);
        for (path, mode, command) in [
            (&root, 0o777, "chmod 700"),
            (&root, 0o770, "chmod 700"),
            (&above, 0o707, "chmod o-w"),
        ] {
            set_mode(path, mode).unwrap();
            let told = state.lock().unwrap_err().to_string();
            let mends = format!("; to mend it: {command} {}", path.display());
            assert!(told.ends_with(&mends), "{told}");
            set_mode(path, 0o700).unwrap();
        }
        // Others can add entries here and can't replace this user's.
        set_mode(&above, 0o1777).unwrap();
        drop(state.lock().unwrap());
        set_mode(&root, 0o777).unwrap();
        assert!(state.running().is_ok(), "no sandbox ever ran here");
        fs::create_dir(state.run_dir()).unwrap();
        assert!(state.running().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_of_another_user_is_refused() {
        assert!(is_trusted(1000, 1000) && is_trusted(0, 1000) && is_trusted(0, 0));
        assert!(!is_trusted(1001, 1000) && !is_trusted(1000, 0));
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        drop(state.lock().unwrap());
        // Only root can give a folder away.
        if std::os::unix::fs::chown(state.sandbox(), Some(4711), None).is_ok() {
            let told = state.lock().unwrap_err().to_string();
            assert!(
                told.ends_with("sandbox belongs to another user (uid 4711)"),
                "{told}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_and_nothing_half_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (dir.path().join("key.pem"), dir.path().join("elsewhere"));
        fs::write(&elsewhere, "untouched").unwrap();
        for link in [&path, &half_written(&path)] {
            std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        }
        write_private(&path, b"key").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"key");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"untouched");
        // A folder can't be replaced by a file: writing fails, and leaves nothing.
        let folder = dir.path().join("folder.pem");
        fs::create_dir(&folder).unwrap();
        assert!(write_private(&folder, b"key").is_err());
        assert!(!half_written(&folder).exists());
    }

    #[test]
    fn what_a_killed_process_left_half_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        drop(state.lock().unwrap());
        let half = state.sandbox().join("ca-key.4711.new");
        fs::write(&half, "-----BEGIN").unwrap();
        drop(state.lock().unwrap());
        assert!(!half.exists());
    }
}
