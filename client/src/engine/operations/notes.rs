//! Which requests have changed, for those who keep them, and requests put back.

use super::Operations;
use crate::engine::operation::{Kind, OperationId};

impl Operations {
    /// Inserts a request under the number that it had in an earlier process. Nobody waits for it.
    pub(in crate::engine) fn restore(&mut self, generation: u64, kind: Kind, packet: Vec<u8>) -> OperationId {
        let last = std::mem::replace(&mut self.generation, generation.saturating_sub(1));
        let id = self.insert(kind, packet);
        self.generation = self.generation.max(last);
        if let Some(operation) = self.get_mut(id.key) {
            operation.wanted = false;
        }
        id
    }

    /// Notes all that there is, and from now on what changes.
    pub(in crate::engine) fn keep_journal(&mut self) {
        let mut noted = self.noted.take().unwrap_or_default();
        // What is there is noted anew; what isn't stays noted.
        noted.retain(|id| self.get_by(*id).is_none());
        self.noted = Some(noted);
        self.iter_mut().for_each(|(_, operation)| operation.is_noted = false);
        let keys: Vec<_> = self.iter().map(|(id, _)| id.key()).collect();
        keys.into_iter().for_each(|key| self.note(key));
    }

    /// It changes, and that may have to be known.
    #[inline(always)]
    pub(in crate::engine) fn note(&mut self, key: u32) {
        if self.noted.is_some() {
            self.note_change(key);
        }
    }

    #[cold]
    fn note_change(&mut self, key: u32) {
        if let Some(noted) = &mut self.noted
            && let Some(operation) = self.slab.get_mut(key as usize)
            && operation.takes_quota()
            && !std::mem::replace(&mut operation.is_noted, true)
        {
            noted.push(OperationId { key, generation: operation.generation });
        }
    }

    /// Where it waits among those that wait.
    pub(in crate::engine) fn set_place(&mut self, id: OperationId, place: i64) {
        self.note(id.key);
        if let Some(operation) = self.current(id) {
            operation.place = place;
        }
    }

    /// What was noted of it is known.
    pub(in crate::engine) fn forget_note(&mut self, id: OperationId) {
        if let Some(operation) = self.current(id) {
            operation.is_noted = false;
        }
    }

    /// Whether its packet is asked for the first time.
    pub(in crate::engine) fn is_packet_news(&mut self, id: OperationId) -> bool {
        self.current(id).is_some_and(|each| !std::mem::replace(&mut each.is_packet_kept, true))
    }
}
