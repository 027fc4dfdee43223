//! One line on stderr that says how far it is.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::interval;

use super::counters::Counters;

/// Shows until it is dropped.
#[derive(Debug)]
pub(super) struct Progress(Option<JoinHandle<()>>);

const PERIOD_MS: u64 = 500;
const ERASE: &str = "\r\x1b[2K";

impl Progress {
    /// For people who watch, if `wanted`.
    pub(super) fn start(counters: &Arc<Counters>, clients: u32, wanted: bool) -> Self {
        if !wanted || !io::stderr().is_terminal() {
            return Self(None);
        }
        let counters = Arc::clone(counters);
        Self(Some(tokio::spawn(async move {
            let (mut ticks, mut before) = (interval(Duration::from_millis(PERIOD_MS)), (0, 0));
            loop {
                ticks.tick().await;
                let now = (counters.sent.get(), counters.received.get());
                let per_second = |now: u64, before: u64| (now - before) * 1000 / PERIOD_MS;
                let text = format!(
                    "{ERASE}{}/{clients} connected, {} sent ({}/s), {} acknowledged, {} received ({}/s)",
                    counters.connected.get(),
                    now.0,
                    per_second(now.0, before.0),
                    counters.acknowledged.get(),
                    now.1,
                    per_second(now.1, before.1),
                );
                let _ = io::stderr().write_all(text.as_bytes());
                before = now;
            }
        })))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = self.0.take() {
            shown.abort();
            let _ = io::stderr().write_all(ERASE.as_bytes());
        }
    }
}
