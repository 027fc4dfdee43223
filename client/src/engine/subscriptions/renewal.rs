//! Subscriptions that the server has forgotten: requested again, or reported as lost.

use std::collections::VecDeque;

use dunlin_codec::{
    RetainHandling, SubscribeProperties, SubscriptionOptions, UnsubscribeProperties,
};

use super::batches::Batches;
use super::{ActiveSubscription, Subscriptions};
use crate::engine::core::Core;
use crate::engine::engine_event::EngineEvent;
use crate::engine::outbound::Outbound;
use crate::engine::outbound::flow::{Flow, missing_feature};
use crate::engine::outbound::request::{Request, SubscribeRequest, UnsubscribeRequest};
use crate::engine::outbound::send_context::SendContext;
use crate::engine::outbound::timeouts::TimedOutSubscribe;
use crate::error::RequestError;

/// Requests what the server granted and may have forgotten since, in as few packets as the limits
/// allow: those of the service ([`ConnectOptions::limits`](crate::ConnectOptions::limits)) and the
/// server's Maximum Packet Size.
pub(in crate::engine) fn renew_subscriptions(flow: &mut Flow, core: &mut Core) {
    let server = flow.server;
    let maximum = core
        .options
        .limits
        .map_or(usize::MAX, |limits| limits.filters.max(1));
    let is_shared = core.shared_identifiers.is_allowed;
    // Few packets are answered sooner than many.
    let mut batches = Batches::new(maximum, server.maximum_packet_size, is_shared);
    let subscriptions = &mut core.session.subscriptions;
    let active = subscriptions.in_order().into_iter();
    let doubtful: Vec<_> = active.filter(|each| !each.is_current).cloned().collect();

    // Subscriptions that need a feature which this server lacks are lost.
    for mut active in doubtful {
        active.identifier = active
            .identifier
            .filter(|_| server.subscription_identifier_available);
        match missing_feature(&active.filter, &server) {
            None => batches.add(active),
            Some(cause) => {
                let events = &mut core.events;
                lose_subscription(&active.filter, active.order, cause, subscriptions, events);
            }
        }
    }
    for batch in batches.finish() {
        renew_batch(&batch, flow, core);
    }
}

/// Requests all subscriptions of a batch in one SUBSCRIBE, with the identifier of the first.
fn renew_batch(batch: &[ActiveSubscription], flow: &mut Flow, core: &mut Core) {
    let filters: Vec<_> = batch
        .iter()
        .map(|each| (each.filter.as_str(), if_new(each.options)))
        .collect();
    let identifier = batch.first().and_then(|first| first.identifier);
    let properties = SubscribeProperties {
        subscription_identifier: identifier,
        ..SubscribeProperties::default()
    };
    // The filters were valid when they were granted.
    let Ok(mut subscribe) = SubscribeRequest::new(&filters, properties) else {
        return;
    };
    subscribe.is_resubscribe = true;

    // A batch that is too large has one filter. [MQTT-3.2.2-15]
    if let Err(too_large) = flow.check_size(subscribe.size()) {
        let (subscriptions, events) = (&mut core.session.subscriptions, &mut core.events);
        for each in batch {
            let cause = too_large.clone();
            lose_subscription(&each.filter, each.order, cause, subscriptions, events);
        }
        return;
    }

    // Messages for any of them will carry the same identifier.
    let shared = &mut core.shared_identifiers;
    if let (Some(identifier), true) = (identifier, batch.len() > 1 && shared.is_allowed) {
        let filters = batch.iter().map(|each| each.filter.clone()).collect();
        shared.shared.push((identifier, filters));
    }
    let (session, _, mut cx) = core.split(Some(flow));
    let outbound = &mut session.outbound;
    let request = Request::Subscribe(Box::new(subscribe));
    let id = outbound.operations.insert(request);
    // Repetitions may need all packet identifiers.
    if outbound.packet_ids.is_full() {
        outbound.queue_first(id);
    } else {
        outbound.send(id, &mut cx);
    }
}

/// Handles a SUBSCRIBE that timed out: subscriptions may be lost with it.
pub(in crate::engine) fn handle_timed_out(
    timed_out: TimedOutSubscribe,
    outbound: &mut Outbound,
    subscriptions: &mut Subscriptions,
    events: &mut VecDeque<EngineEvent>,
    cx: &mut SendContext<'_>,
) {
    let TimedOutSubscribe {
        subscribe,
        order,
        error,
    } = timed_out;
    // A request of the application: only what it should have renewed is lost.
    if !subscribe.is_resubscribe {
        for filter in subscribe.filters() {
            let cause = || error.clone();
            lose_unrenewed(filter, order, cause, outbound, subscriptions, events);
        }
        return;
    }

    // A subscription that was requested since is another one: it stays, and an UNSUBSCRIBE would
    // end it.
    let filters: Vec<_> = subscribe
        .filters()
        .filter(|filter| {
            subscriptions.is_older(filter, order) && !outbound.operations.is_subscribing(filter)
        })
        .collect();
    for filter in &filters {
        let after = cx.options.ack_timeout;
        let cause = RequestError::Timeout { after };
        lose_subscription(filter, order, cause, subscriptions, events);
    }
    // The server may have granted it all the same.
    unsubscribe_unattended(&filters, outbound, cx);
}

/// Sends an UNSUBSCRIBE that nobody waits for. It takes no place within the queue's limits.
pub(super) fn unsubscribe_unattended(
    filters: &[&str],
    outbound: &mut Outbound,
    cx: &mut SendContext<'_>,
) {
    if let Ok(request) = UnsubscribeRequest::new(filters, UnsubscribeProperties::default())
        && let Ok(id) = outbound.submit(Request::Unsubscribe(Box::new(request)), cx)
    {
        outbound.operations.forget(id);
    }
}

/// Handles a SUBSCRIBE of the application for `filter` that failed: an earlier subscription that
/// was not renewed since, and that no resubscription asks for, ends with it.
pub(super) fn lose_unrenewed(
    filter: &str,
    order: u64,
    cause: impl FnOnce() -> RequestError,
    outbound: &Outbound,
    subscriptions: &mut Subscriptions,
    events: &mut VecDeque<EngineEvent>,
) {
    if subscriptions.is_doubtful(filter) && !outbound.operations.is_resubscribing(filter) {
        lose_subscription(filter, order, cause(), subscriptions, events);
    }
}

/// Ends and reports a subscription that was requested no later than `order`, and that the
/// application did not end.
pub(super) fn lose_subscription(
    filter: &str,
    order: u64,
    cause: RequestError,
    subscriptions: &mut Subscriptions,
    events: &mut VecDeque<EngineEvent>,
) {
    subscriptions.end(filter, order);
    events.push_back(EngineEvent::SubscriptionLost {
        filter: filter.to_owned(),
        cause: Box::new(cause),
    });
}

/// Options of a resubscription: the server may remember the subscription after all, and sends
/// retained messages only if it does not.
fn if_new(options: SubscriptionOptions) -> SubscriptionOptions {
    match options.retain_handling {
        RetainHandling::Send => SubscriptionOptions {
            retain_handling: RetainHandling::SendIfNew,
            ..options
        },
        RetainHandling::SendIfNew | RetainHandling::DontSend => options,
    }
}
