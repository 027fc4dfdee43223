//! The data plane of AWS IoT Core over HTTP: messages that are published, and retained messages.

use std::sync::Arc;

use dunlin_codec::ReasonCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use crate::authorizer::{Credentials, Refusal, RequestHead};
use crate::event::{Event, Outcome};
use crate::net::clock::now;
use crate::net::handshake_slots::SlotHandle;
use crate::net::http::answer::{self, Answer};
use crate::net::http::connection_api::{
    DirectMessage, connection, delete_connection, subscriptions,
};
use crate::net::http::publish_request::PublishRequest;
use crate::net::http::query::decoded_topic;
use crate::net::http::refused::Refused;
use crate::net::http::resource::Resource;
use crate::net::http::retained_api::{retained_message, retained_messages};
use crate::net::http::signature::SignedRequest;
use crate::net::http::signer::signer;
use crate::net::shared::Shared;
use crate::policy::{Policy, Subject};
use crate::server::limits::{BODY_TIMEOUT, MAX_HTTP_BODY};
use crate::server::{Peer, publish_over_http};
use crate::uuid;

/// Client of a request that may go on.
struct Caller {
    /// Authorizer, or id of the access key, for the log.
    name: String,
    policy: Policy,
}

/// Answers a request of the data plane; `None` if there is no such resource.
pub(super) async fn answer(
    shared: &Shared,
    peer: &Peer,
    slot: &SlotHandle,
    request: Request<Incoming>,
    head: Arc<RequestHead>,
) -> Option<Answer> {
    let resource = Resource::of(request.uri().path())?;
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // A message that is published has an event of its own.
    let is_publish = matches!(resource, Resource::Topic(_));
    let allowed = resource.methods();
    let result = handle(shared, peer, slot, request, head, resource).await;
    if let Ok(answer) = &result
        && !is_publish
    {
        shared.emit(Event::Note {
            peer: peer.address,
            text: format!("{method} {path}: {}", answer.status().as_u16()),
        });
    }
    Some(result.unwrap_or_else(|refused| {
        let Refused {
            status,
            error,
            message,
            reason,
        } = refused;
        shared.emit(Event::Rejected {
            peer: peer.address,
            reason: format!("{method} {path}: {} ({reason})", status.as_u16()),
        });
        let mut answer = answer::error(status, error, &message);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            // [RFC 9110, 15.5.6]
            let headers = answer.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        answer
    }))
}

async fn handle(
    shared: &Shared,
    peer: &Peer,
    slot: &SlotHandle,
    request: Request<Incoming>,
    head: Arc<RequestHead>,
    resource: Resource,
) -> Result<Answer, Refused> {
    // Custom authorizers and certificates are for messages.
    let is_message = matches!(resource, Resource::Topic(_) | Resource::DirectMessages(_));
    if !resource.has(request.method()) {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Refused::new(
            status,
            "MethodNotAllowedException",
            "Method not allowed",
        ));
    }
    // The body first: a signature covers it.
    let (method, path) = (
        request.method().to_string(),
        request.uri().path().to_owned(),
    );
    // While the client sends it, it may lose its place to another one, so that slow clients don't
    // shut others out.
    let (body, _body_permit) = read_body(request.into_body(), shared).await?;

    // Bounds the calls of Lambdas: MQTT goes on beside a flood of requests.
    let permit = shared.http_requests.try_acquire();
    let permit = permit.map_err(|_| too_many("Too many requests are being handled"))?;
    let _released = slot.release();
    let signed = SignedRequest {
        method: &method,
        path: &path,
        head: &head,
        body: &body,
    };
    let caller = match signer(shared, peer, &signed)? {
        Some(key_id) => Caller {
            name: key_id,
            policy: shared.unrestricted.clone(),
        },
        None if is_message => authorized(shared, peer, &head).await?,
        None => {
            let reason = "custom authorizers and client certificates are for messages alone; sign the request (SigV4)";
            return Err(Refused::forbidden(reason.into()));
        }
    };
    match resource {
        Resource::Topic(topic) => publish(shared, peer, &caller, &topic, &head, &body),
        Resource::RetainedMessage(topic) => retained_message(shared, &topic),
        Resource::RetainedMessages => retained_messages(shared, &head),
        Resource::Connection(client_id) if method == "DELETE" => {
            delete_connection(shared, &client_id, &head)
        }
        Resource::Connection(client_id) => connection(shared, &client_id, &head),
        Resource::Subscriptions(client_id) => subscriptions(shared, &client_id, &head),
        Resource::DirectMessages(client_id) => {
            let message = DirectMessage::parse(&client_id, &head)?;
            note_encoded_twice(shared, peer, &message.publish);
            let mut subject = subject_of(peer);
            subject.direct_topic = Some(message.publish.topic.as_str().into());
            message.authorize(&caller.policy, &subject)?;
            // Waiting for an acknowledgement takes no permit of other requests.
            drop(permit);
            let waiting = shared.direct_messages.try_acquire();
            let _waiting = waiting.map_err(|_| {
                Refused::throttled("too many direct messages wait for their receivers".into())
            })?;
            message.send(shared, &body).await
        }
    }
}

/// Reads a body of at most 1 MiB within 10 seconds; returns it with the permit of its bytes.
///
/// # Errors
/// 413 if it is larger, 503 if the bodies of other requests take all memory, 408 if it takes longer,
/// 400 if it is malformed.
async fn read_body(
    body: Incoming,
    shared: &Shared,
) -> Result<(Bytes, SemaphorePermit<'_>), Refused> {
    // A body that is announced as too large isn't read at all; one in chunks may be the largest.
    let announced = body.size_hint().upper();
    let announced = announced.map_or(Ok(MAX_HTTP_BODY), usize::try_from);
    let most = announced.ok().filter(|length| *length <= MAX_HTTP_BODY);
    let most = most.ok_or_else(Refused::too_large)?;
    let permits = u32::try_from(most).unwrap_or(u32::MAX);
    let permit = shared.http_bodies.try_acquire_many(permits);
    let permit = permit.map_err(|_| too_many("Too many bodies are being read"))?;

    match timeout(BODY_TIMEOUT, Limited::new(body, MAX_HTTP_BODY).collect()).await {
        Ok(Ok(body)) => Ok((body.to_bytes(), permit)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refused::too_large()),
        Ok(Err(error)) => Err(Refused::invalid(format!("the body can't be read: {error}"))),
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            let text = "The body didn't come within 10 seconds";
            Err(Refused::new(status, "RequestTimeoutException", text))
        }
    }
}

fn too_many(text: &str) -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "ServiceUnavailableException",
        text,
    )
}

/// Asks the custom authorizer, which decides about each request.
async fn authorized(
    shared: &Shared,
    peer: &Peer,
    head: &Arc<RequestHead>,
) -> Result<Caller, Refused> {
    let credentials = Credentials {
        tls: peer.tls.clone(),
        http: Some(Arc::clone(head)),
        connection_id: uuid::random(),
        ..Credentials::default()
    };
    let answer = shared
        .authorizers
        .authorize(&credentials, &shared.log)
        .await;
    let grant = answer.map_err(|refusal| match &refusal {
        Refusal::PercentEncoding(_) => Refused::invalid(refusal.to_string()),
        // The Lambda wasn't called: the client may come again.
        _ if refusal.reason_code() == ReasonCode::QuotaExceeded => {
            Refused::throttled(refusal.to_string())
        }
        _ => Refused::forbidden(refusal.to_string()),
    })?;
    Ok(Caller {
        name: grant.authorizer,
        policy: grant.policy,
    })
}

fn publish(
    shared: &Shared,
    peer: &Peer,
    caller: &Caller,
    topic: &str,
    head: &RequestHead,
    body: &[u8],
) -> Result<Answer, Refused> {
    let invalid = |error: &dyn core::fmt::Display| Refused::invalid(error.to_string());
    let topic = decoded_topic(topic)?;
    let request = PublishRequest::parse(&topic, head).map_err(|error| invalid(&error))?;
    note_encoded_twice(shared, peer, &request);
    let subject = subject_of(peer);

    let outcome = request.with_publish(body, |publish, topic| {
        let (settings, now) = (&shared.settings, now());
        let hub = &mut shared.hub();
        publish_over_http(publish, topic, &caller.policy, &subject, settings, hub, now)
    });
    let outcome = outcome.map_err(|error| invalid(&error))?;
    let answer = match &outcome {
        Ok(_) => answer::ok(),
        Err(refusal) => {
            let Refused {
                status,
                error,
                message,
                ..
            } = Refused::of(refusal);
            answer::error(status, error, &message)
        }
    };
    shared.emit(Event::HttpPublish {
        peer: peer.address,
        caller: caller.name.clone(),
        topic: request.topic,
        status: answer.status().as_u16(),
        outcome: match outcome {
            Ok(published) => Outcome::Allowed(published),
            refused => without_code(refused.into()),
        },
    });
    Ok(answer)
}

/// Client of an HTTP request, for a policy: no client id and no connection take part.
fn subject_of(peer: &Peer) -> Subject {
    let mut subject = Subject::new("");
    subject.source_ip = Some(peer.address.ip());
    let tls = peer.tls.as_ref();
    let server_name = tls.and_then(|tls| tls.server_name.as_deref());
    subject.domain_name = server_name.map(Into::into);
    subject.certificate = tls.and_then(|tls| tls.certificate.clone());
    subject
}

/// Warns of user properties that were encoded twice.
fn note_encoded_twice(shared: &Shared, peer: &Peer, request: &PublishRequest) {
    if request.is_encoded_twice {
        shared.emit(Event::Note {
            peer: peer.address,
            text: "x-amz-mqtt5-user-properties is encoded twice, as boto3 does it with a text; it was decoded \
                   once more: pass boto3 a list"
                .into(),
        });
    }
}

/// A refusal over HTTP has a status and no reason code of MQTT.
fn without_code<T>(outcome: Outcome<T>) -> Outcome<T> {
    match outcome {
        Outcome::Refused {
            reason, decision, ..
        } => Outcome::Refused {
            reason_code: None,
            reason,
            decision,
        },
        allowed @ Outcome::Allowed(_) => allowed,
    }
}
