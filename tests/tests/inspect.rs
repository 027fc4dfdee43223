//! `dunlin inspect decode` as programs and people use it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use dunlin_tests::{Finished, dunlin, shared_vectors};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

const LINES: [&str; 6] = ["inspect", "decode", "--json", "--lines", "--from", "any"];

/// A run of `dunlin inspect decode` with these words and this standard input.
async fn decode(words: &[&str], input: impl Into<Vec<u8>>) -> Finished {
    let mut child = dunlin(["inspect", "decode"])
        .args(words)
        .with_stdin()
        .spawn();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.into();
    let writing = tokio::spawn(async move {
        // A run that ends early doesn't read all of it.
        let _ = stdin.write_all(&input).await;
    });
    let finished = Finished::wait_for(child).await;
    writing.await.unwrap();
    finished
}

/// One JSON object a line.
fn objects(run: &Finished) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The answers to some lines, which all are answered.
async fn answers(from: &str, words: &[&str], lines: &[&str]) -> Vec<Value> {
    let run = decode(
        &[&["--json", "--lines", "--from", from], words].concat(),
        lines.join("\n"),
    )
    .await;
    run.exits(0);
    let answers = objects(&run);
    assert_eq!(answers.len(), lines.len());
    answers
}

#[tokio::test]
async fn a_packet_is_printed_with_its_type_its_fields_and_its_bytes() {
    let mut child = dunlin(LINES).with_stdin().spawn();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"300400016100\n").await.unwrap();
    drop(stdin);
    let run = Finished::wait_for(child).await;
    run.exits(0);
    let packet = json!({"qos": 0, "retain": false, "topic": "a", "properties": {}, "payload": ""});
    let expected =
        json!({"ok": true, "v": 1, "type": "PUBLISH", "packet": packet, "encoded": "300400016100"});
    assert_eq!(objects(&run), [expected]);
    assert_eq!(run.stderr, "");
}

#[tokio::test]
async fn every_kind_of_fault_has_its_answer_in_the_order_of_the_lines() {
    let lines = [
        "360400016100",
        "300400016100c0",
        "3b06000161000000",
        "100c00044d5154540402003c0000",
        "3004000161",
        "",
        "zz",
        "300",
        "c000",
    ];
    let answers = answers("any", &[], &lines).await;
    let kinds: Vec<&str> = answers
        .iter()
        .map(|answer| answer["kind"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(
        kinds,
        [
            "malformed",
            "malformed",
            "protocol_error",
            "unsupported_version",
            "incomplete",
            "incomplete",
            "input",
            "input",
            "ok"
        ]
    );
    for fault in answers.iter().filter(|answer| answer["ok"] == false) {
        let keys: Vec<&str> = fault
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            [
                "field",
                "kind",
                "message",
                "offset",
                "ok",
                "reason_code",
                "section",
                "statement",
                "v"
            ]
        );
        assert!(
            fault["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
    let facts = |at: usize| {
        let answer = &answers[at];
        json!([
            answer["reason_code"],
            answer["offset"],
            answer["field"],
            answer["statement"]
        ])
    };
    assert_eq!(facts(0), json!([129, 0, "qos", "MQTT-3.3.1-4"]));
    assert_eq!(facts(1), json!([129, 6, "trailing_bytes", null]));
    assert_eq!(facts(2), json!([130, 5, "packet_id", "MQTT-2.2.1-3"]));
    assert_eq!(
        facts(3),
        json!([132, 8, "protocol_version", "MQTT-3.1.2-2"])
    );
    assert_eq!(facts(4), json!([null, 5, null, null]));
    assert_eq!(facts(6), json!([null, null, null, null]));
}

#[tokio::test]
async fn a_packet_that_its_sender_may_not_send_is_the_wrong_direction_whatever_else_is_wrong() {
    // PINGRESP: well formed, with a body, with flags; and with only its first byte there.
    let of_servers = ["d000", "d00100", "d100", "d0"];
    let kinds = |answers: Vec<Value>| {
        answers
            .iter()
            .map(|answer| answer["kind"].clone())
            .collect::<Vec<_>>()
    };
    let client = kinds(answers("client", &[], &of_servers).await);
    assert_eq!(
        client,
        ["direction", "direction", "direction", "incomplete"]
    );
    let server = kinds(answers("server", &[], &of_servers).await);
    assert_eq!(
        server,
        [
            Value::Null,
            "malformed".into(),
            "malformed".into(),
            "incomplete".into()
        ]
    );
    assert_eq!(
        kinds(answers("server", &[], &["c000"]).await),
        ["direction"]
    );
}

#[tokio::test]
async fn each_line_is_read_as_it_was_copied() {
    let lines = [
        "30:04:00:01:61:00",
        "0x30, 0x04, 0x00, 0x01, 0x61, 0x00",
        r"\x30\x04\x00\x01\x61\x00",
        r"b'0\x04\x00\x01a\x00'",
        "{ 0x30, 0x04, 0x00, 0x01, 0x61, 0x00 };",
        "00000000: 3004 0001 6100                           0...a.",
        "00000000  30 04 00 01 61 00                                 |0...a.|",
        "  300400016100  ",
    ];
    for answer in answers("any", &[], &lines).await {
        assert_eq!(answer["encoded"], "300400016100", "{answer}");
    }
    let refused = answers("any", &[], &["30 0g", "MAQAAWEA"]).await;
    for (answer, words) in refused.iter().zip(["'g' at position 5", "--base64"]) {
        let message = answer["message"].as_str().unwrap();
        assert!(
            answer["kind"] == "input" && message.contains(words),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_rule_without_a_number_comes_with_its_section() {
    let lines = [
        "82080001020b0000016100",
        "300600016102 9900",
        "360400016100",
        "300400016100c0",
    ];
    let answers = answers("any", &[], &lines).await;
    let sections: Vec<&Value> = answers.iter().map(|answer| &answer["section"]).collect();
    assert_eq!(
        sections,
        [
            &json!("3.8.2.1.2"),
            &json!("2.2.2.2"),
            &json!("3.3.1"),
            &Value::Null
        ]
    );
    for words in [&[lines[0]][..], &["--lines"]] {
        let run = decode(words, lines[0]).await;
        assert!(run.stdout.contains("[section 3.8.2.1.2]"), "{}", run.stdout);
        assert!(!run.stdout.contains("U-"), "{}", run.stdout);
    }
}

#[tokio::test]
async fn a_capture_file_is_recognised_in_every_form() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("capture.pcap");
    fs::write(&file, b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00").unwrap();
    let file = file.to_str().unwrap();
    // Its header is cut off, which is a fault of a capture.
    for words in [&["--file", file][..], &["--file", file, "--raw"], &[file]] {
        let run = decode(words, "").await;
        run.exits(2);
        assert!(
            run.stderr.contains("the file ends inside a packet"),
            "{}",
            run.stderr
        );
    }
    let run = decode(&[], &b"\xc0\x00"[..]).await;
    run.exits(2);
    assert!(run.stderr.contains("--raw"), "{}", run.stderr);
}

#[tokio::test]
async fn a_packet_above_the_limit_is_too_large_before_it_is_complete() {
    let answers = answers(
        "any",
        &["--max-packet-size", "6"],
        &["300400016100", "30ffffff7f"],
    )
    .await;
    assert_eq!(answers[0]["ok"], true);
    assert_eq!(
        (&answers[1]["kind"], &answers[1]["reason_code"]),
        (&"too_large".into(), &149.into())
    );
}

#[tokio::test]
#[ignore = "needs ../shared/vectors, which only this project's builders have"]
async fn the_vectors_of_other_projects_are_decoded_correctly() {
    let vectors = shared_vectors("mqtt5.jsonl").expect("../shared/vectors beside the repository");
    let lines: Vec<&str> = vectors
        .iter()
        .map(|vector| vector["hex"].as_str().unwrap())
        .collect();
    for (from, field) in [
        ("any", "expect"),
        ("client", "from_client"),
        ("server", "from_server"),
    ] {
        for (vector, answer) in vectors.iter().zip(answers(from, &[], &lines).await) {
            let verdict = match (answer["ok"].as_bool(), answer["kind"].as_str()) {
                (Some(true), _) => "ok",
                (_, Some("incomplete")) => "incomplete",
                _ => "error",
            };
            let expected = vector[field].as_str().unwrap();
            assert!(
                expected == verdict || expected == "either",
                "{from}: {vector}\n{answer}"
            );
        }
    }
    // People see every one of them too.
    decode(&["--lines"], lines.join("\n")).await.exits(0);
}

#[tokio::test]
async fn many_lines_are_answered_in_their_order() {
    let lines: Vec<String> = (1..=20_000u16).map(|id| format!("4002{id:04x}")).collect();
    let run = decode(&["--json", "--lines"], lines.join("\r\n")).await;
    run.exits(0);
    let ids: Vec<u64> = objects(&run)
        .iter()
        .map(|answer| answer["packet"]["packet_id"].as_u64().unwrap())
        .collect();
    assert!(ids.iter().copied().eq(1..=20_000));
}

#[tokio::test]
async fn each_answer_is_flushed_before_the_next_line_is_read() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let mut child = dunlin(LINES).with_stdin().spawn();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for question in ["c000\n", "d000\n"] {
        stdin.write_all(question.as_bytes()).await.unwrap();
        let waiting = tokio::time::timeout(std::time::Duration::from_secs(10), answers.next_line());
        assert!(
            waiting
                .await
                .unwrap()
                .unwrap()
                .unwrap()
                .starts_with(r#"{"v":1,"ok":true"#)
        );
    }
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    let mut child = dunlin(LINES).with_stdin().spawn();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let writing = tokio::spawn(async move {
        let _ = stdin.write_all("c000\n".repeat(100_000).as_bytes()).await;
    });
    let run = Finished::wait_for(child).await;
    run.exits(0);
    assert_eq!(run.stderr, "");
    writing.await.unwrap();
}

#[tokio::test]
async fn packets_come_in_every_form_and_from_everywhere() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("packets");
    fs::write(&file, [0xc0, 0x00, 0xd0, 0x00]).unwrap();
    let file = file.to_str().unwrap();
    for (words, input) in [
        (&["c000", "0xD000"][..], &b""[..]),
        (&["c0 00 d0", "00"], b""),
        (&[], b"c000\nd000\n"),
        (&["--file", "-"], b"c000d000"),
        (&["--base64", "wADQAA=="], b""),
        (&["--base64"], b"wADQAA==\n"),
        (&["--raw"], &[0xc0, 0x00, 0xd0, 0x00]),
        (&["--raw", "--file", file], b""),
    ] {
        let run = decode(&[&["--json"], words].concat(), input).await;
        run.exits(0);
        let types: Vec<Value> = objects(&run)
            .iter()
            .map(|object| object["type"].clone())
            .collect();
        assert_eq!(types, ["PINGREQ", "PINGRESP"], "{words:?}");
    }
}

#[tokio::test]
async fn text_output_shows_bytes_fields_and_the_faulty_byte() {
    let run = decode(&["c000", "3004000161ff"], "").await;
    run.exits(10);
    for line in [
        "PINGREQ\n     0  c0                       packet_type                PINGREQ",
        "\n\nmalformed packet: the Property Length is cut off at byte 6",
        "     2  00 01 61                 topic                      \"a\"",
        "        ^^ malformed at byte 6, property_length",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
}

#[tokio::test]
async fn unreadable_input_is_a_usage_error() {
    for (words, input) in [
        (&["3004zz"][..], ""),
        (&["300"], ""),
        (&[], ""),
        (&["--base64", "?"], ""),
    ] {
        let run = decode(words, input).await;
        run.exits(2);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains("error[E-USAGE]"), "{}", run.stderr);
    }
    decode(&["--file", "/nonexistent/packets"], "")
        .await
        .exits(2);
}

#[tokio::test]
async fn a_password_is_shown_only_on_request_or_in_json() {
    // User name "demo?token=canary", password "canary".
    let connect =
        "102900044d51545405c0003c00000161001164656d6f3f746f6b656e3d63616e617279000663616e617279";
    let hex_of_canary = "63 61 6e 61 72 79";
    let shown = decode(&[connect], "").await;
    shown.exits(0);
    assert!(
        !shown.stdout.contains("canary") && !shown.stdout.contains(hex_of_canary),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("<redacted 6 bytes>") && shown.stdout.contains("\"demo\"?.."));
    let asked = decode(&["--show-secrets", connect], "").await;
    assert!(
        asked.stdout.contains("canary") && asked.stdout.contains(hex_of_canary),
        "{}",
        asked.stdout
    );
    // Cut short, it is no CONNECT, but still a secret; the same with the layout of MQTT 3.1.1.
    for broken in [
        &connect[..connect.len() - 2],
        &connect.replace("51545405", "51545404"),
    ] {
        let run = decode(&[broken], "").await;
        run.exits(10);
        assert!(
            !run.stdout.contains("cana") && !run.stdout.contains("63 61 6e 61"),
            "{}",
            run.stdout
        );
    }
    let told = objects(&decode(&["--json", connect], "").await);
    assert_eq!(told[0]["packet"]["password"], "canary");
}
