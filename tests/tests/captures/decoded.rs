//! `inspect decode` of capture files: those of this tool, of tcpdump and of Wireshark.

use dunlin_tests::{Program, dunlin};
use serde_json::Value;
use tokio::process::Command;

use super::{Served, tshark};

/// Capture of a message of QoS 1.
async fn captured(served: &Served) -> String {
    let file = served.file("pub.pcapng");
    let run = dunlin(["pub", "-t", "lamp/7", "-m", "on", "-q", "1", "-i", "me"])
        .args(["-H", &served.url(), "--capture", &file])
        .run()
        .await;
    run.exits(0);
    file
}

/// Lines without their times of day and without times in milliseconds.
fn without_times(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let line = line.get(16..).unwrap_or_default().trim_start();
            match line.rsplit_once(" (") {
                Some((before, after)) if after.contains(" ms after ") => {
                    let after = after.split_once(" ms after ").unwrap().1;
                    format!("{before} (after {after}")
                }
                _ => line.to_owned(),
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_read_back_as_lines_and_as_json() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let run = dunlin(["inspect", "decode", &file]).run().await;
    run.exits(0);
    let lines = without_times(&run.stdout);
    assert_eq!(lines[0], "1    opened: 192.0.2.1:49152 to 192.0.2.2:1883");
    assert!(lines[1].starts_with("1 -> CONNECT "), "{lines:?}");
    assert!(lines[2].starts_with("1 <- CONNACK "), "{lines:?}");
    assert!(lines[2].ends_with("(after CONNECT)"), "{lines:?}");
    assert!(
        lines[3].starts_with("1 -> PUBLISH QoS 1 id 1 \"lamp/7\""),
        "{lines:?}"
    );
    assert!(
        lines[4].starts_with("1 <- PUBACK ") && lines[4].contains("(after PUBLISH \"lamp/7\" id "),
        "{lines:?}"
    );
    assert!(lines[5].starts_with("1 -> DISCONNECT"), "{lines:?}");
    assert_eq!(lines[6], "1    closed");
    let totals = "5 packets on 1 connections, 0 broken rules; 11 frames, 11 of TCP\n";
    assert!(run.stdout.ends_with(totals), "{}", run.stdout);

    let run = dunlin(["inspect", "decode", &file, "--json"]).run().await;
    run.exits(0);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "packet")
        .map(|line| {
            (
                line["from"].as_str().unwrap(),
                line["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        types,
        [
            ("client", "CONNECT"),
            ("server", "CONNACK"),
            ("client", "PUBLISH"),
            ("server", "PUBACK"),
            ("client", "DISCONNECT")
        ]
    );
    assert!(lines[4]["answers"]["ms"].is_number(), "{}", lines[4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_packet_is_shown_with_its_fields_when_asked_for() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let run = dunlin(["inspect", "decode", "--packets=full", &file]);
    let run = run.run().await;
    run.exits(0);
    assert!(run.stdout.contains("payload "), "{}", run.stdout);
}

/// Objects without the times from requests to answers.
fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| {
        let mut object: Value = serde_json::from_str(line).unwrap();
        if let Some(answers) = object.get_mut("answers").filter(|it| it.is_object()) {
            answers["ms"] = Value::Null;
        }
        object
    };
    text.lines().map(object).collect()
}

/// Other programs write other formats and link types: `editcap` and `text2pcap` come with tshark.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_formats_have_the_same_packets() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let expected = dunlin(["inspect", "decode", &file, "--json"]).run().await;
    let expected = objects(&expected.stdout);
    if Program::Tshark.find().is_none() {
        return;
    }
    // tshark writes the older format with microseconds and with nanoseconds.
    for format in ["pcap", "nsecpcap", "pcapng"] {
        let other = served.file(&format!("other.{format}"));
        let status = Command::new(Program::Tshark.find().unwrap())
            .args(["-r", &file, "-w", &other, "-F", format])
            .status()
            .await
            .unwrap();
        assert!(status.success());
        let run = dunlin(["inspect", "decode", &other, "--json"]).run().await;
        run.exits(0);
        // The older format has microseconds, so that the times between packets may differ by one.
        assert_eq!(objects(&run.stdout), expected, "{format}");
        println!(
            "{format}: {} lines are the same",
            run.stdout.lines().count()
        );
    }
    let lines = tshark(&file, "mqtt", &["mqtt.msgtype"]).await.unwrap();
    assert_eq!(lines.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_capture_is_read_up_to_the_fault() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let bytes = std::fs::read(&file).unwrap();
    let cut = served.file("cut.pcapng");
    std::fs::write(&cut, &bytes[..bytes.len() - 100]).unwrap();
    let run = dunlin(["inspect", "decode", &cut]).run().await;
    run.exits(2);
    assert!(run.stdout.contains("PUBACK"), "{}", run.stdout);
    assert!(
        run.stderr.contains("the file ends inside a packet"),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_hex_if_it_is_hex_and_else_a_file() {
    let served = Served::start(None).await;
    let text = served.file("packets.txt");
    std::fs::write(&text, "c0 00").unwrap();
    for word in ["c000", text.as_str()] {
        let run = dunlin(["inspect", "decode", word]).run().await;
        run.exits(0);
        assert!(run.stdout.starts_with("PINGREQ"), "{}", run.stdout);
    }
    let run = dunlin(["inspect", "decode", "no-such-file"]).run().await;
    run.exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_no_calendar_has_are_no_panic() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    // Units of seconds instead of nanoseconds: the times are 10^18 seconds.
    let mut bytes = std::fs::read(&file).unwrap();
    let option = [9, 0, 1, 0, 9];
    let at = bytes.windows(5).position(|window| window == option);
    bytes[at.unwrap() + 4] = 0;
    std::fs::write(&file, bytes).unwrap();
    for flags in [&[][..], &["--json"]] {
        let run = dunlin(["inspect", "decode", &file]).args(flags).run().await;
        run.exits(0);
        assert!(run.stdout.contains("PINGREQ") || run.stdout.contains("PUBACK"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_may_be_a_pipe_of_the_shell_or_a_missing_file() {
    let run = dunlin(["inspect", "decode", "missing.pcapng"]).run().await;
    run.exits(2);
    let line = run.error_line();
    assert!(
        line.contains("there is no file \"missing.pcapng\""),
        "{line}"
    );
    assert!(line.contains("not hexadecimal"), "{line}");

    #[cfg(unix)]
    {
        use tokio::io::AsyncWriteExt as _;
        let tool = dunlin(["inspect", "decode", "/dev/stdin"]).with_stdin();
        let mut child = tool.spawn();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"c000").await.unwrap();
        drop(input);
        let run = dunlin_tests::Finished::wait_for(child).await;
        run.exits(0);
        assert!(run.stdout.contains("PINGREQ"), "{}", run.stdout);
    }
}
