//! Subscriptions that the server has forgotten: asked for again, or told of as lost.

use dunlin_codec::{
    PacketType, ReasonCode, RetainHandling, SubscribeProperties, SubscriptionOptions, TopicFilter,
};

use super::operation::Kind;
use super::request::encode_subscribe;
use super::subscriptions::ActiveSubscription;
use super::{Engine, EngineEvent, State};
use crate::error::ServerReason;
use crate::event::ServerLimits;

/// Filters in one SUBSCRIBE of the engine's own: as many as AWS IoT Core takes.
const FILTERS_PER_SUBSCRIBE: usize = 8;

impl Engine {
    /// Asks again for what the server granted, and may have forgotten since.
    pub(super) fn renew_subscriptions(&mut self) {
        let State::Open(connection) = &self.state else { return };
        let limits = connection.limits;
        let (kept, lost): (Vec<_>, Vec<_>) = self
            .session
            .subscriptions
            .in_order()
            .into_iter()
            .filter(|active| !active.is_current)
            .cloned()
            .partition(|active| missing_feature(&active.filter, &limits).is_none());
        for active in &lost {
            let reason_code = missing_feature(&active.filter, &limits);
            self.lose_subscription(active, reason_code.unwrap_or(ReasonCode::UnspecifiedError));
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

    /// Whether or not the server can be told: nobody wants this subscription any more.
    #[cfg(feature = "tokio")]
    pub(crate) fn let_lapse(&mut self, filter: &str) {
        self.session.subscriptions.end(filter, u64::MAX);
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
            self.send(id);
            return;
        }
        match chunk {
            [] => {}
            [alone] => self.lose_subscription(alone, ReasonCode::PacketTooLarge),
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                self.renew(first, maximum_packet_size);
                self.renew(second, maximum_packet_size);
            }
        }
    }

    /// The server's CONNACK said that it doesn't take this one any more.
    fn lose_subscription(&mut self, active: &ActiveSubscription, reason_code: ReasonCode) {
        self.session.subscriptions.end(&active.filter, active.order);
        let filter = active.filter.clone();
        let reason = ServerReason::new(PacketType::ConnAck, reason_code, None, []);
        self.events.push_back(EngineEvent::SubscriptionLost { filter, reason });
    }
}

/// The server may remember the subscription after all: retained messages come only if it doesn't.
fn if_new(options: SubscriptionOptions) -> SubscriptionOptions {
    match options.retain_handling {
        RetainHandling::Send => SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..options },
        RetainHandling::SendIfNew | RetainHandling::DontSend => options,
    }
}

/// What the server would have to have for a subscription to `filter`, if it lacks it.
pub(super) fn missing_feature(filter: &str, limits: &ServerLimits) -> Option<ReasonCode> {
    let filter = TopicFilter::new(filter).ok()?;
    if filter.is_shared() && !limits.shared_subscription_available {
        return Some(ReasonCode::SharedSubscriptionsNotSupported);
    }
    if filter.has_wildcard() && !limits.wildcard_subscription_available {
        return Some(ReasonCode::WildcardSubscriptionsNotSupported);
    }
    None
}
