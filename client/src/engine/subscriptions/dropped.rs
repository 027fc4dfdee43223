//! Subscriptions that the application has no stream for any more.

use super::renewal::unsubscribe_unattended;
use crate::engine::core::Core;
use crate::engine::outbound::flow::Flow;

/// Ends the subscription to `filter` without a receipt.
///
/// A SUBSCRIBE that was never sent is withdrawn. A server that may have the subscription gets an
/// UNSUBSCRIBE, on this connection or the next one.
pub(in crate::engine) fn drop_subscription(filter: &str, flow: Option<&mut Flow>, core: &mut Core) {
    let (session, _, mut cx) = core.split(flow);
    let (outbound, subscriptions) = (&mut session.outbound, &mut session.subscriptions);
    // What was never sent leaves no trace.
    let was_withdrawn = outbound.withdraw_subscribes(filter, cx.statistics);
    // The server may have the subscription, or may still grant it.
    let may_be_granted =
        subscriptions.contains(filter) || outbound.operations.may_be_granted(filter);
    subscriptions.end(filter, u64::MAX);
    if may_be_granted || !was_withdrawn {
        unsubscribe_unattended(&[filter], outbound, &mut cx);
    }
}
