//! The state directory: where keys stay between runs and running sandboxes are found.

mod private_file;
mod run_file;
mod state_error;

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

pub(crate) use run_file::RunFile;
pub use run_file::RunningSandbox;
pub use state_error::StateError;

pub(crate) use private_file::{create_private_dir, refuse_writable, write_private};

#[cfg(unix)]
use crate::state::private_file::STICKY;
use crate::state::private_file::{open_lock, remove_half_written};

/// Dunlin's state directory; the sandbox keeps to `sandbox/` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
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

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use crate::state::private_file::{half_written, is_trusted, set_mode};

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
    fn the_state_directory_comes_from_the_option_then_the_variables() {
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
    fn a_missing_home_is_an_error_that_names_the_variable_to_set() {
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
    fn private_files_are_never_written_through_a_link_or_left_half_written() {
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
    fn half_written_files_of_a_killed_process_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        drop(state.lock().unwrap());
        let half = state.sandbox().join("ca-key.4711.new");
        fs::write(&half, "-----BEGIN").unwrap();
        drop(state.lock().unwrap());
        assert!(!half.exists());
    }
}
