//! The sandbox's log on standard output, written by a thread of its own: a reader that stalls must stall nobody else.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use dunlin_sandbox::LogLine;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::json::Line;

/// Where log lines go, and the thread that prints them.
pub(super) struct Printer {
    lines: Receiver<LogLine>,
    as_json: bool,
    explains: bool,
}

/// Resolves when everything is printed.
pub(super) struct Printed {
    done: oneshot::Receiver<()>,
}

impl Printer {
    pub(super) fn new(as_json: bool, explains: bool) -> (Sender<LogLine>, Self) {
        let (sender, lines) = channel(LINES_IN_FLIGHT);
        (sender, Self { lines, as_json, explains })
    }

    /// Prints until the last sender is gone.
    pub(super) fn start(mut self) -> Printed {
        let (printed, done) = oneshot::channel();
        thread::spawn(move || {
            while let Some(line) = self.lines.blocking_recv() {
                let text = match (self.as_json, self.explains) {
                    (true, _) => Line::of(&line).to_text(),
                    (false, true) => line.explained(),
                    (false, false) => line.to_string(),
                };
                // A reader that has gone is no reason to stop serving.
                let _ = writeln!(io::stdout(), "{text}");
            }
            let _ = printed.send(());
        });
        Printed { done }
    }
}

impl Printed {
    /// Waits for it, but not for a reader that doesn't read.
    pub(super) async fn wait(self) {
        let _ = timeout(LONGEST_WAIT, self.done).await;
    }
}

const LINES_IN_FLIGHT: usize = 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(1);
