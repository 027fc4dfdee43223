//! Lists of wakers, as the state behind the lock collects them.

use std::task::{Context, Waker};

/// Moves all wakers of one list to the end of another.
///
/// There are hardly any, and this runs for every message: hence the check.
#[inline]
pub(crate) fn move_wakers(from: &mut Vec<Waker>, into: &mut Vec<Waker>) {
    if !from.is_empty() {
        into.append(from);
    }
}

/// Registers the current task, once.
pub(crate) fn register(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}
