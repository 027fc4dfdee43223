//! `sub --json | pub --json-lines` copies messages.

use dunlin_tests::Mosquitto;
use serde_json::{Value, json};

use super::{Subscriber, at, bytes_of};

#[tokio::test]
async fn json_lines_copy_messages_with_all_properties() {
    let (Some(from), Some(to)) = (Mosquitto::start().await, Mosquitto::start().await) else {
        return;
    };
    // Messages with text, bytes, all properties and none.
    let all = [
        "--content-type=application/x",
        "--response-topic=re/sp",
        "--correlation=hex:ff00fe",
        "--expiry=100000",
        "--payload-format=bytes",
        "--user-property=k=v",
        "--user-property=k=",
    ];
    let messages: [(&[&str], &[&str]); 4] = [
        (&["-t", "c/bytes", "--hex", "-m", "00ff0a"], &all),
        (
            &["-t", "c/text", "-m", "\u{202e}\"\\\n\u{1f600}"],
            &["--payload-format=utf8"],
        ),
        (
            &["-t", "c/\u{e9}/\u{feff}", "-m", "{}"],
            &["--correlation=text"],
        ),
        (&["-t", "c/one", "-m", "\u{7f}"], &[]),
    ];
    for (message, properties) in messages {
        let tool = at(&from, "pub").args(["-q", "2", "-r"]);
        tool.args(message).args(properties).run().await.exits(0);
    }

    // The copy: the lines of one run are the input of the other.
    let lines = of_run(&from).await;
    let copying = at(&to, "pub").with_stdin().args(["--json-lines", "--json"]);
    let (report, code) = bytes_of(copying.spawn(), &lines).await;
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&report));

    let (before, after) = (messages_of(&lines), messages_of(&of_run(&to).await));
    assert_eq!(before.len(), messages.len());
    assert_eq!(after, before);
}

/// Flags that are typed replace what the lines say.
#[tokio::test]
async fn flags_replace_what_a_json_line_says() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let tool = at(&broker, "sub").args(["-t", "new", "-q", "2", "-C", "1"]);
    let mut subscriber = Subscriber::start(tool).await;
    let line =
        json!({"topic": "old", "qos": 2, "payload": "x", "properties": {"content_type": "old"}});
    let tool = at(&broker, "pub").with_stdin();
    let tool = tool.args([
        "--json-lines",
        "-t",
        "new",
        "-q",
        "1",
        "--content-type",
        "new",
    ]);
    let (_, code) = bytes_of(tool.spawn(), line.to_string().as_bytes()).await;
    assert_eq!(code, Some(0));
    let message = subscriber.until("message").await;
    assert_eq!(
        [
            &message["qos"],
            &message["payload"],
            &message["properties"]["content_type"]
        ],
        [&json!(1), &json!("x"), &json!("new")]
    );
}

/// A line that is no message ends the run, and says how many were sent before.
#[tokio::test]
async fn a_json_line_that_is_no_message_is_refused() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    for (line, words) in [
        ("{\"topic\": \"t\"", "line 2 of standard input: no message"),
        ("{\"payload\": \"x\"}", "no \"topic\""),
        ("{\"topic\":\"t\",\"qos\":3}", "\"qos\" is 0, 1 or 2"),
        ("{\"topic\":\"t\",\"payload_b64\":\"?\"}", "not Base64"),
    ] {
        let tool = at(&broker, "pub").with_stdin().args(["--json-lines"]);
        let mut child = tool.spawn();
        let input = format!("{{\"topic\":\"t\",\"payload\":\"x\"}}\n{line}\n");
        tokio::io::AsyncWriteExt::write_all(child.stdin.as_mut().unwrap(), input.as_bytes())
            .await
            .unwrap();
        drop(child.stdin.take());
        let run = dunlin_tests::Finished::wait_for(child).await;
        run.exits(2);
        assert!(run.error_line().contains(words), "{}", run.stderr);
        assert!(
            run.error_line().contains("1 message(s) were sent before"),
            "{}",
            run.stderr
        );
    }
}

/// Retained messages of a broker, as JSON lines.
async fn of_run(broker: &Mosquitto) -> Vec<u8> {
    let tool = at(broker, "sub").args(["-t", "#", "-q", "2", "--until-retained", "--json"]);
    let (lines, code) = bytes_of(tool.spawn(), b"").await;
    assert_eq!(code, Some(0));
    // Harmless on a terminal: JSON escapes what a terminal would obey.
    assert!(
        String::from_utf8_lossy(&lines)
            .chars()
            .all(|c| c == '\n' || !dunlin_client::codec::needs_escape(c))
    );
    lines
}

/// Messages by topic, without what belongs to a delivery.
fn messages_of(lines: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(lines.to_vec()).unwrap();
    let mut messages: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["event"] == "message")
        .map(|mut message| {
            for field in ["ts", "packet_id", "dup"] {
                message[field].take();
            }
            // The time that is left counts down.
            let expiry = &mut message["properties"]["message_expiry"];
            *expiry = json!(expiry.as_u64().map(|seconds| seconds > 99_000));
            message
        })
        .collect();
    messages.sort_by_key(|message| message["topic"].to_string());
    messages
}
