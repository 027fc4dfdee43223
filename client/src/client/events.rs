//! `Events`: the lifecycle events of a client.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::event::Event;
use crate::runtime::shared::Shared;

/// Stream of lifecycle events: connection attempts, connections, disconnections, and the final
/// stop.
///
/// The client keeps at most 1,024 unread events, in at most an eighth of its
/// [`memory_budget`](crate::ConnectOptions::memory_budget), and drops the oldest beyond that.
///
/// ```
/// use dunlin_client::{Client, EndCause, Event, Events};
///
/// # async fn example(client: Client) {
/// let mut events: Events = client.events();
/// while let Some(event) = events.next().await {
///     match event {
///         Event::Connected(connected) => println!("session present: {}", connected.session_present),
///         Event::Disconnected { cause: EndCause::Attempt(error), .. } => println!("no connection: {error}"),
///         Event::Disconnected { cause: EndCause::Connection(error), .. } => println!("lost: {error}"),
///         Event::Stopped(cause) => println!("stopped: {cause}"),
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "events are lost when nobody reads them"]
pub struct Events {
    shared: Arc<Shared>,
}

impl Events {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// Returns the next event; `None` after [`Event::Stopped`].
    ///
    /// Cancel safe: an event that wasn't returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.shared.lock_and_notify(|state| state.poll_event(cx))).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.shared.lock_and_notify(|state| state.poll_event(cx))
    }
}
