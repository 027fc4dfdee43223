//! Keep alive of a connection (§3.1.2.10): PINGREQ, the time for PINGRESP, and packets that arrive
//! too slowly.

use std::time::{Duration, Instant};

use crate::error::ConnectionError;

/// Times at which a connection sent and received.
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// `None` if the keep alive is 0, which turns it off.
    timer: Option<KeepAliveTimer>,
    last_received: Instant,
    /// Number of bytes at the end of the input that are the beginning of a packet.
    partial: usize,
}

#[derive(Debug)]
struct KeepAliveTimer {
    keep_alive: Duration,
    ping_timeout: Duration,
    last_sent: Instant,
    /// Time until which PINGRESP has to come; `None` if none is awaited.
    pong_due: Option<Instant>,
    /// Time since which no answer can be read, for reasons on this side; `None` while it can.
    deaf_since: Option<Instant>,
    /// Packet that was received in part; `None` if there is none.
    arriving: Option<ArrivingPacket>,
}

/// Rate at which a packet arrives that takes more than one read, measured over one keep alive after
/// another.
#[derive(Debug)]
struct ArrivingPacket {
    since: Instant,
    bytes: usize,
}

/// Lowest rate at which a packet may arrive, in bytes a second.
const LOWEST_RATE: usize = 1000;

/// Time before the end of the keep alive at which PINGREQ is sent, so that it arrives in time.
const PING_LEAD: Duration = Duration::from_secs(5);

impl KeepAlive {
    /// Keep alive of `seconds` (0 turns it off) for a connection whose CONNECT was sent at `since`
    /// and that was accepted `now`.
    pub(super) fn new(seconds: u16, ping_timeout: Duration, since: Instant, now: Instant) -> Self {
        let timer = (seconds > 0).then(|| {
            let keep_alive = Duration::from_secs(seconds.into());
            KeepAliveTimer {
                keep_alive,
                ping_timeout: ping_timeout.min(keep_alive / 2),
                last_sent: since,
                pong_due: None,
                deaf_since: None,
                arriving: None,
            }
        });
        Self {
            timer,
            last_received: now,
            partial: 0,
        }
    }

    /// Notes that output was handed to the transport.
    pub(super) const fn sent(&mut self, now: Instant) {
        if let Some(timer) = &mut self.timer {
            timer.last_sent = now;
        }
    }

    /// Notes that there were `total` bytes of input, and that the last `left` of them are the
    /// beginning of a packet.
    pub(super) fn received(&mut self, total: usize, left: usize, now: Instant) {
        let fresh = total.saturating_sub(std::mem::replace(&mut self.partial, left));
        // Nothing arrived since the input was looked at last.
        if fresh == 0 {
            return;
        }
        self.last_received = now;
        if let Some(timer) = &mut self.timer {
            timer.received(fresh, total > left, left, now);
        }
    }

    /// Notes that PINGREQ is in the output, though none was due.
    pub(super) fn pinged(&mut self, now: Instant) {
        if let Some(timer) = &mut self.timer {
            timer.pinged(now);
        }
    }

    /// Handles PINGRESP. An unsolicited one is harmless. [U-3.13-1]
    pub(super) const fn handle_pong(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.pong_due = None;
        }
    }

    /// Says whether an answer can be read. While it can't, the time for PINGRESP stands still.
    pub(super) fn set_listening(&mut self, is_listening: bool, now: Instant) {
        let Some(timer) = &mut self.timer else {
            return;
        };
        match (is_listening, timer.deaf_since) {
            // From now on no answer can be read.
            (false, None) => timer.deaf_since = Some(now),
            // Deadlines move by the time in which no answer could be read.
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

    /// Handles the time. Returns whether PINGREQ has to be sent; only what is sent postpones it.
    /// [MQTT-3.1.2-20]
    ///
    /// # Errors
    /// [`ConnectionError::KeepAliveTimeout`] if PINGRESP is late, [`ConnectionError::TooSlow`] if a
    /// packet arrives too slowly.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<bool, ConnectionError> {
        let Some(timer) = &mut self.timer else {
            return Ok(false);
        };
        // A server that trickles one packet for ever would look alive.
        if let Some(bytes) = timer.too_slow(now) {
            return Err(ConnectionError::TooSlow {
                bytes,
                within: timer.keep_alive,
            });
        }
        match timer.pong_due {
            // PINGRESP is late, and could have been read.
            Some(due) if timer.deaf_since.is_none() && due <= now => {
                Err(ConnectionError::KeepAliveTimeout {
                    after: timer.ping_timeout,
                    keep_alive: timer.keep_alive,
                    silent_for: now.saturating_duration_since(self.last_received),
                })
            }
            // Also while an answer is due: it may be after a large packet that is still arriving.
            _ if timer.ping_due() <= now => {
                timer.pinged(now);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Time at which something has to happen next; `None` without a keep alive.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timer.as_ref().map(KeepAliveTimer::due)
    }
}

impl KeepAliveTimer {
    /// Time at which something has to happen next.
    fn due(&self) -> Instant {
        let is_listening = self.deaf_since.is_none();
        let rate_due = self
            .arriving
            .as_ref()
            .map(|arriving| arriving.since + self.keep_alive);
        let while_listening = self
            .pong_due
            .into_iter()
            .chain(rate_due)
            .filter(|_| is_listening);
        while_listening
            .chain([self.ping_due()])
            .min()
            .unwrap_or_else(|| self.ping_due())
    }

    /// Notes that `fresh` bytes were received: some of them end a packet if `has_ended`, and the
    /// last `left` bytes of the input begin another one.
    ///
    /// While a packet arrives, the server can't put PINGRESP in between.
    fn received(&mut self, fresh: usize, has_ended: bool, left: usize, now: Instant) {
        let was_arriving = self.arriving.is_some();
        match &mut self.arriving {
            Some(arriving) if !has_ended => arriving.bytes += fresh,
            arriving => {
                *arriving = (left > 0).then_some(ArrivingPacket {
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

    /// Number of bytes of the arriving packet, if one keep alive has brought too few of them.
    fn too_slow(&mut self, now: Instant) -> Option<usize> {
        let arriving = self
            .arriving
            .as_mut()
            .filter(|_| self.deaf_since.is_none())?;
        // The rate is measured over a whole keep alive.
        if now.saturating_duration_since(arriving.since) < self.keep_alive {
            return None;
        }
        // The next keep alive is measured from zero.
        let bytes = std::mem::take(&mut arriving.bytes);
        arriving.since = now;
        let enough = usize::try_from(self.keep_alive.as_secs())
            .unwrap_or(usize::MAX)
            .saturating_mul(LOWEST_RATE);
        (bytes < enough).then_some(bytes)
    }

    /// Notes that PINGREQ is in the output. The time for its answer starts once the connection is
    /// read again.
    fn pinged(&mut self, now: Instant) {
        let listening_since = self.deaf_since.unwrap_or(now);
        self.pong_due = self
            .pong_due
            .or_else(|| listening_since.checked_add(self.ping_timeout));
        self.last_sent = now;
    }

    /// Time at which PINGREQ has to be sent.
    fn ping_due(&self) -> Instant {
        self.last_sent + self.keep_alive - PING_LEAD.min(self.keep_alive / 4)
    }
}
