//! SUBSCRIBE and UNSUBSCRIBE of a client.

use dunlin_codec::{
    Packet, QoS, ReasonCode, Repeated, RetainHandling, SubAck, SubAckProperties, Subscribe,
    SubscriptionIdentifier, SubscriptionOptions, TopicFilter, UnsubAck, Unsubscribe,
};

use crate::event::{Event, Outcome};
use crate::fault::Fault;
use crate::policy::{Action, Decision};
use crate::qos2::SubscribeQoS2;
use crate::server::close_reason::CloseReason;
use crate::server::limit::{Limit, at_most};
use crate::server::open::Open;
use crate::server::request_refusal::RequestRefusal;
use crate::server::session::Subscription;
use crate::server::topics;
use crate::server::turn::Turn;

/// A subscription that was made.
struct Granted {
    subscription: Subscription,
    decision: Decision,
    is_new: bool,
}

impl Open {
    /// Handles a SUBSCRIBE: makes each subscription that limits and policy allow, and answers.
    ///
    /// # Errors
    /// The end of the connection: the SUBSCRIBE breaks a limit, or the setting closes the connection
    /// for its refusal.
    pub(super) fn handle_subscribe(
        &self,
        subscribe: &Subscribe<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        if self.settings.faults.has(&Fault::DropOnSubscribe) {
            return Err(CloseReason::Dropped);
        }

        // Checks of the whole packet, before any subscription is made.
        self.check_request(subscribe)?;
        if self.leaves_unanswered(subscribe, turn)? {
            return Ok(());
        }

        // One code for each subscription; the SUBACK has the reason of the first refusal.
        let identifier = subscribe.properties.subscription_identifier;
        let mut reason_codes = Vec::with_capacity(subscribe.subscriptions.len());
        let (mut first_refusal, mut over_quota) = (None, None);
        for subscription in &subscribe.subscriptions {
            let outcome =
                self.subscribe(subscription.filter, subscription.options, identifier, turn);
            turn.output.work += 1;
            turn.log(self.subscribe_event(subscription.filter, &outcome));
            match outcome {
                Ok(granted) => {
                    reason_codes.push(granted_code(granted.subscription.options.qos));
                    let withheld = self.send_retained(subscription.filter, &granted, turn);
                    if withheld > 0 {
                        turn.log(self.withheld_event(subscription.filter, withheld));
                    }
                }
                Err(refusal) => {
                    let reason_code = refusal.reason_code();
                    reason_codes.push(reason_code);
                    if reason_code == ReasonCode::QuotaExceeded {
                        over_quota.get_or_insert_with(|| refusal.clone());
                    }
                    first_refusal.get_or_insert(refusal);
                }
            }
        }

        // A setting may close the connection in place of the SUBACK.
        let denials = self.settings.denials;
        let close_reason = first_refusal
            .as_ref()
            .and_then(|refusal| CloseReason::for_operation(refusal, denials));
        if let Some(reason) = close_reason {
            return Err(reason);
        }
        let reason = first_refusal.as_ref().map(RequestRefusal::reason);
        let output = &mut *turn.output;
        output.send_explained(output.explaining(reason.as_deref()), |reason_string| {
            let properties = SubAckProperties {
                reason_string,
                ..SubAckProperties::default()
            };
            let reason_codes = Repeated::from(reason_codes.as_slice());
            Packet::SubAck(SubAck {
                packet_id: subscribe.packet_id,
                properties,
                reason_codes,
            })
        });

        // The service rejects what is above the limit, and then closes the connection. The fault on
        // demand only answers.
        match over_quota.filter(|refusal| !matches!(refusal, RequestRefusal::Fault(_))) {
            Some(refusal) => Err(CloseReason::Refused(refusal)),
            None => Ok(()),
        }
    }

    /// Handles an UNSUBSCRIBE: ends each subscription, and answers.
    ///
    /// # Errors
    /// The end of the connection: the UNSUBSCRIBE has more filters than one turn may handle.
    pub(super) fn handle_unsubscribe(
        &self,
        unsubscribe: &Unsubscribe<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        let rules = self.settings.rules();
        let (count, most) = (unsubscribe.filters.len(), rules.max_filters_per_unsubscribe);
        at_most(count, Some(most), |has, most| Limit::Unsubscribe {
            has,
            most,
        })?;

        // AWS IoT doesn't list 0x11, "no subscription existed", among its codes.
        let tells = rules.tells_no_subscription;

        // One code for each filter, in order. [MQTT-3.11.3-1]
        let mut reason_codes = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            let existed = turn
                .hub
                .unsubscribe(&self.client_id, self.attached.connection, filter);
            reason_codes.push(if existed || !tells {
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
            turn.output.work += 1;
            let filter = filter.as_str().into();
            turn.log(Event::Unsubscribe {
                client_id: self.client_id.to_string(),
                filter,
            });
        }
        turn.send(&Packet::UnsubAck(UnsubAck {
            packet_id: unsubscribe.packet_id,
            properties: SubAckProperties::default(),
            reason_codes: Repeated::from(reason_codes.as_slice()),
        }));
        Ok(())
    }

    fn subscribe(
        &self,
        filter: TopicFilter<'_>,
        options: SubscriptionOptions,
        identifier: Option<SubscriptionIdentifier>,
        turn: &mut Turn<'_>,
    ) -> Result<Granted, RequestRefusal> {
        // The fault, the limits of the filter, the policy, then the hub's own bounds.
        if let Some(reason_code) = self.settings.faults.suback() {
            return Err(RequestRefusal::Fault(reason_code));
        }
        let rules = self.settings.rules();
        topics::check_filter(filter, rules)?;
        let decision =
            RequestRefusal::unless_allowed(self.decide(Action::Subscribe, &filter, turn))?;
        // More than the maximum is granted as the maximum, which the CONNACK has announced.
        // [MQTT-3.2.2-10]
        let qos = options.qos.min(rules.maximum_qos);
        let subscription = Subscription {
            options: SubscriptionOptions { qos, ..options },
            identifier,
        };
        let is_new = turn.hub.subscribe(
            &self.client_id,
            self.attached.connection,
            filter,
            subscription,
        )?;
        Ok(Granted {
            subscription,
            decision,
            is_new,
        })
    }

    /// Queues the retained messages that the subscription asks for; returns the number of those that
    /// the profile doesn't send to filters with wildcards.
    fn send_retained(
        &self,
        filter: TopicFilter<'_>,
        granted: &Granted,
        turn: &mut Turn<'_>,
    ) -> usize {
        let is_requested = match granted.subscription.options.retain_handling {
            RetainHandling::Send => true,
            // [MQTT-3.3.1-10]
            RetainHandling::SendIfNew => granted.is_new,
            // [MQTT-3.3.1-11]
            RetainHandling::DontSend => false,
        };
        if !is_requested {
            return 0;
        }
        let connection = self.attached.connection;
        turn.hub.send_retained(
            &self.client_id,
            connection,
            filter,
            granted.subscription,
            turn.now,
        )
    }

    fn withheld_event(&self, filter: TopicFilter<'_>, count: usize) -> Event {
        // No packet tells the client, so only the log has it.
        let messages = if count == 1 {
            "1 retained message matches".into()
        } else {
            format!("{count} retained messages match")
        };
        Event::Limited {
            client_id: self.client_id.to_string(),
            limit: format!(
                "{messages} {filter}: AWS IoT Core sends none to a filter with wildcards"
            ),
        }
    }

    fn check_request(&self, subscribe: &Subscribe<'_>) -> Result<(), CloseReason> {
        let rules = self.settings.rules();
        if subscribe.properties.subscription_identifier.is_some() && !rules.subscription_identifiers
        {
            return Err(Limit::SubscriptionIdentifiers.into());
        }
        let count = subscribe.subscriptions.len();
        Ok(at_most(
            count,
            rules.max_subscriptions_per_request,
            |has, most| Limit::Request { has, most },
        )?)
    }

    /// `true` for a SUBSCRIBE with a filter at QoS 2 in a profile without it: no subscription is
    /// made and no SUBACK is sent, unless a setting says otherwise.
    ///
    /// # Errors
    /// The end of the connection, if that is the setting.
    fn leaves_unanswered(
        &self,
        subscribe: &Subscribe<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<bool, CloseReason> {
        // One filter at QoS 2 is enough: the packet is answered as a whole, or not at all.
        let most = self.settings.rules().maximum_qos;
        let above = subscribe
            .subscriptions
            .iter()
            .find(|subscription| subscription.options.qos > most);
        let Some(above) = above else { return Ok(false) };
        match self.settings.subscribe_qos2 {
            SubscribeQoS2::Grant => return Ok(false),
            SubscribeQoS2::Disconnect => {
                return Err(Limit::QoS(above.options.qos.level(), most.level()).into());
            }
            SubscribeQoS2::NoAnswer => {}
        }
        turn.log(Event::Subscribe {
            client_id: self.client_id.to_string(),
            filter: above.filter.as_str().into(),
            outcome: Outcome::Refused {
                reason_code: None,
                reason: NO_SUBACK.into(),
                decision: None,
            },
        });
        Ok(true)
    }

    fn subscribe_event(
        &self,
        filter: TopicFilter<'_>,
        outcome: &Result<Granted, RequestRefusal>,
    ) -> Event {
        let outcome = match outcome {
            Ok(granted) => Ok((granted.subscription.options.qos, granted.decision.clone())),
            Err(refusal) => Err(refusal.clone()),
        };
        Event::Subscribe {
            client_id: self.client_id.to_string(),
            filter: filter.as_str().into(),
            outcome: outcome.into(),
        }
    }
}

const NO_SUBACK: &str = "it asks for QoS 2: AWS IoT Core sends no SUBACK at all, and the client waits for one; ask for \
                         QoS 1, or start the sandbox with --subscribe-qos2 grant";

const fn granted_code(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::GRANTED_QOS_0,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
