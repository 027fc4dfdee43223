//! The tokio runtime of the verbs that use the network.

use crate::failure::Failure;

/// Runs a verb to its end in a new runtime.
///
/// The runtime has two threads, so that one of them can wait for a slow reader of standard output
/// while the other one answers the server.
///
/// # Errors
/// [`Failure::Local`] if the runtime can't be created; otherwise the error of `verb`.
pub(crate) fn block_on<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(verb);
    // Dropping the runtime would wait for a name that is still being resolved.
    runtime.shutdown_background();
    outcome
}
