//! Sessions and records that outlive their process.
//!
//! A client that is started with a [`Store`]
//! ([`Client::start_with_store`](crate::Client::start_with_store)) writes the changes of its
//! session down before the packets that follow from them leave. [`FileStore`] is a store in a file;
//! others can be written, for example in the application's own database.
//!
//! # Receiving exactly once
//!
//! MQTT's QoS 2 ends at the client: what a crash costs beyond that depends on when the application
//! records what it has done with a message.
//!
//! | order | after a crash in between | for |
//! |---|---|---|
//! | [`Subscription::next`](crate::Subscription::next), then process | **at most once**: the message was acknowledged, and is lost | values that are replaced soon |
//! | process, then [`Acknowledgement::accept`](crate::Acknowledgement::accept) | **at least once**: the server repeats the message, and it is processed again | what may happen twice |
//! | [`Acknowledgement::accept_with`](crate::Acknowledgement::accept_with) | **exactly once**: the result and the fact that the message was received are in one commit | the rest, at QoS 2 |
//!
//! `accept_with` writes records of the application's own into the client's store, in the commit
//! that says that the message was received. So the result of a message has to be such a record: a
//! total, a list of what is to be done. [`Store::application_records`] gives all of them when the
//! process starts. The example `exactly_once` of this crate shows it.
//!
//! Where the result goes into another system, for example a database, let the record be the message
//! itself under a key that no other message has, such as a counter. Then process the records, each
//! together with its key: a system that has seen the key before does nothing. Remove the record
//! afterwards with [`Client::write_records`](crate::Client::write_records). Or write a [`Store`] in
//! that database: then all of it is one transaction.

#[cfg(feature = "store")]
mod file;

use dunlin_codec::Escaped;
use std::io;

#[cfg(feature = "store")]
pub use self::file::{Damage, FileStore, FileStoreCause, FileStoreError};
use crate::engine::application_records;
pub use crate::engine::{Change, RestoreError};

/// Keeps what it is told. One client uses it at a time.
///
/// It is asked on a thread where waiting hurts nobody. Both keys and values may be written anywhere
/// as they are: they hold messages, and no user name or password.
pub trait Store: Send + 'static {
    /// All keys with their values, in any order.
    ///
    /// # Errors
    /// They can't be read: the client doesn't start.
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// The application's own records, of [`Acknowledgement::accept_with`] and
    /// [`Client::write_records`], in any order. To be asked before the store is given to a
    /// client.
    ///
    /// [`Acknowledgement::accept_with`]: crate::Acknowledgement::accept_with
    /// [`Client::write_records`]: crate::Client::write_records
    ///
    /// # Errors
    /// The store can't be read.
    fn application_records(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(application_records(self.load()?))
    }

    /// Makes these changes in their order, all or none, and returns when a crash of the whole
    /// machine wouldn't undo them.
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

    fn application_records(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        (**self).application_records()
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        (**self).apply(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that finds its application's records by itself.
    struct OwnRecords;

    impl Store for OwnRecords {
        fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
            Ok(Vec::new())
        }

        fn application_records(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
            Ok(vec![(b"a".to_vec(), b"1".to_vec())])
        }

        fn apply(&mut self, _changes: &[Change]) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_boxed_store_gives_the_records_that_the_store_gives() {
        let mut boxed: Box<dyn Store> = Box::new(OwnRecords);
        let records = Store::application_records(&mut boxed).unwrap();
        assert_eq!(records, [(b"a".to_vec(), b"1".to_vec())]);
    }
}
