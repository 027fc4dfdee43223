//! Errors of a store in a file.

use dunlin_codec::Escaped;
use std::io;
use std::path::{Path, PathBuf};

/// Error of a [`FileStore`](super::FileStore): the file and the cause.
///
/// The [`io::Error`] that the store returns contains it, and its kind follows from the cause:
/// `error.get_ref().and_then(|inner| inner.downcast_ref::<FileStoreError>())`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("{}: {cause}", Escaped(path.display()))]
pub struct FileStoreError {
    /// Path of the file, as it was given to [`FileStore::open`](super::FileStore::open).
    pub path: PathBuf,
    /// Cause of the error.
    #[source]
    pub cause: FileStoreCause,
}

/// Cause of an error, with the [`io::ErrorKind`] that each cause has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileStoreCause {
    /// Another store has the file open, in this process or in another one (`WouldBlock`).
    #[error("the file is in use by another store, in this process or in another one")]
    InUse,
    /// The file is something else, and was left as it is (`InvalidData`).
    #[error("the file is not a store of dunlin-client")]
    NotAStore,
    /// The file has another format version, and was left as it is (`Unsupported`).
    #[error(
        "the file has format version {found}; this version of dunlin-client reads version {supported}"
    )]
    Version {
        /// Version in the file's header.
        found: u32,
        /// Version that can be read.
        supported: u32,
    },
    /// The file was altered or cut, and was left as it is (`InvalidData`).
    #[error("the file is damaged: {0}")]
    Damaged(Damage),
    /// A key or a value is too large for the file (`InvalidInput`).
    #[error("a key or value of {bytes} bytes; the file takes 4294967295")]
    TooLarge {
        /// Size in bytes.
        bytes: usize,
    },
    /// A commit failed before, and nothing is written any more (`Other`).
    #[error("an earlier write failed")]
    FailedBefore,
    /// The operating system refused something (its own kind).
    #[error("can't {action}: {error}")]
    System {
        /// Action that failed, in words.
        action: &'static str,
        /// Error of the operating system.
        #[source]
        error: io::Error,
    },
}

/// Damage of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("at byte {offset}, {fault}")]
pub struct Damage {
    /// Offset of the damaged part in the file.
    pub offset: u64,
    /// Fault at that offset, in words.
    pub fault: &'static str,
}

impl FileStoreCause {
    pub(super) fn at(self, path: &Path) -> io::Error {
        io::Error::new(
            self.kind(),
            FileStoreError {
                path: path.to_owned(),
                cause: self,
            },
        )
    }

    const fn damaged(offset: u64, fault: &'static str) -> Self {
        Self::Damaged(Damage { offset, fault })
    }

    fn kind(&self) -> io::ErrorKind {
        match self {
            Self::InUse => io::ErrorKind::WouldBlock,
            Self::NotAStore | Self::Damaged(_) => io::ErrorKind::InvalidData,
            Self::Version { .. } => io::ErrorKind::Unsupported,
            Self::TooLarge { .. } => io::ErrorKind::InvalidInput,
            Self::FailedBefore => io::ErrorKind::Other,
            Self::System { error, .. } => error.kind(),
        }
    }
}

/// Damage at `offset`.
pub(super) const fn damaged(offset: u64, fault: &'static str) -> FileStoreCause {
    FileStoreCause::damaged(offset, fault)
}

/// Extension that names the action that failed.
pub(super) trait Trying<T> {
    fn trying(self, action: &'static str) -> Result<T, FileStoreCause>;
}

impl<T> Trying<T> for io::Result<T> {
    fn trying(self, action: &'static str) -> Result<T, FileStoreCause> {
        self.map_err(|error| FileStoreCause::System { action, error })
    }
}
