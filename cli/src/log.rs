//! `-v`: trace events of client and sandbox on standard error.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Installs the log. `verbose` is the number of `-v` flags; the filter in `DUNLIN_LOG`, such as
/// `dunlin_client=debug`, takes precedence.
pub(crate) fn init(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // A filter that can't be parsed counts as none.
    let asked = std::env::var("DUNLIN_LOG")
        .ok()
        .filter(|filter| !filter.is_empty())
        .and_then(|filter| filter.parse::<Targets>().ok());
    if asked.is_none() && level == LevelFilter::OFF {
        return;
    }
    // Only our own crates: events of TLS and of the runtime would bury them.
    let ours = ["dunlin", "dunlin_client", "dunlin_sandbox"].map(|target| (target, level));
    let filter = asked.unwrap_or_else(|| Targets::new().with_targets(ours));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false);
    // This process has no other subscriber; if it had one, that one would stay.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}
