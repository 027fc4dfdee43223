//! `LoadProgress`: one line on standard error that shows how far a load test is.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use super::counters::Counters;
use super::kind::LoadKind;
use crate::diagnosis::{Diagnosis, duration};
use crate::terminal::Console;

/// The progress line; it disappears when this is dropped.
#[derive(Debug)]
pub(super) struct LoadProgress {
    notes: Notes,
    updating: Option<JoinHandle<()>>,
}

/// Lines on standard error that are printed above the progress line.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    bar: ProgressBar,
    console: Console,
    has_warned: Arc<AtomicBool>,
    has_told_wait: Arc<AtomicBool>,
    retries: Arc<AtomicU32>,
}

impl LoadProgress {
    /// Shows the line if `is_wanted` and standard error is a terminal.
    pub(super) fn start(
        kind: LoadKind,
        counters: &Arc<Counters>,
        clients: u32,
        is_wanted: bool,
        console: Console,
    ) -> Self {
        // In a pipe or a file nothing is drawn, and notes are ordinary lines.
        let is_shown = is_wanted && io::stderr().is_terminal();
        let bar = line(if is_shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        let notes = Notes {
            bar: bar.clone(),
            console,
            has_warned: Arc::default(),
            has_told_wait: Arc::default(),
            retries: Arc::default(),
        };
        // A task of its own, so that a busy load doesn't hold the line up.
        let counters = Arc::clone(counters);
        let updating = is_shown.then(|| {
            tokio::spawn(async move {
                let mut snapshot = Snapshot::new(kind, clients);
                let mut ticks = interval(PERIOD);
                loop {
                    ticks.tick().await;
                    bar.set_message(snapshot.text(&counters));
                }
            })
        });
        Self { notes, updating }
    }

    pub(super) fn notes(&self) -> Notes {
        self.notes.clone()
    }
}

impl Drop for LoadProgress {
    fn drop(&mut self) {
        if let Some(updating) = self.updating.take() {
            updating.abort();
        }
        self.notes.bar.finish_and_clear();
    }
}

impl Notes {
    /// Prints a line.
    pub(super) fn print(&self, text: impl Display) {
        self.bar.suspend(|| self.console.note(text));
    }

    /// Prints what the first of all clients waits for; later calls print nothing.
    pub(super) fn tell_wait(&self, what: impl Display) {
        if !self.has_told_wait.swap(true, Ordering::Relaxed) {
            self.print(format_args!("waiting: {what}"));
        }
    }

    /// Prints that an attempt to connect failed and when the next one begins. Thousands of clients
    /// make thousands of attempts: at most 20 are printed.
    pub(super) fn tell_retry(&self, attempt: u32, diagnosis: &Diagnosis, retry_in: Duration) {
        if self.retries.fetch_add(1, Ordering::Relaxed) < MOST_RETRIES {
            self.print(format_args!(
                "attempt {attempt}: {} [{}]; next attempt in {}",
                diagnosis.headline,
                diagnosis.id.name(),
                duration(retry_in)
            ));
        }
    }

    /// Prints a warning, unless there was one before.
    pub(super) fn warn_once(&self, text: impl Display) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            self.bar.suspend(|| self.console.warning(text));
        }
    }
}

/// A line without a bar; what doesn't fit the terminal is cut.
fn line(target: ProgressDrawTarget) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// Counts at the last update, from which the rates are computed.
#[derive(Debug)]
struct Snapshot {
    kind: LoadKind,
    clients: u32,
    at: Instant,
    connected: u64,
    sent: u64,
    received: u64,
}

impl Snapshot {
    fn new(kind: LoadKind, clients: u32) -> Self {
        Self {
            kind,
            clients,
            at: Instant::now(),
            connected: 0,
            sent: 0,
            received: 0,
        }
    }

    /// Text of the line: what this kind of load does, and nothing else.
    fn text(&mut self, counters: &Counters) -> String {
        // Rates since the last update, which may be late.
        let seconds = self.at.elapsed().as_secs_f64();
        self.at = Instant::now();
        // Each call moves its count on, so the next rate is that of the next period.
        let rate = |now: u64, before: &mut u64| {
            let more = now - *before;
            *before = now;
            if seconds > 0.0 {
                more as f64 / seconds
            } else {
                0.0
            }
        };
        let connected = counters.connected.get();
        let connect_rate = rate(connected, &mut self.connected);
        let mut parts = vec![format!("{connected}/{} connected", self.clients)];
        if self.kind == LoadKind::Connect {
            parts.push(format!("{connect_rate:.0}/s"));
        }
        if self.kind.publishes() {
            let sent = counters.sent.get();
            let sent_rate = rate(sent, &mut self.sent);
            parts.push(format!("sent {sent} ({sent_rate:.0}/s)"));
        }
        if self.kind.counts_acknowledgements() {
            parts.push(format!("acknowledged {}", counters.acknowledged.get()));
        }
        if self.kind.counts_received() {
            let received = counters.received.get();
            let received_rate = rate(received, &mut self.received);
            parts.push(format!("received {received} ({received_rate:.0}/s)"));
        }
        // Refusals are rare, and shown only if there are some.
        let refused = counters.refused.get();
        if refused > 0 {
            parts.push(format!("refused {refused}"));
        }
        parts.join(", ")
    }
}

/// Failed attempts to connect that are printed in one run.
const MOST_RETRIES: u32 = 20;
/// Time between two updates.
const PERIOD: Duration = Duration::from_millis(500);

/// Time without progress after which a line says what is waited for.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn counters() -> Counters {
        let counters = Counters::default();
        for counter in [
            &counters.connected,
            &counters.sent,
            &counters.acknowledged,
            &counters.received,
            &counters.refused,
        ] {
            counter.add(12_345_678_901);
        }
        counters
    }

    #[test]
    fn the_progress_line_never_wraps() {
        for columns in [20, 40, 80, 120] {
            let terminal = InMemoryTerm::new(10, columns);
            let bar = line(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
            let text = Snapshot::new(LoadKind::Pubsub, 1_000_000).text(&counters());
            bar.set_message(format!("{text} 日本語日本語日本語"));
            bar.tick();
            let shown = terminal.contents();
            assert_eq!(shown.lines().count(), 1, "{columns}: {shown}");
            assert!(
                textwrap::core::display_width(&shown) <= usize::from(columns),
                "{columns}: {shown}"
            );
            bar.finish_and_clear();
            assert_eq!(terminal.contents(), "", "nothing is left behind");
        }
    }

    #[test]
    fn each_kind_shows_what_it_does() {
        for (kind, shown, hidden) in [
            (
                LoadKind::Connect,
                &["connected"][..],
                &["sent", "received"][..],
            ),
            (LoadKind::Pub, &["sent", "acknowledged"], &["received"]),
            (LoadKind::Sub, &["received"], &["sent", "acknowledged"]),
            (LoadKind::Pubsub, &["sent", "acknowledged", "received"], &[]),
            (LoadKind::Request, &["sent", "received"], &["acknowledged"]),
            (LoadKind::Fleet, &["sent", "acknowledged"], &["received"]),
        ] {
            let text = Snapshot::new(kind, 5).text(&counters());
            assert!(text.contains("/5 connected"), "{text}");
            assert!(shown.iter().all(|word| text.contains(word)), "{text}");
            assert!(!hidden.iter().any(|word| text.contains(word)), "{text}");
        }
    }
}
