//! Sessions and records that outlive their process.
//!
//! A client that is started with a [`Store`]
//! ([`Client::start_with_store`](crate::Client::start_with_store)) writes the changes of its
//! session to the store before it sends the packets that depend on them. `FileStore`, with the feature `store`, is one in a file;
//! others can be written, for example in the application's own database.
//!
//! # Receiving exactly once
//!
//! QoS 2 of MQTT ends at the client. The effect of a crash beyond that depends on the time at which
//! the application records that it has processed a message.
//!
//! | order | after a crash in between | for |
//! |---|---|---|
//! | [`Subscription::next`](crate::Subscription::next), then process | **at most once**: the message was acknowledged, and is lost | values that are replaced soon |
//! | process, then [`Acknowledgement::accept`](crate::Acknowledgement::accept) | **at least once**: the server repeats the message, and it is processed again | actions that may happen twice |
//! | [`Acknowledgement::accept_with`](crate::Acknowledgement::accept_with) | **exactly once**: the result and the fact that the message was received are in one commit | the rest, at QoS 2 |
//!
//! `accept_with` writes records of the application's own into the client's store, in the commit
//! that says that the message was received. So the result of a message has to be such a record: a
//! total, a list of tasks. [`Store::application_records`] gives all of them when the
//! process starts. The example `exactly_once` of this crate shows it.
//!
//! If the result goes into another system, for example a database, let the record be the message
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

/// Store of a session: keys with their values. One client uses it at a time.
///
/// The methods are called on a thread that may block. Keys and values contain messages, but no user
/// name and no password.
pub trait Store: Send + 'static {
    /// Returns all keys with their values, in any order.
    ///
    /// # Errors
    /// The store can't be read: the client doesn't start.
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Returns the application's own records, of [`Acknowledgement::accept_with`] and
    /// [`Client::write_records`], in any order. To be called before the store is given to a client.
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
    /// The changes may not have been made: the client stops, and sends nothing that depends on them.
    fn apply(&mut self, changes: &[Change]) -> io::Result<()>;
}

/// Error of a session that can't be restored from its store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store can't be read.
    #[error("the store can't be read: {}", Escaped(.0))]
    Load(#[source] io::Error),
    /// The operating system has no thread or no sockets for a blocking client.
    #[error(transparent)]
    System(io::Error),
    /// The content of the store is no session.
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
