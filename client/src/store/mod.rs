//! Where a session is kept, so that it outlives its process.

#[cfg(feature = "store")]
mod file;

use dunlin_codec::Escaped;
use std::io;

#[cfg(feature = "store")]
pub use self::file::{Damage, FileStore, FileStoreCause, FileStoreError};
pub use crate::engine::{Change, RestoreError};

/// Keeps what it is told. One client uses it at a time.
///
/// It is asked on a thread where waiting hurts nobody. Both keys and values may be written anywhere as they are: they hold
/// messages, and no user name or password.
pub trait Store: Send + 'static {
    /// All keys with their values, in any order.
    ///
    /// # Errors
    /// They can't be read: the client doesn't start.
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Makes these changes in their order, all or none, and returns when a crash of the whole machine wouldn't undo them.
    ///
    /// # Errors
    /// They may not have been made: the client stops, and nothing leaves it that hangs on them.
    fn apply(&mut self, changes: &[Change]) -> io::Result<()>;
}

/// Why a session couldn't be taken out of its store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store can't be read.
    #[error("the store can't be read: {}", Escaped(.0))]
    Load(#[source] io::Error),
    /// The system has no thread or no sockets to give, which only a blocking client asks for.
    #[error(transparent)]
    System(io::Error),
    /// What it has is no session.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl Store for Box<dyn Store> {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        (**self).load()
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        (**self).apply(changes)
    }
}
