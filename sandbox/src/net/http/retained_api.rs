//! The API of retained messages: one of them, and pages of all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::json;

use crate::authorizer::RequestHead;
use crate::net::clock::now;
use crate::net::http::answer::{self, Answer};
use crate::net::http::publish_request::encoded_user_properties;
use crate::net::http::query::{MAX_RESULTS, Query, decoded_topic, next_token};
use crate::net::http::refused::Refused;
use crate::net::shared::Shared;

/// `GET /retainedMessage/{topic}`
///
/// # Errors
/// 400 if the topic isn't percent-encoding of UTF-8; 404 if no message is retained for it.
pub(super) fn retained_message(shared: &Shared, topic: &str) -> Result<Answer, Refused> {
    let topic = decoded_topic(topic)?;
    let now = now();
    let found = shared.hub().retained_message(&topic, now);
    let publish = found
        .as_ref()
        .and_then(|found| Some((found, found.message.publish()?)));
    let Some((found, publish)) = publish else {
        let text = "No retained message found for the given topic";
        return Err(Refused::not_found(text));
    };
    let body = json!({
        "topic": topic,
        "payload": STANDARD.encode(publish.payload),
        "qos": found.message.qos.level(),
        "lastModifiedTime": found.last_modified_ms(),
        "userProperties": encoded_user_properties(&publish),
    });
    Ok(answer::json(StatusCode::OK, &body))
}

/// `GET /retainedMessage?nextToken=..&maxResults=..`, ordered by topic. The token is the last topic
/// of a page, in base64.
///
/// # Errors
/// 400 for another size of a page, or a token that isn't one of an earlier answer.
pub(super) fn retained_messages(shared: &Shared, head: &RequestHead) -> Result<Answer, Refused> {
    let asked = Query::of(head).page(MAX_RESULTS)?;
    let (page, has_more) = shared.hub().retained_after(&asked.after, asked.most, now());
    let topics: Vec<serde_json::Value> = page
        .iter()
        .map(|found| {
            let payload = found
                .message
                .publish()
                .map_or(0, |publish| publish.payload.len());
            json!({
                "topic": found.message.topic(),
                "payloadSize": payload,
                "qos": found.message.qos.level(),
                "lastModifiedTime": found.last_modified_ms(),
            })
        })
        .collect();
    let last = page.last().filter(|_| has_more);
    let token = last.map(|found| next_token(&found.message.topic()));
    let body = json!({"retainedTopics": topics, "nextToken": token});
    Ok(answer::json(StatusCode::OK, &body))
}
