//! Clients whose sessions outlive the process in a store.

use super::{Client, ClientOptions, StartParts};
use crate::engine::{Change, Engine, Session};
use crate::error::RequestError;
use crate::event::Event;
use crate::policy::CleanStart;
use crate::runtime::clock;
use crate::runtime::router::Router;
use crate::store::{Store, StoreError};

impl Client {
    /// Like [`start`](Self::start), with a session that outlives the process: the client goes on with
    /// the session that `store` has of an earlier process, and persists its own there.
    ///
    /// * Messages of QoS 1 and 2 are persisted a moment after they are accepted, and before they
    ///   are sent; [`until_persisted`](Self::until_persisted) waits for that. After a crash they are sent, or
    ///   repeated (§4.4), or follow
    ///   [`on_session_lost`](crate::ConnectOptions::on_session_lost); no receipt tells how they
    ///   end. A message or UNSUBSCRIBE that failed with [`RequestError::Stopped`] may be sent by
    ///   the next process.
    /// * Subscriptions stay. Messages for them wait until the application subscribes again, or go
    ///   to [`unmatched`](Self::unmatched); see
    ///   [`unmatched_wait`](crate::ConnectOptions::unmatched_wait). The end of a subscription is
    ///   persisted until the server knows of it.
    /// * A received message of QoS 2 that the application has read doesn't come again once that is
    ///   persisted, too, a moment later.
    /// * The acknowledgement of a message by the server is persisted with the next change, or
    ///   within 100 ms: a process that is killed before repeats the message.
    ///
    /// A store belongs to one client identifier: with another one the first connection starts
    /// clean, and the stored session is treated as one that the server has lost.
    ///
    /// The store is read before this function returns.
    ///
    /// # Errors
    /// [`StoreError::Load`] if the store can't be read; other variants if it holds something else.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_with_store(
        options: ClientOptions,
        mut store: impl Store,
    ) -> Result<Self, StoreError> {
        // Make a session of what the store has.
        let stored = store.load().map_err(StoreError::Load)?;
        let session = Session::restore(stored, clock::read())?;
        let unmeasured = session.as_ref().map_or(0, Session::unmeasured_expiries);
        // An empty store begins a new session; Clean Start then follows the options.
        let (mut engine, identifier) = match session {
            Some(session) => (
                Engine::with_session(options.connect.clone(), session),
                options.first_identifier(CleanStart::Never),
            ),
            None => (
                Engine::new(options.connect.clone()),
                options.first_identifier(options.connect.clean_start),
            ),
        };

        // Record what changes from now on.
        engine.recorder().start();
        let first_event = (unmeasured > 0).then_some(Event::ExpiryUnmeasured {
            messages: unmeasured,
        });
        Ok(Self::start_from(
            options,
            StartParts {
                engine,
                router: Router::new(identifier),
                store: Some(Box::new(store)),
                first_event,
            },
        ))
    }

    /// Returns when all that was accepted so far is persisted; at once without a store.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] if the client stopped, or its store failed, before.
    pub async fn until_persisted(&self) -> Result<(), RequestError> {
        let batch = self.shared().lock_and_notify(|state| state.current_batch());
        self.shared().until_persisted(batch).await
    }

    /// Changes records of the application's own in the client's store, in one commit, and returns
    /// when they are persisted.
    ///
    /// Records of [`Acknowledgement::accept_with`](crate::Acknowledgement::accept_with) can be
    /// changed, too.
    /// [`Store::application_records`](crate::store::Store::application_records) reads them before
    /// the client is started.
    ///
    /// Cancel safe once it was polled: dropping the future only ends the wait.
    ///
    /// # Errors
    /// * [`RequestError::NoStore`]: the client wasn't started with a store.
    /// * [`RequestError::Stopped`]: the client stopped, or its store failed. The records may or may
    ///   not be persisted.
    pub async fn write_records(&self, records: Vec<Change>) -> Result<(), RequestError> {
        let batch = self.shared().lock_and_notify(|state| {
            state.check_writable()?;
            state.engine.recorder().write_records(records);
            Ok::<_, RequestError>(state.current_batch())
        })?;
        self.shared().until_persisted(batch).await
    }
}
