//! What lives and dies with one network connection: the server's limits, the send quota, the keep
//! alive.

use std::time::{Duration, Instant};

use dunlin_codec::QoS;

use crate::engine::auth::Authenticated;
use crate::engine::inbound::inbound_aliases::InboundAliases;
use crate::engine::outbound::operation::OperationId;
use crate::engine::outbound::outbound_aliases::Aliases;
use crate::engine::outbound::pace::Pacer;
use crate::engine::outbound::quota::Quota;
use crate::error::RequestError;
use crate::event::ServerLimits;

/// An accepted connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) limits: ServerLimits,
    pub(super) quota: Quota,
    keep_alive: Option<KeepAliveTimer>,
    /// `None` without a method.
    pub(super) authenticated: Option<Box<Authenticated>>,
    /// What the server's topic aliases stand for.
    pub(super) aliases: InboundAliases,
    /// What this client's stand for.
    pub(super) outbound_aliases: Aliases,
    /// How fast messages may go, if that is limited.
    pub(super) pacer: Option<Box<Pacer>>,
    last_received: Instant,
    /// Bytes at the end of the input that are the beginning of a packet.
    partial: usize,
    /// When this client leaves, because it had no memory for a message.
    pub(super) leaves_at: Option<Instant>,
    /// Requests in the output: the time for their answers starts when it is taken.
    pub(super) unsent: Vec<Sent>,
}

/// A request in the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) id: OperationId,
    /// Whether it was on an earlier connection's wire.
    pub(super) repeated: bool,
    /// Whether the time for its acknowledgement runs since an earlier connection.
    pub(super) is_timed: bool,
    /// Whether the time that it may spend in the output is limited.
    pub(super) is_limited: bool,
    /// Where it ends in the output.
    pub(super) end: usize,
}

#[derive(Debug)]
struct KeepAliveTimer {
    keep_alive: Duration,
    ping_timeout: Duration,
    last_sent: Instant,
    /// When the PINGRESP that is due is too late.
    pong_due: Option<Instant>,
    /// Since when no answer could come, through no fault of the server's.
    deaf_since: Option<Instant>,
    /// A packet of which a part is there.
    arriving: Option<Arriving>,
}

/// How fast a packet arrives that takes more than one read: measured over one keep alive after
/// another.
#[derive(Debug)]
struct Arriving {
    since: Instant,
    bytes: usize,
}

/// What the keep alive asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alive {
    /// Nothing.
    Fine,
    /// A PINGREQ.
    Ping,
    /// An end: no answer came.
    Lost {
        after: Duration,
        keep_alive: Duration,
        silent_for: Duration,
    },
    /// An end: a packet has been arriving for a whole keep alive, too slowly.
    TooSlow { bytes: usize, within: Duration },
}

/// The slowest rate at which a packet may arrive, in bytes a second.
const SLOWEST: usize = 1000;

/// How long before the end of the keep alive a PINGREQ leaves: time to get there.
const PING_LEAD: Duration = Duration::from_secs(5);

impl Connection {
    /// One that was asked for at `since` and accepted `now`.
    pub(super) fn new(
        limits: ServerLimits,
        ping_timeout: Duration,
        since: Instant,
        now: Instant,
    ) -> Self {
        let keep_alive = (limits.keep_alive > 0).then(|| {
            let keep_alive = Duration::from_secs(limits.keep_alive.into());
            let ping_timeout = ping_timeout.min(keep_alive / 2);
            KeepAliveTimer {
                keep_alive,
                ping_timeout,
                last_sent: since,
                pong_due: None,
                deaf_since: None,
                arriving: None,
            }
        });
        Self {
            limits,
            quota: Quota::new(limits.receive_maximum),
            keep_alive,
            authenticated: None,
            aliases: InboundAliases::new(0),
            outbound_aliases: Aliases::None,
            pacer: None,
            last_received: now,
            partial: 0,
            unsent: Vec::new(),
            leaves_at: None,
        }
    }

    /// Whether the server takes such a message at all.
    pub(super) const fn check_publish(&self, qos: QoS, retain: bool) -> Result<(), RequestError> {
        // [MQTT-3.2.2-11]
        if qos.level() > self.limits.maximum_qos.level() {
            return Err(RequestError::QoSNotSupported {
                maximum: self.limits.maximum_qos,
            });
        }
        // [MQTT-3.2.2-14]
        if retain && !self.limits.retain_available {
            return Err(RequestError::RetainNotSupported);
        }
        Ok(())
    }

    /// Whether a message goes on the wire as the application wrote it, and at once: without aliases
    /// and a pace.
    pub(super) const fn takes_messages_as_they_are(&self) -> bool {
        self.pacer.is_none() && matches!(self.outbound_aliases, Aliases::None)
    }

    /// Whether the server takes a packet of this size. [MQTT-3.2.2-15]
    pub(super) const fn check_size(&self, size: usize) -> Result<(), RequestError> {
        let limit = self.limits.maximum_packet_size;
        if size > limit as usize {
            Err(RequestError::TooLarge { size, limit })
        } else {
            Ok(())
        }
    }

    /// Output is on its way.
    pub(super) const fn transmitted(&mut self, now: Instant) {
        if let Some(timer) = &mut self.keep_alive {
            timer.last_sent = now;
        }
    }

    /// There were `total` bytes of input, and the last `left` of them are the beginning of a
    /// packet.
    pub(super) fn received(&mut self, total: usize, left: usize, now: Instant) {
        let fresh = total.saturating_sub(std::mem::replace(&mut self.partial, left));
        if fresh == 0 {
            return;
        }
        self.last_received = now;
        if let Some(timer) = &mut self.keep_alive {
            timer.received(fresh, total > left, left, now);
        }
    }

    pub(super) fn pong(&mut self) {
        // An unsolicited one is harmless. [U-3.13-1]
        if let Some(timer) = &mut self.keep_alive {
            timer.pong_due = None;
        }
    }

    /// Whether an answer could come. While it couldn't, the time for PINGRESP stands still.
    pub(super) fn set_listening(&mut self, listening: bool, now: Instant) {
        let Some(timer) = &mut self.keep_alive else {
            return;
        };
        match (listening, timer.deaf_since) {
            (false, None) => timer.deaf_since = Some(now),
            (true, Some(since)) => {
                timer.deaf_since = None;
                let deaf_for = now.saturating_duration_since(since);
                timer.pong_due = timer.pong_due.and_then(|due| due.checked_add(deaf_for));
                if let Some(arriving) = &mut timer.arriving {
                    arriving.since += deaf_for;
                }
            }
            _ => {}
        }
    }

    /// What the keep alive asks for now. Only what is sent postpones it. [MQTT-3.1.2-20]
    pub(super) fn keep_alive(&mut self, now: Instant) -> Alive {
        let Some(timer) = &mut self.keep_alive else {
            return Alive::Fine;
        };
        if let Some(bytes) = timer.too_slow(now) {
            return Alive::TooSlow {
                bytes,
                within: timer.keep_alive,
            };
        }
        match timer.pong_due {
            Some(due) if timer.deaf_since.is_none() && due <= now => Alive::Lost {
                after: timer.ping_timeout,
                keep_alive: timer.keep_alive,
                silent_for: now.saturating_duration_since(self.last_received),
            },
            // Also while an answer is due: it may be behind a large packet that is still arriving.
            _ if timer.ping_due() <= now => {
                timer.pinged(now);
                Alive::Ping
            }
            _ => Alive::Fine,
        }
    }

    /// Gives back memory that a burst has left.
    pub(super) fn give_back_memory(&mut self) {
        self.unsent.shrink_to(2 * self.unsent.len());
    }

    /// When something has to happen next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let ping = self.keep_alive.as_ref().map(KeepAliveTimer::due);
        let paced = self.pacer.as_ref().and_then(|pacer| pacer.due());
        ping.into_iter()
            .chain(self.leaves_at)
            .chain(paced)
            .chain(self.reauthentication_due())
            .min()
    }
}

impl KeepAliveTimer {
    fn due(&self) -> Instant {
        let hears = self.deaf_since.is_none();
        let rate_due = self
            .arriving
            .as_ref()
            .map(|arriving| arriving.since + self.keep_alive);
        let while_hearing = self.pong_due.into_iter().chain(rate_due).filter(|_| hears);
        while_hearing
            .chain([self.ping_due()])
            .min()
            .unwrap_or_else(|| self.ping_due())
    }

    /// Of the `fresh` bytes and those before them, some were the end of a packet if it `has_ended`,
    /// and the last `left` are the beginning of one. While a packet arrives, the server can't
    /// put PINGRESP in between.
    fn received(&mut self, fresh: usize, has_ended: bool, left: usize, now: Instant) {
        let was_arriving = self.arriving.is_some();
        match &mut self.arriving {
            Some(arriving) if !has_ended => arriving.bytes += fresh,
            arriving => {
                *arriving = (left > 0).then_some(Arriving {
                    since: now,
                    bytes: left,
                });
            }
        }
        if was_arriving || left > 0 {
            let due = now.checked_add(self.ping_timeout);
            self.pong_due = self.pong_due.and_then(|pong_due| Some(pong_due.max(due?)));
        }
    }

    /// Bytes of the packet that is arriving, if a keep alive has brought too few of them.
    fn too_slow(&mut self, now: Instant) -> Option<usize> {
        let arriving = self
            .arriving
            .as_mut()
            .filter(|_| self.deaf_since.is_none())?;
        if now.saturating_duration_since(arriving.since) < self.keep_alive {
            return None;
        }
        let bytes = std::mem::take(&mut arriving.bytes);
        arriving.since = now;
        let enough = usize::try_from(self.keep_alive.as_secs())
            .unwrap_or(usize::MAX)
            .saturating_mul(SLOWEST);
        (bytes < enough).then_some(bytes)
    }

    /// PINGREQ is in the output. Its answer has all of its time from when the connection is read
    /// again.
    fn pinged(&mut self, now: Instant) {
        let heard_from = self.deaf_since.unwrap_or(now);
        self.pong_due = self
            .pong_due
            .or_else(|| heard_from.checked_add(self.ping_timeout));
        self.last_sent = now;
    }

    fn ping_due(&self) -> Instant {
        self.last_sent + self.keep_alive - PING_LEAD.min(self.keep_alive / 4)
    }
}
