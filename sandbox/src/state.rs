//! The state directory: where keys stay between runs and running sandboxes are found.

mod run_file;

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

pub(crate) use run_file::RunFile;
pub use run_file::RunningSandbox;

/// Dunlin's state directory; the sandbox keeps to `sandbox/` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

/// Why there is no state directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Nothing says where it could be.
    #[error("no state directory: neither DUNLIN_STATE_DIR nor XDG_STATE_HOME nor HOME is set")]
    NoHome,
    /// It can't be made, read or written.
    #[error("{}: {source}", path.display())]
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
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// `explicit`, else `DUNLIN_STATE_DIR`, else `dunlin` in `XDG_STATE_HOME` or `~/.local/state`.
    pub fn resolve(explicit: Option<PathBuf>) -> Result<Self, StateError> {
        Self::resolve_with(explicit, |name| env::var_os(name).map(PathBuf::from))
    }

    /// Where the sandbox keeps its files.
    #[must_use]
    pub fn sandbox(&self) -> PathBuf {
        self.root.join("sandbox")
    }

    /// The sandboxes that run with this state directory, the oldest process id first.
    pub fn running(&self) -> Result<Vec<RunningSandbox>, StateError> {
        run_file::find(&self.run_dir())
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

    fn run_dir(&self) -> PathBuf {
        self.sandbox().join("run")
    }

    /// Holds off every other process that opens keys here, for as long as the file lives.
    pub(crate) fn lock(&self) -> Result<File, StateError> {
        let dir = self.sandbox();
        create_private_dir(&dir)?;
        let path = dir.join("lock");
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| StateError::Io { path, source })
    }
}

/// Makes a directory, and those above it, that nobody else can look into.
fn create_private_dir(dir: &Path) -> Result<(), StateError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| StateError::Io { path: dir.into(), source })
}

/// Writes a new file that nobody else can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let written = path.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let mut file = open_private(&written)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&written, path)
    };
    write().map_err(|source| StateError::Io { path: path.into(), source })
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(explicit: Option<&str>, environment: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
        };
        StateDir::resolve_with(explicit.map(PathBuf::from), variable).ok().map(|dir| dir.sandbox())
    }

    #[test]
    fn the_nearest_word_decides_where_the_state_is() {
        let all = [("DUNLIN_STATE_DIR", "/d"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
        let expected = |path: &str| Some(PathBuf::from(path));
        assert_eq!(resolve(Some("/e"), &all), expected("/e/sandbox"));
        assert_eq!(resolve(None, &all), expected("/d/sandbox"));
        assert_eq!(resolve(None, &all[1..]), expected("/x/dunlin/sandbox"));
        assert_eq!(resolve(None, &all[2..]), expected("/h/.local/state/dunlin/sandbox"));
    }

    #[test]
    fn an_empty_or_relative_variable_counts_as_unset() {
        let environment = [("DUNLIN_STATE_DIR", ""), ("XDG_STATE_HOME", "x"), ("HOME", "/h")];
        assert_eq!(resolve(None, &environment), Some("/h/.local/state/dunlin/sandbox".into()));
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
}
