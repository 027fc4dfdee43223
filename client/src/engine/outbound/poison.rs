//! Messages that servers close the connection over, again and again: found and failed, if the guard
//! is on.
//!
//! This deviates from the standard, which has a client repeat what is unacknowledged for as long as
//! the session lives [MQTT-4.4.0-1]. The session is given up with the message, so that no server
//! sees half of it.

use std::collections::HashSet;

use crate::engine::link::Ended;
use crate::engine::open::Sent;
use crate::engine::outbound::operation::{OperationId, Phase};
use crate::engine::session::Session;
use crate::error::{ConnectionError, RequestError};

impl Ended {
    /// Whether the server may have ended it because of what it was sent.
    pub(in crate::engine) const fn may_be_over_a_message(&self) -> bool {
        match self {
            Self::Attempt(_) => false,
            Self::Connection(error) => matches!(
                error,
                ConnectionError::Closed | ConnectionError::Reset | ConnectionError::Disconnected(_)
            ),
        }
    }
}

impl Session {
    /// The server has closed a connection. A message that was on the wire then, and at as many such
    /// ends in a row as the `limit` says, fails; of several the one that was sent first. What
    /// PUBREC came for is never concerned.
    pub(in crate::engine) fn suspect(&mut self, unsent: &[Sent], limit: u32) {
        let unsent: HashSet<OperationId> = unsent.iter().map(|sent| sent.id).collect();
        let mut first: Option<(u64, OperationId)> = None;
        self.has_suspects = false;
        for (id, operation) in self.operations.iter_mut() {
            let on_wire = matches!(operation.phase, Phase::Sent(_)) && operation.is_publish();
            if !on_wire || unsent.contains(&id) {
                operation.disconnects = 0;
                continue;
            }
            operation.disconnects += 1;
            self.has_suspects = true;
            let is_first = first.is_none_or(|(order, _)| operation.order < order);
            if operation.disconnects >= limit && is_first {
                first = Some((operation.order, id));
            }
        }
        if let Some((_, id)) = first {
            self.condemn(id);
        }
    }

    fn condemn(&mut self, id: OperationId) {
        let disconnects = self
            .operations
            .get_by(id)
            .map_or(0, |operation| operation.disconnects);
        self.operations
            .finish(id.key(), Err(RequestError::Poisoned { disconnects }));
        // The others are innocent until another connection ends.
        self.operations
            .iter_mut()
            .for_each(|(_, operation)| operation.disconnects = 0);
        self.has_suspects = false;
        self.is_given_up = true;
    }
}
