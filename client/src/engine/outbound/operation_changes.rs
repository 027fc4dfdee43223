//! Requests that have changed since a store last took the changes.

use super::accepted_request::OperationId;
use super::operations::Operations;

impl Operations {
    /// Starts to record changes.
    pub(in crate::engine) fn record_changes(&mut self) {
        self.dirty.start();
        self.ended.clear();
    }

    /// Stops to record changes.
    pub(in crate::engine) fn stop_recording(&mut self) {
        self.dirty.stop();
        self.ended.clear();
    }

    /// Marks all requests as changed and as unknown to the store.
    pub(in crate::engine) fn mark_all_dirty(&mut self) {
        self.iter_mut()
            .for_each(|(_, operation)| operation.is_persisted = false);
        let keys: Vec<_> = self.iter().map(|(id, _)| id.key()).collect();
        keys.into_iter().for_each(|key| self.mark_dirty(key));
    }

    /// Records that a request changes, if a store is in use.
    #[inline(always)]
    pub(in crate::engine) fn mark_dirty(&mut self, key: u32) {
        if self.dirty.is_recording() {
            self.record_change(key);
        }
    }

    #[cold]
    fn record_change(&mut self, key: u32) {
        if let Some(operation) = self.slab.get(key as usize)
            && operation.request.outlives_process()
            && !operation.is_done()
        {
            let generation = operation.generation;
            self.dirty.mark(OperationId { key, generation });
        }
    }

    #[cold]
    pub(super) fn record_end(&mut self, key: u32) {
        if let Some(operation) = self.slab.get_mut(key as usize) {
            let generation = operation.generation;
            self.dirty.unmark(&OperationId { key, generation });
            if std::mem::replace(&mut operation.is_persisted, false) {
                self.ended.push(generation);
            }
        }
    }

    /// Returns `true` if requests were accepted, changed or completed since the changes were last
    /// taken.
    pub(in crate::engine) fn has_changes(&self) -> bool {
        self.dirty.is_dirty() || !self.ended.is_empty()
    }

    /// Returns `true` if nothing happened since then but that requests were completed.
    pub(in crate::engine) fn has_only_ended(&self) -> bool {
        !self.dirty.is_dirty()
    }

    /// The requests that have changed, and the numbers of those that the store can delete.
    pub(in crate::engine) fn take_changes(&mut self) -> (Vec<OperationId>, Vec<u64>) {
        let changed = self.dirty.take().into_iter().collect();
        (changed, std::mem::take(&mut self.ended))
    }

    /// Notes that the store has the request from now on. Returns whether it had it before.
    pub(in crate::engine) fn set_persisted(&mut self, id: OperationId) -> bool {
        self.current(id)
            .is_some_and(|operation| std::mem::replace(&mut operation.is_persisted, true))
    }
}

#[cfg(test)]
mod tests {
    use dunlin_codec::QoS;

    use super::*;
    use crate::engine::outbound::operations::tests::message;
    use crate::engine::statistics::Statistics;
    use crate::error::RequestError;

    #[test]
    fn requests_that_a_store_never_had_leave_nothing_to_store() {
        let mut operations = Operations::default();
        let mut statistics = Statistics::default();
        operations.record_changes();
        let stays = operations.insert(message(QoS::AtLeastOnce));
        for _ in 0..10_000 {
            let id = operations.insert(message(QoS::AtLeastOnce));
            operations.complete(id.key(), Err(RequestError::Dropped), &mut statistics);
            operations.forget(id);
        }
        assert!(!operations.set_persisted(stays));
        assert_eq!(operations.take_changes(), (vec![stays], Vec::new()));
        operations.complete(stays.key(), Err(RequestError::Dropped), &mut statistics);
        assert_eq!(
            operations.take_changes(),
            (Vec::new(), vec![stays.generation()])
        );
    }
}
