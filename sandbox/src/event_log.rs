//! The callback that gets every event of a sandbox.

use core::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::event::{Event, LogLine};

/// Callback for the events of a sandbox. The default has none: events are dropped.
#[derive(Clone, Default)]
pub struct EventLog(Option<Arc<EventCallback>>);

type EventCallback = dyn Fn(&LogLine) + Send + Sync;

impl EventLog {
    /// Calls `on_event` for each event, in the task that caused it: it should not block.
    pub fn new(on_event: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(on_event)))
    }

    /// Hands an event to the callback, with the time of the system's clock.
    #[expect(clippy::disallowed_methods, reason = "the calendar time of an event")]
    pub(crate) fn emit(&self, event: Event) {
        if let Some(on_event) = &self.0 {
            on_event(&LogLine {
                at: SystemTime::now(),
                event,
            });
        }
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventLog").field(&self.0.is_some()).finish()
    }
}
