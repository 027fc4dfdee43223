//! Publishing over HTTP and the API of retained messages: requests and answers as AWS has them.

use dunlin_codec::{Packet, PayloadFormat, QoS};
use dunlin_sandbox::{AccessKey, Answer, Authorizer, Lambda, Profile, SandboxOptions, Signing};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{
    TIMEOUT, TestClient, TestSandbox, allow, handshake_at, publish, with_default_authorizer,
};
use crate::lambda::{Emulator, answer};

const NAME: &str = "x-amz-customauthorizer-name";

/// Sandbox with both HTTP ports, whose default authorizer allows everything.
pub(crate) async fn sandbox() -> TestSandbox {
    sandbox_with(Answer::allow("anybody", allow("iot:*")), |options| options).await
}

pub(crate) async fn sandbox_with(
    answer: Answer,
    describe: impl FnOnce(SandboxOptions) -> SandboxOptions,
) -> TestSandbox {
    TestSandbox::with_answer_and(answer, |options| {
        describe(SandboxOptions {
            https_port: Some(0),
            http_port: Some(0),
            ..options
        })
    })
    .await
}

/// Answer to one request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Value,
}

impl Response {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.into(),
            body: serde_json::from_str(body).unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn error(&self) -> &str {
        self.header("x-amzn-errortype").unwrap_or_default()
    }
}

/// Sends a request over HTTP without TLS: its first line, headers, and body.
pub(crate) async fn asks(
    sandbox: &TestSandbox,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut tcp = open(sandbox).await;
    tcp.write_all(&request(line, headers, body)).await.unwrap();
    let mut text = String::new();
    let read = timeout(TIMEOUT, tcp.read_to_string(&mut text)).await;
    read.unwrap().unwrap();
    Response::parse(&text)
}

pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

pub(crate) async fn open(sandbox: &TestSandbox) -> TcpStream {
    let port = sandbox.sandbox.http_port().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn subscriber(sandbox: &TestSandbox, filter: &str) -> TestClient {
    let mut client = sandbox.connected_to_default("watcher").await;
    client.subscribes(filter).await;
    client
}

#[tokio::test]
async fn a_message_with_every_property_reaches_a_subscriber() {
    let sandbox = sandbox().await;
    let mut watcher = subscriber(&sandbox, "a/b").await;
    let response = asks(
        &sandbox,
        "POST /topics/a%2Fb?qos=1&retain=true&contentType=text%2Fplain&responseTopic=r%2Ft&messageExpiry=60",
        &[
            // [{"k":"1"},{"k":"2"}] and "id"
            ("x-amz-mqtt5-user-properties", "W3siayI6IjEifSx7ImsiOiIyIn1d"),
            ("x-amz-mqtt5-payload-format-indicator", "UTF8_DATA"),
            ("x-amz-mqtt5-correlation-data", "aWQ="),
        ],
        "hello",
    )
    .await;
    assert_eq!(response.status, 200);
    assert_eq!(response.body["message"], "OK");
    let id = response.body["traceId"].as_str();
    assert_eq!(id, response.header("x-amzn-RequestId"));
    assert_eq!(id.map(str::len), Some(36));

    let packet = watcher.receives().await;
    let Packet::Publish(publish) = packet.packet() else {
        panic!("a PUBLISH, not {packet:?}")
    };
    let properties = publish.properties;
    assert_eq!(publish.payload, b"hello");
    assert_eq!(publish.delivery.qos(), QoS::AtLeastOnce);
    assert_eq!(properties.message_expiry_interval, Some(60));
    assert_eq!(
        properties.payload_format_indicator,
        Some(PayloadFormat::Utf8)
    );
    assert_eq!(properties.content_type.unwrap().as_str(), "text/plain");
    assert_eq!(properties.response_topic.unwrap().as_str(), "r/t");
    assert_eq!(properties.correlation_data.unwrap().as_bytes(), b"id");
    let pairs = properties.user_properties.iter();
    let pairs: Vec<_> = pairs
        .map(|pair| (pair.name.as_str(), pair.value.as_str()))
        .collect();
    assert_eq!(pairs, [("k", "1"), ("k", "2")]);
    sandbox
        .wait_for_log("  a/b  http Test → allow, to 1 subscriber (200)")
        .await;
}

#[tokio::test]
async fn requests_and_their_answers() {
    let sandbox = sandbox().await;
    let properties = "x-amz-mqtt5-user-properties";
    let format = "x-amz-mqtt5-payload-format-indicator";
    let large = "x".repeat(128 * 1024 + 1);
    let long_topic = format!("POST /topics/{}", "x".repeat(257));
    let invalid = (400, "InvalidRequestException");
    let ok = (200, "");
    for (line, headers, body, expected) in [
        // Slashes encoded or not, empty payload, other parameters.
        ("POST /topics/a/b", &[][..], "x", ok),
        ("POST /topics/a%2Fb", &[], "", ok),
        ("POST /topics/a?qos=0&retain=false&other=1", &[], "x", ok),
        (
            "POST /topics/a%20b",
            &[(format, "UNSPECIFIED_BYTES")],
            "x",
            ok,
        ),
        ("POST /topics/a?%71os=%31", &[], "x", ok),
        // More than MQTT has bits for: the longest time of the profile.
        ("POST /topics/a?messageExpiry=99999999999", &[], "x", ok),
        ("POST /topics/a?qos=2", &[], "x", invalid),
        ("POST /topics/a?%71os=2", &[], "x", invalid),
        ("POST /topics/a?qos=1&qos=1", &[], "x", invalid),
        ("POST /topics/a?qos=1&%71os=0", &[], "x", invalid),
        ("POST /topics/a?messageExpiry=%2B5", &[], "x", invalid),
        ("POST /topics/a?qos=x", &[], "x", invalid),
        ("POST /topics/a?retain=yes", &[], "x", invalid),
        ("POST /topics/a?messageExpiry=-1", &[], "x", invalid),
        ("POST /topics/a?responseTopic=b%2F%23", &[], "x", invalid),
        ("POST /topics/a?contentType=%00", &[], "x", invalid),
        ("POST /topics/a%2F%2B", &[], "x", invalid),
        ("POST /topics/%zz", &[], "x", invalid),
        ("POST /topics/a?qos=%zz", &[], "x", invalid),
        ("POST /topics/$aws/unknown", &[], "x", invalid),
        (&long_topic, &[], "x", invalid),
        ("POST /topics/a", &[(properties, "no base64")], "x", invalid),
        // {"k":"v"}: an object and no list
        (
            "POST /topics/a",
            &[(properties, "eyJrIjoidiJ9")],
            "x",
            invalid,
        ),
        ("POST /topics/a", &[(format, "TEXT")], "x", invalid),
        (
            "POST /topics/a",
            &[("x-amz-mqtt5-correlation-data", "?")],
            "x",
            invalid,
        ),
        (
            "POST /topics/a",
            &[],
            &large,
            (413, "RequestEntityTooLargeException"),
        ),
        ("GET /topics/a", &[], "", (405, "MethodNotAllowedException")),
        (
            "POST /retainedMessage/a",
            &[],
            "",
            (405, "MethodNotAllowedException"),
        ),
        (
            "POST /things/a",
            &[],
            "",
            (404, "ResourceNotFoundException"),
        ),
        // Custom authorizers can publish, and nothing else.
        (
            "GET /retainedMessage/a",
            &[],
            "",
            (403, "ForbiddenException"),
        ),
        // Unknown authorizer.
        (
            "POST /topics/a",
            &[(NAME, "Unknown")],
            "x",
            (403, "ForbiddenException"),
        ),
    ] {
        let response = asks(&sandbox, line, headers, body).await;
        let told = (response.status, response.error());
        assert_eq!(told, expected, "{line} {headers:?}: {response:?}");
        assert!(response.body["message"].is_string(), "{line}");
        assert_eq!(
            response.body["traceId"].as_str(),
            response.header("x-amzn-requestid"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let sandbox = sandbox().await;
    for (line, allowed) in [
        ("GET /topics/a", "POST"),
        ("DELETE /retainedMessage", "GET"),
        ("POST /connections/a", "GET, DELETE"),
    ] {
        let response = asks(&sandbox, line, &[], "").await;
        assert_eq!(response.status, 405, "{line}");
        assert_eq!(response.header("allow"), Some(allowed), "{line}");
    }
}

#[tokio::test]
async fn a_payload_that_is_not_of_its_format_is_refused_where_mqtt_refuses_it() {
    let format = [("x-amz-mqtt5-payload-format-indicator", "UTF8_DATA")];
    for (profile, status) in [(Profile::Aws, 200), (Profile::Mqtt5, 400)] {
        let allowed = Answer::allow("anybody", allow("iot:*"));
        let sandbox = sandbox_with(allowed, |options| SandboxOptions { profile, ..options }).await;
        let head = request("POST /topics/a", &format, "xy");
        let mut request = head.strip_suffix(b"xy").unwrap().to_vec();
        request.extend_from_slice(b"\xC3\x28");
        let mut tcp = open(&sandbox).await;
        tcp.write_all(&request).await.unwrap();
        let mut text = String::new();
        let read = timeout(TIMEOUT, tcp.read_to_string(&mut text)).await;
        read.unwrap().unwrap();
        assert_eq!(Response::parse(&text).status, status, "{profile:?}");
    }
}

#[tokio::test]
async fn user_properties_that_boto3_encoded_twice_are_decoded_once_more() {
    let sandbox = sandbox().await;
    let mut watcher = subscriber(&sandbox, "a").await;
    // The JSON text "[{\"k\":\"v\"}]", and the same with base64 of the list inside.
    for encoded in ["Ilt7XCJrXCI6XCJ2XCJ9XSI=", "Ilczc2lheUk2SW5ZaWZWMD0i"] {
        let headers = [("x-amz-mqtt5-user-properties", encoded)];
        let response = asks(&sandbox, "POST /topics/a", &headers, "x").await;
        assert_eq!(response.status, 200, "{encoded}: {response:?}");
        let packet = watcher.receives().await;
        let Packet::Publish(publish) = packet.packet() else {
            panic!("a PUBLISH, not {packet:?}")
        };
        assert_eq!(publish.properties.user_properties.iter().count(), 1);
    }
    assert!(sandbox.logged("x-amz-mqtt5-user-properties is encoded twice"));
}

#[tokio::test]
async fn the_policy_decides_about_publish_and_retain() {
    let publish_only = Answer::allow("anybody", allow("iot:Publish"));
    let sandbox = sandbox_with(publish_only, |options| options).await;
    for (line, status) in [
        ("POST /topics/a", 200),
        // iot:RetainPublish is needed too.
        ("POST /topics/a?retain=true", 403),
    ] {
        let response = asks(&sandbox, line, &[], "x").await;
        assert_eq!(response.status, status, "{line}");
        if status == 403 {
            assert_eq!(response.error(), "ForbiddenException");
            assert_eq!(response.body["message"], "Forbidden");
        }
    }
    sandbox.wait_for_log("http Test → refuse (").await;
}

#[tokio::test]
async fn the_lambda_is_asked_for_each_request_by_the_event_of_https() {
    let denied = json!({"isAuthenticated": false});
    let emulator = Emulator::answering(vec![answer(&["iot:Publish"]), denied]).await;
    let signing = Signing::Disabled {
        token_key_name: Some("tok".into()),
    };
    let authorizer = Authorizer {
        signing,
        ..Authorizer::new("Emulated", Lambda::Url(emulator.url.parse().unwrap()))
    };
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        https_port: Some(0),
        ..with_default_authorizer(authorizer, options)
    })
    .await;
    // One connection, two requests.
    let port = sandbox.sandbox.https_port().unwrap();
    let ca = sandbox.sandbox.ca_path();
    let mut tls = handshake_at(port, ca, "localhost", &[b"http/1.1"])
        .await
        .unwrap();
    let both = [("right", 200), ("wrong", 403)];
    for (token, status) in both {
        let text = format!(
            "POST /topics/a?tok={token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
        );
        tls.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let read = timeout(TIMEOUT, tls.read_buf(&mut answer)).await;
            assert!(read.unwrap().unwrap() > 0);
        }
        let response = Response::parse(&String::from_utf8(answer).unwrap());
        assert_eq!(response.status, status, "{token}");
    }
    let events = emulator.events.lock().unwrap();
    for ((token, _), event) in both.iter().zip(&*events) {
        assert_eq!(event["token"], *token);
        assert_eq!(event["protocols"], json!(["tls", "http"]));
        let data = &event["protocolData"];
        assert_eq!(data["http"]["queryString"], format!("?tok={token}"));
        assert_eq!(data.get("mqtt"), None);
    }
}

/// Header of an unchecked signature.
pub(crate) const SIGNED: (&str, &str) = (
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=AKID/20261130/eu-west-1/iotdata/aws4_request, SignedHeaders=host, Signature=00",
);

#[tokio::test]
async fn retained_messages_are_read_and_listed_in_pages() {
    let sandbox = sandbox().await;
    for topic in ["b", "a/1", "a/2"] {
        let line = format!("POST /topics/{topic}?retain=true&qos=1");
        let headers = [("x-amz-mqtt5-user-properties", "W3siayI6InYifV0=")];
        let response = asks(&sandbox, &line, &headers, "hello").await;
        assert_eq!(response.status, 200);
    }
    let read = asks(&sandbox, "GET /retainedMessage/a%2F1", &[SIGNED], "").await;
    assert_eq!(read.status, 200);
    assert_eq!(read.body["topic"], "a/1");
    assert_eq!(read.body["payload"], "aGVsbG8=");
    assert_eq!(read.body["qos"], 1);
    assert_eq!(read.body["userProperties"], "W3siayI6InYifV0=");
    assert!(read.body["lastModifiedTime"].as_u64() > Some(1_500_000_000_000));
    let unknown = asks(&sandbox, "GET /retainedMessage/none", &[SIGNED], "").await;
    assert_eq!(
        (unknown.status, unknown.error()),
        (404, "ResourceNotFoundException")
    );

    // Two on the first page, one on the second.
    let first = asks(&sandbox, "GET /retainedMessage?maxResults=2", &[SIGNED], "").await;
    let topics = |response: &Response| {
        let list = response.body["retainedTopics"].as_array().unwrap().iter();
        list.map(|entry| {
            (
                entry["topic"].as_str().unwrap().to_owned(),
                entry["payloadSize"].as_u64(),
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(
        topics(&first),
        [("a/1".into(), Some(5)), ("a/2".into(), Some(5))]
    );
    let token = first.body["nextToken"]
        .as_str()
        .unwrap()
        .replace('=', "%3D");
    let line = format!("GET /retainedMessage?maxResults=2&nextToken={token}");
    let second = asks(&sandbox, &line, &[SIGNED], "").await;
    assert_eq!(topics(&second), [("b".into(), Some(5))]);
    assert_eq!(second.body["nextToken"], Value::Null);
    let wrong = asks(&sandbox, "GET /retainedMessage?maxResults=0", &[SIGNED], "").await;
    assert_eq!(wrong.status, 400);
    assert!(sandbox.logged("its signature isn't checked, since there is no [[key]]"));
}

#[tokio::test]
async fn with_keys_a_wrong_signature_is_refused_and_the_log_says_why() {
    let keys = vec![AccessKey {
        id: "OTHER".into(),
        secret: "s3cret".into(),
    }];
    let answer = Answer::allow("anybody", allow("iot:*"));
    let sandbox = sandbox_with(answer, |options| SandboxOptions {
        access_keys: keys,
        ..options
    })
    .await;
    let response = asks(&sandbox, "GET /retainedMessage", &[SIGNED], "").await;
    assert_eq!(
        (response.status, response.error()),
        (403, "ForbiddenException")
    );
    sandbox
        .wait_for_log("GET /retainedMessage: 403 (the request has no X-Amz-Date")
        .await;
    assert!(!sandbox.logged("s3cret"));
}

#[tokio::test]
async fn slow_bodies_and_waiting_requests_do_not_hold_mqtt_up() {
    let sandbox = sandbox().await;
    let mut client = subscriber(&sandbox, "a").await;
    // Bodies that don't end, for all bytes that bodies may have at a time.
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut tcp = open(&sandbox).await;
        let head =
            b"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\nx";
        tcp.write_all(head).await.unwrap();
        slow.push(tcp);
    }
    // Until all of them are being read, another request still gets through.
    let busy = async {
        while asks(&sandbox, "POST /topics/b", &[], "x").await.status != 503 {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, busy).await.unwrap();
    client.sends(publish("a", "hello", QoS::AtMostOnce)).await;
    assert_eq!(client.receives_message().await.0, "hello");
    // A client that gives up leaves its place.
    drop(slow);
    let free = async {
        while asks(&sandbox, "POST /topics/b", &[], "x").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, free).await.unwrap();
}

#[tokio::test]
async fn a_head_or_a_body_that_is_too_large_is_refused_before_it_is_read() {
    let sandbox = sandbox().await;
    let head = "x".repeat(20 * 1024);
    let mut tcp = open(&sandbox).await;
    let text = format!("POST /topics/a HTTP/1.1\r\nHost: localhost\r\nx-large: {head}\r\n\r\n");
    let _ = tcp.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(TIMEOUT, tcp.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 431 "),
        "{}",
        answer.escape_ascii()
    );

    let mut tcp = open(&sandbox).await;
    let text = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Content-Length: 5000000\r\n\r\n";
    tcp.write_all(text.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(TIMEOUT, tcp.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}
