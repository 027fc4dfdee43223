//! Subscriptions that the server has forgotten: asked for again, or told of as lost.

use dunlin_codec::{RetainHandling, SubscribeProperties, SubscriptionOptions, TopicFilter};

use super::operation::{Kind, OperationId};
use super::request::{encode_subscribe, encode_unsubscribe, requested};
use super::subscriptions::ActiveSubscription;
use super::{Engine, EngineEvent, State};
use crate::error::RequestError;
use crate::event::ServerLimits;

/// Filters in one SUBSCRIBE of the engine's own: as many as AWS IoT Core takes.
const FILTERS_PER_SUBSCRIBE: usize = 8;

impl Engine {
    /// Asks again for what the server granted, and may have forgotten since.
    pub(super) fn renew_subscriptions(&mut self) {
        let State::Open(connection) = &self.state else { return };
        let limits = connection.limits;
        let doubtful = self.session.subscriptions.in_order().into_iter().filter(|active| !active.is_current);
        let mut kept = Vec::new();
        for active in doubtful.cloned().collect::<Vec<_>>() {
            match missing_feature(&active.filter, &limits) {
                None => kept.push(active),
                Some(cause) => self.lose_subscription(&active.filter, active.order, cause),
            }
        }
        // One SUBSCRIBE has one identifier, so those that differ in it can't share one.
        let identifier =
            |each: &ActiveSubscription| each.identifier.filter(|_| limits.subscription_identifier_available);
        for alike in kept.chunk_by(|one, next| identifier(one) == identifier(next)) {
            for chunk in alike.chunks(FILTERS_PER_SUBSCRIBE) {
                self.renew(chunk, limits.maximum_packet_size);
            }
        }
    }

    /// All of them in one SUBSCRIBE, or in as few as the server's Maximum Packet Size allows. [MQTT-3.2.2-15]
    fn renew(&mut self, chunk: &[ActiveSubscription], maximum_packet_size: u32) {
        let filters: Vec<_> = chunk.iter().map(|each| (each.filter.as_str(), if_new(each.options))).collect();
        let identifier = chunk.first().and_then(|first| first.identifier);
        let properties =
            SubscribeProperties { subscription_identifier: identifier, ..SubscribeProperties::default() };
        let Ok(packet) = encode_subscribe(&filters, properties) else { return };
        if packet.len() <= maximum_packet_size as usize {
            let id = self.session.operations.insert(Kind::Resubscribe, packet);
            // What is repeated may have taken all identifiers.
            if self.session.ids.is_full() {
                self.session.wait_first(id);
            } else {
                self.send(id);
            }
            return;
        }
        match chunk {
            [] => {}
            [alone] => {
                let too_large = RequestError::TooLarge { size: packet.len(), limit: maximum_packet_size };
                self.lose_subscription(&alone.filter, alone.order, too_large);
            }
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                self.renew(first, maximum_packet_size);
                self.renew(second, maximum_packet_size);
            }
        }
    }

    /// The server didn't answer a renewal in time. It may have granted it all the same, and is told that nobody wants it.
    pub(super) fn give_renewal_up(&mut self, id: OperationId) {
        let Some(renewal) = self.session.operations.get_by(id) else { return };
        let (packet, order) = (renewal.packet.clone(), renewal.order);
        let mut filters: Vec<_> = requested(&packet).into_iter().map(|(filter, _)| filter).collect();
        // What was asked for since is another subscription: it stays, and an UNSUBSCRIBE would end it.
        filters.retain(|filter| {
            self.session.subscriptions.is_older(filter, order)
                && !self.session.operations.ask_for(filter, Kind::Subscribe)
        });
        let after = self.options.ack_timeout;
        for filter in &filters {
            self.lose_subscription(filter, order, RequestError::Timeout { after });
        }
        self.end_unasked(&filters);
    }

    /// Tells the server that nobody wants these. Nobody waits for the answer, so it doesn't stand in the queue's limits,
    /// and costs nobody a place there.
    pub(super) fn end_unasked(&mut self, filters: &[&str]) {
        if let Ok(packet) = encode_unsubscribe(filters)
            && let Ok(operation) = self.accept(Kind::Unsubscribe, packet)
        {
            self.forget(operation);
        }
    }

    /// The application's own SUBSCRIBE for `filter` failed: an earlier subscription that hasn't been renewed since, and
    /// that nobody renews any more, ends with it.
    pub(super) fn lose_unrenewed(&mut self, filter: &str, order: u64, cause: &RequestError) {
        let (subscriptions, operations) = (&self.session.subscriptions, &self.session.operations);
        if subscriptions.is_doubtful(filter) && !operations.ask_for(filter, Kind::Resubscribe) {
            self.lose_subscription(filter, order, cause.clone());
        }
    }

    /// A subscription that was asked for up to the place `order` has ended, and nobody wished it to.
    pub(super) fn lose_subscription(&mut self, filter: &str, order: u64, cause: RequestError) {
        self.session.subscriptions.end(filter, order);
        self.events.push_back(EngineEvent::SubscriptionLost { filter: filter.to_owned(), cause });
    }
}

/// The server may remember the subscription after all: retained messages come only if it doesn't.
fn if_new(options: SubscriptionOptions) -> SubscriptionOptions {
    match options.retain_handling {
        RetainHandling::Send => SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..options },
        RetainHandling::SendIfNew | RetainHandling::DontSend => options,
    }
}

/// What the server would have to have for a subscription to `filter`, if it lacks it. [U-3.2.2-3]
pub(super) fn missing_feature(filter: &str, limits: &ServerLimits) -> Option<RequestError> {
    let filter = TopicFilter::new(filter).ok()?;
    if filter.is_shared() && !limits.shared_subscription_available {
        return Some(RequestError::SharedNotSupported);
    }
    if filter.has_wildcard() && !limits.wildcard_subscription_available {
        return Some(RequestError::WildcardNotSupported);
    }
    None
}
