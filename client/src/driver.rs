//! The task that owns socket and clock: connects, moves bytes between transport and engine, and connects again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::backoff::{Backoff, Reconnect, may_get_better};
use crate::engine::{CloseCause, Ended};
use crate::error::{ConnectError, ConnectionError, StopCause};
use crate::event::Event;
use crate::link::Link;
use crate::shared::Shared;
use crate::transport::{self, TransportOptions};

/// Runs a client until it stops. A driver that never ran, because its runtime was shut down, has ended as well.
pub(crate) fn run(
    shared: Arc<Shared>,
    transport: TransportOptions,
    reconnect: Reconnect,
) -> impl Future<Output = ()> {
    let end = End(shared);
    async move {
        let cause = connect_again_and_again(&end.0, &transport, reconnect).await;
        end.0.finish(cause);
    }
}

/// Whoever still waits for something learns of the end when the runtime takes the driver down with it.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.finish(StopCause::Requested);
    }
}

async fn connect_again_and_again(
    shared: &Shared,
    transport: &TransportOptions,
    reconnect: Reconnect,
) -> StopCause {
    let mut backoff = Backoff::new(reconnect);
    let mut has_worked = false;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let Some((ended, lifetime)) = until_stop(shared, connect_once(shared, transport, attempt)).await
        else {
            tell_failed(shared, ConnectError::Stopped);
            return StopCause::Requested;
        };
        if let Ended::Connection(_) = ended {
            has_worked = true;
            attempt = 0;
            backoff.connected_for(lifetime);
        }
        let stopping = shared.drive(|state| state.stop.is_some());
        let retry = !stopping && may_get_better(&ended, has_worked);
        let delay = if retry { backoff.next(fastrand::f64()) } else { None };
        let cause = tell_ended(shared, ended, delay);
        let Some(delay) = delay else { return if stopping { StopCause::Requested } else { cause } };
        if until_stop(shared, tokio::time::sleep(delay)).await.is_none() {
            return StopCause::Requested;
        }
    }
}

/// One attempt, and the connection if it comes to one; with how long that lasted.
async fn connect_once(shared: &Shared, options: &TransportOptions, attempt: u32) -> (Ended, Duration) {
    let client_id = shared.drive(|state| state.engine.client_id().to_owned());
    shared.tell(Event::Attempt { attempt, host: options.host.clone(), port: options.port, client_id });
    let (transport, opened) = match transport::open(options).await {
        Ok(open) => open,
        Err(error) => return (Ended::Attempt(ConnectError::Transport(error)), Duration::ZERO),
    };
    let peer = opened.peer;
    shared.tell(Event::Opened(Box::new(opened)));
    let began = now();
    if let Err(error) = shared.drive(|state| state.engine.open(began)) {
        return (Ended::Attempt(error), Duration::ZERO);
    }
    let cause = Link::new(transport, peer).run(shared).await;
    (shared.drive(|state| state.engine.handle_closed(cause)), now().saturating_duration_since(began))
}

/// Runs `work` unless a stop is asked for while no connection stands that could end in order.
async fn until_stop<T>(shared: &Shared, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        shared.drive(|state| {
            state.watch_as_driver(cx);
            let in_order = state.engine.is_connected() || state.engine.should_close();
            if state.stop.is_some() && !in_order { Poll::Ready(None) } else { Poll::Pending }
        })
    })
    .await
}

fn tell_failed(shared: &Shared, error: ConnectError) {
    // A link that was cut short leaves the engine in the middle of an attempt.
    shared.drive(|state| state.engine.handle_closed(CloseCause::Eof));
    shared.tell(Event::Failed { cause: Arc::new(error), retry_in: None });
}

fn tell_ended(shared: &Shared, ended: Ended, retry_in: Option<Duration>) -> StopCause {
    match ended {
        Ended::Attempt(error) => {
            let cause = Arc::new(error);
            shared.tell(Event::Failed { cause: Arc::clone(&cause), retry_in });
            StopCause::Connect(cause)
        }
        Ended::Connection(ConnectionError::Requested) => {
            let cause = Arc::new(ConnectionError::Requested);
            shared.tell(Event::Disconnected { cause, retry_in: None });
            StopCause::Requested
        }
        Ended::Connection(error) => {
            let cause = Arc::new(error);
            shared.tell(Event::Disconnected { cause: Arc::clone(&cause), retry_in });
            StopCause::Connection(cause)
        }
    }
}

/// The driver's clock, which is tokio's: tests can stop it. Everything below it is told the time.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
