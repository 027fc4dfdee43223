//! `HttpPublished`, and how the answer of a server is read.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::Value;

use super::error::{HttpRefusal, RefusalKind};
use super::request::PublishRequest;
use crate::error::PeerAddress;
use crate::redaction::redact;

/// Acceptance of a message that was published over HTTP.
///
/// At QoS 1 AWS IoT Core has stored the message; at QoS 0 it has accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpPublished {
    /// Id of the request in the header `x-amzn-RequestId`, or else the `traceId` of the body, cut after
    /// 100 bytes: AWS's support asks for it. `None` if there was neither.
    pub request_id: Option<String>,
    /// Address of the server; through a proxy, that of the proxy.
    pub peer: PeerAddress,
    /// True if the connection of an earlier message was used.
    pub reused: bool,
}

/// Id of an accepted request. A secret of the request that a server repeats there is replaced.
pub(super) fn published_id(
    headers: &HeaderMap,
    body: &[u8],
    request: &PublishRequest,
) -> Option<String> {
    let mut id = request_id(headers, body)?;
    redact([&mut id], request.secret_query(), &request.secret_headers());
    Some(id)
}

/// Id of the request, of the header or else of the body.
fn request_id(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let of_body = || text_of(&json(body)?, "traceId");
    header(headers, "x-amzn-requestid").or_else(|| of_body().map(|id| cut(&id, NAME_LEN)))
}

/// Reads the answer of a server that didn't publish the message. A secret of the request that the
/// answer repeats is replaced.
pub(super) fn refusal(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    request: &PublishRequest,
) -> HttpRefusal {
    // Some services of AWS add a namespace after a colon.
    let error_type = header(headers, "x-amzn-errortype");
    let mut error_type = error_type.map(|name| match name.split_once(':') {
        Some((name, _)) => name.to_owned(),
        None => name,
    });
    let kind = RefusalKind::of(status.as_u16(), error_type.as_deref());
    let json = json(body);
    let message = json
        .as_ref()
        .and_then(|json| text_of(json, "message").or_else(|| text_of(json, "Message")));
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let mut message = cut(message.trim(), MESSAGE_LEN);
    let mut request_id = request_id(headers, body);

    let texts = [&mut message].into_iter();
    redact(
        texts.chain(error_type.as_mut()).chain(request_id.as_mut()),
        request.secret_query(),
        &request.secret_headers(),
    );
    HttpRefusal {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or_default(),
        kind,
        error_type,
        message,
        request_id,
    }
}

fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn text_of(json: &Value, name: &str) -> Option<String> {
    Some(json.get(name)?.as_str()?.to_owned())
}

/// Value of a header as text, cut after 100 bytes.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes());
    Some(cut(value.trim(), NAME_LEN))
}

/// Beginning of a text, at most `max` bytes.
fn cut(text: &str, max: usize) -> String {
    let end = (0..=max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default())
        .unwrap_or_default()
        .to_owned()
}

/// Maximum length of a name or an id in bytes.
const NAME_LEN: usize = 100;
/// Maximum length of a message in bytes.
const MESSAGE_LEN: usize = 1_024;
