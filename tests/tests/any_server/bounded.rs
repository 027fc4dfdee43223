//! Slow readers, endless inputs, full disks and closed pipes: nothing is lost in silence, and memory
//! stays bounded.

use std::time::Duration;

use dunlin_tests::{Finished, Mosquitto};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use super::{LONGEST, Subscriber, at, until_packet};

/// Peak of a process' memory in KiB; `None` where the system has no `/proc`.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// A reader of `sub` that reads nothing for a while gets every message in the end. At QoS 0 the
/// connection isn't read meanwhile; at QoS 1 the messages wait unacknowledged in memory, up to
/// the memory budget.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_pipe_loses_nothing_and_bounds_memory() {
    let Some(broker) = Mosquitto::start_with_long_queues().await else {
        return;
    };
    // 600 messages of 100 KiB: 60 MB, of which the pipe takes 64 KiB.
    let size = 100 * 1024;
    for (qos, limit) in [("0", 70 * 1024), ("1", 150 * 1024)] {
        let tool =
            at(&broker, "sub").args(["-t", "big", "-q", qos, "-C", "600", "-N", "--packets"]);
        let mut child = tool.spawn();
        until_packet(&mut child, "SUBACK").await;
        let publishing = at(&broker, "pub").args(["-t", "big", "-q", qos, "--repeat", "600"]);
        let publishing = publishing.args(["--size", &size.to_string()]);
        timeout(LONGEST, publishing.run()).await.unwrap().exits(0);
        sleep(Duration::from_millis(500)).await;
        if let Some(peak) = peak(&child) {
            println!("QoS {qos}: peak with a reader that doesn't read: {peak} KiB");
            assert!(peak < limit, "QoS {qos}: {peak} KiB");
        }
        let mut stdout = child.stdout.take().unwrap();
        let mut bytes = Vec::new();
        let reading = timeout(LONGEST, stdout.read_to_end(&mut bytes));
        reading.await.unwrap().unwrap();
        assert_eq!(bytes.len(), 600 * size, "QoS {qos}");
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
    }
}

/// A message that wasn't written to standard output isn't acknowledged: the session still has it.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_not_written_stay_in_the_session() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let of_session = [
        "-i",
        "slow",
        "--session-expiry",
        "1h",
        "-q",
        "1",
        "-t",
        "big",
    ];
    at(&broker, "sub")
        .args(of_session)
        .args(["-E"])
        .run()
        .await
        .exits(0);
    let publishing = at(&broker, "pub").args(["-t", "big", "-q", "1", "--repeat", "10"]);
    publishing.args(["--size", "200000"]).run().await.exits(0);

    // A run whose reader takes one message and a half, and that is killed then.
    let of_session = [&of_session[..], &["--clean-start", "false"]].concat();
    let mut child = at(&broker, "sub")
        .args(&of_session)
        .args(["--packets"])
        .spawn();
    let mut part = vec![0; 300_000];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut part)
        .await
        .unwrap();
    until_packet(&mut child, "-> PUBACK").await;
    child.kill().await.unwrap();

    // The rest comes again: the message that was cut, and all after it.
    let run = at(&broker, "sub")
        .args(&of_session)
        .args(["-C", "9", "-W", "20", "-F", "%l"]);
    let run = run.run().await;
    run.exits(0);
    assert_eq!(run.stdout, "200000\n".repeat(9));
}

/// `pub -l` reads an endless input no faster than the server takes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_input_is_read_as_fast_as_it_is_sent() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let mut child = at(&broker, "pub")
        .with_stdin()
        .args(["-t", "t", "-l", "-q", "1"])
        .spawn();
    let mut stdin = child.stdin.take().unwrap();
    let line = [b'x'; 1023]
        .iter()
        .copied()
        .chain([b'\n'])
        .collect::<Vec<u8>>();
    let lines = 20_000;
    for _ in 0..lines {
        stdin.write_all(&line).await.unwrap();
    }
    if let Some(peak) = peak(&child) {
        println!("{lines} lines of 1 KiB; peak {peak} KiB");
        assert!(peak < 60 * 1024, "{peak} KiB");
    }
    drop(stdin);
    Finished::wait_for(child).await.exits(0);
}

/// A reader that has what it wants ends the run with exit code 0.
#[cfg(unix)]
#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let verbs: [(&str, &[&str]); 2] = [
        ("sub", &["-t", "t", "--json"]),
        ("connect", &["--duration", "1s"]),
    ];
    for (verb, flags) in verbs {
        let mut child = at(&broker, verb).args(flags).spawn();
        drop(child.stdout.take());
        let run = Finished::wait_for(child).await;
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{verb}");
    }
}

/// A disk that is full ends the run with an error, and the message is not acknowledged.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_output_is_an_error_and_loses_nothing() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let of_session = ["-i", "full", "--session-expiry", "1h", "-q", "1", "-t", "t"];
    at(&broker, "sub")
        .args(of_session)
        .args(["-E"])
        .run()
        .await
        .exits(0);
    at(&broker, "pub")
        .args(["-t", "t", "-m", "precious", "-q", "1"])
        .run()
        .await
        .exits(0);
    let of_session = [&of_session[..], &["--clean-start", "false"]].concat();

    // Standard output is a device that is always full; and a folder that can't be written to.
    let full = at(&broker, "sub").args(&of_session).args(["-W", "5"]);
    let run = full.stdout_to("/dev/full").run().await;
    run.exits(1);
    assert!(run.stderr.contains("error[E-IO]"), "{}", run.stderr);
    let run = at(&broker, "sub")
        .args(&of_session)
        .args(["-W", "5", "--output-dir", "/proc/self"]);
    let run = run.run().await;
    run.exits(1);
    assert!(
        run.error_line().contains("can't be written to /proc/"),
        "{}",
        run.stderr
    );

    let run = at(&broker, "sub")
        .args(&of_session)
        .args(["-C", "1", "-W", "10"])
        .run()
        .await;
    run.exits(0);
    assert_eq!(run.stdout, "precious\n");
}

/// Numbers and rates come at the interval that was asked for.
#[tokio::test]
async fn stats_count_messages_and_bytes() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let tool = at(&broker, "sub").args(["-t", "t", "-q", "1", "-W", "3", "--stats", "1s"]);
    let mut sub = Subscriber::start(tool).await;
    let publishing =
        at(&broker, "pub").args(["-t", "t", "-m", "12345", "-q", "1", "--repeat", "4"]);
    publishing.run().await.exits(0);
    let (mut messages, mut bytes) = (0, 0);
    for _ in 0..2 {
        let stats = sub.until("stats").await;
        messages += stats["messages"].as_u64().unwrap();
        bytes += stats["bytes"].as_u64().unwrap();
    }
    assert_eq!((messages, bytes), (4, 20));
    assert_eq!(sub.code().await, Some(0));
}
