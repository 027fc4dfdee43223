//! Which requests are accepted: there has to be room, or a policy that makes it.

use std::collections::BTreeSet;

use dunlin_codec::{QoS, SubscriptionOptions};

use crate::engine::Engine;
use crate::engine::outbound::request::requested;
use crate::error::RequestError;
use crate::policy::Offline;

impl Engine {
    /// Whether a request of `more` bytes may join those that wait; a message has its QoS.
    pub(in crate::engine) fn admit(
        &mut self,
        message: Option<QoS>,
        more: usize,
    ) -> Result<(), RequestError> {
        let policy = self.options.offline;
        let refuses = match policy {
            Offline::KeepAll | Offline::DropOldest => false,
            Offline::DropQoS0 => message == Some(QoS::AtMostOnce),
            Offline::Reject => true,
        };
        if refuses && !self.is_connected() {
            return Err(RequestError::Offline);
        }
        while !self.has_room(more) {
            // What no room would do for costs nobody theirs.
            let may_fit = self.output.len().saturating_add(more) <= self.options.queue.bytes;
            if policy != Offline::DropOldest || !may_fit || !self.session.drop_oldest() {
                let (count, bytes) = self.load();
                return Err(RequestError::QueueFull { count, bytes });
            }
        }
        Ok(())
    }

    /// Whether the service takes these subscriptions besides those that there are.
    pub(in crate::engine) fn check_limits(
        &self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> Result<(), RequestError> {
        let Some(limits) = &self.options.limits else {
            return Ok(());
        };
        let active = &self.session.subscriptions;
        let asked: Vec<_> = self
            .session
            .operations
            .subscribes()
            .map(|each| requested(&each.packet))
            .collect();
        let all = asked
            .iter()
            .flatten()
            .chain(filters)
            .map(|(filter, _)| *filter);
        let new: BTreeSet<_> = all.filter(|filter| !active.contains(filter)).collect();
        Ok(limits.check_subscribe(filters, active.len() + new.len())?)
    }

    /// Whether a request of `more` bytes fits. One alone always does: how large it may be is the
    /// server's matter.
    pub fn has_room(&self, more: usize) -> bool {
        let ((count, bytes), limits) = (self.load(), self.options.queue);
        count < limits.count && (bytes == 0 || bytes.saturating_add(more) <= limits.bytes)
    }
}
