//! The custom authorizer over WebSocket: in the user name, in the query, in headers, and mixed.

use dunlin_codec::ReasonCode;
use dunlin_sandbox::{Authorizer, Lambda, SandboxOptions, Signing, WebSocketRefusal};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::client::{TestSandbox, connect};
use crate::lambda::{Emulator, answer};
use crate::websocket::{client_over, open_wss, sandbox, sandbox_with, upgrade};

const NAME: &str = "x-amz-customauthorizer-name";
const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// Percent-encodes base64 for a query.
fn encoded(signature: &str) -> String {
    signature
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

/// Outcome of a CONNECT after this upgrade.
async fn connected(
    sandbox: &TestSandbox,
    query: &str,
    headers: &[(&'static str, &str)],
    (username, password): (&str, &str),
) -> (ReasonCode, Option<String>) {
    let opened = open_wss(sandbox, upgrade(query, headers)).await;
    let mut client = client_over(opened.unwrap());
    client
        .sends(connect("mqtt5-sample-1", username, password))
        .await;
    client.receives_connack().await
}

#[tokio::test]
async fn each_documented_way_is_taken_with_a_signed_token_and_a_wrong_one_refused() {
    for (is_right, value) in [(true, "hello"), (false, "other")] {
        let sandbox = sandbox_with(|options| SandboxOptions {
            time_scale: 1000,
            ..options
        })
        .await;
        // Signed is "hello": with another token it doesn't match.
        let signature = sandbox.sandbox.sign("hello").unwrap();
        let query = format!(
            "?{NAME}=DemoSigned&{SIGNATURE}={}&tok={value}",
            encoded(&signature)
        );
        let headers = [
            ("X-Amz-CustomAuthorizer-Name", "DemoSigned"),
            (SIGNATURE, &*signature),
            ("Tok", value),
        ];
        let mixed = [(SIGNATURE, &*signature)];
        for (query, headers, user_name, place) in [
            ("", &[][..], &*query, "user name"),
            (&query, &[], "", "query"),
            ("", &headers, "", "headers"),
            // Some here, some there.
            (
                "?X-AMZ-CustomAuthorizer-Name=DemoSigned",
                &mixed,
                &*format!("?tok={value}"),
                "query",
            ),
        ] {
            let (code, _) = connected(&sandbox, query, headers, (user_name, "")).await;
            let expected = if is_right {
                ReasonCode::Success
            } else {
                ReasonCode::NotAuthorized
            };
            assert_eq!(code, expected, "{place}");
            let decision = if is_right { "allow" } else { "refuse" };
            let line = format!(
                "connect   mqtt5-sample-1  wss  DemoSigned (named in the {place}) → {decision}"
            );
            sandbox.wait_for_log(&line).await;
            sandbox.log.lock().unwrap().clear();
            // At AWS's rate of one CONNECT a second, in the time of this sandbox.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn browsers_name_the_authorizer_in_the_query_and_send_the_password_in_connect() {
    let sandbox = sandbox().await;
    let query = format!("?{NAME}=DemoUnsigned");
    for (password, expected) in [
        ("wrong", ReasonCode::NotAuthorized),
        ("demo", ReasonCode::Success),
    ] {
        let (code, _) = connected(&sandbox, &query, &[], ("demo", password)).await;
        assert_eq!(code, expected);
    }
}

#[tokio::test]
async fn a_client_that_names_none_is_told_all_places() {
    let sandbox = sandbox().await;
    let (code, reason) = connected(&sandbox, "?a=b", &[], ("demo", "demo")).await;
    assert_eq!(code, ReasonCode::NotAuthorized);
    assert!(
        reason
            .as_ref()
            .is_some_and(|reason| reason.starts_with("neither user name nor query nor headers")),
        "{reason:?}"
    );
}

/// Sandbox with the authorizer `Emulated`, whose token is unsigned.
async fn emulated(emulator: &Emulator, refusal: WebSocketRefusal) -> TestSandbox {
    let lambda = Lambda::Url(emulator.url.parse().unwrap());
    let signing = Signing::Disabled {
        token_key_name: Some("tok".into()),
    };
    let authorizer = Authorizer {
        signing,
        ..Authorizer::new("Emulated", lambda)
    };
    sandbox_with(|options| SandboxOptions {
        authorizers: vec![authorizer],
        websocket_refusal: refusal,
        ..options
    })
    .await
}

#[tokio::test]
async fn the_lambda_gets_the_event_of_aws_after_connect() {
    let emulator = Emulator::answering(vec![answer(&["iot:Connect"])]).await;
    let sandbox = emulated(&emulator, WebSocketRefusal::ConnAck).await;
    let query = format!("?{NAME}=Emulated&tok=a%2Bb&other=%20");
    let headers = [("x-more", "1")];
    let (code, _) = connected(&sandbox, &query, &headers, ("alice", "s3cret")).await;
    assert_eq!(code, ReasonCode::Success);
    let events = emulator.events.lock().unwrap();
    let [event] = &events[..] else {
        panic!("one call, not {}", events.len())
    };
    assert_eq!(event["token"], "a+b");
    assert_eq!(event["signatureVerified"], false);
    assert_eq!(event["protocols"], json!(["tls", "http", "mqtt"]));
    let data = &event["protocolData"];
    assert_eq!(data["tls"], json!({"serverName": "localhost"}));
    assert_eq!(data["http"]["queryString"], *query);
    assert_eq!(data["http"]["headers"]["x-more"], "1");
    assert_eq!(data["http"]["headers"]["sec-websocket-protocol"], "mqtt");
    assert_eq!(
        data["mqtt"],
        json!({"username": "alice", "password": "czNjcmV0", "clientId": "mqtt5-sample-1"})
    );
}

fn denied() -> Value {
    json!({"isAuthenticated": false})
}

#[tokio::test]
async fn a_refusal_is_a_connack_a_close_or_403_as_the_setting_has_it() {
    let query = format!("?{NAME}=Emulated&tok=wrong");
    for refusal in WebSocketRefusal::ALL {
        let emulator = Emulator::answering(vec![denied()]).await;
        let sandbox = emulated(&emulator, refusal).await;
        let opened = open_wss(&sandbox, upgrade(&query, &[])).await;
        match (refusal, opened) {
            (WebSocketRefusal::Forbidden, Err(Error::Http(answer))) => {
                assert_eq!(answer.status(), 403);
                assert_eq!(answer.headers()["x-amzn-errortype"], "ForbiddenException");
                sandbox
                    .wait_for_log("no upgrade to WebSocket (403): the Lambda of the authorizer")
                    .await;
                // Before CONNECT there is nothing of MQTT to tell.
                let events = emulator.events.lock().unwrap();
                assert_eq!(events[0]["protocols"], json!(["tls", "http"]));
                assert_eq!(events[0]["protocolData"].get("mqtt"), None);
            }
            (WebSocketRefusal::ConnAck, Ok(stream)) => {
                let mut client = client_over(stream);
                client.sends(connect("mqtt5-sample-1", "", "")).await;
                let (code, _) = client.receives_connack().await;
                assert_eq!(code, ReasonCode::NotAuthorized);
                client.expects_end().await;
            }
            (WebSocketRefusal::Close, Ok(stream)) => {
                let mut client = client_over(stream);
                client.sends(connect("mqtt5-sample-1", "", "")).await;
                client.expects_end().await;
                sandbox
                    .wait_for_log("wss  Emulated (named in the query) → refuse")
                    .await;
            }
            (_, opened) => panic!("{refusal}: {:?}", opened.err()),
        }
    }
}

#[tokio::test]
async fn with_403_only_what_the_request_has_is_judged_before_connect() {
    let sandbox = sandbox_with(|options| SandboxOptions {
        websocket_refusal: WebSocketRefusal::Forbidden,
        ..options
    })
    .await;
    let status = async |query: String| match open_wss(&sandbox, upgrade(&query, &[])).await {
        Ok(_) => 101,
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    };
    // The password comes with the CONNECT, and so may everything.
    assert_eq!(status(String::new()).await, 101);
    assert_eq!(status(format!("?{NAME}=DemoUnsigned")).await, 101);
    assert_eq!(status(format!("?{NAME}=Unknown")).await, 403);
    assert_eq!(status(format!("?{NAME}=DemoSigned&tok=a")).await, 403);
    assert_eq!(
        status(format!("?{NAME}=DemoSigned&tok=a&{SIGNATURE}=AbCd")).await,
        403
    );
}
