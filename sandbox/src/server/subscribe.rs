//! SUBSCRIBE and UNSUBSCRIBE.

use std::time::Instant;

use dunlin_codec::{
    Packet, QoS, ReasonCode, Repeated, RetainHandling, SubAck, SubAckProperties, Subscribe, Subscription,
    SubscriptionOptions, TopicFilter, UnsubAck, Unsubscribe,
};

use crate::event::Event;
use crate::fault::Fault;
use crate::policy::{Action, Decision};
use crate::server::denied::Denied;
use crate::server::end::End;
use crate::server::hub::{Hub, Subscribed};
use crate::server::limits::MAX_SUBSCRIPTIONS_PER_REQUEST;
use crate::server::open::Open;
use crate::server::output::Output;
use crate::server::topics;

/// A subscription that was made.
struct Granted {
    qos: QoS,
    decision: Decision,
    is_new: bool,
}

impl Open {
    pub(crate) fn handle_subscribe(
        &self,
        subscribe: &Subscribe<'_>,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(), End> {
        if self.settings.faults.has(&Fault::DropOnSubscribe) {
            return Err(End::Dropped);
        }
        check_request(subscribe)?;
        let mut reason_codes = Vec::with_capacity(subscribe.subscriptions.len());
        let mut first_denial = None;
        for subscription in &subscribe.subscriptions {
            let outcome = self.subscribe(subscription, hub);
            output.log(self.subscribe_event(subscription.filter, &outcome));
            match outcome {
                Ok(granted) => {
                    reason_codes.push(granted_code(granted.qos));
                    self.send_retained(subscription, &granted, hub, now);
                }
                Err(denied) => {
                    reason_codes.push(denied.reason_code);
                    first_denial.get_or_insert(denied);
                }
            }
        }
        let ending = first_denial.as_ref().and_then(|denied| denied.ending(self.settings.denials.operation));
        if let Some(end) = ending {
            return Err(end);
        }
        let reason = first_denial.as_ref().map(|denied| denied.reason.as_str());
        output.send_explained(output.explaining(reason), |reason_string| {
            let properties = SubAckProperties { reason_string, ..SubAckProperties::default() };
            let reason_codes = Repeated::from(reason_codes.as_slice());
            Packet::SubAck(SubAck { packet_id: subscribe.packet_id, properties, reason_codes })
        });
        let is_over_quota = reason_codes.contains(&ReasonCode::QuotaExceeded);
        if is_over_quota && self.settings.faults.suback().is_none() {
            // The service rejects what is above the limit, and then closes the connection.
            return Err(End::told(ReasonCode::QuotaExceeded, "a connection may have 50 subscriptions"));
        }
        Ok(())
    }

    pub(crate) fn handle_unsubscribe(
        &self,
        unsubscribe: &Unsubscribe<'_>,
        output: &mut Output,
        hub: &mut Hub,
    ) {
        // AWS IoT doesn't list 0x11, "no subscription existed", among its codes.
        let reason_codes = vec![ReasonCode::Success; unsubscribe.filters.len()];
        for filter in &unsubscribe.filters {
            if let Some(session) = hub.session(&self.client_id, self.connection) {
                session.unsubscribe(filter);
            }
            let filter = filter.as_str().into();
            output.log(Event::Unsubscribe { client_id: self.client_id.to_string(), filter });
        }
        output.send(&Packet::UnsubAck(UnsubAck {
            packet_id: unsubscribe.packet_id,
            properties: SubAckProperties::default(),
            reason_codes: Repeated::from(reason_codes.as_slice()),
        }));
    }

    fn subscribe(&self, subscription: Subscription<'_>, hub: &mut Hub) -> Result<Granted, Denied> {
        let Subscription { filter, options } = subscription;
        if let Some(reason_code) = self.settings.faults.suback() {
            return Err(Denied::on_purpose(reason_code));
        }
        if filter.is_shared() {
            let reason_code = ReasonCode::SharedSubscriptionsNotSupported;
            return Err(Denied::new(reason_code, "shared subscriptions aren't available"));
        }
        topics::check(&filter).map_err(|limit| Denied::new(ReasonCode::TopicFilterInvalid, limit))?;
        let decision = Denied::unless_allowed(self.decide(Action::Subscribe, &filter))?;
        // QoS 2 is granted as 1: the CONNACK has announced the maximum. [MQTT-3.2.2-10]
        let qos = options.qos.min(QoS::AtLeastOnce);
        let session = hub.session(&self.client_id, self.connection);
        match session.map(|session| session.subscribe(filter, SubscriptionOptions { qos, ..options })) {
            Some(Subscribed::New) => Ok(Granted { qos, decision, is_new: true }),
            Some(Subscribed::Replaced) => Ok(Granted { qos, decision, is_new: false }),
            Some(Subscribed::TooMany) => {
                Err(Denied::new(ReasonCode::QuotaExceeded, "a connection may have 50 subscriptions"))
            }
            None => {
                Err(Denied::new(ReasonCode::UnspecifiedError, "another client has taken the client id over"))
            }
        }
    }

    fn send_retained(&self, subscription: Subscription<'_>, granted: &Granted, hub: &mut Hub, now: Instant) {
        let wanted = match subscription.options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => granted.is_new,
            RetainHandling::DontSend => false,
        };
        if wanted && !self.settings.faults.has(&Fault::NoDeliver) {
            hub.send_retained(&self.client_id, self.connection, subscription.filter, granted.qos, now);
        }
    }

    fn subscribe_event(&self, filter: TopicFilter<'_>, outcome: &Result<Granted, Denied>) -> Event {
        let outcome = match outcome {
            Ok(granted) => Ok((granted.qos, granted.decision.clone())),
            Err(denied) => Err(denied.clone()),
        };
        Event::Subscribe {
            client_id: self.client_id.to_string(),
            filter: filter.as_str().into(),
            outcome: outcome.into(),
        }
    }
}

fn check_request(subscribe: &Subscribe<'_>) -> Result<(), End> {
    if subscribe.properties.subscription_identifier.is_some() {
        let code = ReasonCode::SubscriptionIdentifiersNotSupported;
        return Err(End::told(code, "subscription identifiers aren't available"));
    }
    if subscribe.subscriptions.len() > MAX_SUBSCRIPTIONS_PER_REQUEST {
        let reason = "one SUBSCRIBE has more than 8 subscriptions";
        return Err(End::told(ReasonCode::QuotaExceeded, reason));
    }
    Ok(())
}

const fn granted_code(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::GRANTED_QOS_0,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
