//! Packet identifiers in use, and the requests that have them (§2.2.1): one pool for all requests.

use dunlin_codec::PacketId;

/// Identifiers of unfinished requests.
///
/// They rotate: an identifier that was just released is the last to be used again, so that a late
/// acknowledgement matches no other request. A page of 256 exists only while one of its identifiers
/// is in use.
#[derive(Debug)]
pub(in crate::engine) struct PacketIds {
    pages: Vec<Option<Box<Page>>>,
    /// Identifier that is tried next; 0 is skipped.
    next: u16,
    used: usize,
}

#[derive(Debug)]
struct Page {
    used: usize,
    /// Slots of the requests in the table of operations.
    owners: [Option<u32>; PAGE],
}

const PAGE: usize = 256;
const ALL: usize = 65_535;

impl PacketIds {
    pub(in crate::engine) const fn new() -> Self {
        Self {
            pages: Vec::new(),
            next: 1,
            used: 0,
        }
    }

    /// Reserves the next free identifier for `owner`; `None` if all 65,535 are in use.
    /// [MQTT-2.2.1-3]
    pub(in crate::engine) fn allocate(&mut self, owner: u32) -> Option<PacketId> {
        if self.is_full() {
            return None;
        }
        // At least one identifier is free, so this ends.
        loop {
            let candidate = PacketId::new(self.next);
            self.next = self.next.wrapping_add(1);
            let Some(id) = candidate else { continue };
            if self.owner(id).is_none() {
                self.set(id, owner);
                return Some(id);
            }
        }
    }

    /// Reserves `id` for `owner`, as an earlier process did; `false` if it is in use. The rotation
    /// goes on after it.
    pub(in crate::engine) fn reserve(&mut self, id: PacketId, owner: u32) -> bool {
        let is_free = self.owner(id).is_none();
        if is_free {
            self.set(id, owner);
            self.next = id.get().wrapping_add(1);
        }
        is_free
    }

    /// Number of identifiers in use.
    pub(in crate::engine) const fn used(&self) -> usize {
        self.used
    }

    /// Returns `true` if all 65,535 are in use.
    pub(in crate::engine) const fn is_full(&self) -> bool {
        self.used == ALL
    }

    /// Slot of the request that has `id`; `None` if it is free.
    pub(in crate::engine) fn owner(&self, id: PacketId) -> Option<u32> {
        let (page, index) = page_and_index(id);
        *self.pages.get(page)?.as_ref()?.owners.get(index)?
    }

    pub(in crate::engine) fn release(&mut self, id: PacketId) {
        let (page, index) = page_and_index(id);
        let Some(slot) = self.pages.get_mut(page) else {
            return;
        };
        let Some(entry) = slot else { return };
        if entry.owners.get_mut(index).and_then(Option::take).is_some() {
            self.used -= 1;
            entry.used -= 1;
            // A page without identifiers is freed.
            if entry.used == 0 {
                *slot = None;
            }
        }
    }

    /// Releases all identifiers; the rotation goes on where it is.
    pub(in crate::engine) fn clear(&mut self) {
        self.pages.clear();
        self.used = 0;
    }

    fn set(&mut self, id: PacketId, owner: u32) {
        let (page, index) = page_and_index(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let Some(slot) = self.pages.get_mut(page) else {
            return;
        };
        let entry = slot.get_or_insert_with(|| {
            Box::new(Page {
                used: 0,
                owners: [None; PAGE],
            })
        });
        if let Some(free) = entry.owners.get_mut(index) {
            *free = Some(owner);
            entry.used += 1;
            self.used += 1;
        }
    }
}

fn page_and_index(id: PacketId) -> (usize, usize) {
    let id = usize::from(id.get());
    (id / PAGE, id % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rotate_and_skip_zero_and_those_in_use() {
        let mut ids = PacketIds::new();
        let first = ids.allocate(7).unwrap();
        assert_eq!((first.get(), ids.owner(first)), (1, Some(7)));
        for _ in 2..=65_535 {
            let id = ids.allocate(8).unwrap();
            ids.release(id);
        }
        assert_eq!(
            ids.allocate(9).unwrap().get(),
            2,
            "1 is still in use, and 0 is no identifier"
        );
    }

    #[test]
    fn all_65535_can_be_in_use_and_no_more() {
        let mut ids = PacketIds::new();
        let taken: Vec<_> = (0..65_535)
            .map(|owner| ids.allocate(owner).unwrap())
            .collect();
        assert_eq!(ids.allocate(0), None);
        ids.release(taken[100]);
        assert_eq!(ids.allocate(0), Some(taken[100]));
        for id in taken {
            ids.release(id);
        }
        assert!(
            ids.pages.iter().all(Option::is_none),
            "no page outlives its identifiers"
        );
    }
}
