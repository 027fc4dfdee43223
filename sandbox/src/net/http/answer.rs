//! Answers to HTTP requests in the form of AWS IoT Core.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::uuid;

/// Answer with a whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// Answer with JSON: `x-amzn-RequestId` is a new id for each.
pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Answer that names an error as AWS does, in the header `x-amzn-ErrorType`: its SDKs read the name
/// there.
pub(super) fn error(status: StatusCode, name: &'static str, message: &str) -> Answer {
    let trace_id = uuid::random();
    let mut answer = json(status, &json!({"message": message, "traceId": trace_id}));
    let headers = answer.headers_mut();
    headers.insert(ERROR_TYPE, HeaderValue::from_static(name));
    if let Ok(trace_id) = HeaderValue::from_str(&trace_id) {
        headers.insert(REQUEST_ID, trace_id);
    }
    answer
}

pub(super) const ERROR_TYPE: &str = "x-amzn-errortype";
pub(super) const REQUEST_ID: &str = "x-amzn-requestid";
