//! Output that a connection writes, and the time-out of a transport that takes none of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use crate::runtime::clock::now;
use crate::runtime::observer::PacketObserver;
use crate::runtime::read_buffer::{has_spare, release_spare};
use crate::transport::Transport;

/// Output that was taken out of the engine and isn't written yet.
#[derive(Debug)]
pub(crate) struct WriteBuffer {
    pub(crate) output: BytesMut,
    needs_flush: bool,
    /// Maximum time for which the transport may take no byte.
    pub(crate) timeout: Duration,
    progress: WriteProgress,
}

/// Progress of writing.
#[derive(Debug, Clone, Copy)]
enum WriteProgress {
    /// The transport takes bytes, or nothing is to be written.
    Flowing,
    /// The transport has taken nothing since the last look; the time-out is at `deadline`.
    Stalled { deadline: Instant },
    /// The deadline has passed, and writing is tried once more.
    Retrying { deadline: Instant },
}

/// State of the time-out of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteTimeout {
    /// The time isn't over.
    NotDue,
    /// The time is over, but the runtime may not have heard yet of what the transport took during a
    /// pause of the process: try again after a yield.
    RetryAfterYield,
    /// The transport has taken nothing for the whole time.
    TimedOut,
}

impl WriteBuffer {
    pub(crate) const fn new(output: BytesMut) -> Self {
        Self {
            output,
            needs_flush: false,
            timeout: Duration::MAX,
            progress: WriteProgress::Flowing,
        }
    }

    /// Writes and flushes; ready when nothing is left.
    ///
    /// # Errors
    /// The error of the transport, which takes nothing more.
    pub(crate) fn poll_write(
        &mut self,
        transport: &mut Transport,
        mut observer: Option<&mut PacketObserver>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // Any byte that leaves is progress; the time-out is for a connection that takes none.
        // Of bytes in a buffer of the transport, too.
        let before = self.output.len() + transport.unsent();
        let written = self.poll_write_all(transport, &mut observer, cx);
        if written.is_ready() || self.output.len() + transport.unsent() < before {
            self.progress = WriteProgress::Flowing;
        }
        if written.is_pending()
            && matches!(self.progress, WriteProgress::Flowing)
            && let Some(deadline) = now().checked_add(self.timeout)
        {
            self.progress = WriteProgress::Stalled { deadline };
        }
        written
    }

    fn poll_write_all(
        &mut self,
        transport: &mut Transport,
        observer: &mut Option<&mut PacketObserver>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            // One call writes as much as the socket takes, and with TLS as much as its buffer
            // takes.
            let written = ready!(Pin::new(&mut *transport).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some(observer) = observer {
                observer.handle_written(self.output.get(..written).unwrap_or_default(), now());
            }
            self.output.advance(written);
            self.needs_flush = true;
        }
        // TLS may still hold encrypted bytes; a flush that is pending goes on in the next poll.
        if self.needs_flush {
            ready!(Pin::new(transport).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Discards the output, as nothing can be written any more. Returns its size in bytes.
    pub(crate) fn discard(&mut self) -> usize {
        let unwritten = self.output.len();
        self.output.clear();
        self.needs_flush = false;
        self.progress = WriteProgress::Flowing;
        unwritten
    }

    /// Time at which the transport has taken nothing for too long, as far as things stand.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.progress {
            WriteProgress::Flowing => None,
            WriteProgress::Stalled { deadline } | WriteProgress::Retrying { deadline } => {
                Some(deadline)
            }
        }
    }

    /// Checks the time-out of writing.
    pub(crate) fn check_timeout(&mut self, now: Instant) -> WriteTimeout {
        match self.progress {
            // The process may have been suspended: one more write after the runtime has polled for
            // I/O decides.
            WriteProgress::Stalled { deadline } if deadline <= now => {
                self.progress = WriteProgress::Retrying { deadline };
                WriteTimeout::RetryAfterYield
            }
            WriteProgress::Retrying { deadline } if deadline <= now => WriteTimeout::TimedOut,
            _ => WriteTimeout::NotDue,
        }
    }

    /// True if the buffer is larger than its content.
    pub(crate) fn has_spare(&self) -> bool {
        has_spare(&self.output)
    }

    /// Releases spare memory.
    pub(crate) fn release_spare(&mut self) {
        release_spare(&mut self.output);
    }
}
