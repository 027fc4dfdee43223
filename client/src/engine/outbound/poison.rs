//! Poison guard: finds and fails messages over which servers close the connection again and again.
//!
//! This deviates from the standard, which has a client repeat unacknowledged messages for as long
//! as the session lives [MQTT-4.4.0-1]. The session is given up together with the message, so that
//! no server has half of it.

use std::collections::HashSet;

use super::Outbound;
use super::accepted_request::{OperationId, RequestStage};
use crate::engine::output::WrittenRequest;
use crate::engine::statistics::Statistics;
use crate::error::RequestError;

impl Outbound {
    /// Counts a connection that the server closed against the messages that were unacknowledged.
    ///
    /// A message fails after `limit` such connections in a row; of several such messages only the
    /// one that was sent first does. Messages in `unsent` never reached the server, and those with
    /// a PUBREC are not the reason. Returns whether a message failed: the session has to be given
    /// up then.
    pub(in crate::engine) fn suspect(
        &mut self,
        unsent: &[WrittenRequest],
        limit: u32,
        statistics: &mut Statistics,
    ) -> bool {
        let unsent: HashSet<OperationId> = unsent.iter().map(|each| each.id).collect();
        let mut first: Option<(u64, OperationId)> = None;
        self.has_suspects = false;
        for (id, operation) in self.operations.iter_mut() {
            let is_sent =
                matches!(operation.stage, RequestStage::Sent(_)) && operation.request.is_publish();
            if !is_sent || unsent.contains(&id) {
                operation.disconnects = 0;
                continue;
            }
            // One more connection that ended while this message was on its way.
            operation.disconnects += 1;
            self.has_suspects = true;
            let is_first = first.is_none_or(|(order, _)| operation.order < order);
            if operation.disconnects >= limit && is_first {
                first = Some((operation.order, id));
            }
        }
        // One at a time: its failure may clear the others.
        if let Some((_, id)) = first {
            self.fail_poisoned(id, statistics);
        }
        first.is_some()
    }

    fn fail_poisoned(&mut self, id: OperationId, statistics: &mut Statistics) {
        let disconnects = self
            .operations
            .get_by(id)
            .map_or(0, |operation| operation.disconnects);
        let error = RequestError::Poisoned { disconnects };
        self.operations.complete(id.key(), Err(error), statistics);
        // The other messages may have been repeated only because of this one.
        self.operations
            .iter_mut()
            .for_each(|(_, operation)| operation.disconnects = 0);
        self.has_suspects = false;
    }
}
