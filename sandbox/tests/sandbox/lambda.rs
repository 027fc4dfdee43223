//! A Lambda behind a URL: asked at the door, and again while the client is connected.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_codec::{QoS, ReasonCode};
use dunlin_sandbox::{Authorizer, Lambda, LambdaLimits, SandboxOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::client::{
    TIMEOUT, TestClient, TestSandbox, allow, connect, publish, with_default_authorizer,
};

/// Answers one call after the other, as the runtime interface emulator does, and is gone then.
pub(crate) struct Emulator {
    pub(crate) url: String,
    pub(crate) events: Arc<Mutex<Vec<Value>>>,
}

impl Emulator {
    pub(crate) async fn answering(answers: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.unwrap();
                let event = serve(stream, &answer.to_string()).await;
                heard.lock().unwrap().push(event);
            }
        });
        Self { url, events }
    }
}

/// Reads the event of one POST, and answers.
async fn serve(mut stream: TcpStream, answer: &str) -> Value {
    let mut request = Vec::new();
    let event = loop {
        assert!(
            stream.read_buf(&mut request).await.unwrap() > 0,
            "a whole request"
        );
        let head = request.windows(4).position(|end| end == b"\r\n\r\n");
        let body = head.and_then(|at| request.get(at + 4..));
        if let Some(Ok(event)) = body.map(serde_json::from_slice) {
            break event;
        }
    };
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(response.as_bytes()).await.unwrap();
    event
}

pub(crate) fn answer(actions: &[&str]) -> Value {
    json!({"isAuthenticated": true, "principalId": "lamp", "policyDocuments": [allow(actions.to_vec())],
        "disconnectAfterInSeconds": 86400, "refreshAfterInSeconds": 300})
}

/// Sandbox whose authorizer calls the emulator; time runs 300 times faster.
async fn sandbox_with_emulator(emulator: &Emulator) -> TestSandbox {
    let authorizer = Authorizer::new("Emulated", Lambda::Url(emulator.url.parse().unwrap()));
    TestSandbox::start_with(|options| SandboxOptions {
        time_scale: 300,
        ..with_default_authorizer(authorizer, options)
    })
    .await
}

async fn publish_code(client: &mut TestClient) -> ReasonCode {
    client.sends(publish("a", "x", QoS::AtLeastOnce)).await;
    client.receives_puback().await.0
}

#[tokio::test]
async fn the_policy_of_a_refresh_replaces_the_old_one() {
    let everything = ["iot:Connect", "iot:Publish"];
    let mut answers = vec![answer(&everything[..1]); 10];
    answers[0] = answer(&everything);
    let emulator = Emulator::answering(answers).await;
    let sandbox = sandbox_with_emulator(&emulator).await;
    let mut client = sandbox.open().await;
    client.sends(connect("lamp-7", "alice", "s3cret")).await;
    assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
    assert!(!publish_code(&mut client).await.is_error());
    // The client isn't told of a refresh: what it may do changes, and nothing else.
    while !sandbox.logged("refresh   lamp-7  → allow (policy: connect as *)") {
        assert!(!sandbox.logged("disconnect"));
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(publish_code(&mut client).await, ReasonCode::NotAuthorized);
    let events = emulator.events.lock().unwrap();
    assert_eq!(events[0], events[1], "it is asked the same again");
    assert_eq!(
        events[0]["protocolData"]["mqtt"],
        json!({"username": "alice", "password": "czNjcmV0", "clientId": "lamp-7"})
    );
}

/// The first call is never answered and lasts as long as its client, who frees the Lambda for the
/// next one by leaving.
#[tokio::test]
async fn a_client_that_closes_its_connection_leaves_the_authorizer_queue() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lambda = Lambda::Url(
        format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
    );
    let limits = LambdaLimits {
        concurrency: 1,
        timeout: Duration::from_secs(600),
    };
    let authorizer = Authorizer {
        limits,
        ..Authorizer::new("Slow", lambda)
    };
    let sandbox =
        TestSandbox::start_with(|options| with_default_authorizer(authorizer, options)).await;

    let mut leaves = sandbox.open().await;
    leaves.sends(connect("leaves", "alice", "s3cret")).await;
    let (mut unanswered, _) = listener.accept().await.unwrap();
    let mut waits = sandbox.open().await;
    waits.sends(connect("waits", "alice", "s3cret")).await;
    // Other authorizers are as quick as ever.
    sandbox.connected("mqtt5-sample-2").await;

    drop(leaves);
    let mut rest = Vec::new();
    timeout(TIMEOUT, unanswered.read_to_end(&mut rest))
        .await
        .expect("the call ends")
        .unwrap();
    let (next, _) = timeout(TIMEOUT, listener.accept())
        .await
        .expect("the next call begins")
        .unwrap();
    serve(next, &answer(&["iot:Connect"]).to_string()).await;
    assert_eq!(waits.receives_connack().await, (ReasonCode::Success, None));
}

/// Models a script that pipes a CONNECT into the socket: a fixed answer is ready before the server
/// sees the end of the input.
#[tokio::test]
async fn a_client_that_only_listens_gets_the_answer_that_is_there() {
    let sandbox = TestSandbox::allowing_everything().await;
    for number in 0..20 {
        let mut client = sandbox.open().await;
        client.sends(connect(&format!("c{number}"), "", "")).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
    }
}

#[tokio::test]
async fn a_refresh_that_fails_ends_the_connection() {
    let emulator = Emulator::answering(vec![answer(&["iot:Connect"])]).await;
    let sandbox = sandbox_with_emulator(&emulator).await;
    let mut client = sandbox.connected_to_default("lamp-7").await;
    let (reason_code, reason) = client.receives_disconnect().await;
    assert_eq!(reason_code, ReasonCode::NotAuthorized);
    let start = "the Lambda of the authorizer \"Emulated\" failed: its URL can't be reached: ";
    assert!(
        reason
            .as_deref()
            .is_some_and(|reason| reason.starts_with(start)),
        "{reason:?}"
    );
    client.expects_end().await;
}
