//! Answers to HTTP requests in the form of AWS IoT Core.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::uuid;

/// Answer with a whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// Answer with JSON and an id of the request.
pub(super) fn json(status: StatusCode, body: &Value) -> Answer {
    with_id(status, body, &uuid::random())
}

/// Answer to a message that was published.
pub(super) fn ok() -> Answer {
    let id = uuid::random();
    with_id(
        StatusCode::OK,
        &json!({"message": "OK", "traceId": id}),
        &id,
    )
}

/// Answer that names an error as AWS does, in the header `x-amzn-ErrorType`: its SDKs read the name
/// there.
pub(super) fn error(status: StatusCode, name: &'static str, message: &str) -> Answer {
    let id = uuid::random();
    let mut answer = with_id(status, &json!({"message": message, "traceId": id}), &id);
    let headers = answer.headers_mut();
    headers.insert(ERROR_TYPE, HeaderValue::from_static(name));
    answer
}

fn with_id(status: StatusCode, body: &Value, id: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    answer
}

const ERROR_TYPE: &str = "x-amzn-errortype";
const REQUEST_ID: &str = "x-amzn-requestid";
