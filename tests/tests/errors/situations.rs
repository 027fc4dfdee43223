//! Situations that users meet, provoked one after another: the table of what the tool says, how
//! soon, and when it ends.

use std::time::{Duration, Instant};

use dunlin_tests::{Finished, Tool, dunlin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{at, hurried, serve};

/// One row of the table.
struct Situation {
    provoked_by: &'static str,
    id: &'static str,
    exit: i32,
    /// Words of the whole error.
    words: &'static [&'static str],
    tool: Tool,
}

/// A server without TLS that answers whatever comes with these bytes, and closes.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = [0; 1024];
            let _ = stream.read(&mut read).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("localhost:{port}")
}

/// The time from the start to the first byte on standard error, and the run.
#[expect(
    clippy::disallowed_methods,
    reason = "a test measures how long a process takes"
)]
async fn timed(tool: Tool) -> (Option<Duration>, Finished) {
    let mut child = tool.spawn();
    let began = Instant::now();
    let mut err = child.stderr.take().unwrap();
    let reading = tokio::spawn(async move {
        let (mut first, mut text, mut buffer) = (None, Vec::new(), [0; 4096]);
        while let Ok(len @ 1..) = err.read(&mut buffer).await {
            first.get_or_insert_with(|| began.elapsed());
            text.extend_from_slice(buffer.get(..len).unwrap_or_default());
        }
        (first, text)
    });
    let mut run = Finished::of(child).await;
    let (first, text) = reading.await.unwrap();
    run.stderr = String::from_utf8(text).unwrap();
    (first, run)
}

fn bench(endpoint: &str) -> Tool {
    let endpoint = format!("mqtt://{endpoint}");
    dunlin([
        "bench",
        "pub",
        "--count",
        "1",
        "--reconnect",
        "0",
        "--timeout",
        "2s",
        "--endpoint",
        &endpoint,
    ])
}

/// Each shell line under `try:` is parsed by sh; verbs and flags of `dunlin` exist.
async fn check_commands(stderr: &str) {
    let lines = stderr
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("try:"));
    for line in lines {
        let line = line
            .trim_start()
            .strip_prefix("try:")
            .unwrap_or(line)
            .trim();
        let program = line.split(' ').next().unwrap_or_default();
        if ![
            "dunlin", "aws", "openssl", "printf", "nc", "ping", "export", "curl",
        ]
        .contains(&program)
        {
            continue;
        }
        assert!(!line.contains('<') || line.contains("</dev/null"), "{line}");
        let parsed = tokio::process::Command::new("sh")
            .args(["-n", "-c", line])
            .status()
            .await
            .unwrap();
        assert!(parsed.success(), "{line}");
        if program == "dunlin" {
            let words: Vec<&str> = line
                .split('#')
                .next()
                .unwrap()
                .split_whitespace()
                .skip(1)
                .collect();
            let verbs = words
                .iter()
                .take_while(|word| !word.starts_with('-') && !word.contains('"'));
            let help = dunlin(verbs.copied()).words(["--help"]).run().await;
            help.exits(0);
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.stdout.contains(flag), "{line}: {flag}");
            }
        }
    }
}

/// Fault of the sandbox, error, exit code, words, and further flags. First evidence, then words
/// within seconds.
const OF_SANDBOX: [(&str, &str, i32, &[&str], &str); 13] = [
    (
        "connack=0x87:the Lambda gave no answer within 5 s",
        "E-AUTH-DENIED",
        5,
        &["the Lambda is at fault"],
        "",
    ),
    (
        "connack=0x87:no statement allows iot:Connect on client/x",
        "E-AUTH-DENIED",
        5,
        &["does not allow iot:Connect", "add to the policy:"],
        "",
    ),
    (
        "connack=0x86",
        "E-AUTH-DENIED",
        5,
        &["server gave no reason string", "iot:Connect on client/"],
        "",
    ),
    ("drop-on-connect", "E-HANGUP", 5, &["without a packet"], ""),
    ("cert=unknown-ca", "E-TLS-CA", 4, &["with another key"], ""),
    ("malformed", "E-PROTOCOL", 10, &["received: "], ""),
    (
        "disconnect=0x95@300ms",
        "E-DISCONNECTED",
        8,
        &["larger than the server's limit"],
        "--interval=20s",
    ),
    (
        "disconnect=0xa1@300ms",
        "E-DISCONNECTED",
        8,
        &["no subscription identifiers"],
        "--interval=20s",
    ),
    (
        "disconnect=0x82@300ms",
        "E-DISCONNECTED",
        8,
        &["as a mistake"],
        "--interval=20s",
    ),
    (
        "silent",
        "E-CONNACK-TIMEOUT",
        9,
        &["waiting: CONNECT was sent, no CONNACK yet"],
        "--timeout=5s",
    ),
    (
        "no-puback",
        "E-ACK-TIMEOUT",
        9,
        &["waiting: no PUBACK yet"],
        "--timeout=5s",
    ),
    (
        "no-deliver",
        "E-NOT-RECEIVED",
        9,
        &["waiting: acknowledged 2, received 0"],
        "--timeout=5s",
    ),
    (
        "connack=0x89",
        "E-CONN-REFUSED",
        6,
        &["attempt 1: ", "next attempt in"],
        "--reconnect=1",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_situations() {
    let mut rows = Vec::new();
    let mut served = Vec::new();
    for (fault, id, exit, words, flags) in OF_SANDBOX {
        let sandbox = serve(fault).await;
        let tool = at(&sandbox)
            .words(["--reconnect=0"])
            .words(flags.split(' ').filter(|word| !word.is_empty()));
        rows.push(Situation {
            provoked_by: fault,
            id,
            exit,
            words,
            tool,
        });
        served.push(sandbox);
    }
    for (bytes, name, words) in [
        (
            &[0x20, 0x02, 0x00, 0x01][..],
            "plain: 20 02 00 01",
            &["MQTT 3.1.1 only", "received: 20 02 00 01"][..],
        ),
        (
            &[0x20, 0x02, 0x00, 0x05],
            "plain: 20 02 00 05",
            &["MQTT 3.1.1 only"],
        ),
        (
            &[0x20, 0x02, 0x00, 0x00],
            "plain: 20 02 00 00",
            &["MQTT 3.1.1 only"],
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "plain: HTTP/1.1",
            &["a web server answers"],
        ),
        (
            &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46],
            "plain: 15 03 03",
            &["this port speaks TLS", "mqtts://"],
        ),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n",
            "plain: SSH-2.0",
            &["an SSH server answers"],
        ),
    ] {
        let tool = bench(&answering(bytes).await);
        rows.push(Situation {
            provoked_by: name,
            id: "E-PROTOCOL",
            exit: 10,
            words,
            tool,
        });
    }
    let http = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let tool = hurried().words(["--reconnect=0", "--endpoint", &http]);
    let words = &["a web server answers"];
    rows.push(Situation {
        provoked_by: "TLS to HTTP",
        id: "E-TLS-HANDSHAKE",
        exit: 4,
        words,
        tool,
    });
    let closing = answering(b"").await;
    let tool = hurried().words(["--reconnect=0", "--endpoint", &closing]);
    let words = &["MQTT without TLS"];
    rows.push(Situation {
        provoked_by: "TLS to plain MQTT",
        id: "E-TLS-HANDSHAKE",
        exit: 4,
        words,
        tool,
    });
    println!(
        "{:<52} {:<18} {:>4} {:>9} {:>9}  first line",
        "provoked by", "id", "exit", "word", "end"
    );
    for Situation {
        provoked_by,
        id,
        exit,
        words,
        tool,
    } in rows
    {
        let (word, run) = timed(tool).await;
        let first = run.stderr.lines().next().unwrap_or_default();
        let word = word.unwrap_or_else(|| panic!("no word: {provoked_by}"));
        println!(
            "{provoked_by:<52} {id:<18} {exit:>4} {word:>9.1?} {:>9.1?}  {first}",
            run.took
        );
        run.exits(exit);
        let text = run.error_line();
        assert!(
            text.contains(&format!("error[{id}]: ")),
            "{provoked_by}\n{}",
            run.stderr
        );
        for expected in words {
            assert!(
                text.contains(expected),
                "{provoked_by}: {expected:?}\n{}",
                run.stderr
            );
        }
        let contradicts =
            text.contains("the server's reason: ") && text.contains("isAuthenticated=false");
        assert!(!contradicts, "{}", run.stderr);
        assert!(word < Duration::from_secs(10), "{provoked_by}: {word:?}");
        assert!(
            !text.contains("a bug of the server") || provoked_by == "malformed",
            "{}",
            run.stderr
        );
        check_commands(&run.stderr).await;
    }
}
