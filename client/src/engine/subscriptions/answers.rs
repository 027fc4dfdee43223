//! SUBACK and UNSUBACK: subscriptions are granted, refused, renewed or ended, filter by filter.

use dunlin_codec::{PacketId, PacketType, ReasonCode, Repeated, SubAckProperties};

use super::ActiveSubscription;
use super::renewal::{lose_subscription, lose_unrenewed};
use crate::engine::core::Core;
use crate::engine::engine_event::EngineEvent;
use crate::engine::outbound::flow::Flow;
use crate::engine::outbound::outcome::{Answered, Outcome};
use crate::engine::outbound::request::Request;
use crate::error::{Explanation, RequestError, ServerReason, Violation};
use crate::event::RefusedRequest;

/// Bytes of one SUBACK's texts that are copied into [`EngineEvent::SubscriptionLost`].
const LOST_EXPLANATIONS: usize = 64 << 10;

/// Packet Identifier, properties and reason codes of a SUBACK or UNSUBACK.
type Answer<'a> = (PacketId, &'a SubAckProperties<'a>, Repeated<'a, ReasonCode>);

/// Handles SUBACK or UNSUBACK. One for an unknown identifier is ignored.
///
/// # Errors
/// A protocol error, if the answer does not fit its request.
pub(in crate::engine) fn handle_answer(
    packet_type: PacketType,
    (packet_id, properties, reason_codes): Answer<'_>,
    flow: &mut Flow,
    core: &mut Core,
) -> Result<(), Violation> {
    let &SubAckProperties {
        reason_string,
        user_properties,
    } = properties;
    core.check_explanation(packet_type, &reason_string, &user_properties)?;
    let (session, events, mut cx) = core.split(Some(flow));
    let (outbound, subscriptions) = (&mut session.outbound, &mut session.subscriptions);
    let Some(answered) = outbound.answered_request(packet_type, packet_id, reason_codes.len())?
    else {
        return Ok(());
    };
    let order = answered.order;

    // One packet may answer for thousands of filters, each with a copy of the same texts.
    let mut allowance = LOST_EXPLANATIONS;
    let mut explain = |code| {
        let explanation = Explanation::within(allowance, reason_string, user_properties);
        let reason = ServerReason::from_explanation(packet_type, code, explanation);
        allowance = allowance.saturating_sub(reason.copied_bytes());
        RequestError::Refused(reason)
    };
    let refused = |code, filter: &str| {
        let refused =
            RefusedRequest::new(packet_type, packet_id, code, Some(filter), reason_string);
        EngineEvent::RequestRefused(Box::new(refused))
    };
    match &answered.request {
        Request::Subscribe(subscribe) if subscribe.is_resubscribe => {
            // What timed out was reported as lost, and an UNSUBSCRIBE follows.
            let is_awaited = !answered.has_outcome;
            for (filter, code) in subscribe.filters().zip(reason_codes) {
                if is_awaited && code.is_error() {
                    lose_subscription(filter, order, explain(code), subscriptions, events);
                } else if is_awaited {
                    subscriptions.renew(filter, order);
                }
            }
        }
        Request::Subscribe(subscribe) => {
            for ((filter, options), code) in subscribe.subscriptions.iter().zip(reason_codes) {
                if !code.is_error() {
                    // Kept, to be requested again after a lost session.
                    subscriptions.grant(ActiveSubscription {
                        filter: filter.clone(),
                        options: *options,
                        identifier: subscribe.identifier,
                        order,
                        is_current: true,
                    });
                    continue;
                }
                events.push_back(refused(code, filter));
                if !answered.has_outcome {
                    let cause = || explain(code);
                    lose_unrenewed(filter, order, cause, outbound, subscriptions, events);
                }
            }
        }
        Request::Unsubscribe(unsubscribe) => {
            for (filter, code) in unsubscribe.filters.iter().zip(reason_codes) {
                if code.is_error() {
                    events.push_back(refused(code, filter));
                }
                // Also after a refusal: the application does not want it any more.
                subscriptions.end(filter, order);
            }
        }
        Request::Publish(_) | Request::Authenticate => {}
    }

    // The outcome has all codes, and as much of the texts as fits.
    let allowance = outbound.copy_allowance(&cx);
    let explanation = Explanation::within(allowance, reason_string, user_properties);
    let outcome = Outcome::Answered(Answered {
        packet_id,
        reason_codes: reason_codes.iter().collect(),
        reason_string: explanation.reason_string,
        user_properties: explanation.user_properties,
        omitted: explanation.omitted,
        reissued: answered.is_reissued,
    });
    outbound.end_answered(answered.key, packet_id, outcome, &mut cx);
    Ok(())
}
