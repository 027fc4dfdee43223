//! Subscriptions that the server has forgotten: asked for again, or told of as lost.

#[cfg(feature = "tokio")]
use dunlin_codec::SubscriptionIdentifier;
use dunlin_codec::{
    RetainHandling, SubscribeProperties, SubscriptionOptions, TopicFilter, UnsubscribeProperties,
};

use crate::engine::outbound::operation::{Kind, OperationId};
use crate::engine::outbound::request::{encode_subscribe, encode_unsubscribe, requested};
use crate::engine::subscriptions::batches::Batches;
use crate::engine::subscriptions::granted::ActiveSubscription;
use crate::engine::{Engine, EngineEvent, State};
use crate::error::RequestError;
use crate::event::ServerLimits;

impl Engine {
    /// Asks again for what the server granted, and may have forgotten since, in as few packets as
    /// the limits allow: those of the service
    /// ([`ConnectOptions::limits`](crate::ConnectOptions::limits)) and the server's Maximum Packet
    /// Size.
    pub(in crate::engine) fn renew_subscriptions(&mut self) {
        let State::Open(connection) = &self.state else {
            return;
        };
        let limits = connection.limits;
        let doubtful = self
            .session
            .subscriptions
            .in_order()
            .into_iter()
            .filter(|active| !active.is_current);
        let most = self
            .options
            .limits
            .map_or(usize::MAX, |limits| limits.filters.max(1));
        let mut batches = Batches::new(most, limits.maximum_packet_size, self.shares_identifiers);

        // What this server can't have is lost.
        for mut active in doubtful.cloned().collect::<Vec<_>>() {
            active.identifier = active
                .identifier
                .filter(|_| limits.subscription_identifier_available);
            match missing_feature(&active.filter, &limits) {
                None => batches.add(active),
                Some(cause) => self.lose_subscription(&active.filter, active.order, cause),
            }
        }
        for batch in batches.finish() {
            self.renew(&batch, limits.maximum_packet_size);
        }
    }

    /// Asks for all of them in one SUBSCRIBE, with the identifier of the first.
    fn renew(&mut self, batch: &[ActiveSubscription], maximum_packet_size: u32) {
        let filters: Vec<_> = batch
            .iter()
            .map(|each| (each.filter.as_str(), if_new(each.options)))
            .collect();
        let identifier = batch.first().and_then(|first| first.identifier);
        let properties = SubscribeProperties {
            subscription_identifier: identifier,
            ..SubscribeProperties::default()
        };
        let Ok(packet) = encode_subscribe(&filters, properties) else {
            return;
        };

        // A batch that is too large has one filter. [MQTT-3.2.2-15]
        if packet.len() > maximum_packet_size as usize {
            for each in batch {
                let too_large = RequestError::TooLarge {
                    size: packet.len(),
                    limit: maximum_packet_size,
                };
                self.lose_subscription(&each.filter, each.order, too_large);
            }
            return;
        }

        if let (Some(identifier), true) = (identifier, batch.len() > 1 && self.shares_identifiers) {
            let filters = batch.iter().map(|each| each.filter.clone()).collect();
            self.shared_identifiers.push((identifier, filters));
        }
        let id = self.session.operations.insert(Kind::Resubscribe, packet);
        // What is repeated may have taken all identifiers.
        if self.session.ids.is_full() {
            self.session.wait_first(id);
        } else {
            self.send(id);
        }
    }

    /// From now on, a renewal may give one subscription identifier to several subscriptions, as
    /// long as their filters have no topic in common.
    /// [`take_shared_identifiers`](Self::take_shared_identifiers) tells which.
    #[cfg(feature = "tokio")]
    pub(crate) const fn share_identifiers(&mut self) {
        self.shares_identifiers = true;
    }

    /// Identifiers that several filters have since they were renewed on this connection.
    #[cfg(feature = "tokio")]
    pub(crate) fn take_shared_identifiers(&mut self) -> Vec<(SubscriptionIdentifier, Vec<String>)> {
        std::mem::take(&mut self.shared_identifiers)
    }

    /// The server didn't answer a renewal in time. It may have granted it all the same, and is told
    /// that nobody wants it.
    pub(in crate::engine) fn give_renewal_up(&mut self, id: OperationId) {
        let Some(renewal) = self.session.operations.get_by(id) else {
            return;
        };
        let (packet, order) = (renewal.packet.clone(), renewal.order);
        let mut filters: Vec<_> = requested(&packet)
            .into_iter()
            .map(|(filter, _)| filter)
            .collect();
        // What was asked for since is another subscription: it stays, and an UNSUBSCRIBE would end
        // it.
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

    /// Tells the server that nobody wants these. Nobody waits for the answer, so it doesn't stand
    /// in the queue's limits, and costs nobody a place there.
    pub(in crate::engine) fn end_unasked(&mut self, filters: &[&str]) {
        if let Ok(packet) = encode_unsubscribe(filters, UnsubscribeProperties::default())
            && let Ok(operation) = self.accept(Kind::Unsubscribe, packet)
        {
            self.forget(operation);
        }
    }

    /// The application's own SUBSCRIBE for `filter` failed: an earlier subscription that hasn't
    /// been renewed since, and that nobody renews any more, ends with it.
    pub(in crate::engine) fn lose_unrenewed(
        &mut self,
        filter: &str,
        order: u64,
        cause: impl FnOnce() -> RequestError,
    ) {
        let (subscriptions, operations) = (&self.session.subscriptions, &self.session.operations);
        if subscriptions.is_doubtful(filter) && !operations.ask_for(filter, Kind::Resubscribe) {
            self.lose_subscription(filter, order, cause());
        }
    }

    /// A subscription that was asked for up to the place `order` has ended, and nobody wished it
    /// to.
    pub(in crate::engine) fn lose_subscription(
        &mut self,
        filter: &str,
        order: u64,
        cause: RequestError,
    ) {
        self.session.subscriptions.end(filter, order);
        self.events.push_back(EngineEvent::SubscriptionLost {
            filter: filter.to_owned(),
            cause: Box::new(cause),
        });
    }
}

/// The server may remember the subscription after all: retained messages come only if it doesn't.
fn if_new(options: SubscriptionOptions) -> SubscriptionOptions {
    match options.retain_handling {
        RetainHandling::Send => SubscriptionOptions {
            retain_handling: RetainHandling::SendIfNew,
            ..options
        },
        RetainHandling::SendIfNew | RetainHandling::DontSend => options,
    }
}

/// What the server would have to have for a subscription to `filter`, if it lacks it. [U-3.2.2-3]
pub(in crate::engine) fn missing_feature(
    filter: &str,
    limits: &ServerLimits,
) -> Option<RequestError> {
    let filter = TopicFilter::new(filter).ok()?;
    if filter.is_shared() && !limits.shared_subscription_available {
        return Some(RequestError::SharedNotSupported);
    }
    if filter.has_wildcard() && !limits.wildcard_subscription_available {
        return Some(RequestError::WildcardNotSupported);
    }
    None
}
