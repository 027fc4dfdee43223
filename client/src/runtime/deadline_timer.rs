//! Timer for a deadline that changes often.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tokio::time::Sleep;

/// One tokio timer, which is created when it is first needed and reset only when its deadline
/// changes.
#[derive(Debug, Default)]
pub(crate) struct DeadlineTimer {
    timer: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl DeadlineTimer {
    /// True if `deadline` has passed; if not, the current task is woken when it does. `None` never
    /// passes.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> bool {
        let Some(deadline) = deadline else {
            return false;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        if self.deadline != Some(deadline) {
            self.deadline = Some(deadline);
            timer.as_mut().reset(deadline.into());
        }
        let has_passed = timer.as_mut().poll(cx).is_ready();
        if has_passed {
            self.deadline = None;
        }
        has_passed
    }
}
