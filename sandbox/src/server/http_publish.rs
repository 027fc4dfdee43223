//! PUBLISH without a connection: a message that came by an HTTP request.

use std::sync::Arc;

use dunlin_codec::{Publish, QoS, TopicName};

use crate::policy::{Decision, Policy, Request, Subject};
use crate::server::hub::Hub;
use crate::server::limit::{Limit, at_most};
use crate::server::message::Message;
use crate::server::publish::{authorize_message, check_payload_format};
use crate::server::request_refusal::RequestRefusal;
use crate::server::settings::Settings;
use crate::server::timestamp::Timestamp;

/// Routes a message as a PUBLISH of a client would be, if the policy allows it; returns the number of
/// receivers with the decision.
///
/// # Errors
/// The [`RequestRefusal`]: a limit of the profile, a fault on demand, a payload that isn't of its
/// format, the policy, or no space.
pub(crate) fn publish_over_http(
    publish: &Publish<'_>,
    topic: TopicName<'_>,
    policy: &Policy,
    subject: &Subject,
    settings: &Settings,
    hub: &mut Hub,
    now: Timestamp,
) -> Result<(usize, Decision), RequestRefusal> {
    // The limits of one message; those of a connection don't apply.
    let rules = settings.rules();
    at_most(publish.payload.len(), rules.max_payload, |has, most| {
        Limit::Payload { has, most }
    })?;
    if let Some(reason_code) = settings.faults.puback()
        && publish.delivery.qos() > QoS::AtMostOnce
    {
        return Err(RequestRefusal::Fault(reason_code));
    }
    check_payload_format(publish, settings)?;

    // An HTTP client has no client id, so that no subscription with No Local is its own.
    let publisher = Arc::from("");
    let memory = hub.memory_counter();
    let message = Message::of_publish(publish, topic, &publisher, settings, &memory, now.instant)
        .map_err(|_| RequestRefusal::NoTopic)?;
    let decision = authorize_message(&message, rules, |action, name| {
        policy.evaluate(Request::new(action, name, subject, now.calendar))
    })?;
    let receivers = hub.publish(&Arc::new(message), now.instant)?;
    Ok((receivers, decision))
}
