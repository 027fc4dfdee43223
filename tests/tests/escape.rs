//! Text of others on a terminal: every control character, mark of the reading direction and
//! separator is sent through every output of the tool and the sandbox.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_codec::{
    Ack, AckProperties, AckType, ConnAck, ConnAckProperties, Delivery, Disconnect,
    DisconnectProperties, Escaped, Packet, PacketId, Publish, PublishProperties, ReasonCode,
    Repeated, SubAck, SubAckProperties, TopicName, UserProperty, Utf8String, needs_escape,
};
use dunlin_tests::{Finished, dunlin, system_program};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// All such characters that MQTT permits in a string.
fn hostile_text() -> String {
    ('\u{1}'..=char::MAX).filter(|c| needs_escape(*c)).collect()
}

/// Parts of the same text, each short enough for a client identifier of AWS IoT Core.
fn parts() -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in hostile_text().chars() {
        if parts.last().unwrap().len() + c.len_utf8() > 120 {
            parts.push(String::new());
        }
        parts.last_mut().unwrap().push(c);
    }
    parts
}

/// Nothing that was printed may be obeyed by a terminal, but for the line breaks of the tool
/// itself; and `expected` was printed.
#[track_caller]
fn assert_harmless(run: &Finished, expected: &str) {
    for printed in [&run.stdout, &run.stderr] {
        let raw: Vec<char> = printed
            .chars()
            .filter(|c| *c != '\n' && needs_escape(*c))
            .collect();
        assert!(raw.is_empty(), "{raw:?} in {printed:?}");
    }
    let printed = format!("{}{}", run.stdout, run.stderr);
    assert!(printed.contains(expected), "{printed:?}");
}

fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes).unwrap();
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One packet of each type that carries text of the server.
fn packets(text: &str) -> Vec<Vec<u8>> {
    let said = Utf8String::new(text).unwrap();
    let pair = [UserProperty::new(text, text).unwrap()];
    let user_properties = Repeated::from(pair.as_slice());
    let acked = AckProperties {
        reason_string: Some(said),
        user_properties,
    };
    let id = PacketId::new(1).unwrap();
    let refused = Ack {
        reason_code: ReasonCode::NotAuthorized,
        properties: acked,
        ..Ack::success(id)
    };
    let mut publish = Publish::new(TopicName::new(text).unwrap(), text.as_bytes());
    publish.delivery = Delivery::AtLeastOnce {
        packet_id: id,
        dup: false,
    };
    publish.properties = PublishProperties {
        content_type: Some(said),
        user_properties,
        ..PublishProperties::default()
    };
    vec![
        encoded(&Packet::from(&ConnAck {
            reason_code: ReasonCode::NotAuthorized,
            properties: ConnAckProperties {
                reason_string: Some(said),
                user_properties,
                ..ConnAckProperties::default()
            },
            ..ConnAck::default()
        })),
        encoded(&refused.into_packet(AckType::PubAck)),
        encoded(&Packet::SubAck(SubAck {
            packet_id: id,
            reason_codes: [ReasonCode::NotAuthorized].as_slice().into(),
            properties: SubAckProperties {
                reason_string: Some(said),
                user_properties,
            },
        })),
        encoded(&Packet::Publish(publish)),
        encoded(&Packet::Disconnect(Disconnect {
            reason_code: ReasonCode::UnspecifiedError,
            properties: DisconnectProperties {
                reason_string: Some(said),
                user_properties,
                ..DisconnectProperties::default()
            },
        })),
    ]
}

/// Server that answers the first packet with `first` and each later one with `second`.
async fn serve(first: Vec<u8>, second: Vec<u8>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answers = [first.clone(), second.clone()];
            tokio::spawn(async move {
                let mut input = [0; 4096];
                for answer in answers {
                    if stream.read(&mut input).await.unwrap_or(0) == 0
                        || stream.write_all(&answer).await.is_err()
                    {
                        return;
                    }
                }
                // Until the tool has read it and left.
                let _ = timeout(Duration::from_secs(1), stream.read(&mut input)).await;
            });
        }
    });
    (address, serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_inspected_packets_is_escaped() {
    for packet in packets(&hostile_text()) {
        let mut broken = packet.clone();
        let _ = broken.pop();
        for bytes in [hex(&packet), hex(&broken)] {
            for words in [&["--from", "any"][..], &["--from", "any", "--json"]] {
                let run = dunlin(["inspect", "decode"])
                    .args(words)
                    .args([&bytes])
                    .run()
                    .await;
                assert_harmless(
                    &run,
                    if bytes.len() == 2 * packet.len() {
                        "\\u"
                    } else {
                        ""
                    },
                );
            }
        }
        let json = dunlin(["inspect", "decode", "--from", "any", "--json"])
            .args([hex(&packet)])
            .run()
            .await;
        let value: Value = serde_json::from_str(&json.stdout).unwrap();
        assert!(
            value.to_string().contains('\u{202e}'),
            "the JSON still means the same: {value}"
        );
    }
    let run = dunlin(["inspect", "decode"])
        .args([hostile_text()])
        .run()
        .await;
    assert_harmless(&run, "error[");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_a_server_is_escaped() {
    let packets = packets(&hostile_text());
    let accepted = encoded(&Packet::from(&ConnAck::default()));
    let mut servers = vec![("pub", packets.first().unwrap().clone(), Vec::new())];
    for packet in packets.iter().skip(1) {
        let verb = if packet.first() == Some(&0x90) {
            "sub"
        } else {
            "pub"
        };
        servers.push((verb, accepted.clone(), packet.clone()));
    }
    for (verb, first, second) in servers {
        let (address, serving) = serve(first, second).await;
        let endpoint = format!("mqtt://{address}");
        for (more, expected) in [
            (&["-vvv", "--rate=100"][..], "\\u{1}\\u{2}"),
            (&["--json"], "\"event\":\"bench\""),
        ] {
            let run = dunlin([
                "bench",
                verb,
                "--duration=300ms",
                "--qos=1",
                "--clients=1",
                "--timeout=1s",
            ])
            .args(["--reconnect=0", "--endpoint", &endpoint])
            .args(more)
            .run()
            .await;
            assert_harmless(&run, expected);
        }
        serving.abort();
    }
}

/// Each word of a command line may come from somewhere else.
#[tokio::test(flavor = "multi_thread")]
async fn text_of_the_command_line_is_escaped() {
    let hostile = hostile_text();
    let option = format!("--{hostile}");
    for words in [
        &[hostile.as_str()][..],
        &[&option],
        &["--count", &hostile],
        &["--endpoint", &hostile, "--auth_password", "x"],
        &[
            "--endpoint",
            "localhost",
            "--ca",
            &hostile,
            "--auth_username",
            "a",
            "--auth_password",
            "x",
        ],
        &[
            "--endpoint",
            "localhost",
            "--topic",
            "a/#",
            "--client-id",
            &hostile,
            "--auth_password",
            "x",
        ],
        &[
            "--endpoint",
            "localhost",
            "--proxy",
            &hostile,
            "--auth_username",
            "a",
            "--auth_password",
            "x",
        ],
        &["sandbox", "--config", &hostile],
        &["sandbox", "--fault", &hostile],
        &["sandbox", "--lambda", &hostile, "--until-eof"],
        &["auth", "lint", &hostile],
        &[
            "auth",
            "policy",
            "--client-id",
            &hostile,
            "--topic",
            &hostile,
        ],
        &["auth", "sign", "--key", &hostile, "token"],
        &["bench", "pub", "--endpoint", &hostile],
        &[
            "bench",
            "pub",
            "--endpoint",
            "mqtt://localhost:1",
            "--topic",
            &hostile,
            "--count=1",
            "--timeout=1s",
        ],
    ] {
        let run = dunlin(words)
            .env(
                "DUNLIN_STATE_DIR",
                std::env::temp_dir().join("dunlin-escape"),
            )
            .run()
            .await;
        assert_harmless(&run, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_policy_documents_is_escaped() {
    let dir = TempDir::new().unwrap();
    let hostile = hostile_text();
    let statement = |effect: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Sid": hostile, "Effect": effect, "Action": hostile,
            "Resource": hostile, hostile.as_str(): 1}]})
    };

    // The text as a name, a value, an effect and a whole document.
    for (number, document) in [
        statement("Allow"),
        statement(&hostile),
        json!(hostile),
        json!({hostile.as_str(): 1}),
    ]
    .iter()
    .enumerate()
    {
        let file = dir.path().join(format!("{number}.json"));
        fs::write(&file, document.to_string()).unwrap();
        for words in [
            &["auth", "lint"][..],
            &["auth", "lint", "--json"],
            &[
                "auth",
                "eval",
                "--client-id",
                &hostile,
                "--action",
                "publish",
                "--topic",
                &hostile,
                "--policy",
            ],
            &[
                "auth",
                "eval",
                "--json",
                "--client-id",
                "a",
                "--action",
                "publish",
                "--topic",
                "b",
                "--policy",
            ],
        ] {
            assert_harmless(&dunlin(words).args([&file]).run().await, "");
        }

        // The same text as keys and values of a config file.
        let config = dir.path().join(format!("{number}.toml"));
        let text = json!(hostile).to_string();
        fs::write(
            &config,
            format!("authorizer = [{{ name = {text}, {text} = 1 }}]\n{text} = {text}\n"),
        )
        .unwrap();
        assert_harmless(
            &dunlin(["sandbox", "--port", "0", "--config"])
                .args([&config])
                .run()
                .await,
            "",
        );
    }
}

/// The sandbox's log and the sample's transcript, with a Lambda function that prints, names and
/// allows whatever it likes.
#[tokio::test(flavor = "multi_thread")]
async fn text_of_sandbox_clients_and_lambdas_is_escaped() {
    for part in parts() {
        // A Lambda that prints the text, and an answer that has it in each field.
        let dir = TempDir::new().unwrap();
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": part, "Effect": "Allow", "Action": "iot:*", "Resource": "*"},
            {"Sid": part, "Effect": "Deny", "Action": "iot:Publish", "Resource": format!("*/{part}")},
        ]});
        let answer = json!({"isAuthenticated": true, "principalId": part, "policyDocuments": [document],
            "disconnectAfterInSeconds": 300, "refreshAfterInSeconds": 300});
        fs::write(dir.path().join("answer.json"), answer.to_string()).unwrap();
        fs::write(dir.path().join("said"), &part).unwrap();
        let lambda = format!(
            "{} -c 'cat {1}/said >&2; cat {1}/answer.json'",
            system_program("sh").display(),
            dir.path().display()
        );
        for format in [&["--json"][..], &["--explain-decisions"]] {
            let ready = dir.path().join("ready.json");
            let _ = fs::remove_file(&ready);
            let mut sandbox = dunlin(["sandbox", "--port", "0", "--until-eof", "--ready-file"])
                .args([&ready])
                .args(["--lambda", &lambda])
                .args(format)
                .env("DUNLIN_STATE_DIR", dir.path())
                .with_stdin()
                .spawn();

            // The ready file appears when the sandbox accepts connections.
            let is_ready = async {
                while !ready.exists() {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(Duration::from_secs(10), is_ready).await.unwrap();

            // Topics that the policy allows and denies.
            for topic in [format!("a{part}"), format!("a/{part}")] {
                let run = dunlin([
                    "-vvv",
                    "--endpoint",
                    "sandbox",
                    "--count",
                    "1",
                    "--timeout",
                    "3s",
                ])
                .args([
                    "--authorizer_name",
                    "Lambda",
                    "--auth_username",
                    &part,
                    "--auth_password",
                    "x",
                ])
                .args(["--client_id", &part, "--topic", &topic, "--message", &part])
                .env("DUNLIN_STATE_DIR", dir.path())
                .run()
                .await;
                assert_harmless(
                    &run,
                    &format!(
                        "Connecting to endpoint: 'localhost' with client ID'{}'",
                        Escaped(&part)
                    ),
                );
            }

            // The end of standard input ends the sandbox; its log is complete then.
            drop(sandbox.stdin.take());
            let printed = Finished::wait_for(sandbox).await;
            assert_harmless(&printed, "Lambda");
            assert_harmless(&printed, if format == ["--json"] { "\\u" } else { "  \\u" });
        }
    }
}
