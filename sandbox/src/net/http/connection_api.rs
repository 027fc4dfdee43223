//! The API of connections: facts about one, its end, its subscriptions, and messages to its client.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::authorizer::{RequestHead, percent_decoded};
use crate::net::clock::now;
use crate::net::http::answer::{self, Answer};
use crate::net::http::publish_request::PublishRequest;
use crate::net::http::query::{Query, next_token};
use crate::net::http::refused::Refused;
use crate::net::shared::Shared;
use crate::policy::{Action, Policy, Request, Subject};
use crate::server::{ClientRecord, ConnectionStatus, DirectError, DirectProgress, RequestRefusal};

/// `GET /connections/{clientId}?includeSocketInformation=..`
///
/// # Errors
/// 404 if the client has neither been connected within the last 30 minutes nor has a session.
pub(super) fn connection(
    shared: &Shared,
    client_id: &str,
    head: &RequestHead,
) -> Result<Answer, Refused> {
    let client_id = decoded_client_id(client_id)?;
    let includes_socket = Query::of(head).flag("includeSocketInformation")?;
    let (record, has_session) = {
        let hub = &mut shared.hub();
        let record = hub.client(&client_id, now().instant);
        (record, hub.has_session(&client_id))
    };
    let mut body = match record {
        Some(record) => described(&record, includes_socket),
        // Away for more than 30 minutes, with a session that still waits.
        None if has_session => {
            let away = json!({"connected": false, "cleanSession": false});
            away.as_object().cloned().unwrap_or_default()
        }
        None => return Err(Refused::not_found(NO_CONNECTION)),
    };
    body.insert("clientId".into(), client_id.into());
    Ok(answer::json(StatusCode::OK, &body.into()))
}

/// Members of the answer, but for the client id. Those without a value are left out.
fn described(record: &ClientRecord, includes_socket: bool) -> Map<String, Value> {
    let facts = &record.facts;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| {
        body.insert(name.into(), value);
    };
    set("cleanSession", (facts.session_expiry == 0).into());
    set("keepAliveDuration", facts.keep_alive.into());
    set("sessionExpiry", facts.session_expiry.into());
    if let Some(thing) = &facts.thing {
        set("thingName", thing.as_str().into());
    }
    match record.status {
        ConnectionStatus::Connected => {
            set("connected", true.into());
            set("connectedSince", milliseconds(facts.connected_since).into());
            if includes_socket {
                set("sourceIp", facts.source.ip().to_string().into());
                set("sourcePort", facts.source.port().into());
                if let Some(target) = facts.target {
                    set("targetIp", target.ip().to_string().into());
                    set("targetPort", target.port().into());
                }
            }
        }
        ConnectionStatus::Disconnected { since, reason } => {
            set("connected", false.into());
            set("disconnectedSince", milliseconds(since).into());
            set("disconnectReason", reason.into());
        }
    }
    body
}

/// `DELETE /connections/{clientId}?cleanSession=..&preventWillMessage=..`
///
/// # Errors
/// 404 if the client isn't connected.
pub(super) fn delete_connection(
    shared: &Shared,
    client_id: &str,
    head: &RequestHead,
) -> Result<Answer, Refused> {
    let client_id = decoded_client_id(client_id)?;
    let query = Query::of(head);
    let cleans_session = query.flag("cleanSession")?;
    let prevents_will = query.flag("preventWillMessage")?;
    let is_disconnected =
        shared
            .hub()
            .disconnect_client(&client_id, cleans_session, prevents_will, now());
    if is_disconnected {
        Ok(answer::ok())
    } else {
        Err(Refused::not_found(NO_CONNECTION))
    }
}

/// `GET /connections/{clientId}/subscriptions?nextToken=..&maxResults=..`, ordered by filter.
///
/// # Errors
/// 404 if the client has no session.
pub(super) fn subscriptions(
    shared: &Shared,
    client_id: &str,
    head: &RequestHead,
) -> Result<Answer, Refused> {
    let client_id = decoded_client_id(client_id)?;
    let page = Query::of(head).page(DEFAULT_SUBSCRIPTIONS)?;
    let found = shared
        .hub()
        .subscriptions_after(&client_id, &page.after, page.most);
    let (found, has_more) = found.ok_or_else(|| Refused::not_found(NO_CONNECTION))?;
    let list: Vec<Value> = found
        .iter()
        .map(|(filter, qos)| json!({"topicFilter": &**filter, "qos": qos.level()}))
        .collect();
    let last = found.last().filter(|_| has_more);
    let token = last.map(|(filter, _)| next_token(filter));
    let body = json!({"subscriptions": list, "nextToken": token});
    Ok(answer::json(StatusCode::OK, &body))
}

/// Direct message that a request asks for.
pub(super) struct DirectMessage {
    client_id: String,
    pub(super) publish: PublishRequest,
    /// Time to wait for the PUBACK of the client; `None` to send the message at QoS 0 and not wait.
    confirmation: Option<Duration>,
}

impl DirectMessage {
    /// Reads `POST /connections/{clientId}/messages?topic=..&confirmation=..&timeout=..`
    ///
    /// # Errors
    /// 400 for the first value that isn't right.
    pub(super) fn parse(client_id: &str, head: &RequestHead) -> Result<Self, Refused> {
        let client_id = decoded_client_id(client_id)?;
        let query = Query::of(head);
        let topic = query.text("topic")?.unwrap_or_default();
        if topic.starts_with('$') {
            let text = "the topic of a direct message must not begin with \"$\"";
            return Err(Refused::invalid(text.into()));
        }
        // Without confirmation there is nothing to wait for, and AWS ignores the time.
        let confirmation = if query.flag("confirmation")? {
            let seconds = query.number("timeout", (1, 15), DEFAULT_TIMEOUT)?;
            Some(Duration::from_secs(seconds))
        } else {
            None
        };
        let publish = PublishRequest::parse(&topic, head);
        let publish = publish.map_err(|error| Refused::invalid(error.to_string()))?;
        Ok(Self {
            client_id,
            publish: publish.into_direct(confirmation.is_some()),
            confirmation,
        })
    }

    /// Evaluates `iot:SendDirectMessage` on the receiver. That is for the sender; `iot:Receive` of the
    /// receiver is evaluated when the message is delivered.
    ///
    /// # Errors
    /// 403 if the policy doesn't allow it.
    pub(super) fn authorize(&self, policy: &Policy, subject: &Subject) -> Result<(), Refused> {
        let action = Action::SendDirectMessage;
        let request = Request::new(action, &self.client_id, subject, now().calendar);
        let decision = policy.evaluate(request);
        RequestRefusal::unless_allowed(decision).map_err(|refusal| Refused::of(&refusal))?;
        Ok(())
    }

    /// Sends the message, and waits until it is on its way or, where that is asked for, acknowledged.
    ///
    /// Cancel safe: the message is sent all the same.
    ///
    /// # Errors
    /// 404 if the client isn't connected, or its connection ends before; 403 if its policy doesn't
    /// allow `iot:Receive`; 504 if it doesn't take or acknowledge the message in time; 413 if the
    /// message is larger than it takes; 429 if its queue is full or its rate used up; 400 for a limit.
    pub(super) async fn send(&self, shared: &Shared, payload: &[u8]) -> Result<Answer, Refused> {
        let sent = self.publish.with_publish(payload, |publish, topic| {
            let hub = &mut shared.hub();
            hub.send_direct(&self.client_id, publish, topic, now())
        });
        let sent = sent.map_err(|error| Refused::invalid(error.to_string()))?;
        let mut progress = sent.map_err(|error| match error {
            DirectError::NotConnected { has_session: true } => Refused::not_found(AWAY),
            DirectError::NotConnected { has_session: false } => Refused::not_found(NO_CONNECTION),
            DirectError::Refused(refusal) => Refused::of(&refusal),
        })?;

        // The time for the acknowledgement begins when the message has been sent.
        let delivery = progress.wait_for(|progress| *progress != DirectProgress::Queued);
        let delivered = timeout(DELIVERY_TIMEOUT, delivery).await;
        let mut last = reached(delivered.map(|seen| seen.map(|seen| *seen).ok()))?;
        if let Some(confirmation) = self.confirmation
            && last == DirectProgress::Sent
        {
            let acknowledgement = progress.wait_for(|progress| *progress != DirectProgress::Sent);
            let acknowledged = timeout(confirmation, acknowledgement).await;
            last = reached(acknowledged.map(|seen| seen.map(|seen| *seen).ok()))?;
        }
        match last {
            DirectProgress::Queued | DirectProgress::Sent | DirectProgress::Acknowledged => {
                Ok(answer::ok())
            }
            DirectProgress::Denied => Err(Refused::forbidden(
                "the policy of the receiver doesn't allow iot:Receive".into(),
            )),
            DirectProgress::TooLarge => Err(Refused::too_large()),
            DirectProgress::RateExceeded => Err(Refused::throttled(
                "the receiver's rate of messages is used up".into(),
            )),
            DirectProgress::Disconnected => Err(Refused::not_found(NO_CONNECTION)),
        }
    }
}

/// Progress of a message before a time-out; `None` inside means that the receiver's session has ended.
fn reached<E>(seen: Result<Option<DirectProgress>, E>) -> Result<DirectProgress, Refused> {
    let seen = seen.map_err(|_| {
        Refused::new(
            StatusCode::GATEWAY_TIMEOUT,
            "GatewayTimeoutException",
            "The client didn't confirm the delivery in time",
        )
    })?;
    Ok(seen.unwrap_or(DirectProgress::Disconnected))
}

/// Client id of a path: 1 to 128 characters that don't begin with `$`.
fn decoded_client_id(encoded: &str) -> Result<String, Refused> {
    let decoded = percent_decoded(encoded).filter(|id| {
        let length = id.chars().count();
        (1..=128).contains(&length) && !id.starts_with('$')
    });
    decoded.map(Into::into).ok_or_else(|| {
        let text = "the client id must have 1 to 128 characters, and not begin with \"$\"";
        Refused::invalid(text.into())
    })
}

/// Milliseconds since 1970; 0 for a time before.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const NO_CONNECTION: &str = "No connection or session found for the given client id";
/// A direct message isn't queued for a client that is away; AWS tells this text apart.
const AWAY: &str = "The target client ID is not connected, but it has an active persistent session";
/// Page of subscriptions without `maxResults`, as at AWS IoT Core.
const DEFAULT_SUBSCRIPTIONS: usize = 20;
/// Seconds to wait for a PUBACK without `timeout`, as at AWS IoT Core.
const DEFAULT_TIMEOUT: u64 = 5;
/// Time for the message to leave, which AWS IoT Core doesn't document.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);
