//! The sandbox's log on standard output, written by a thread of its own: a reader that stalls must
//! stall nobody else.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use dunlin_sandbox::{Event, LogLine};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::json::Line;

/// The thread that prints log lines.
pub(super) struct EventPrinter {
    lines: Receiver<Item>,
    bytes: Arc<AtomicUsize>,
    left_out: LeftOut,
    as_json: bool,
    explains: bool,
}

/// Queue of log lines for the printer.
pub(super) struct Lines {
    sender: Sender<Item>,
    /// Bytes of the lines that wait to be printed.
    bytes: Arc<AtomicUsize>,
    left_out: LeftOut,
}

/// Resolves when everything is printed.
pub(super) struct Printed {
    done: oneshot::Receiver<()>,
}

/// A line, and how many were left out before it.
type Item = (usize, LogLine);
/// Lines left out since the last one that was taken.
type LeftOut = Arc<Mutex<usize>>;

impl Lines {
    /// Hands a line to the printer. A terminal that stalls loses lines, as it must not stall the
    /// connections; how many it lost is printed in their place.
    pub(super) fn write(&self, line: &LogLine) {
        let size = size(line);
        // Two limits: bytes here, and lines by the channel. Relaxed is enough, because a few lines
        // more or less don't matter.
        if self.bytes.load(Ordering::Relaxed) + size > BYTES_IN_FLIGHT {
            *lock(&self.left_out) += 1;
            return;
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        if !send(&self.sender, &self.left_out, line.clone()) {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
    }
}

impl EventPrinter {
    pub(super) fn new(as_json: bool, explains: bool) -> (Lines, Self) {
        let (sender, lines) = channel(LINES_IN_FLIGHT);
        let (left_out, bytes) = (LeftOut::default(), Arc::default());
        let to = Lines {
            sender,
            bytes: Arc::clone(&bytes),
            left_out: Arc::clone(&left_out),
        };
        (
            to,
            Self {
                lines,
                bytes,
                left_out,
                as_json,
                explains,
            },
        )
    }

    /// Prints until the last sender is gone.
    pub(super) fn start(mut self) -> Printed {
        let (printed, done) = oneshot::channel();
        thread::spawn(move || {
            while let Some((left_out, line)) = self.lines.blocking_recv() {
                self.bytes.fetch_sub(size(&line), Ordering::Relaxed);
                self.print_left_out(left_out);
                print(&match (self.as_json, self.explains) {
                    (true, _) => Line::of(&line).to_text(),
                    // Where colours aren't shown they are taken out when the text is written.
                    (false, true) => line.explained_in_colour(),
                    (false, false) => format!("{line:#}"),
                });
            }
            // Lines may have been left out after the last one that was taken.
            self.print_left_out(*lock(&self.left_out));
            let _ = printed.send(());
        });
        Printed { done }
    }

    fn print_left_out(&self, count: usize) {
        if count == 0 {
            return;
        }
        let lines = if count == 1 { "line" } else { "lines" };
        print(&match self.as_json {
            true => Line::left_out(count).to_text(),
            false => format!("... {count} {lines} left out: the output is read too slowly"),
        });
    }
}

/// Sends an item with the number of those before it that found the channel full. Returns whether it
/// was sent.
fn send<T>(sender: &Sender<(usize, T)>, left_out: &Mutex<usize>, item: T) -> bool {
    // The lock covers sending and counting, so that a count belongs to the item after the gap.
    let mut left_out = lock(left_out);
    let is_sent = sender.try_send((*left_out, item)).is_ok();
    *left_out = if is_sent { 0 } else { *left_out + 1 };
    is_sent
}

/// About what a line takes while it waits: what a Lambda prints may be large.
fn size(line: &LogLine) -> usize {
    let text = if let Event::Lambda { text, .. } = &line.event {
        text.len()
    } else {
        0
    };
    text + LINE_OVERHEAD
}

fn print(text: &str) {
    // A reader that has gone is no reason to stop serving.
    let _ = writeln!(anstream::stdout(), "{text}");
}

fn lock(count: &Mutex<usize>) -> MutexGuard<'_, usize> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Printed {
    /// Waits for it, but not for a reader that doesn't read.
    pub(super) async fn wait(self) {
        let _ = timeout(LONGEST_WAIT, self.done).await;
    }
}

/// All lines of a call of a Lambda, and as many others.
const LINES_IN_FLIGHT: usize = 8192;
const BYTES_IN_FLIGHT: usize = 16 * 1024 * 1024;
const LINE_OVERHEAD: usize = 512;
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_says_how_many_were_left_out_before_it() {
        let (sender, mut receiver) = channel(2);
        let left_out = Mutex::new(0);
        for item in 1..=5 {
            send(&sender, &left_out, item);
        }
        assert_eq!(
            [receiver.try_recv(), receiver.try_recv()],
            [Ok((0, 1)), Ok((0, 2))]
        );
        send(&sender, &left_out, 6);
        send(&sender, &left_out, 7);
        assert_eq!(
            [receiver.try_recv(), receiver.try_recv()],
            [Ok((3, 6)), Ok((0, 7))]
        );
    }
}
