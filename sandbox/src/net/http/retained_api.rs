//! The API of retained messages: one of them, and pages of all.

use core::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::json;

use crate::authorizer::{RequestHead, percent_decoded};
use crate::net::clock::now;
use crate::net::http::answer::{self, Answer};
use crate::net::http::publish_request::encoded_user_properties;
use crate::net::http::refused::Refused;
use crate::net::shared::Shared;

/// `GET /retainedMessage/{topic}`
pub(super) fn retained_message(shared: &Shared, topic: &str) -> Result<Answer, Refused> {
    let topic = percent_decoded(topic).unwrap_or_default();
    let now = now();
    let found = shared.hub().retained_message(&topic, now);
    let publish = found
        .as_ref()
        .and_then(|found| Some((found, found.message.publish()?)));
    let Some((found, publish)) = publish else {
        let status = StatusCode::NOT_FOUND;
        let text = "No retained message found for the given topic";
        return Err(Refused::new(status, "ResourceNotFoundException", text));
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
pub(super) fn retained_messages(shared: &Shared, head: &RequestHead) -> Result<Answer, Refused> {
    let query = head.query.as_deref().unwrap_or_default();
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        percent_decoded(value)
    };
    let most = match parameter("maxResults") {
        None => MAX_RESULTS,
        Some(text) => usize::from_str(&text)
            .ok()
            .filter(|most| (1..=MAX_RESULTS).contains(most))
            .ok_or_else(|| Refused::invalid("maxResults must be 1 to 200".into()))?,
    };
    let after = match parameter("nextToken") {
        None => String::new(),
        Some(token) => STANDARD
            .decode(&*token)
            .ok()
            .and_then(|topic| String::from_utf8(topic).ok())
            .ok_or_else(|| Refused::invalid("nextToken isn't one of an earlier answer".into()))?,
    };

    let (page, has_more) = shared.hub().retained_after(&after, most, now());
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
    let token = last.map(|found| STANDARD.encode(found.message.topic()));
    let body = json!({"retainedTopics": topics, "nextToken": token});
    Ok(answer::json(StatusCode::OK, &body))
}

/// Largest page of retained messages.
const MAX_RESULTS: usize = 200;
