//! Thread with a tokio runtime, for one blocking client.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::runtime::driver::PERSIST_WITHIN;

/// Thread with a tokio runtime and one client. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Runtime {
    handle: Handle,
    /// `None` while this is being dropped.
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    held: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Maximum time for a dropped client to stop: a second to flush, one to close, the time of its store,
/// and one more.
const ENDING: Duration = PERSIST_WITHIN.saturating_add(Duration::from_secs(3));

impl Runtime {
    /// Starts a client. `no_system` is the error if the operating system has no thread or no sockets.
    ///
    /// # Panics
    /// On a thread that drives asynchronous tasks, before anything is started.
    #[track_caller]
    pub(super) fn start<E>(
        no_system: fn(io::Error) -> E,
        start: impl FnOnce() -> Result<Client, E>,
    ) -> Result<(Arc<Self>, Client), E> {
        if let Ok(current) = Handle::try_current() {
            // Panics where waiting isn't allowed. Threads for blocking work have a handle as well,
            // and may wait.
            current.block_on(async {});
        }
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(no_system)?;
        let handle = runtime.handle().clone();
        // Starting spawns the driver, which needs the runtime's context.
        let client = {
            let _entered = handle.enter();
            start()?
        };
        let shared = Arc::clone(client.shared());
        let (held, released) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("dunlin".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // Nothing is ever sent: it ends when nobody holds the other end.
                    let _ = released.await;
                    let _ = tokio::time::timeout(ENDING, shared.until_stopped()).await;
                });
                // A store that hangs is left behind.
                runtime.shutdown_background();
            });
        let thread = thread.map_err(no_system)?;
        Ok((
            Arc::new(Self {
                handle,
                thread: Some(Thread { held, thread }),
            }),
            client,
        ))
    }

    /// Waits for a future that has a timeout of its own.
    pub(super) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.handle.block_on(what)
    }

    /// Waits for a future, for at most `timeout`; returns `None` after that.
    pub(super) fn wait_for<T>(
        &self,
        timeout: Duration,
        what: impl Future<Output = T>,
    ) -> Option<T> {
        self.handle
            .block_on(async { tokio::time::timeout(timeout, what).await.ok() })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(Thread { held, thread }) = self.thread.take() {
            drop(held);
            // It panics only if the client does, and then there is nobody to tell.
            let _ = thread.join();
        }
    }
}
