//! Queue of publishers that wait for space in the client's queue of requests.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::QoS;
use crate::engine::Engine;
use crate::message::Message;

/// Number of publishers that are woken at a time: a single one would often find that a publisher
/// that didn't wait was faster.
const WAKE_BATCH: usize = 4;

/// Time within which a woken publisher has to poll. One that doesn't, such as a future that a
/// `select!` no longer polls, loses its turn to the next.
const TURN: Duration = Duration::from_millis(50);

/// Longest time that free space waits for more of it before publishers are woken.
const POSTPONE: Duration = Duration::from_millis(50);

/// Share of the queue's limits that is free when waiting publishers are woken: a quarter, and at
/// most so many messages and bytes.
const AMPLE_SHARE: usize = 4;
const AMPLE_MESSAGES: usize = 64;
const AMPLE_BYTES: usize = 64 * 1024;

/// Size of the unwritten output, in bytes, above which publishers at QoS 0 wait. They are woken once
/// it is at most half of that.
///
/// Messages at QoS 0 aren't slowed down by acknowledgements: a publisher that is faster than the
/// server would fill the whole queue, and the client would hold all of it in memory.
pub(crate) const OUTPUT_MARK: usize = 256 * 1024;

/// Publishers that wait for space, in the order in which they came.
///
/// Publishers are woken once enough space is free ([`Space::is_ample`]), or some of it has been
/// free for 50 ms, and from then on until the space is used up: a server that is slower than the
/// publishers would otherwise cause a wake-up for every message that it acknowledges.
#[derive(Debug, Default)]
pub(crate) struct WaitQueue {
    waiting: BTreeMap<WaiterId, Waiter>,
    /// Publishers that were woken and haven't polled since, each with the end of its turn.
    woken: BTreeMap<WaiterId, Instant>,
    last_id: WaiterId,
    admission: Admission,
}

/// Identifier of a waiting publisher; a smaller one came earlier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaiterId(u64);

/// A publisher that waits to be woken.
#[derive(Debug)]
struct Waiter {
    need: Need,
    waker: Waker,
}

/// Space that the message of a waiting publisher needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Bytes that the message takes.
    bytes: usize,
    /// True if the unwritten output has to be small as well: for QoS 0.
    small_output: bool,
}

impl Need {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        Self {
            bytes: message.load(),
            small_output: message.qos == QoS::AtMostOnce,
        }
    }
}

/// State of the free space, as far as waiting publishers are concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Admission {
    /// No publisher is woken until enough space is free.
    #[default]
    Closed,
    /// Some space is free; publishers are woken at this time, even if it doesn't become more.
    Postponed(Instant),
    /// Publishers are woken as long as a message fits.
    Open,
}

/// Free space in the queue of requests.
pub(crate) trait Space {
    /// True if a message fits that needs this much.
    fn fits(&self, need: Need) -> bool;

    /// True if so much is free that waking publishers is worth it.
    fn is_ample(&self) -> bool;
}

impl Space for Engine {
    fn fits(&self, need: Need) -> bool {
        self.has_space(need.bytes) && (!need.small_output || self.output_len() <= OUTPUT_MARK / 2)
    }

    fn is_ample(&self) -> bool {
        // Ample is a quarter of the queue, at most 64 messages and 64 KiB: then a batch of
        // publishers runs at once, in place of a wake-up for each acknowledgement.
        let ((count, bytes), limits) = (self.load(), self.options().queue);
        let free_count = limits.count.saturating_sub(count);
        let free_bytes = limits.bytes.saturating_sub(bytes);
        free_count >= (limits.count / AMPLE_SHARE).clamp(1, AMPLE_MESSAGES)
            && free_bytes >= (limits.bytes / AMPLE_SHARE).min(AMPLE_BYTES)
    }
}

impl WaitQueue {
    /// Adds a publisher at the end of the queue.
    pub(crate) fn enter(&mut self) -> WaiterId {
        self.last_id.0 += 1;
        self.last_id
    }

    /// Registers the task of a publisher that found no space for its message.
    pub(crate) fn wait(&mut self, id: WaiterId, need: Need, cx: &Context<'_>) {
        self.woken.remove(&id);
        // A publisher that has to wait shows that the space is used up.
        self.admission = Admission::Closed;
        self.waiting.insert(
            id,
            Waiter {
                need,
                waker: cx.waker().clone(),
            },
        );
    }

    /// Removes a publisher that has published or given up.
    pub(crate) fn leave(&mut self, id: WaiterId) {
        self.waiting.remove(&id);
        self.woken.remove(&id);
    }

    /// Moves the wakers of the first publishers whose messages fit into `wakers`.
    pub(crate) fn wake_next(
        &mut self,
        space: &impl Space,
        now: impl Fn() -> Instant,
        wakers: &mut Vec<Waker>,
    ) {
        if self.waiting.is_empty() || !self.admits(space, &now) {
            return;
        }
        // In order of arrival, but a message that is too large lets smaller ones pass, or one
        // publisher would stop all others.
        let mut after = Unbounded;
        for _ in 0..WAKE_BATCH {
            let mut rest = self.waiting.range((after, Unbounded));
            let Some(id) = rest
                .find(|(_, waiter)| space.fits(waiter.need))
                .map(|(id, _)| *id)
            else {
                return;
            };
            wakers.extend(self.waiting.remove(&id).map(|waiter| waiter.waker));
            self.woken.insert(id, now() + TURN);
            after = Excluded(id);
        }
    }

    /// True if publishers are woken now.
    fn admits(&mut self, space: &impl Space, now: impl Fn() -> Instant) -> bool {
        // Open, once there was ample space, until a publisher has to wait again.
        if self.admission == Admission::Open || space.is_ample() {
            self.admission = Admission::Open;
            return true;
        }
        // A little space is used as well, but only after a wait: more may become free by then.
        match self.admission {
            Admission::Postponed(until) if until <= now() => self.admission = Admission::Open,
            Admission::Closed if self.waiting.values().any(|each| space.fits(each.need)) => {
                self.admission = Admission::Postponed(now() + POSTPONE);
            }
            Admission::Closed | Admission::Postponed(_) | Admission::Open => {}
        }
        self.admission == Admission::Open
    }

    /// Time of the next call to [`handle_deadline`](Self::handle_deadline); `None` if nobody waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        let postponed = match self.admission {
            Admission::Postponed(until) => Some(until),
            Admission::Closed | Admission::Open => None,
        };
        self.woken.values().copied().chain(postponed).min()
    }

    /// Ends the turns that are over. Returns whether [`wake_next`](Self::wake_next) has to be
    /// called: because turns have ended, or because the wait for more space is over.
    pub(crate) fn handle_deadline(&mut self, now: Instant) -> bool {
        let before = self.woken.len();
        self.woken.retain(|_, until| *until > now);
        let is_due = matches!(self.admission, Admission::Postponed(until) if until <= now);
        is_due || self.woken.len() < before
    }

    /// Moves the wakers of all waiting publishers into `wakers`.
    pub(crate) fn wake_all(&mut self, wakers: &mut Vec<Waker>) {
        let waiting = std::mem::take(&mut self.waiting);
        wakers.extend(waiting.into_values().map(|waiter| waiter.waker));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::runtime::clock;

    /// Messages that fit, and how many make the space ample.
    struct Free(usize, usize);

    impl Space for Free {
        fn fits(&self, need: Need) -> bool {
            need.bytes <= self.0
        }

        fn is_ample(&self) -> bool {
            self.0 >= self.1
        }
    }

    struct Publisher;

    impl Wake for Publisher {
        fn wake(self: Arc<Self>) {}
    }

    fn queue_of(publishers: usize) -> WaitQueue {
        let waker = Waker::from(Arc::new(Publisher));
        let mut queue = WaitQueue::default();
        for _ in 0..publishers {
            let id = queue.enter();
            let need = Need {
                bytes: 1,
                small_output: false,
            };
            queue.wait(id, need, &Context::from_waker(&waker));
        }
        queue
    }

    fn woken(queue: &mut WaitQueue, free: usize, now: Instant) -> usize {
        let mut wakers = Vec::new();
        queue.wake_next(&Free(free, 8), || now, &mut wakers);
        wakers.len()
    }

    #[test]
    fn waiting_publishers_are_woken_once_ample_space_is_free_and_until_it_is_used_up() {
        let (mut queue, now) = (queue_of(20), clock::now());
        for free in 1..8 {
            assert_eq!(woken(&mut queue, free, now), 0, "{free}");
        }
        assert_eq!(woken(&mut queue, 8, now), WAKE_BATCH);
        assert_eq!(woken(&mut queue, 4, now), WAKE_BATCH, "some is left");
        assert_eq!(woken(&mut queue, 0, now), 0);
    }

    #[test]
    fn waiting_publishers_are_woken_soon_if_space_does_not_become_ample() {
        let (mut queue, now) = (queue_of(2), clock::now());
        assert_eq!(woken(&mut queue, 0, now), 0);
        assert_eq!(queue.deadline(), None, "nothing fits");
        assert_eq!(woken(&mut queue, 1, now), 0);
        let deadline = queue.deadline().unwrap();
        assert_eq!(deadline, now + POSTPONE);
        assert!(queue.handle_deadline(deadline));
        assert_eq!(woken(&mut queue, 1, deadline), 2);
    }
}
