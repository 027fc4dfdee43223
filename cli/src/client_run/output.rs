//! `Output`: standard output on a thread of its own, so that a stalled reader doesn't delay signals
//! and time-outs.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Writer that queues text for a thread, which writes it to the inner writer.
///
/// Writing never blocks. A caller that waits for [`ready`](Self::ready) before each write keeps the
/// queue below 1 MiB plus one text.
#[derive(Clone, Debug)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signals the thread that the queue has text.
    filled: Condvar,
    /// Signals waiting tasks that text was written, or that writing failed.
    written: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Bytes that the thread has taken and not written yet.
    in_hand: usize,
    /// Number of bytes that were queued since the start.
    queued: u64,
    /// Number of bytes that were written since the start.
    written: u64,
    /// Kind of the error that ended the writing.
    fault: Option<io::ErrorKind>,
}

impl Output {
    /// Starts the thread. It ends with the process.
    pub(crate) fn new(mut inner: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            written: Notify::new(),
        });
        let writer = Self(Arc::clone(&shared));
        std::thread::spawn(move || {
            loop {
                let text = shared.take();
                // In parts, so that what a slow reader has taken counts as written.
                for part in text.chunks(PART) {
                    // Written without the lock, so that the queue stays open while the reader stalls.
                    let outcome = inner.write_all(part).and_then(|()| inner.flush());
                    let mut queue = shared.lock();
                    match outcome {
                        Ok(()) => {
                            queue.in_hand -= part.len();
                            queue.written += part.len() as u64;
                        }
                        Err(error) => {
                            queue.in_hand = 0;
                            queue.fault = Some(error.kind());
                        }
                    }
                    // A reader that is gone doesn't come back: the thread ends.
                    let is_over = queue.fault.is_some();
                    drop(queue);
                    shared.written.notify_waiters();
                    if is_over {
                        return;
                    }
                }
            }
        });
        writer
    }

    /// Waits until the queue has space, or writing has failed. Cancel safe.
    pub(crate) async fn ready(&self) {
        self.until(|queue| queue.bytes.len() + queue.in_hand <= LARGEST)
            .await;
    }

    /// Waits until all text is written, or writing has failed. Cancel safe.
    pub(crate) async fn flushed(&self) {
        self.until(|queue| queue.bytes.len() + queue.in_hand == 0)
            .await;
    }

    /// Number of bytes that were queued since the start.
    pub(crate) fn queued(&self) -> u64 {
        self.0.lock().queued
    }

    /// Number of bytes that were written since the start.
    pub(crate) fn written(&self) -> u64 {
        self.0.lock().written
    }

    /// Waits until this number of bytes is written, or writing has failed. Cancel safe.
    pub(crate) async fn written_up_to(&self, end: u64) {
        self.until(|queue| queue.written >= end).await;
    }

    /// Returns the error that ended the writing.
    ///
    /// # Errors
    /// An error of the same kind as that of the inner writer.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.0.lock().fault.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Waits until writing has failed, and returns the error. Cancel safe.
    pub(crate) async fn failed(&self) -> io::Error {
        self.until(|_| false).await;
        self.check()
            .err()
            .unwrap_or_else(|| io::ErrorKind::Other.into())
    }

    async fn until(&self, is_done: impl Fn(&Queue) -> bool) {
        loop {
            let written = self.0.written.notified();
            let mut written = std::pin::pin!(written);
            // Registered before looking, so that nothing is missed in between.
            written.as_mut().enable();
            {
                let queue = self.0.lock();
                // Text that the thread has taken counts until it is written.
                if queue.fault.is_some() || is_done(&queue) {
                    return;
                }
            }
            written.await;
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.lock();
        if let Some(kind) = queue.fault {
            return Err(kind.into());
        }
        queue.bytes.extend_from_slice(bytes);
        queue.queued += bytes.len() as u64;
        drop(queue);
        self.0.filled.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the queue has text, and takes all of it.
    fn take(&self) -> Vec<u8> {
        let queue = self
            .filled
            .wait_while(self.lock(), |queue| queue.bytes.is_empty());
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.in_hand = queue.bytes.len();
        std::mem::take(&mut queue.bytes)
    }
}

/// Bytes that are written with one call: what a pipe holds on Linux.
const PART: usize = 64 * 1024;
/// Number of queued bytes up to which [`Output::ready`] returns.
const LARGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks until the test lets it write.
    struct Stalled(std::sync::mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_stalled_reader_stalls_neither_the_writer_nor_loses_text() {
        let (go, stalled) = std::sync::mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut output = Output::new(Stalled(stalled, Arc::clone(&seen)));
        output.write_all(b"one").unwrap();
        output.write_all(b"two").unwrap();
        output.ready().await;
        go.send(()).unwrap();
        go.send(()).unwrap();
        output.flushed().await;
        assert_eq!(seen.lock().unwrap().as_slice(), b"onetwo");
    }

    #[tokio::test]
    async fn a_reader_that_left_is_an_error_of_the_next_write() {
        let (go, stalled) = std::sync::mpsc::channel();
        let mut output = Output::new(Stalled(stalled, Arc::default()));
        drop(go);
        output.write_all(b"one").unwrap();
        output.flushed().await;
        assert_eq!(
            output.write_all(b"two").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
