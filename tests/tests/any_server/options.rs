//! Flags of the verbs: sessions, limits, filters, intervals, folders.

use std::fs;
use std::time::Duration;

use dunlin_tests::Mosquitto;
use serde_json::json;

use super::{Subscriber, at};

#[tokio::test]
async fn each_filter_has_its_own_qos_and_a_delivery_is_printed_once() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let filters = [
        "-t", "a/#", "-q", "1", "-t", "a/b", "-q", "2", "-t", "c", "-q", "0",
    ];
    let mut sub = Subscriber::start(at(&broker, "sub").args(filters).args(["-C", "4"])).await;
    for topic in ["a/b", "c", "a/x"] {
        let tool = at(&broker, "pub").args(["-t", topic, "-m", topic, "-q", "2"]);
        tool.run().await.exits(0);
    }
    let mut received = Vec::new();
    // mosquitto sends a message once for each subscription that matches.
    for _ in 0..4 {
        let message = sub.until("message").await;
        received.push((message["topic"].clone(), message["qos"].clone()));
    }
    received[..2].sort_by_key(|(_, qos)| qos.to_string());
    let expected = [("a/b", 1), ("a/b", 2), ("c", 0), ("a/x", 1)];
    assert_eq!(
        received,
        expected.map(|(topic, qos)| (json!(topic), json!(qos)))
    );
    assert_eq!(sub.until("summary").await["received"], 4);

    let run = at(&broker, "sub").args(["-t", "a", "-t", "b", "-t", "c", "-q", "1", "-q", "2"]);
    let run = run.run().await;
    run.exits(2);
    assert!(
        run.error_line().contains("3 filters, 2 QoS"),
        "{}",
        run.stderr
    );
}

/// A session that outlives the run keeps messages for the next one.
#[tokio::test]
async fn a_session_is_continued_with_clean_start_false() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let of_session = ["-i", "lamp-9", "--session-expiry", "1h", "-q", "1"];
    let first = at(&broker, "sub").args(of_session);
    first.args(["-t", "a", "-E"]).run().await.exits(0);
    for payload in ["one", "two"] {
        let tool = at(&broker, "pub").args(["-t", "a", "-m", payload, "-q", "1"]);
        tool.run().await.exits(0);
    }
    // Another filter: the messages of the session are printed all the same.
    let second = at(&broker, "sub")
        .args(of_session)
        .args(["--clean-start", "false"]);
    let run = second.args(["-t", "b", "-C", "2", "-W", "10"]).run().await;
    run.exits(0);
    assert_eq!(run.stdout, "one\ntwo\n");
    // A new session has nothing of it.
    let third = at(&broker, "sub")
        .args(of_session)
        .args(["-t", "b", "-C", "1", "-W", "1"]);
    third.run().await.exits(9);
}

#[tokio::test]
async fn retained_messages_are_printed_alone_or_left_out() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    for topic in ["r/a", "r/b"] {
        let tool = at(&broker, "pub").args(["-t", topic, "-m", topic, "-r", "-q", "1"]);
        tool.run().await.exits(0);
    }
    let run = at(&broker, "sub")
        .args(["-t", "r/#", "--until-retained"])
        .run()
        .await;
    run.exits(0);
    assert_eq!(run.stdout, "r/a\nr/b\n");
    let filtered = ["-t", "r/#", "--until-retained", "-T", "r/a", "-N"];
    let run = at(&broker, "sub").args(filtered).run().await;
    assert_eq!(run.stdout, "r/b");
    let run = at(&broker, "sub")
        .args(["-t", "r/#", "-R", "-W", "1"])
        .run()
        .await;
    run.exits(0);
    assert_eq!(run.stdout, "");
}

#[tokio::test]
async fn messages_are_written_to_new_files_of_a_folder() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    for (topic, payload) in [("f/..", "00ff"), ("f/\u{e9}", "0a")] {
        let tool = at(&broker, "pub").args(["-t", topic, "--hex", "-m", payload, "-r", "-q", "1"]);
        tool.run().await.exits(0);
    }
    for (first, second) in [("000001", "000002"), ("000003", "000004")] {
        let tool = at(&broker, "sub").args(["-t", "f/#", "-C", "2", "-W", "10", "--output-dir"]);
        let run = tool.args([&path]).run().await;
        run.exits(0);
        let names = [format!("{first}-f%2f.."), format!("{second}-f%2f%c3%a9")];
        assert_eq!(run.stdout, format!("{}\n{}\n", names[0], names[1]));
        assert_eq!(fs::read(path.join(&names[0])).unwrap(), b"\x00\xff");
    }
}

/// A file or a link that has the name already is never written to.
#[cfg(unix)]
#[tokio::test]
async fn no_link_in_the_folder_is_followed() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut sub = Subscriber::start(
        at(&broker, "sub")
            .args(["-t", "f", "-q", "1", "-C", "1", "--output-dir"])
            .args([&out]),
    )
    .await;
    std::os::unix::fs::symlink(&victim, out.join("000001-f")).unwrap();
    at(&broker, "pub")
        .args(["-t", "f", "-m", "x", "-q", "1"])
        .run()
        .await
        .exits(0);
    assert_eq!(sub.until("message").await["file"], "000002-f");
    assert_eq!(sub.code().await, Some(0));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(fs::read_to_string(out.join("000002-f")).unwrap(), "x");
}

#[tokio::test]
async fn a_template_fills_topic_and_payload_and_an_interval_lies_between_messages() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let mut sub =
        Subscriber::start(at(&broker, "sub").args(["-t", "t/#", "-q", "1", "-C", "3"])).await;
    let tool = at(&broker, "pub").args([
        "-t",
        "t/{{count}}",
        "-m",
        "{{count}} {{random 7 7}} {{uuid}}",
    ]);
    let run = tool
        .args([
            "--template",
            "--repeat",
            "3",
            "--interval",
            "200ms",
            "-q",
            "1",
        ])
        .run()
        .await;
    run.exits(0);
    assert!(run.took >= Duration::from_millis(400), "{:?}", run.took);
    for number in 1..=3 {
        let message = sub.until("message").await;
        assert_eq!(message["topic"], format!("t/{number}"));
        let payload = message["payload"].as_str().unwrap();
        assert!(
            payload.starts_with(&format!("{number} 7 ")) && payload.len() == 40,
            "{payload}"
        );
    }
    let run = at(&broker, "pub")
        .args(["-t", "t", "-m", "{{cuont}}", "--template"])
        .run()
        .await;
    run.exits(2);
    assert!(
        run.error_line().contains("unknown placeholder \"cuont\""),
        "{}",
        run.stderr
    );
}

/// CONNECT carries what the flags say; the broker's and the tool's own reports show it.
#[tokio::test]
async fn connect_prints_limits_and_sends_what_the_flags_say() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let flags = [
        "--client-id=me",
        "--keep-alive=30",
        "--session-expiry=10m",
        "--receive-maximum=7",
        "--max-packet-size=1000",
        "--topic-alias-max=3",
        "--request-problem-info=false",
        "--request-response-info=true",
        "--connect-user-property=a=b",
        "--will-topic=w",
        "--will-message=gone",
        "--will-qos=1",
        "--will-retain",
        "--will-delay=5",
        "--will-expiry=1h",
        "--will-content-type=t",
        "--will-payload-format=utf8",
        "--will-response-topic=r",
        "--will-correlation=c",
        "--will-user-property=c=d",
        "--duration=0",
        "--packets=full",
    ];
    let run = at(&broker, "connect").args(flags).run().await;
    run.exits(0);
    for words in [
        "connected     CONNACK 0x00",
        "receive maximum",
        "session expiry            600 s",
        "stopped",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
    for (field, meaning) in [
        ("keep_alive", "30"),
        ("session_expiry_interval", "600"),
        ("receive_maximum", "7"),
        ("maximum_packet_size", "1000"),
        ("topic_alias_maximum", "3"),
        ("will_delay_interval", "5"),
        ("will_topic", "\"w\""),
        ("content_type", "\"t\""),
    ] {
        let found = run
            .stderr
            .lines()
            .any(|line| line.contains(field) && line.contains(meaning));
        assert!(found, "{field} {meaning}\n{}", run.stderr);
    }
    // Nothing is announced unless it is asked for.
    let run = at(&broker, "connect")
        .args(["--duration=0", "--packets=full"])
        .run()
        .await;
    assert!(
        !run.stderr.contains("maximum_packet_size"),
        "{}",
        run.stderr
    );
}

/// The will is published when the tool is killed, and not when it ends.
#[cfg(unix)]
#[tokio::test]
async fn the_will_is_published_when_the_tool_is_killed() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let mut sub =
        Subscriber::start(at(&broker, "sub").args(["-t", "w", "-q", "1", "-C", "1"])).await;
    let will = [
        "--will-topic",
        "w",
        "--will-message",
        "gone",
        "--will-qos",
        "1",
    ];
    at(&broker, "connect")
        .args(will)
        .args(["--duration", "0"])
        .run()
        .await
        .exits(0);
    let mut holding = Subscriber::start(at(&broker, "sub").args(will).args(["-t", "x"])).await;
    holding.child.kill().await.unwrap();
    assert_eq!(sub.until("message").await["payload"], "gone");
}

#[tokio::test]
async fn messages_carry_the_subscription_identifier_of_the_user() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let filters = ["-t", "a/+", "-t", "b/+", "--sub-id", "268435455"];
    let mut sub = Subscriber::start(at(&broker, "sub").args(filters).args(["-C", "2"])).await;
    for topic in ["a/1", "b/1"] {
        let tool = at(&broker, "pub").args(["-t", topic, "-m", "x", "-q", "1"]);
        tool.run().await.exits(0);
        let message = sub.until("message").await;
        let identifiers = &message["properties"]["subscription_identifiers"];
        assert_eq!(*identifiers, json!([268_435_455]), "{message}");
    }
    for wrong in ["0", "268435456", "x"] {
        let run = at(&broker, "sub").args(["-t", "a", "--sub-id", wrong]);
        run.run().await.exits(2);
    }
}
