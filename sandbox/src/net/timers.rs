//! Timers that belong to no connection: ends of sessions, and wills with a delay.

use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::net::shared::Shared;
use crate::server::NO_DEADLINE;

/// Runs the timers until the sandbox stops, and then logs the losses that were not logged yet.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the sandbox's deadlines"
)]
pub(crate) async fn run_timers(shared: Arc<Shared>) {
    let changed = shared.hub().timer_changed();
    loop {
        let now = Instant::now();
        let (events, next) = {
            let hub = &mut shared.hub();
            (hub.handle_timeout(now.into_std()), hub.poll_timeout())
        };
        for event in events {
            shared.emit(event);
        }
        let next = next.map_or(now + NO_DEADLINE, Instant::from_std);
        if next <= now {
            // More is left than one turn does: others get the lock first.
            yield_now().await;
            continue;
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = changed.notified() => {}
            () = shared.stopping() => break,
        }
    }
    let losses = shared.hub().report_losses();
    for event in losses {
        shared.emit(event);
    }
}
