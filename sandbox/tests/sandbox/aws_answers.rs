//! The table "AWS answers": what a client asks, and what AWS IoT Core, and so the sandbox, answers.
//! One row per point.
//!
//! ```text
//! cargo test -p dunlin-sandbox --test sandbox aws_answers -- --nocapture
//! ```

mod lambdas;

use core::fmt::Write as _;
use core::future::Future;
use core::pin::Pin;
use std::time::{Duration, Instant};

use dunlin_codec::{BinaryData, Connect, Packet, QoS, ReasonCode, TopicName, Will, WillProperties};
use dunlin_sandbox::{Answer, Denial, Sandbox, SandboxOptions, SubscribeQoS2};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{
    TestClient, TestSandbox, allow, connect, handshake, publish, subscribe, subscription, unsigned,
    with_denials,
};

/// One row of the table.
struct Row {
    /// The point of the list of differences that it shows.
    point: u8,
    asks: &'static str,
    answer: &'static str,
    /// The conversation that shows it. A panic means that the answer was another one.
    conversation: Conversation,
}

type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;

fn row(
    point: u8,
    asks: &'static str,
    answer: &'static str,
    conversation: impl Future<Output = ()> + Send + 'static,
) -> Row {
    Row {
        point,
        asks,
        answer,
        conversation: Box::pin(conversation),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_answers() {
    let rows = [
        row(
            1,
            "--config authorizers.toml, a file name without a folder",
            "its lambda.exec runs",
            lambdas::bare_file_name(),
        ),
        row(
            2,
            "60 clients of a Lambda that doesn't answer",
            "a client of another authorizer gets in",
            lambdas::slow_lambda(),
        ),
        row(
            3,
            "a Python handler, called three times",
            "one process, unchanged code",
            lambdas::handler(),
        ),
        row(
            4,
            "a Lambda that looks at its environment",
            "PATH, none of this shell",
            lambdas::environment(),
        ),
        row(
            5,
            "a Lambda that prints a line of 64 KiB",
            "the log shows it whole",
            lambdas::long_output(),
        ),
        row(
            6,
            "JSON text without times; a denial with a wrong field",
            "taken; 0x87",
            lambdas::json_text(),
        ),
        row(
            7,
            "SUBSCRIBE with a filter at QoS 2",
            "no SUBACK, and a line of the log",
            subscribe_at_qos_2(),
        ),
        row(
            8,
            "PUBLISH or SUBSCRIBE on $SYS, unknown $aws/..",
            "DISCONNECT; $aws/rules/.. goes on",
            reserved_topics(),
        ),
        row(
            9,
            "no server name (SNI), or another one",
            "a line of the log; refused with strict_sni",
            other_sni(),
        ),
        row(
            10,
            "Receive on topic/$share/g/t for $share/g/t",
            "delivered; iot:LastWillTopic is compared",
            share_and_will(),
        ),
        row(
            11,
            "CONNECT of MQTT 3.1.1",
            "20 02 00 01, and the log names the client",
            old_client(),
        ),
        row(
            12,
            "1,020 QoS 1 messages for a client that is away",
            "1,000 are kept, 20 dropped and told",
            queue_is_full(),
        ),
        row(
            13,
            "10 clients leave with all their filters",
            "others are served",
            clients_leave(),
        ),
        row(
            14,
            "CONNECT with Maximum Packet Size 24",
            "a CONNACK of at most 24 bytes",
            small_connack(),
        ),
        row(
            15,
            "PINGREQ in time, while the server was paused",
            "PINGRESP, no 0x8D",
            ping_during_a_pause(),
        ),
        row(
            16,
            "no TLS, no credentials, with --plain --anonymous",
            "let in; a named authorizer still judges",
            anonymous(),
        ),
        row(
            17,
            "a will, and what is allowed and refused",
            "words of their own in the log",
            words_of_the_log(),
        ),
        row(
            18,
            "a state folder that others can write to",
            "refused, with the command that mends it",
            writable_state(),
        ),
        row(
            19,
            "a client id with a line break and bidi marks",
            "escaped in the log and on the wire",
            odd_client_id(),
        ),
    ];
    let mut table = String::new();
    let mut failed = Vec::new();
    for Row {
        point,
        asks,
        answer,
        conversation,
    } in rows
    {
        let is_shown = tokio::spawn(conversation).await.is_ok();
        let mark = if is_shown { "ok" } else { "FAILED" };
        writeln!(table, "{point:>3}  {asks:58}  {answer:48}  {mark}").unwrap();
        failed.extend((!is_shown).then_some(point));
    }
    println!("{table}");
    assert!(failed.is_empty(), "points {failed:?}");
}

/// The figures of a full run instead of the small ones of every run.
fn is_full() -> bool {
    std::env::var_os("DUNLIN_FULL").is_some_and(|full| full == "1")
}

async fn subscribe_at_qos_2() {
    let mut exactly_once = subscription("b");
    exactly_once.options.qos = QoS::ExactlyOnce;
    let filters = [subscription("a"), exactly_once];
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.connected_to_default("c").await;
    client.sends(subscribe(&filters)).await;
    client.receives_nothing_more().await;
    assert!(sandbox.logged(
        "subscribe c  b  → refuse (it asks for QoS 2: AWS IoT Core sends no SUBACK at all"
    ));
    let answering = |answer| {
        let everybody = Answer::allow("anybody", allow("iot:*"));
        TestSandbox::with_answer_and(everybody, move |options| SandboxOptions {
            subscribe_qos2: answer,
            ..options
        })
    };
    let sandbox = answering(SubscribeQoS2::Disconnect).await;
    let mut client = sandbox.connected_to_default("c").await;
    client.sends(subscribe(&filters)).await;
    assert_eq!(
        client.receives_disconnect().await.0,
        ReasonCode::QoSNotSupported
    );
    let sandbox = answering(SubscribeQoS2::Grant).await;
    let mut client = sandbox.connected_to_default("c").await;
    client.sends(subscribe(&filters)).await;
    assert_eq!(
        client.receives_suback().await.0,
        [ReasonCode::GrantedQoS1; 2]
    );
}

async fn old_client() {
    let sandbox = TestSandbox::start().await;
    for (connect, expected) in [
        (
            &b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"[..],
            &[0x20, 0x02, 0x00, 0x01][..],
        ),
        (
            b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a",
            &[0x20, 0x03, 0x00, 0x84, 0x00],
        ),
    ] {
        let mut client = sandbox.open().await;
        client.sends_bytes(connect).await;
        let mut answer = Vec::new();
        client.stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, expected);
    }
    let advice = "MQTT 3.1.1; this server speaks MQTT 5 only (AWS IoT takes both): mosquitto_pub needs -V mqttv5";
    assert!(sandbox.logged(&format!("{advice}; client id \"a\"")));
}

async fn small_connack() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.open().await;
    let mut small = connect("small", "", "");
    small.properties.maximum_packet_size = 24.try_into().ok();
    client.sends(small).await;
    let packet = client.receives().await;
    assert!(packet.as_bytes().len() <= 24);
    let Packet::ConnAck(connack) = packet.packet() else {
        panic!("a CONNACK, not {packet:?}")
    };
    let connack = connack.read();
    assert_eq!(connack.reason_code, ReasonCode::Success);
}

/// A runtime of one thread stands in for the process: who blocks it, pauses the sandbox.
async fn ping_during_a_pause() {
    let paused = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let sandbox = TestSandbox::mqtt5().await;
            let mut clients = Vec::new();
            for number in 0..8 {
                let id = number.to_string();
                let (client, _) = sandbox
                    .connects(Connect {
                        keep_alive: 1,
                        ..connect(&id, "", "")
                    })
                    .await;
                clients.push(client);
            }
            for client in &mut clients {
                client.sends(Packet::PingReq).await;
                client.sends(Packet::PingReq).await;
            }
            std::thread::sleep(Duration::from_millis(1700));
            for client in &mut clients {
                assert_eq!(client.receives().await.packet(), Packet::PingResp);
                assert_eq!(client.receives().await.packet(), Packet::PingResp);
            }
        });
    });
    tokio::task::spawn_blocking(|| paused.join().unwrap())
        .await
        .unwrap();
}

async fn anonymous() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        plain_port: Some(0),
        anonymous: true,
        ..options
    })
    .await;
    let port = sandbox.sandbox.plain_port().unwrap();
    let wrong = connect(
        "c",
        "demo?x-amz-customauthorizer-name=DemoUnsigned",
        "wrong",
    );
    for (connect, expected) in [
        (
            Connect {
                username: None,
                password: None,
                ..connect("a", "", "")
            },
            ReasonCode::Success,
        ),
        (connect("b", "any?user?name", "any"), ReasonCode::Success),
        (wrong, ReasonCode::NotAuthorized),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut bytes = Vec::new();
        connect.encode(&mut bytes).unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!((answer[0], answer[3]), (0x20, expected.code()));
    }
}

async fn writable_state() {
    let state = tempfile::tempdir().unwrap();
    let start = || {
        Sandbox::start(SandboxOptions {
            port: 0,
            demo: false,
            state_dir: Some(state.path().into()),
            ..SandboxOptions::default()
        })
    };
    start().await.unwrap().stop().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = state.path().join("sandbox");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode() & 0o777;
            assert!(mode == 0o600 || mode == 0o700, "{mode:o}");
        }
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        let told = start().await.unwrap_err().to_string();
        assert!(told.contains("; to mend it: chmod 700 "), "{told}");
    }
}

async fn reserved_topics() {
    let sandbox = TestSandbox::allowing_everything().await;
    for (number, topic) in ["$SYS/x", "$aws/own/x", "$own"].into_iter().enumerate() {
        let mut client = sandbox.connected_to_default(&format!("p{number}")).await;
        client.sends(publish(topic, "x", QoS::AtLeastOnce)).await;
        assert_eq!(
            client.receives_disconnect().await.0,
            ReasonCode::TopicNameInvalid,
            "{topic}"
        );
        let mut client = sandbox.connected_to_default(&format!("s{number}")).await;
        client.sends(subscribe(&[subscription(topic)])).await;
        assert_eq!(
            client.receives_disconnect().await.0,
            ReasonCode::TopicFilterInvalid,
            "{topic}"
        );
    }
    let mut client = sandbox.connected_to_default("basic-ingest").await;
    client
        .sends(publish("$aws/rules/r/t", "x", QoS::AtLeastOnce))
        .await;
    assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
    let everybody = Answer::allow("anybody", allow("iot:*"));
    let told = |options| {
        with_denials(options, |denials| {
            denials.reserved_topic = Denial::ReasonCode;
        })
    };
    let sandbox = TestSandbox::with_answer_and(everybody, told).await;
    let mut client = sandbox.connected_to_default("c").await;
    assert_eq!(
        client.subscribes("$SYS/#").await.0,
        [ReasonCode::TopicFilterInvalid]
    );
}

async fn other_sni() {
    for (name, line) in [
        ("127.0.0.1", "the client sends no server name (SNI)"),
        ("localhost", ""),
    ] {
        for strict in [false, true] {
            let sandbox = TestSandbox::start_with(|options| SandboxOptions {
                strict_sni: strict,
                ..options
            })
            .await;
            let handshake = handshake(&sandbox.sandbox, name, &[b"mqtt"]).await;
            assert_eq!(handshake.is_ok(), line.is_empty() || !strict, "{name}");
            if line.is_empty() {
                assert!(!sandbox.logged("(SNI)"));
            } else {
                sandbox.wait_for_log(line).await;
            }
        }
    }
}

async fn share_and_will() {
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:*:*:topicfilter/$share/*/t"},
        {"Effect": "Allow", "Action": "iot:Receive", "Resource": "arn:aws:iot:*:*:topic/$share/*/t"},
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*",
            "Condition": {"ArnEqualsIfExists": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/my/will"}}},
    ]});
    let sandbox = TestSandbox::with_answer(Answer::allow("anybody", policy)).await;
    let mut client = sandbox.connected_to_default("c").await;
    assert_eq!(
        client.subscribes("$share/g/t").await.0,
        [ReasonCode::GrantedQoS1]
    );
    assert_eq!(client.subscribes("t").await.0, [ReasonCode::NotAuthorized]);
    sandbox
        .connected_to_default("p")
        .await
        .sends(publish("t", "x", QoS::AtLeastOnce))
        .await;
    assert_eq!(client.receives_message().await.0, "x");
    for (topic, expected) in [
        ("my/will", ReasonCode::Success),
        ("other", ReasonCode::NotAuthorized),
    ] {
        let will = Will {
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::default(),
            topic: TopicName::new(topic).unwrap(),
            payload: BinaryData::new(b"x").unwrap(),
        };
        let mut client = sandbox.open().await;
        client
            .sends(Connect {
                will: Some(will),
                ..connect(topic, "", "")
            })
            .await;
        assert_eq!(client.receives_connack().await.0, expected, "{topic}");
    }
}

async fn words_of_the_log() {
    let answer = Answer::allow("anybody", allow(["iot:Connect", "iot:Publish"]));
    let sandbox = TestSandbox::with_answer(answer).await;
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties::default(),
        topic: TopicName::new("gone").unwrap(),
        payload: BinaryData::new(b"x").unwrap(),
    };
    let (mut client, _) = sandbox
        .connects(Connect {
            will: Some(will),
            ..connect("c", "", "")
        })
        .await;
    client.subscribes("t").await;
    drop(client);
    sandbox
        .wait_for_log("will      c  gone  → allow, to 0 subscribers")
        .await;
    assert!(sandbox.logged("subscribe c  t  → refuse 0x87 ("));
}

async fn odd_client_id() {
    let sandbox = TestSandbox::start().await;
    let mut client = sandbox.open().await;
    client.sends(unsigned("a\u{202e}b\u{2028}c")).await;
    let (_, reason) = client.receives_connack().await;
    let shown = r"a\u{202e}b\u{2028}c";
    assert!(reason.is_some_and(|reason| reason.contains(shown)));
    sandbox
        .wait_for_log(&format!("connect   {shown}  DemoUnsigned → refuse 0x87"))
        .await;
}

async fn queue_is_full() {
    // The clocks are fast: the service takes 100 messages a second of a connection.
    let answer = Answer::allow("anybody", allow("iot:*"));
    let sandbox = TestSandbox::with_answer_and(answer, |options| SandboxOptions {
        time_scale: 200,
        ..options
    })
    .await;
    let mut away = connect("away", "", "");
    (away.clean_start, away.properties.session_expiry_interval) = (false, Some(3600));
    let (mut subscriber, _) = sandbox.connects(away).await;
    subscriber.subscribes("t").await;
    drop(subscriber);
    sandbox.wait_for_log("disconnect away").await;
    let mut publisher = sandbox.connected_to_default("publisher").await;
    let mut taken = 0;
    while taken < 1020 {
        publisher.sends(publish("t", "x", QoS::AtLeastOnce)).await;
        // What is above the rate is told, and sent again here.
        taken += usize::from(publisher.receives_puback().await.0 == ReasonCode::Success);
    }
    sandbox.wait_for_log("dropped ").await;
    let log = sandbox.log.lock().unwrap().clone();
    let dropped = log
        .iter()
        .filter_map(|line| line.strip_prefix("dropped   away  t  ")?.split_once(' '));
    assert_eq!(
        dropped
            .map(|(count, _)| count.parse::<usize>().unwrap())
            .sum::<usize>(),
        20
    );
}

async fn clients_leave() {
    let filters = if is_full() { 1000 } else { 50 };
    let sandbox = TestSandbox::mqtt5().await;
    let mut leaving = Vec::new();
    for number in 0..10 {
        let mut client = sandbox
            .connected_to_default(&format!("leaving-{number}"))
            .await;
        for first in (0..filters).step_by(50) {
            let texts: Vec<String> = (first..first + 50)
                .map(|filter| format!("{number}-{filter}"))
                .collect();
            let subscriptions: Vec<_> = texts.iter().map(|text| subscription(text)).collect();
            client.sends(subscribe(&subscriptions)).await;
            assert_eq!(
                client.receives_suback().await.0,
                [ReasonCode::GrantedQoS1; 50]
            );
        }
        leaving.push(client);
    }
    let mut bystander = sandbox.connected_to_default("bystander").await;
    drop(leaving);
    let mut longest = Duration::ZERO;
    while sandbox
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|line| line.starts_with("disconnect"))
        .count()
        < 10
    {
        longest = longest.max(round_trip(&mut bystander).await);
    }
    println!(
        "10 clients with {filters} filters each left: the longest round trip of another was {longest:?}"
    );
}

#[expect(clippy::disallowed_methods, reason = "it is measured and printed")]
async fn round_trip(client: &mut TestClient) -> Duration {
    let begun = Instant::now();
    client.sends(Packet::PingReq).await;
    assert_eq!(client.receives().await.packet(), Packet::PingResp);
    begun.elapsed()
}
