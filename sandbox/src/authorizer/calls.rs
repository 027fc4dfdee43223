//! The calls of one authorizer's Lambda: how many run at a time, and the queue of those that wait.

use core::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Limits of the calls of one authorizer's Lambda. Fixed answers and password checks aren't calls.
///
/// If a client hangs up, its call leaves the queue. A call of a handler that runs already goes on
/// until it ends or times out, as at AWS; a program is ended and a request to a URL is aborted.
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_sandbox::LambdaLimits;
///
/// let debugging = LambdaLimits { timeout: Duration::from_secs(600), ..LambdaLimits::default() };
/// assert_eq!(debugging.concurrency, 16);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LambdaLimits {
    /// Calls that run at the same time, 1 to 1,000. Default: 16. Up to 1,024 more wait in a queue.
    pub concurrency: usize,
    /// Time that one call may take. It starts when the call does, so time in the queue isn't part
    /// of it. Default: 5 s, as at AWS IoT Core.
    pub timeout: Duration,
}

/// Error of a call that wasn't started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// 1,024 calls wait already.
    #[error("its queue is full: {MAX_WAITING} calls wait already")]
    Full,
    /// The call waited in the queue for 60 seconds.
    #[error("it waited in the queue for {} s", MAX_WAIT.as_secs())]
    TimedOut,
    /// The call waited for 60 seconds for a process of the handler: others were loading it.
    #[error("it waited {} s for a process: others were loading the handler", MAX_WAIT.as_secs())]
    NoProcess,
}

/// The queue of one authorizer.
#[derive(Debug)]
pub(super) struct CallQueue {
    /// One permit for each call that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each call that runs; fair, so calls start in the order in which they came.
    running: Arc<Semaphore>,
}

/// The right to run one call, until it is dropped.
#[derive(Debug)]
pub(super) struct CallPermit {
    _admitted: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl CallQueue {
    pub(super) fn new(limits: LambdaLimits) -> Self {
        let concurrency = limits.concurrency.clamp(1, LambdaLimits::MAX_CONCURRENCY);
        Self {
            // Waiting calls hold one permit of `admitted`, running ones a permit of both.
            admitted: Arc::new(Semaphore::new(concurrency.saturating_add(MAX_WAITING))),
            running: Arc::new(Semaphore::new(concurrency)),
        }
    }

    /// Waits until a call may start. Cancel safe: a caller that stops waiting leaves the queue.
    ///
    /// # Errors
    /// [`QueueError::Full`] at once, or [`QueueError::TimedOut`] after 60 seconds.
    pub(super) async fn enter(&self) -> Result<CallPermit, QueueError> {
        // A full queue refuses at once: a client is better told 0x97 than left waiting.
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| QueueError::Full)?;
        // Dropping this future gives up both the place in the queue and `admitted`.
        let running = Arc::clone(&self.running).acquire_owned();
        match timeout(MAX_WAIT, running).await {
            Ok(Ok(running)) => Ok(CallPermit {
                _admitted: admitted,
                _running: running,
            }),
            // The semaphore is never closed, so only the timeout leads here.
            Ok(Err(_)) | Err(_) => Err(QueueError::TimedOut),
        }
    }
}

impl LambdaLimits {
    /// Largest value of [`concurrency`](Self::concurrency): AWS's default limit for all functions
    /// of an account.
    pub const MAX_CONCURRENCY: usize = 1000;
    /// Values that config files and flags take for [`timeout`](Self::timeout).
    pub const TIMEOUTS: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(3600);
}

impl Default for LambdaLimits {
    fn default() -> Self {
        Self {
            concurrency: 16,
            timeout: Duration::from_secs(5),
        }
    }
}

const MAX_WAITING: usize = 1024;
/// Time that a call waits, in the queue and again for a process; longer than clients wait for a
/// CONNACK.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(concurrency: usize) -> Arc<CallQueue> {
        Arc::new(CallQueue::new(LambdaLimits {
            concurrency,
            ..LambdaLimits::default()
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_starts_when_another_has_ended() {
        let queue = queue(1);
        let first = queue.enter().await.unwrap();
        let waits = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.enter().await.map(drop) }
        });
        // Half of the time that a call may wait, in virtual time.
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(!waits.is_finished());
        drop(first);
        assert_eq!(waits.await.unwrap(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once_and_a_dropped_call_frees_its_place() {
        let queue = queue(2);
        let _running = (queue.enter().await.unwrap(), queue.enter().await.unwrap());
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.enter().await.map(drop) })
            })
            .collect();
        // Let all of them reach the semaphore, which they do in one poll each.
        while queue.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(queue.enter().await.err(), Some(QueueError::Full));
        // A client in the middle of the queue hangs up.
        waiting[500].abort();
        while queue.admitted.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        let waits = timeout(Duration::from_secs(1), queue.enter()).await;
        assert!(waits.is_err(), "it waits, and isn't refused");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_leaves_the_queue_after_a_minute() {
        let queue = queue(1);
        let _running = queue.enter().await.unwrap();
        assert_eq!(queue.enter().await.err(), Some(QueueError::TimedOut));
        assert_eq!(
            QueueError::TimedOut.to_string(),
            "it waited in the queue for 60 s"
        );
    }
}
