//! Acceptance of requests: within the queue's limits, or by a policy that makes space.

use std::collections::BTreeSet;

use dunlin_codec::{QoS, SubscriptionOptions};

use super::Outbound;
use super::send_context::SendContext;
use crate::engine::subscriptions::Subscriptions;
use crate::error::RequestError;
use crate::options::ConnectOptions;
use crate::policy::Offline;

impl Outbound {
    /// Checks whether a request of `size` bytes may be accepted, and drops older messages for it if
    /// the policy says so. `qos` is that of a message; `None` for other requests.
    ///
    /// # Errors
    /// [`RequestError::Offline`] if the policy refuses requests without a connection,
    /// [`RequestError::QueueFull`] if there is no space.
    pub(in crate::engine) fn admit(
        &mut self,
        qos: Option<QoS>,
        size: usize,
        cx: &mut SendContext<'_>,
    ) -> Result<(), RequestError> {
        let (options, output) = (cx.options, cx.output.len());
        let policy = options.offline;
        // The policy for the time without a connection.
        let refuses = match policy {
            Offline::KeepAll | Offline::DropOldest => false,
            Offline::DropQoS0 => qos == Some(QoS::AtMostOnce),
            Offline::Reject => true,
        };
        if refuses && cx.flow.is_none() {
            return Err(RequestError::Offline);
        }
        // With `DropOldest`, one message after another makes space.
        while !self.has_space(size, output, options) {
            // A request that is too large for an empty queue makes no other one fail.
            let may_fit = output.saturating_add(size) <= options.queue.bytes;
            if policy != Offline::DropOldest || !may_fit || !self.drop_oldest(cx.statistics) {
                let (count, bytes) = self.operations.load();
                let bytes = bytes + output;
                return Err(RequestError::QueueFull { count, bytes });
            }
        }
        Ok(())
    }

    /// Returns `true` if a request of `size` bytes fits beside `output` bytes of output. A single
    /// one always does: the server limits the size of packets.
    pub(in crate::engine) fn has_space(
        &self,
        size: usize,
        output: usize,
        options: &ConnectOptions,
    ) -> bool {
        let ((count, bytes), limits) = (self.operations.load(), options.queue);
        let bytes = bytes + output;
        count < limits.count && (bytes == 0 || bytes.saturating_add(size) <= limits.bytes)
    }

    /// Checks further subscriptions against the limits of the service, beside those that were
    /// granted or requested.
    ///
    /// # Errors
    /// [`RequestError::Limit`] for more subscriptions or filters than the service takes.
    pub(in crate::engine) fn check_service_limits(
        &self,
        filters: &[(&str, SubscriptionOptions)],
        granted: &Subscriptions,
        options: &ConnectOptions,
    ) -> Result<(), RequestError> {
        let Some(limits) = &options.limits else {
            return Ok(());
        };
        // Requests that are not answered yet may become subscriptions.
        let requested = self
            .operations
            .subscribes()
            .flat_map(|request| request.filters());
        let all = requested.chain(filters.iter().map(|(filter, _)| *filter));
        // A filter that is subscribed to already is not another subscription.
        let new: BTreeSet<_> = all.filter(|filter| !granted.contains(filter)).collect();
        Ok(limits.check_subscribe(filters, granted.len() + new.len())?)
    }
}
