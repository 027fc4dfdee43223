//! `--capture`: files that tshark reads without settings, without secrets, whatever ends the run.

use std::time::Duration;

use dunlin_tests::dunlin;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use super::{CANARY, Served, contains, tshark};

#[tokio::test(flavor = "multi_thread")]
async fn tshark_reads_what_was_sent_and_received() {
    let served = Served::start(None).await;
    let file = served.file("pub.pcapng");
    let run = dunlin(["pub", "-t", "lamp/7", "-m", "on", "-q", "1", "-i", "me"])
        .args(["-H", &served.url(), "--user-property", "a=b"])
        .args(["--capture", &file])
        .run()
        .await;
    run.exits(0);

    let fields = [
        "mqtt.msgtype",
        "mqtt.ver",
        "mqtt.clientid",
        "mqtt.topic",
        "mqtt.msg",
        "frame.comment",
    ];
    let Some(lines) = tshark(&file, "mqtt", &fields).await else {
        return;
    };
    let sent = "connection 1, client to server";
    let received = "connection 1, server to client";
    assert_eq!(
        lines,
        [
            format!("1|5|me|||{sent}"),
            format!("2|||||{received}"),
            // The payload is shown as hexadecimal digits.
            format!("3|||lamp/7|6f6e|{sent}"),
            format!("4|||||{received}"),
            format!("14|||||{sent}"),
        ]
    );
    // The whole TCP conversation is as a real one: handshake, order, checksums and the end.
    let all = tshark(&file, "tcp", &["tcp.flags.str"]).await.unwrap();
    assert_eq!(all.len(), 3 + 5 + 3);
    let wrong = "tcp.analysis.flags or ip.checksum.status == 0 or tcp.checksum.status == 0 or _ws.malformed";
    let wrong = tshark(&file, wrong, &["frame.number"]).await.unwrap();
    assert_eq!(wrong, [""; 0]);
    println!("tshark: {} packets, {} of TCP", lines.len(), all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_is_several_segments_and_one_packet() {
    let served = Served::start(None).await;
    let file = served.file("large.pcapng");
    let payload = "x".repeat(100_000);
    let message = served.file("message");
    std::fs::write(&message, &payload).unwrap();
    let run = dunlin(["pub", "-t", "t", "-f", &message, "-q", "1"])
        .args(["-H", &served.url(), "--capture", &file])
        .run()
        .await;
    run.exits(0);
    let Some(lines) = tshark(&file, "mqtt.msgtype == 3", &["mqtt.len", "tcp.len"]).await else {
        return;
    };
    // Topic, packet identifier, property length and payload; the first segment holds 61,440 bytes.
    assert_eq!(lines, ["100006|38570"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_of_a_client_is_told_apart() {
    let served = Served::start(Some("reset@1s")).await;
    let file = served.file("reconnect.pcapng");
    let run = dunlin(["connect", "--duration", "4s", "-i", "me"])
        .args(["-H", &served.url(), "--capture", &file])
        .run()
        .await;
    run.exits(0);
    let Some(lines) = tshark(&file, "mqtt.msgtype == 1", &["tcp.stream", "frame.comment"]).await
    else {
        return;
    };
    assert!(lines.len() >= 2, "{lines:?}");
    assert_eq!(lines[0], "0|connection 1, client to server");
    assert_eq!(lines[1], "1|connection 2, client to server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_has_no_secret() {
    let served = Served::start(None).await;
    let file = served.file("sample.pcapng");
    let run = dunlin(["sample", "--authorizer-name=Canary", "--count=1"])
        .args(["--auth-username", &format!("demo?token={CANARY}")])
        .args(["--capture", &file])
        .env("DUNLIN_AUTH_PASSWORD", CANARY)
        .connecting_to(&served.sandbox)
        .run()
        .await;
    // The user name is another one than the sandbox knows: CONNECT with its secrets was sent.
    assert_ne!(run.code, Some(2), "{}", run.stderr);
    assert!(contains(&file, "demo"), "{}", run.stderr);
    assert!(!contains(&file, CANARY));

    let file = served.file("account.pcapng");
    let run = dunlin(["connect", "--duration=0s", "-u", "me"])
        .args(["-H", &served.url(), "--capture", &file])
        .env("DUNLIN_PASSWORD", CANARY)
        .run()
        .await;
    assert!(!contains(&file, CANARY), "{}", run.stderr);
    let fields = ["mqtt.username", "mqtt.passwd"];
    if let Some(lines) = tshark(&file, "mqtt.msgtype == 1", &fields).await {
        assert_eq!(lines, [format!("me|{}", "*".repeat(CANARY.len()))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_is_refused_and_a_new_one_is_private() {
    let served = Served::start(None).await;
    let file = served.file("there");
    std::fs::write(&file, "mine").unwrap();
    let run = |file: String| {
        dunlin(["pub", "-t", "t", "-m", "on", "-H", &served.url()])
            .args(["--capture".to_owned(), file])
            .run()
    };
    let refused = run(file.clone()).await;
    refused.exits(2);
    assert!(
        refused.error_line().contains("a capture replaces nothing"),
        "{}",
        refused.stderr
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");

    let new = served.file("new");
    run(new.clone()).await.exits(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&new).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_a_killed_process_can_be_read() {
    let served = Served::start(None).await;
    let file = served.file("killed.pcapng");
    let mut child = dunlin(["connect", "-H", &served.url(), "--json"])
        .args(["--capture", &file])
        .spawn();
    // Killed once the connection is there.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let connected = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("connack") {
                return;
            }
        }
        panic!("no CONNACK");
    };
    timeout(Duration::from_secs(30), connected).await.unwrap();
    child.kill().await.unwrap();
    if let Some(lines) = tshark(&file, "mqtt", &["mqtt.msgtype"]).await {
        assert_eq!(lines, ["1", "2"]);
    }
}

/// A full disk: `/dev/full` exists already and can't be created, so the limit for files of a process stands for it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_capture_and_not_the_run() {
    use std::process::Stdio;

    let served = Served::start(None).await;
    let file = served.file("full.pcapng");
    let message = served.file("message");
    std::fs::write(&message, "x".repeat(60_000)).unwrap();
    // 8 blocks of 512 bytes; the signal of the limit is ignored, as the error is the answer.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let output = tokio::process::Command::new("sh")
        .args(["-c", script])
        .arg(dunlin_tests::tool_path())
        .args(["pub", "-t", "t", "-f", &message, "-q", "1"])
        .args(["-H", &served.url(), "--capture", &file])
        .stdin(Stdio::null())
        .output();
    let output = timeout(Duration::from_secs(30), output);
    let output = output.await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    let told = stderr.matches("the capture ends here, and the run goes on");
    assert_eq!(told.count(), 1, "{stderr}");
    // What was written before can be read.
    if let Some(lines) = tshark(&file, "mqtt", &["mqtt.msgtype"]).await {
        assert_eq!(lines, ["1", "2"]);
    }
}
