//! One timer that is set anew only when the time has changed, and isn't there until it is needed.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tokio::time::Sleep;

#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
    at: Option<Instant>,
}

impl Alarm {
    /// Whether the time has come; if not, the caller is woken when it does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> bool {
        let Some(due) = due else { return false };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        if self.at != Some(due) {
            self.at = Some(due);
            timer.as_mut().reset(due.into());
        }
        let rings = timer.as_mut().poll(cx).is_ready();
        if rings {
            self.at = None;
        }
        rings
    }
}
