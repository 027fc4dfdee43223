//! Which requests have changed, for those who keep them, and requests put back.

use crate::engine::outbound::operation::{Kind, Operation, OperationId, Phase};
use crate::engine::outbound::operations::Operations;

/// What has changed since it was last asked.
#[derive(Debug, Default)]
pub(in crate::engine) struct Noted {
    /// Those that have changed; some are over by now.
    changed: Vec<OperationId>,
    /// The numbers of those that were kept, and are over.
    ended: Vec<u64>,
}

/// What is over among the changed is left there, up to so many beside twice what isn't.
const LEFT: usize = 64;

impl Noted {
    pub(in crate::engine) const fn has_any(&self) -> bool {
        !self.changed.is_empty() || !self.ended.is_empty()
    }

    /// Whether nothing has changed but that requests are over.
    pub(in crate::engine) const fn has_only_ended(&self) -> bool {
        self.changed.is_empty()
    }
}

impl Operations {
    /// Inserts a request under the number that it had in an earlier process, where it was kept.
    /// Nobody waits for it.
    pub(in crate::engine) fn restore(
        &mut self,
        generation: u64,
        kind: Kind,
        packet: Vec<u8>,
    ) -> OperationId {
        let last = std::mem::replace(&mut self.generation, generation.saturating_sub(1));
        let id = self.insert(kind, packet);
        self.generation = self.generation.max(last);
        if let Some(operation) = self.current(id) {
            (operation.wanted, operation.is_kept) = (false, true);
        }
        id
    }

    /// All that there is counts as changed, and as not kept.
    pub(in crate::engine) fn note_all(&mut self) {
        self.iter_mut()
            .for_each(|(_, operation)| (operation.is_noted, operation.is_kept) = (false, false));
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
        let Some(noted) = &mut self.noted else { return };
        let Some(operation) = self.slab.get_mut(key as usize) else {
            return;
        };
        if !operation.outlives_process() || std::mem::replace(&mut operation.is_noted, true) {
            return;
        }
        noted.changed.push(OperationId {
            key,
            generation: operation.generation,
        });
        if noted.changed.len() > LEFT + 2 * self.books.unfinished {
            let is_open =
                |id: OperationId, each: &Operation| each.is(id) && each.phase != Phase::Done;
            let slab = &self.slab;
            noted.changed.retain(|id| {
                slab.get(id.key as usize)
                    .is_some_and(|each| is_open(*id, each))
            });
        }
    }

    /// It is over, and that may have to be known.
    #[inline(always)]
    pub(in crate::engine) fn note_end(&mut self, key: u32) {
        if self.noted.is_some() {
            self.note_last_change(key);
        }
    }

    #[cold]
    fn note_last_change(&mut self, key: u32) {
        if let Some(noted) = &mut self.noted
            && let Some(operation) = self.slab.get_mut(key as usize)
            && std::mem::replace(&mut operation.is_kept, false)
        {
            noted.ended.push(operation.generation);
        }
    }

    /// Where it waits among those that wait.
    pub(in crate::engine) fn set_place(&mut self, id: OperationId, place: i64) {
        if let Some(operation) = self
            .current(id)
            .filter(|operation| operation.place != place)
        {
            operation.place = place;
            self.note(id.key);
        }
    }

    /// Those that have changed, and the numbers of those that needn't be kept any more.
    pub(in crate::engine) fn take_noted(&mut self) -> (Vec<OperationId>, Vec<u64>) {
        let Noted { mut changed, ended } =
            self.noted.as_mut().map(std::mem::take).unwrap_or_default();
        changed.retain(|id| !self.is_over(*id));
        for id in &changed {
            if let Some(operation) = self.current(*id) {
                operation.is_noted = false;
            }
        }
        (changed, ended)
    }

    /// It is kept from now on; whether it was before.
    pub(in crate::engine) fn is_now_kept(&mut self, id: OperationId) -> bool {
        self.current(id)
            .is_some_and(|operation| std::mem::replace(&mut operation.is_kept, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RequestError;

    #[test]
    fn what_came_and_went_is_forgotten() {
        let mut operations = Operations {
            noted: Some(Noted::default()),
            ..Operations::default()
        };
        let stays = operations.insert(Kind::PublishAtLeastOnce, Vec::new());
        for _ in 0..10_000 {
            let id = operations.insert(Kind::PublishAtLeastOnce, Vec::new());
            operations.finish(id.key(), Err(RequestError::Dropped));
            operations.forget(id);
            assert!(operations.noted.as_ref().unwrap().changed.len() <= LEFT + 5);
        }
        assert!(!operations.is_now_kept(stays));
        assert_eq!(operations.take_noted(), (vec![stays], Vec::new()));
        operations.finish(stays.key(), Err(RequestError::Dropped));
        assert_eq!(
            operations.take_noted(),
            (Vec::new(), vec![stays.generation()])
        );
    }
}
