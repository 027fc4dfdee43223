//! `until_stop`: waiting while there is no connection, until the client is to stop.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::runtime::clock::now;
use crate::runtime::deadline_timer::DeadlineTimer;
use crate::runtime::shared::Shared;

/// The client is to stop.
pub(crate) struct Stop;

/// Runs `work` while there is no connection, and handles the deadlines of the state meanwhile:
/// queued messages expire, for one.
///
/// # Errors
/// [`Stop`] once the client is asked to stop and has nothing to wait for, or no time left.
pub(crate) async fn until_stop<T>(
    shared: &Shared,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Stop> {
    let mut timer = DeadlineTimer::default();
    poll_fn(|cx| {
        // A result that is there counts, even if the client is to stop at the same time.
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        loop {
            // Handle what is due.
            let mut events = Vec::new();
            let (stop, deadline) = shared.lock(|state| {
                state.watch_as_driver(cx);
                let now = now();
                if state.engine.poll_timeout().is_some_and(|due| due <= now) {
                    state.engine.handle_timeout(now);
                }
                state.handle_deadline(now);
                state.deliver(&mut events);
                let stop = state.stop_progress(now);
                let deadlines = [
                    state.engine.poll_timeout(),
                    state.deadline(),
                    stop.deadline(),
                ];
                (stop, deadlines.into_iter().flatten().min())
            });
            shared.emit_all(events);

            // Wait for the next deadline.
            if stop.is_over() {
                return Poll::Ready(Err(Stop));
            }
            if !timer.poll(cx, deadline) {
                return Poll::Pending;
            }
        }
    })
    .await
}
