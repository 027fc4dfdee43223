//! `pub` while the network is away: the queue, and the file of `--store`.

use std::time::Duration;

use dunlin_tests::{Finished, Mosquitto};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::{Subscriber, at};

/// Payloads of the retained messages below `t`, sorted.
async fn retained(broker: &Mosquitto) -> Vec<String> {
    let reading = at(broker, "sub").args(["-t", "t/#", "-q", "1", "--until-retained"]);
    let run = reading.run().await;
    run.exits(0);
    let mut lines: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Lines that come while the broker is away are sent when it is back. (Retained, because mosquitto
/// forgets the sessions of users with a password when it is restarted.)
#[tokio::test(flavor = "multi_thread")]
async fn lines_wait_for_a_broker_that_is_away() {
    let Some(mut broker) = Mosquitto::start_persistent().await else {
        return;
    };
    let tool = at(&broker, "pub")
        .with_stdin()
        .args(["-l", "-q", "1", "-r"]);
    let mut child = tool.args(["-t", "t/{{count}}", "--template"]).spawn();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"1\n").await.unwrap();
    sleep(Duration::from_millis(500)).await;
    broker.stop();
    stdin.write_all(b"2\n3\n").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    broker.run().await;
    stdin.write_all(b"4\n").await.unwrap();
    drop(stdin);
    Finished::wait_for(child).await.exits(0);
    assert_eq!(retained(&broker).await, ["1", "2", "3", "4"]);
}

/// Messages of a run that gave up, and of one that was killed, are sent by a later run.
#[tokio::test(flavor = "multi_thread")]
async fn stored_messages_are_sent_by_a_later_run() {
    let Some(mut broker) = Mosquitto::start_persistent().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    let stored = ["-i", "writer", "--store", file.to_str().unwrap()];
    broker.stop();

    // The first run waits for the server until its time is over.
    let first = at(&broker, "pub")
        .args(stored)
        .args(["-t", "t/a", "-m", "one", "-q", "2", "-r"]);
    let run = first.args(["--timeout", "1s"]).run().await;
    run.exits(3);
    let line = run.error_line();
    assert!(line.contains("1 message(s) stay in"), "{}", run.stderr);

    // The second one is killed once it has stored its lines.
    let second = at(&broker, "pub")
        .with_stdin()
        .args(stored)
        .args(["-l", "-q", "2", "-r"]);
    let mut child = second.args(["-t", "t/{{count}}", "--template"]).spawn();
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(b"two\nthree\n").await.unwrap();
    let has = |word: &[u8]| {
        let bytes = std::fs::read(&file).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word)
    };
    while !(has(b"two") && has(b"three")) {
        sleep(Duration::from_millis(20)).await;
    }
    child.kill().await.unwrap();

    // The third one has no message of its own.
    broker.run().await;
    at(&broker, "pub").args(stored).run().await.exits(0);
    assert_eq!(retained(&broker).await, ["one", "three", "two"]);
}

#[tokio::test]
async fn a_store_is_refused_where_it_would_lose_messages() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    let file = file.to_str().unwrap();
    for (flags, words) in [
        (&["-q", "0", "-i", "me"][..], "--qos 0 would lose them"),
        (&["-q", "1"], "--store also needs --client-id"),
    ] {
        let tool = at(&broker, "pub").args(["-t", "t", "-m", "x", "--store", file]);
        let run = tool.args(flags).run().await;
        run.exits(2);
        assert!(run.error_line().contains(words), "{}", run.stderr);
    }
    std::fs::write(file, "something else").unwrap();
    let tool = at(&broker, "pub").args(["-t", "t", "-m", "x", "-i", "me", "--store", file]);
    tool.run().await.exits(2);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "something else");
}

/// At QoS 1 exit code 0 means that all messages have arrived, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn many_messages_arrive_in_order() {
    let Some(broker) = Mosquitto::start_with_long_queues().await else {
        return;
    };
    for qos in ["0", "1", "2"] {
        let tool = at(&broker, "sub").args(["-t", "n", "-q", qos, "-C", "5000"]);
        let mut sub = Subscriber::start(tool).await;
        let publishing = at(&broker, "pub").args(["-t", "n", "-m", "{{count}}", "--template"]);
        publishing
            .args(["--repeat", "5000", "-q", qos])
            .run()
            .await
            .exits(0);
        for number in 1..=5000 {
            assert_eq!(
                sub.until("message").await["payload"],
                number.to_string(),
                "QoS {qos}"
            );
        }
        assert_eq!(sub.code().await, Some(0));
    }
}
