//! Subscriptions that nobody wants any more, and that nobody waits for the end of.

use crate::engine::Engine;
use crate::engine::outbound::operation::{Kind, Operation, Phase};
use crate::engine::outbound::request::requested;
use crate::engine::session::Session;
use crate::error::RequestError;

impl Engine {
    /// The last stream of `filter` is gone: what was never sent for it is taken back, and a server
    /// that may have the subscription is told, with a connection or with the next one.
    pub(crate) fn let_lapse(&mut self, filter: &str) {
        let taken_back = self.session.take_back(filter);
        let may_be_granted =
            self.session.subscriptions.contains(filter) || self.session.operations.may_get(filter);
        self.session.subscriptions.end(filter, u64::MAX);
        if may_be_granted || !taken_back {
            self.end_unasked(&[filter]);
        }
    }
}

impl Session {
    /// Takes SUBSCRIBEs for `filter` alone back that no server has seen, if nobody waits for them;
    /// whether there were any.
    fn take_back(&mut self, filter: &str) -> bool {
        let is_unseen = |each: &Operation| {
            let is_it = each.kind == Kind::Subscribe && each.phase == Phase::Queued;
            is_it
                && !each.is_anew
                && !each.wanted
                && matches!(requested(&each.packet)[..], [(alone, _)] if alone == filter)
        };
        let unseen: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, each)| is_unseen(each))
            .map(|(id, _)| id)
            .collect();
        for id in &unseen {
            self.operations.finish(id.key(), Err(RequestError::Offline));
            self.queue.leave_gap(&self.operations);
        }
        !unseen.is_empty()
    }
}
