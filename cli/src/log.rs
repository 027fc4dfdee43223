//! `-v`: what client and sandbox do, on stderr, for people who look for a fault.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// `verbose` counts the `-v`s. `DUNLIN_LOG` (`dunlin_client=debug`) has the last word.
pub(crate) fn init(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let asked = std::env::var("DUNLIN_LOG")
        .ok()
        .filter(|filter| !filter.is_empty())
        .and_then(|filter| filter.parse::<Targets>().ok());
    if asked.is_none() && level == LevelFilter::OFF {
        return;
    }
    let ours = ["dunlin", "dunlin_client", "dunlin_sandbox"].map(|target| (target, level));
    let filter = asked.unwrap_or_else(|| Targets::new().with_targets(ours));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false);
    // Nobody else sets a subscriber in this process; if somebody did, theirs stays.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}
