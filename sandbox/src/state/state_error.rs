//! Errors of the state directory.

use std::io;
use std::path::PathBuf;

use dunlin_codec::Escaped;

use crate::shell::shell_quoted;

/// Reason why the state directory can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No option and no environment variable names a folder for it.
    #[error("no state directory: neither DUNLIN_STATE_DIR nor XDG_STATE_HOME nor HOME is set")]
    NoHome,
    /// Others can write to it, so that its keys could be theirs.
    #[error("others can write to {}; to mend it: chmod {mode} {}", Escaped(path.display()), Escaped(shell_quoted(&path.to_string_lossy())))]
    Writable {
        /// Path of the file or directory.
        path: PathBuf,
        /// The mode for `chmod`: octal digits, or a change such as `o-w`.
        mode: &'static str,
    },
    /// Another user owns it, so that its keys could be theirs. Files of root are trusted.
    #[error("{} belongs to another user (uid {owner})", Escaped(path.display()))]
    NotOwned {
        /// Path of the file or directory.
        path: PathBuf,
        /// The id of the user who owns it.
        owner: u32,
    },
    /// The file or directory can't be created, read or written.
    #[error("{}: {source}", Escaped(path.display()))]
    Io {
        /// Path of the file or directory.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
}
