//! Messages of QoS 1 and 2 that don't fit into the memory budget: the connection ends, and the next
//! one has a smaller window.

use std::time::{Duration, Instant};

use dunlin_codec::{Disconnect, Packet, ReasonCode};

use crate::engine::link::Ended;
use crate::engine::{DeliveryId, Engine, State};
use crate::error::ConnectionError;

/// How long a connection that can't take messages any more stays open for acknowledgements of
/// requests.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    /// Declines a message of QoS 1 or 2 that the application has no memory for ([`memory_budget`]):
    /// it isn't acknowledged, and the server sends it again on the next connection.
    ///
    /// As acknowledgements leave in order (§4.6), nothing behind the message can be acknowledged on
    /// this connection, so later messages have to be declined as well:
    /// [`declines_messages`](Self::declines_messages) is `true` from now on. The
    /// engine acknowledges what was taken and disconnects with reason code 0x97: at once if no
    /// request waits for its acknowledgement, and otherwise after a second or when
    /// [`leave_declined`](Self::leave_declined) is called. The next CONNECT announces half of
    /// the messages that were outstanding as Receive Maximum; each connection that ends for another
    /// reason doubles it again, up to the configured one.
    ///
    /// [`memory_budget`]: crate::ConnectOptions::memory_budget
    pub fn decline(&mut self, id: DeliveryId) {
        let outstanding = self.session.inbound.outstanding();
        self.session.inbound.abandon(id);
        let State::Open(connection) = &mut self.state else {
            return;
        };
        if connection.leaves_at.is_some() {
            return;
        }
        connection.leaves_at = self.now.and_then(|now| now.checked_add(GRACE));
        let half = u16::try_from(outstanding / 2).unwrap_or(u16::MAX).max(1);
        self.reduced_receive_maximum = Some(half.min(self.receive_maximum()));
        if self.session.operations.all_settled() {
            self.leave_declined();
        }
    }

    /// Whether further messages of QoS 1 and 2 have to be [declined](Self::decline) on this
    /// connection.
    #[must_use]
    pub const fn declines_messages(&self) -> bool {
        match &self.state {
            State::Open(connection) => connection.leaves_at.is_some(),
            State::Closing { ended, .. } => {
                matches!(
                    ended,
                    Ended::Connection(ConnectionError::MemoryBudget { .. })
                )
            }
            State::Disconnected | State::Connecting { .. } => false,
        }
    }

    /// Leaves a connection on which messages were [declined](Self::decline), because there is
    /// memory for them again.
    pub fn leave_declined(&mut self) {
        if !matches!(&self.state, State::Open(connection) if connection.leaves_at.is_some()) {
            return;
        }
        self.send_due_acks();
        let reason_code = ReasonCode::QuotaExceeded;
        self.send_packet(&Packet::Disconnect(Disconnect {
            reason_code,
            ..Disconnect::default()
        }));
        let bytes = self.options.memory_budget;
        self.close(Ended::Connection(ConnectionError::MemoryBudget { bytes }));
    }

    /// Leaves if messages were declined long enough ago.
    pub(in crate::engine) fn leave_declined_in_time(&mut self, now: Instant) {
        if let State::Open(connection) = &self.state
            && connection.leaves_at.is_some_and(|at| at <= now)
        {
            self.leave_declined();
        }
    }

    /// The Receive Maximum that the next CONNECT announces.
    pub(in crate::engine) fn receive_maximum(&self) -> u16 {
        let configured = self.options.receive_maximum.unwrap_or(u16::MAX);
        self.reduced_receive_maximum
            .map_or(configured, |reduced| reduced.min(configured))
    }

    /// A connection ended for another reason: the next one may have a larger window.
    pub(in crate::engine) fn grow_receive_maximum(&mut self) {
        let configured = self.options.receive_maximum.unwrap_or(u16::MAX);
        self.reduced_receive_maximum = self
            .reduced_receive_maximum
            .map(|reduced| reduced.saturating_mul(2))
            .filter(|reduced| *reduced < configured);
    }

    /// The message whose missing acknowledgement keeps the server from sending further messages of
    /// QoS 1 and 2: the first one, if this client's Receive Maximum is used up.
    #[must_use]
    pub fn blocking_message(&self) -> Option<DeliveryId> {
        self.session
            .inbound
            .blocking(self.announced_receive_maximum.into())
            .filter(|_| self.is_connected())
    }
}
