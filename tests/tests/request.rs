//! `dunlin request` and `dunlin respond` with each other, and with what goes wrong between them.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use dunlin_sandbox::{Profile, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Tool, dunlin};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

/// Sandbox without TLS that lets everybody in.
struct Server {
    sandbox: Sandbox,
    _state: TempDir,
}

impl Server {
    async fn start() -> Self {
        let state = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            plain_port: Some(0),
            anonymous: true,
            profile: Profile::Mqtt5,
            state_dir: Some(state.path().into()),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            _state: state,
        }
    }

    fn tool(&self, verb: &str) -> Tool {
        let port = self.sandbox.plain_port().unwrap();
        dunlin([verb, "-H", &format!("mqtt://localhost:{port}")])
    }

    /// A responder that has subscribed; its lines of JSON follow.
    async fn responder(&self, words: &[&str]) -> Responder {
        let mut child = self
            .tool("respond")
            .args(["--json", "-q1"])
            .args(words)
            .spawn();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while event(&mut lines).await["event"] != "suback" {}
        Responder { child, lines }
    }
}

struct Responder {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Responder {
    /// Next line with this event.
    async fn next(&mut self, name: &str) -> Value {
        loop {
            let line = event(&mut self.lines).await;
            if line["event"] == name {
                return line;
            }
        }
    }

    async fn ends(self) -> Finished {
        Finished::wait_for(self.child).await
    }
}

async fn event(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = timeout(Duration::from_secs(20), lines.next_line()).await;
    serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_gets_its_response_and_the_time_it_took() {
    let server = Server::start().await;
    let mut responder = server.responder(&["-t=echo", "-C=3"]).await;
    let run = server
        .tool("request")
        .args(["-t=echo", "-m=hello"])
        .run()
        .await;
    run.exits(0);
    assert_eq!(run.stdout, "hello\n");
    assert!(run.stderr.contains("response 1 after "), "{}", run.stderr);
    assert_eq!(responder.next("answered").await["request_len"], 5);

    // Bytes that aren't text, a correlation of the user's, and JSON lines.
    let run = server
        .tool("request")
        .args(["-t=echo", "--hex", "-m=00ff", "--json"])
        .args(["--correlation=hex:fe", "--response-topic=my/answers"])
        .run()
        .await;
    run.exits(0);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let response = lines
        .iter()
        .find(|line| line["event"] == "response")
        .unwrap();
    assert_eq!(response["payload_b64"], "AP8=");
    assert_eq!(response["topic"], "my/answers");
    assert_eq!(response["properties"]["correlation_b64"], "/g==");
    assert!(response["rtt_ms"].as_f64().unwrap() > 0.0, "{response}");
    assert_eq!(lines.last().unwrap()["received"], 1);

    // A message without a response topic gets no answer, and is the third one that counts.
    let plain = server
        .tool("pub")
        .args(["-t=echo", "-m=x", "-q1"])
        .run()
        .await;
    plain.exits(0);
    let warning = responder.next("warning").await;
    let text = warning["text"].as_str().unwrap();
    assert!(text.contains("no response topic"), "{text}");
    responder.ends().await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_answers_with_its_output_and_knows_the_properties() {
    let server = Server::start().await;
    // What a request says reaches the program in values of fixed names only.
    let script = r#"sh -c 'cat; printf "|%s|%s|%s|%s" "$DUNLIN_MSG_TOPIC" "$DUNLIN_MSG_CONTENT_TYPE" "$DUNLIN_MSG_USER_PROPERTIES" "$PATH_X"'"#;
    let _responder = server.responder(&["-t=run/+", "--exec", script]).await;
    let run = server
        .tool("request")
        .args(["-t=run/a", "-m=in $(id) `id`", "--content-type=$(id)"])
        .args(["--user-property=PATH_X=canary", "--user-property=k=v"])
        .run()
        .await;
    run.exits(0);
    assert_eq!(
        run.stdout,
        "in $(id) `id`|run/a|$(id)|[[\"PATH_X\",\"canary\"],[\"k\",\"v\"]]|\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_or_hangs_gives_no_answer_and_the_responder_goes_on() {
    let server = Server::start().await;
    let script = r#"sh -c 'read -r what; case $what in fail) echo no >&2; exit 3;; hang) exec sleep 60;; large) head -c 1048577 /dev/zero;; *) echo fine;; esac'"#;
    let words = ["-t=run", "--exec", script, "--exec-timeout=1s", "-C=4"];
    let mut responder = server.responder(&words).await;
    for (what, words) in [
        ("fail", "exit status: 3; it says \"no\""),
        ("hang", "took longer than 1 s"),
        ("large", "printed more than 1048576 bytes"),
    ] {
        let request = server
            .tool("request")
            .args(["-t=run", "-W=2s", "-m"])
            .args([format!("{what}\n")])
            .run();
        let (run, warning) = tokio::join!(request, responder.next("warning"));
        run.exits(9);
        assert!(
            run.stderr.contains("error[E-NOT-RECEIVED]"),
            "{}",
            run.stderr
        );
        // There is no policy at this server, and the responder may be at fault.
        assert!(
            run.stderr.contains(
                "error[E-NOT-RECEIVED]: no response to the request on \"run\" within 2 s"
            ),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains("the responder failed"),
            "{}",
            run.stderr
        );
        assert!(!run.stderr.contains("policy"), "{}", run.stderr);
        let text = warning["text"].as_str().unwrap();
        assert!(text.contains(words), "{text}");
    }
    let run = server.tool("request").args(["-t=run", "-m=x"]).run().await;
    run.exits(0);
    assert_eq!(run.stdout, "fine\n\n");
    responder.ends().await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_other_correlation_data_is_no_response() {
    let server = Server::start().await;
    let mut requester = server
        .tool("request")
        .args(["-t=nobody", "-m=x", "--json", "-W=3s"])
        .args(["--response-topic=answers", "--correlation=mine"])
        .spawn();
    let mut lines = BufReader::new(requester.stdout.take().unwrap()).lines();
    while event(&mut lines).await["event"] != "suback" {}
    let other = server
        .tool("pub")
        .args(["-t=answers", "-m=wrong", "-q1", "--correlation=other"])
        .run()
        .await;
    other.exits(0);
    let mut events = Vec::new();
    while let Ok(Ok(Some(line))) = timeout(Duration::from_secs(20), lines.next_line()).await {
        let line: Value = serde_json::from_str(&line).unwrap();
        events.push(line["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(events, ["warning", "error", "summary"]);
    Finished::wait_for(requester).await.exits(9);
}

/// Next packet that the client sends, up to 127 bytes long.
async fn packet(socket: &mut TcpStream) -> Vec<u8> {
    let read = async {
        let mut packet = vec![0; 2];
        socket.read_exact(&mut packet).await.unwrap();
        packet.resize(2 + usize::from(packet[1]), 0);
        socket.read_exact(&mut packet[2..]).await.unwrap();
        packet
    };
    timeout(Duration::from_secs(20), read).await.unwrap()
}

fn has(packet: &[u8], bytes: &[u8]) -> bool {
    packet.windows(bytes.len()).any(|window| window == bytes)
}

#[tokio::test]
async fn responses_come_to_the_topic_that_the_server_offers() {
    // With Response Information (0x1A) "of/", without it, and with an identifier that the server
    // assigns (0x12).
    for (properties, topic) in [
        (&b"\x06\x1a\x00\x03of/"[..], &b"of/responses"[..]),
        (b"\x00", b"dunlin/responses/me"),
        (b"\x04\x12\x00\x01Z", b"dunlin/responses/Z"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        let client_id = if properties.starts_with(b"\x04") {
            ""
        } else {
            "me"
        };
        let _run = dunlin(["request", "-H", &url, "-t=a", "-m=x", "-i", client_id])
            .args(["--request-response-info=true"])
            .spawn();
        let (mut socket, _) = listener.accept().await.unwrap();
        let connect = packet(&mut socket).await;
        assert!(has(&connect, b"\x19\x01"), "{connect:x?}");
        let length = u8::try_from(2 + properties.len()).unwrap();
        let connack = [b"\x20", &[length, 0, 0][..], properties].concat();
        socket.write_all(&connack).await.unwrap();
        let subscribe = packet(&mut socket).await;
        let topic_length = u8::try_from(topic.len()).unwrap();
        let topic = [&[0, topic_length][..], topic].concat();
        assert!(has(&subscribe, &topic), "{subscribe:x?}");
        let suback = [0x90, 4, subscribe[2], subscribe[3], 0, 1];
        socket.write_all(&suback).await.unwrap();
        let request = packet(&mut socket).await;
        assert!(has(&request, &topic), "{request:x?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_the_command_line_are_found_before_anything_is_sent() {
    for (words, told) in [
        (&["request", "-t=a"][..], "missing: --message"),
        (&["request", "-t=a/#", "-m=x"], "--topic"),
        (&["respond"], "missing: --topic"),
        (&["respond", "-t=a", "--exec= "], "--exec is empty"),
        (
            &["respond", "-t=a", "--exec='x"],
            "--exec: a quotation mark",
        ),
    ] {
        let run = dunlin(words).args(["-H=mqtt://localhost:1"]).run().await;
        run.exits(2);
        assert!(run.error_line().contains(told), "{told}\n{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    let dry = dunlin([
        "request",
        "-t=a",
        "-m=x",
        "--dry-run",
        "-H=mqtt://localhost:1",
    ])
    .run()
    .await;
    dry.exits(0);
    assert!(dry.stdout.contains("PUBLISH"), "{}", dry.stdout);
}
