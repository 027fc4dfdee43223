//! What lives and dies with one network connection: the server's limits, the send quota, the keep alive.

use std::time::{Duration, Instant};

use dunlin_codec::QoS;

use super::auth::Authenticated;
use super::inbound_aliases::InboundAliases;
use super::operation::OperationId;
use super::outbound_aliases::Aliases;
use super::pace::Pacer;
use super::quota::Quota;
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
}

/// What the keep alive asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alive {
    /// Nothing.
    Fine,
    /// A PINGREQ.
    Ping,
    /// An end: no answer came.
    Lost { after: Duration, keep_alive: Duration, silent_for: Duration },
}

/// How long before the end of the keep alive a PINGREQ leaves: time to get there.
const PING_LEAD: Duration = Duration::from_secs(5);

impl Connection {
    /// One that was asked for at `since` and accepted `now`.
    pub(super) fn new(limits: ServerLimits, ping_timeout: Duration, since: Instant, now: Instant) -> Self {
        let keep_alive = (limits.keep_alive > 0).then(|| {
            let keep_alive = Duration::from_secs(limits.keep_alive.into());
            let ping_timeout = ping_timeout.min(keep_alive / 2);
            KeepAliveTimer { keep_alive, ping_timeout, last_sent: since, pong_due: None, deaf_since: None }
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
            unsent: Vec::new(),
        }
    }

    /// Whether the server takes such a message at all.
    pub(super) const fn check_publish(&self, qos: QoS, retain: bool) -> Result<(), RequestError> {
        // [MQTT-3.2.2-11]
        if qos.level() > self.limits.maximum_qos.level() {
            return Err(RequestError::QoSNotSupported { maximum: self.limits.maximum_qos });
        }
        // [MQTT-3.2.2-14]
        if retain && !self.limits.retain_available {
            return Err(RequestError::RetainNotSupported);
        }
        Ok(())
    }

    /// Whether a message goes on the wire as the application wrote it, and at once: without aliases and a pace.
    pub(super) const fn takes_messages_as_they_are(&self) -> bool {
        self.pacer.is_none() && matches!(self.outbound_aliases, Aliases::None)
    }

    /// Whether the server takes a packet of this size. [MQTT-3.2.2-15]
    pub(super) const fn check_size(&self, size: usize) -> Result<(), RequestError> {
        let limit = self.limits.maximum_packet_size;
        if size > limit as usize { Err(RequestError::TooLarge { size, limit }) } else { Ok(()) }
    }

    /// Output is on its way.
    pub(super) const fn transmitted(&mut self, now: Instant) {
        if let Some(timer) = &mut self.keep_alive {
            timer.last_sent = now;
        }
    }

    pub(super) const fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    pub(super) fn pong(&mut self) {
        // An unsolicited one is harmless. [U-3.13-1]
        if let Some(timer) = &mut self.keep_alive {
            timer.pong_due = None;
        }
    }

    /// Whether an answer could come. While it couldn't, the time for PINGRESP stands still.
    pub(super) fn set_listening(&mut self, listening: bool, now: Instant) {
        let Some(timer) = &mut self.keep_alive else { return };
        match (listening, timer.deaf_since) {
            (false, None) => timer.deaf_since = Some(now),
            (true, Some(since)) => {
                timer.deaf_since = None;
                let deaf_for = now.saturating_duration_since(since);
                timer.pong_due = timer.pong_due.and_then(|due| due.checked_add(deaf_for));
            }
            _ => {}
        }
    }

    /// What the keep alive asks for now. Only what is sent postpones it. [MQTT-3.1.2-20]
    pub(super) fn keep_alive(&mut self, now: Instant) -> Alive {
        let Some(timer) = &mut self.keep_alive else { return Alive::Fine };
        match timer.pong_due {
            Some(due) if timer.deaf_since.is_none() && due <= now => Alive::Lost {
                after: timer.ping_timeout,
                keep_alive: timer.keep_alive,
                silent_for: now.saturating_duration_since(self.last_received),
            },
            Some(_) if timer.deaf_since.is_none() => Alive::Fine,
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
        ping.into_iter().chain(paced).chain(self.reauthentication_due()).min()
    }
}

impl KeepAliveTimer {
    fn due(&self) -> Instant {
        self.pong_due.filter(|_| self.deaf_since.is_none()).unwrap_or_else(|| self.ping_due())
    }

    /// PINGREQ is in the output. Its answer has all of its time from when the connection is read again.
    fn pinged(&mut self, now: Instant) {
        let heard_from = self.deaf_since.unwrap_or(now);
        self.pong_due = self.pong_due.or_else(|| heard_from.checked_add(self.ping_timeout));
        self.last_sent = now;
    }

    fn ping_due(&self) -> Instant {
        self.last_sent + self.keep_alive - PING_LEAD.min(self.keep_alive / 4)
    }
}
