//! Task that writes the changes of a session to its store, a batch at a time.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use dunlin_codec::Escaped;
use tracing::{debug, error};

use crate::runtime::deadline_timer::DeadlineTimer;
use crate::runtime::log;
use crate::runtime::shared::Shared;
use crate::store::Store;

/// Writes changes until the session ends or the store fails, which stops the client.
///
/// While one batch is written, further changes gather in the engine: a busy client's are written
/// many at a time.
pub(crate) async fn run(shared: &Shared, mut store: Box<dyn Store>) {
    let mut timer = DeadlineTimer::default();
    loop {
        // Wait for the next batch.
        let changes = poll_fn(|cx| {
            shared.lock(|state| match &mut state.store {
                Some(store) => store.poll_changes(&mut state.engine, &mut timer, cx),
                None => Poll::Ready(None),
            })
        });
        let Some(changes) = changes.await else { return };
        debug!(target: log::STORE, changes = changes.len(), "commit");

        // Write it on a thread that may block.
        let written = tokio::task::spawn_blocking(move || {
            let result = store.apply(&changes);
            (store, result)
        });
        let result = match written.await {
            Ok((returned, result)) => {
                store = returned;
                result
            }
            // The store panicked, or the runtime is being shut down.
            Err(error) => {
                shared.lock(|state| state.handle_store_result(Err(io::Error::other(error))));
                return;
            }
        };

        // Let the output leave that depends on it, or stop the client.
        if let Err(error) = &result {
            error!(target: log::STORE, error = %Escaped(error), "the store failed");
        }
        let has_failed = result.is_err();
        shared.lock(|state| state.handle_store_result(result));
        if has_failed {
            return;
        }

        // The connection stages what has gathered, and publishers add to it: all of that is one
        // batch.
        tokio::task::yield_now().await;
    }
}
