//! Every error of the tool, provoked: its id, its exit code and the words that matter.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, Signing};
use dunlin_tests::{Finished, Tool, dunlin};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

/// Error, exit code, and what provokes it: a fault of the sandbox, the flags, or the network.
const TABLE: [(&str, i32, &str); 28] = [
    ("E-USAGE", 2, "flags"),
    ("E-ENDPOINT", 2, "flags"),
    ("E-SIGNATURE", 2, "flags"),
    ("E-DNS", 3, "a host that doesn't exist"),
    ("E-REFUSED", 3, "a port that nobody listens on"),
    ("E-CONNECT-TIMEOUT", 3, "a server that never answers in TLS"),
    ("E-TLS-CA", 4, "cert=unknown-ca"),
    ("E-TLS-NAME", 4, "cert=wrong-host"),
    ("E-TLS-EXPIRED", 4, "cert=expired"),
    ("E-TLS-TIME", 4, "cert=notyet"),
    ("E-TLS-HANDSHAKE", 4, "a server without TLS"),
    ("E-TLS-INTERCEPTED", 4, "a host of AWS at the sandbox's address"),
    ("E-ALPN", 4, "no-alpn"),
    ("E-AUTH-DENIED", 5, "connack=0x87:reason"),
    ("E-HANGUP", 5, "drop-on-connect"),
    ("E-CONN-REFUSED", 6, "connack=0x89"),
    ("E-SUB-DENIED", 7, "suback=0x87"),
    ("E-SUB-DROPPED", 7, "drop-on-subscribe"),
    ("E-PUB-DENIED", 7, "puback=0x87"),
    ("E-PUB-DROPPED", 7, "drop-on-publish"),
    ("E-KEEPALIVE", 8, "no-pingresp"),
    ("E-DISCONNECTED", 8, "disconnect=0x8b@T"),
    ("E-TAKEN-OVER", 8, "disconnect=0x8e@T"),
    ("E-LOST", 8, "reset@T"),
    ("E-CONNACK-TIMEOUT", 9, "silent"),
    ("E-ACK-TIMEOUT", 9, "no-puback"),
    ("E-NOT-RECEIVED", 9, "no-deliver"),
    ("E-PROTOCOL", 10, "malformed"),
];

/// A password that must not be seen anywhere.
const CANARY: &str = "canary-7f3a";

struct Served {
    sandbox: Sandbox,
    _state: TempDir,
}

async fn serve(fault: &str) -> Served {
    serve_fast(fault, 1).await
}

async fn serve_fast(fault: &str, time_scale: u32) -> Served {
    let state = TempDir::new().unwrap();
    let authorizer = Authorizer {
        name: "Canary".into(),
        active: true,
        signing: Signing::Disabled { token_key_name: None },
        lambda: Lambda::Password {
            username: "demo".into(),
            password: CANARY.into(),
            answer: Answer::allow("canary", DEMO_POLICY.into()),
        },
    };
    let mut builder =
        Sandbox::builder().port(0).state_dir(state.path()).authorizer(authorizer).time_scale(time_scale);
    if !fault.is_empty() {
        builder = builder.fault(fault.parse().unwrap());
    }
    Served { sandbox: builder.start().await.unwrap(), _state: state }
}

/// The sample in a hurry, as somebody whom the sandbox lets in.
fn hurried() -> Tool {
    dunlin(["sample", "--authorizer-name=Canary", "--auth-username=demo", "--count=2"])
        .words(["--interval=100ms", "--timeout=3s", "--connect-timeout=1s"])
        .env("DUNLIN_AUTH_PASSWORD", CANARY)
}

fn at(served: &Served) -> Tool {
    hurried().at(&served.sandbox)
}

/// One error of the table, within twelve lines, with these words and without the password.
#[track_caller]
fn shows(run: &Finished, id: &str, words: &[&str]) {
    let (_, exit, _) = TABLE.iter().find(|(listed, ..)| *listed == id).unwrap();
    run.exits(*exit);
    let lines: Vec<&str> = run.stderr.lines().skip_while(|line| !line.starts_with("error[")).collect();
    assert!(lines.first().is_some_and(|line| line.starts_with(&format!("error[{id}]: "))), "{}", run.stderr);
    assert!(lines.len() <= 12, "{}", run.stderr);
    let line = run.error_line();
    for word in words {
        assert!(line.contains(word), "{word:?} is missing in\n{}", run.stderr);
    }
    assert!(!run.stderr.contains(CANARY) && !run.stdout.contains(CANARY), "{}", run.stderr);
    assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
}

#[tokio::test]
async fn the_table_lists_every_error_of_the_tool_with_its_exit_code() {
    let help = dunlin(["--help"]).run().await;
    let (_, codes) = help.stdout.split_once("Exit codes:\n").unwrap();
    let mut listed = BTreeMap::new();
    let mut code = 0;
    for word in codes.split_whitespace() {
        code = word.parse().unwrap_or(code);
        if word.starts_with("E-") {
            listed.insert(word, code);
        }
    }
    for (id, exit, provoked_by) in TABLE {
        println!("{exit:>3}  {id:<18} {provoked_by}");
    }
    assert_eq!(listed, TABLE.iter().map(|(id, exit, _)| (*id, *exit)).collect());
}

#[tokio::test]
async fn usage() {
    shows(&hurried().run().await, "E-USAGE", &["missing: --endpoint"]);
    shows(&dunlin(["--no-such-flag"]).run().await, "E-USAGE", &["--no-such-flag"]);
}

#[tokio::test]
async fn endpoint() {
    let run = hurried().words(["--endpoint", "c1abc.credentials.iot.eu-west-1.amazonaws.com"]).run().await;
    shows(
        &run,
        "E-ENDPOINT",
        &["is the credentials endpoint, not the data endpoint", "aws iot describe-endpoint"],
    );
}

#[tokio::test]
async fn signature() {
    let run = hurried()
        .words(["--endpoint=localhost", "--auth-token-key-name=tok", "--auth-token-key-value=hello"])
        .words(["--auth-signature=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="]);
    shows(
        &run.run().await,
        "E-SIGNATURE",
        &["cannot be valid; nothing was sent", "32 bytes", "likely: the hash was"],
    );
}

#[tokio::test]
async fn dns() {
    let run = hurried()
        .words(["--endpoint=x-ats.iot.eu-wset-1.amazonaws.com.invalid", "--reconnect=0"])
        .run()
        .await;
    shows(&run, "E-DNS", &["x-ats.iot.eu-wset-1.amazonaws.com.invalid"]);
}

#[tokio::test]
async fn refused() {
    let run = hurried().words(["--endpoint=localhost", "--port=1"]).run().await;
    shows(&run, "E-REFUSED", &["localhost:1 refused the connection", "127.0.0.1:1"]);
    assert!(run.took < Duration::from_secs(5));
}

#[tokio::test]
async fn connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let run = hurried().words(["--endpoint=localhost", "--reconnect=0", "--port", &port]).run().await;
    shows(&run, "E-CONNECT-TIMEOUT", &["within 1 s", "the TLS handshake", "firewall"]);
}

#[tokio::test]
async fn tls_ca() {
    let served = serve("cert=unknown-ca").await;
    let run = at(&served).run().await;
    shows(&run, "E-TLS-CA", &["certificate of \"", "issued by \"", "--endpoint sandbox"]);
    assert!(run.took < Duration::from_secs(5));
}

#[tokio::test]
async fn tls_name() {
    let served = serve("cert=wrong-host").await;
    shows(
        &at(&served).run().await,
        "E-TLS-NAME",
        &["not valid for \"localhost\"", "certificate valid for: \""],
    );
}

#[tokio::test]
async fn tls_expired() {
    let served = serve("cert=expired").await;
    shows(&at(&served).run().await, "E-TLS-EXPIRED", &["expired", "ago", "this computer says 20", "UTC"]);
}

#[tokio::test]
async fn tls_time() {
    let served = serve("cert=notyet").await;
    shows(
        &at(&served).run().await,
        "E-TLS-TIME",
        &["not valid yet according to this computer's clock", "set the clock"],
    );
}

#[tokio::test]
async fn tls_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let run = hurried().words(["--endpoint=localhost", "--port", &port]).run().await;
    shows(&run, "E-TLS-HANDSHAKE", &["does not speak TLS", "plain MQTT (1883)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_intercepted() {
    let served = serve("").await;
    let address = format!("127.0.0.1:{}", served.sandbox.port());
    let run = hurried()
        .words(["--endpoint=x-ats.iot.eu-west-1.amazonaws.com", "--connect-to", &address])
        .run()
        .await;
    shows(&run, "E-TLS-INTERCEPTED", &["no authority of AWS", "--ca alone will not restore ALPN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn() {
    let served = serve("no-alpn").await;
    let run = at(&served).words(["--reconnect=0"]).run().await;
    shows(
        &run,
        "E-ALPN",
        &["we offered: \"mqtt\"; server selected: none", "custom authorizers need \"mqtt\""],
    );
    assert_eq!(
        run.stderr.matches("warning: the server selected no ALPN protocol").count(),
        1,
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn_refused_by_an_alert() {
    let served = serve("").await;
    let run = at(&served).words(["--alpn=x-amzn-mqtt-ca"]).run().await;
    shows(&run, "E-ALPN", &["we offered: \"x-amzn-mqtt-ca\"", "drop --alpn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_denied() {
    let served = serve("connack=0x87:no such user").await;
    let run = at(&served).run().await;
    shows(
        &run,
        "E-AUTH-DENIED",
        &[
            "(CONNACK 0x87)",
            "the server's reason: \"no such user\"",
            "authorizer \"Canary\"",
            "password 11 bytes",
        ],
    );
    assert!(run.took < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_denied_without_a_reason() {
    let served = serve("connack=0x86").await;
    shows(&at(&served).run().await, "E-AUTH-DENIED", &["(CONNACK 0x86)", "server gave no reason string"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup() {
    let served = serve("drop-on-connect").await;
    let run = at(&served).words(["--reconnect=0"]).run().await;
    shows(&run, "E-HANGUP", &["closed the connection before answering CONNECT", "after TLS", "ALPN mqtt ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn conn_refused() {
    let served = serve("connack=0x89:lunch").await;
    let run = at(&served).words(["--reconnect=0"]).run().await;
    shows(
        &run,
        "E-CONN-REFUSED",
        &["Server busy (CONNACK 0x89)", "the server's reason: \"lunch\"", "again in a minute"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_denied() {
    let served = serve("suback=0x87").await;
    let run = at(&served).run().await;
    shows(
        &run,
        "E-SUB-DENIED",
        &[
            "(SUBACK 0x87 Not authorized)",
            "nothing was published",
            "the server's reason: \"",
            "topicfilter/, not topic/",
        ],
    );
    assert!(!run.stdout.contains("Publishing"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_dropped() {
    let served = serve("drop-on-subscribe").await;
    let run = at(&served).words(["--timeout=20s"]).run().await;
    shows(&run, "E-SUB-DROPPED", &["after SUBSCRIBE on \"test/topic\", three times", "not connecting again"]);
    assert_eq!(run.stdout.matches("Lifecycle Connection Success").count(), 3, "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn pub_denied() {
    let served = serve("puback=0x87").await;
    let run = at(&served).run().await;
    shows(&run, "E-PUB-DENIED", &["(PUBACK 0x87 Not authorized)", "iot:Publish on topic/test/topic"]);
    assert!(
        run.stdout.contains("PubAck received with <PubackReasonCode.NOT_AUTHORIZED: 135>"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pub_dropped() {
    let served = serve("drop-on-publish").await;
    let run = at(&served).words(["--timeout=20s"]).run().await;
    shows(&run, "E-PUB-DROPPED", &["after PUBLISH on \"test/topic\", three times", "iot:Publish"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keepalive() {
    let served = serve_fast("no-pingresp", 30).await;
    let run = at(&served)
        .words(["--keep-alive=30", "--ping-timeout=200ms", "--interval=20s", "--reconnect=0"])
        .run()
        .await;
    shows(&run, "E-KEEPALIVE", &["no PINGRESP within 200 ms", "--keep-alive 60"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected() {
    let served = serve("disconnect=0x8b@300ms").await;
    let run = at(&served).words(["--interval=20s", "--reconnect=0"]).run().await;
    shows(
        &run,
        "E-DISCONNECTED",
        &["Server shutting down (DISCONNECT 0x8B)", "after CONNACK", "again in a minute"],
    );
    assert!(run.stdout.contains("Lifecycle Disconnected with reason code:139\n"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_over() {
    let served = serve("disconnect=0x8e@300ms").await;
    let run = at(&served).words(["--interval=20s"]).run().await;
    shows(&run, "E-TAKEN-OVER", &["same client id \"mqtt5-sample-", "(DISCONNECT 0x8E)", "not reconnecting"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost() {
    let served = serve("reset@300ms").await;
    let run = at(&served).words(["--interval=20s", "--reconnect=0"]).run().await;
    shows(&run, "E-LOST", &["after CONNACK", "localhost:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connack_timeout() {
    let served = serve("silent").await;
    let run = at(&served).words(["--timeout=1s", "--reconnect=0"]).run().await;
    shows(&run, "E-CONNACK-TIMEOUT", &["did not answer CONNECT within 1 s", "CONNECT was sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ack_timeout() {
    let served = serve("no-puback").await;
    let run = at(&served).words(["--timeout=1s"]).run().await;
    shows(
        &run,
        "E-ACK-TIMEOUT",
        &["no acknowledgement of PUBLISH on \"test/topic\" within 1 s", "acknowledged 0"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn not_received() {
    let served = serve("no-deliver").await;
    let run = at(&served).words(["--timeout=1s"]).run().await;
    shows(
        &run,
        "E-NOT-RECEIVED",
        &["published 2, acknowledged 2, received 0 within 1 s", "not iot:Receive on topic/"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol() {
    let served = serve("malformed").await;
    shows(
        &at(&served).run().await,
        "E-PROTOCOL",
        &["the server broke the protocol: ", "a bug of the server"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_however_talkative_the_run_is() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, CANARY).unwrap();
    for fault in ["", "connack=0x87", "drop-on-connect", "suback=0x87", "malformed", "reset@100ms"] {
        let served = serve(fault).await;
        let run = at(&served).words(["-vvv", "--reconnect=0", "--count=1"]).run().await;
        assert!(!run.stderr.contains(CANARY) && !run.stdout.contains(CANARY), "{fault}\n{}", run.stderr);
    }
    let served = serve("").await;
    let key = served.sandbox.ready().signing_key.clone();
    let signed =
        dunlin(["signed", "-vvv", "--authorizer-name=DemoSigned", "--auth-token-key-name=tok", "--count=1"])
            .at(&served.sandbox)
            .words(["--auth-token-key-value-file".as_ref(), file.as_os_str()])
            .words(["--auth-signing-key".as_ref(), key.as_os_str()])
            .run()
            .await;
    signed.exits(0);
    let signature = served.sandbox.sign(CANARY).unwrap();
    for secret in [CANARY, &signature] {
        assert!(!signed.stderr.contains(secret) && !signed.stdout.contains(secret), "{}", signed.stderr);
    }
}
