//! `dunlin pub` over HTTP: at the sandbox with a subscriber of MQTT, and at servers that answer
//! anything.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod proxies;

use std::time::Duration;

use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, QoS, ReceivedMessage, Subscription};
use dunlin_codec::PayloadFormat;
use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Tool, dunlin};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Token that must not appear in any output.
const CANARY: &str = "canary-7f3a";

/// Sandbox with an authorizer that accepts [`CANARY`] signed, and a subscriber.
struct Served {
    sandbox: Sandbox,
    signature: String,
    subscriber: Client,
    messages: Subscription,
    _state: TempDir,
}

impl Served {
    async fn start() -> Self {
        let state = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            plain_port: Some(0),
            https_port: Some(0),
            http_port: Some(0),
            state_dir: Some(state.path().into()),
            anonymous: true,
            ..SandboxOptions::default()
        };
        let lambda = Lambda::Static(Answer::allow("canary", DEMO_POLICY.into()));
        let unsigned = Authorizer::new("Open", lambda);
        let options = SandboxOptions {
            authorizers: [options.authorizers.clone(), vec![unsigned]].concat(),
            ..options
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let signature = sandbox.sign(CANARY).unwrap();
        let transport = TransportOptions::new("localhost", sandbox.plain_port().unwrap());
        let connect = ConnectOptions::new("mqtt5-sample-subscriber");
        let subscriber = Client::connect(ClientOptions::new(transport, connect))
            .await
            .unwrap();
        let messages = subscriber
            .subscribe("test/topic", QoS::AtLeastOnce)
            .await
            .unwrap();
        Self {
            sandbox,
            signature,
            subscriber,
            messages,
            _state: state,
        }
    }

    /// `dunlin pub` over HTTPS, with the token.
    fn publish(&self) -> Tool {
        let url = format!("https://localhost:{}", self.sandbox.https_port().unwrap());
        dunlin(["pub", "-H", &url, "--ca"])
            .args([&self.sandbox.ready().ca])
            .args(["--authorizer-name=DemoSigned", "--auth-token-key-name=tok"])
            .env("DUNLIN_AUTH_TOKEN", CANARY)
            .env("DUNLIN_AUTH_SIGNATURE", &self.signature)
    }

    async fn next(&mut self) -> ReceivedMessage {
        let next = timeout(Duration::from_secs(10), self.messages.next());
        next.await.unwrap().unwrap()
    }

    #[track_caller]
    fn has_no_secret(&self, run: &Finished) {
        for secret in [CANARY, &self.signature] {
            assert!(!run.stdout.contains(secret), "{}", run.stdout);
            assert!(!run.stderr.contains(secret), "{}", run.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_property_reaches_a_subscriber_of_mqtt() {
    let mut served = Served::start().await;
    for place in ["headers", "query"] {
        let run = served
            .publish()
            .args(["-t=test/topic", "-m=on", "-q=1", "--authorizer-as", place])
            .args(["--content-type=text/plain; a=b", "--expiry=60s"])
            .args(["--response-topic=test/réponse", "--correlation=hex:00ff"])
            .args(["--payload-format=utf8"])
            .args(["--user-property=k=\"é\"", "--user-property=k=2"])
            .args(["--json", "-vvv"])
            .run()
            .await;
        run.exits(0);
        served.has_no_secret(&run);
        let published: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
        assert_eq!(published["event"], "published");
        assert_eq!(published["status"], 200);
        assert!(published["request_id"].is_string(), "{published}");

        let message = served.next().await;
        assert_eq!(
            (message.payload(), message.qos()),
            (&b"on"[..], QoS::AtLeastOnce)
        );
        let properties = message.properties();
        assert_eq!(properties.content_type.unwrap(), "text/plain; a=b");
        assert_eq!(properties.response_topic.unwrap(), "test/réponse");
        assert_eq!(properties.correlation_data.unwrap(), &b"\x00\xff"[..]);
        assert_eq!(
            properties.payload_format_indicator,
            Some(PayloadFormat::Utf8)
        );
        assert!(
            properties
                .message_expiry_interval
                .is_some_and(|left| left <= 60)
        );
        let user: Vec<(String, String)> = properties
            .user_properties
            .iter()
            .map(|pair| (pair.name.to_string(), pair.value.to_string()))
            .collect();
        let expected = [("k", "\"é\""), ("k", "2")];
        assert_eq!(
            user,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
    served.subscriber.disconnect().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_json_lines_repeats_and_files_are_one_request_each() {
    let mut served = Served::start().await;
    // Repeated with a template, without TLS.
    let url = format!("http://localhost:{}", served.sandbox.http_port().unwrap());
    let run = dunlin(["pub", "-H", &url, "-t=test/topic", "-m=n{{count}}"])
        .args(["--template", "--repeat=3", "--interval=1ms"])
        .run()
        .await;
    run.exits(0);
    for expected in ["n1", "n2", "n3"] {
        assert_eq!(served.next().await.payload(), expected.as_bytes());
    }

    // Lines of standard input, over one connection.
    for (flag, input) in [
        ("--lines", "one\ntwo\n"),
        (
            "--json-lines",
            "{\"payload\":\"one\"}\n{\"event\":\"stats\"}\n{\"payload_b64\":\"dHdv\"}\n",
        ),
    ] {
        let tool = served.publish().args(["-t=test/topic", flag, "--json"]);
        let mut child = tool.with_stdin().spawn();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let run = Finished::wait_for(child).await;
        run.exits(0);
        let summary: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&summary["sent"], &summary["acked"]),
            (&2.into(), &2.into())
        );
        for expected in ["one", "two"] {
            assert_eq!(served.next().await.payload(), expected.as_bytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_request_without_secrets_and_sends_nothing() {
    let served = Served::start().await;
    let run = served
        .publish()
        .args(["-t=a/b", "-m=on", "-r", "--dry-run"])
        .run()
        .await;
    run.exits(0);
    served.has_no_secret(&run);
    for words in [
        "nothing is sent",
        "POST /topics/a%2Fb?retain=true HTTP/1.1",
        "x-amz-customauthorizer-name: DemoSigned",
        "tok: <redacted 11 bytes>",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_authorizer_the_policy_and_the_service_have_their_ids() {
    let served = Served::start().await;
    for (flags, code, id) in [
        // The signature is of another token.
        (
            &[
                "-t=test/topic",
                "-m=on",
                "--auth-token-key-value=canary-7f3b",
            ][..],
            5,
            "E-HTTP-DENIED",
        ),
        (&["-t=other", "-m=on"], 5, "E-HTTP-DENIED"),
        (&["-t=test/topic", "--size=131073"], 7, "E-HTTP-REFUSED"),
        (&["-t=a/b/c/d/e/f/g/h/i", "-m=on"], 7, "E-HTTP-REFUSED"),
        (&["-t=test/topic", "--size=131072"], 0, "-"),
    ] {
        let run = served.publish().args(flags).args(["--json"]).run().await;
        run.exits(code);
        served.has_no_secret(&run);
        assert!(!run.stderr.contains("canary-7f3b"), "{}", run.stderr);
        if id != "-" {
            assert!(
                run.stderr.contains(&format!("error[{id}]: ")),
                "{}",
                run.stderr
            );
            let lines: Vec<Value> = run
                .stdout
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(
                (&lines[0]["event"], &lines[0]["id"]),
                (&"error".into(), &id.into())
            );
            assert_eq!(lines[1]["exit_code"], code);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_request_was_not_sent_is_not_counted() {
    for (verb, flags) in [("pub", &["-m=on"][..]), ("doctor", &[])] {
        let tool = dunlin([verb, "-H=http://127.0.0.1:1", "-t=t", "--json"]);
        let run = tool.args(flags).run().await;
        run.exits(3);
        let summary: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(summary["event"], "summary");
        assert_eq!(summary["sent"], 0, "{verb}");
    }
}

/// Server that reads one request from each connection and answers with these bytes, the second of them
/// again and again, and then closes or stays open.
async fn answering(first: &'static str, again: &'static str, closes: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(first.as_bytes()).await;
        while !again.is_empty() && stream.write_all(again.as_bytes()).await.is_ok() {}
        if !closes {
            // Until the tool closes.
            while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_answer_has_its_id_and_exit_code() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let wrong_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n";
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}";
    let wrong = "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}";
    let throttled =
        "HTTP/1.1 429 Slow\r\nx-amzn-ErrorType: ThrottlingException\r\ncontent-length: 0\r\n\r\n";
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n";
    for (first, again, closes, code, id) in [
        // No answer, half of one, and one of another protocol.
        ("", "", false, 9, "E-ACK-TIMEOUT"),
        ("HTTP/1.1 200 OK\r\n", "", false, 9, "E-ACK-TIMEOUT"),
        (short, "", false, 9, "E-ACK-TIMEOUT"),
        ("", "", true, 8, "E-LOST"),
        ("HTTP/1.1 200 OK\r\n", "", true, 8, "E-LOST"),
        (short, "", true, 8, "E-LOST"),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", "", true, 10, "E-PROTOCOL"),
        (wrong, "", true, 10, "E-PROTOCOL"),
        // Answers without an end.
        (
            "HTTP/1.1 200 OK\r\n",
            "x: 0123456789\r\n",
            true,
            10,
            "E-PROTOCOL",
        ),
        (chunked, "a\r\n0123456789\r\n", true, 10, "E-PROTOCOL"),
        // Refusals of a service and of a web server.
        (throttled, "", false, 6, "E-HTTP-UNAVAILABLE"),
        (moved, "", false, 7, "E-HTTP-REFUSED"),
        // Chunks that can't be read.
        (wrong_chunk, "", false, 10, "E-PROTOCOL"),
    ] {
        let url = answering(first, again, closes).await;
        let run = dunlin(["pub", "-t=t", "-m=on", "--timeout=1s", "-H", &url])
            .args(["--json"])
            .run()
            .await;
        println!("{first:?} {again:?} {closes} {code} {id}");
        run.exits(code);
        assert!(
            run.stderr.contains(&format!("error[{id}]: ")),
            "{}",
            run.stderr
        );
    }
}

#[tokio::test]
async fn flags_without_a_meaning_over_http_are_refused_with_the_reason() {
    for (flag, reason) in [
        ("--qos=2", "takes 0 and 1"),
        ("--topic-alias=1", "a request of its own"),
        ("--in-flight=5", "a request of its own"),
        ("--store=/no/such/file", "a request of its own"),
        ("--client-id=x", "no session"),
        ("--keep-alive=30s", "no session"),
        ("--session-expiry=1h", "no session"),
        ("--will-topic=t", "no will"),
        ("--username=u", "no user name"),
        ("--auth-password=p", "no user name"),
        ("--reconnect=2", "sent once"),
        ("--packets", "no packet of MQTT"),
        ("--capture=/no/such/file", "no packet of MQTT"),
        ("--ws-header=a=b", "header of WebSocket"),
        ("--authorizer-as=connect", "headers or query"),
    ] {
        let run = dunlin(["pub", "-H=https://localhost:1", "-t=t", "-m=on", flag])
            .run()
            .await;
        run.exits(2);
        let line = run.error_line();
        assert!(
            line.contains("error[E-USAGE]") && line.contains(reason),
            "{flag}: {line}"
        );
    }
    // In the environment they may be for other servers.
    let run = dunlin([
        "pub",
        "-H=https://localhost:1",
        "-t=t",
        "-m=on",
        "--dry-run",
    ])
    .env("DUNLIN_AUTH_PASSWORD", CANARY)
    .env("DUNLIN_AUTH_USERNAME", "u")
    .env("DUNLIN_CLIENT_ID", "x")
    .run()
    .await;
    run.exits(0);
    assert!(!run.stdout.contains(CANARY));
}

#[tokio::test]
async fn other_verbs_refuse_http_and_a_sandbox_without_it_is_named() {
    for verb in ["connect", "sub", "request", "respond"] {
        let run = dunlin([verb, "-H=https://localhost:1"])
            .args(match verb {
                "request" => &["-t=t", "-m=on"][..],
                "sub" | "respond" => &["-t=t"],
                _ => &[],
            })
            .run()
            .await;
        run.exits(2);
        assert!(
            run.error_line().contains("only pub and doctor take it"),
            "{verb}"
        );
    }
}
