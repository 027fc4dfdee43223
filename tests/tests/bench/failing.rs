//! Servers that break the protocol, accept little, or stop reading while a load runs.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dunlin_client::codec::Packet;
use dunlin_tests::dunlin;
use serde_json::json;

use super::raw::{CONNACK, raw};
use super::{expect_counts, report};

/// Longest run of a load of one second whose server is of no use.
const SOON: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn the_flag_bounds_the_messages_in_flight() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    // Acknowledges each message after 100 ms.
    let endpoint = raw(move |peer| {
        peer.accept(&CONNACK)?;
        peer.stream
            .set_read_timeout(Some(Duration::from_millis(1)))?;
        let mut waiting: VecDeque<(Instant, u16)> = VecDeque::new();
        loop {
            match peer.receive() {
                Ok(packet) => {
                    if let Packet::Publish(publish) = packet.packet() {
                        let id = publish.delivery.packet_id().unwrap().get();
                        waiting.push_back((Instant::now() + Duration::from_millis(100), id));
                        seen.fetch_max(waiting.len(), Ordering::Relaxed);
                    }
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
            while waiting
                .front()
                .is_some_and(|(due, _)| *due <= Instant::now())
            {
                let (_, id) = waiting.pop_front().unwrap();
                let [high, low] = id.to_be_bytes();
                peer.send(&[0x40, 2, high, low])?;
            }
        }
    });
    let run = dunlin(["bench", "pub", "--json", "--count=60", "--in-flight=10"])
        .args([&endpoint])
        .run()
        .await;
    run.exits(0);
    assert_eq!(most.load(Ordering::Relaxed), 10);
    // With two more in flight than acknowledged it was three times the server's 100 ms.
    let p50 = report(&run)["acknowledge_ms"]["p50"].as_f64().unwrap();
    assert!((100.0..200.0).contains(&p50), "{p50}");
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_right_after_connack_is_reported_at_once_with_exit_code_10() {
    for verb in ["connect", "pub", "sub", "pubsub"] {
        // A second CONNACK is a protocol error.
        let endpoint = raw(|peer| {
            peer.accept(&[CONNACK, CONNACK].concat())?;
            peer.receive().map(drop)
        });
        let run = dunlin(["bench", verb, "--json", "--duration=20s"])
            .args([&endpoint])
            .run()
            .await;
        run.exits(10);
        assert!(run.took < SOON, "{verb}: {:?}", run.took);
        assert!(
            run.stderr.contains("error[E-PROTOCOL]: "),
            "{verb}: {}",
            run.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_maximum_packet_size_is_explained_by_the_flag_that_helps() {
    // Maximum Packet Size 60 (property 0x27).
    let server = || {
        raw(|peer| {
            peer.accept(&[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 60])?;
            peer.receive().map(drop)
        })
    };
    let topic = format!("--topic={}", "t".repeat(60));
    for (words, id, advice) in [
        (["sub", &topic], "E-SUB-DENIED", "a shorter --topic"),
        (["pub", &topic], "E-PUB-DENIED", "a shorter --topic"),
        (["pub", "--size=200"], "E-PUB-DENIED", "--size 38, or less"),
    ] {
        let run = dunlin(["bench"])
            .args(words)
            .args(["--json", "--duration=5s", &server()])
            .run()
            .await;
        run.exits(7);
        let line = run.error_line();
        assert!(line.contains(&format!("error[{id}]: ")), "{line}");
        assert!(line.contains("Maximum Packet Size, 60"), "{line}");
        assert!(line.contains(advice), "{line}");
        assert!(run.took < SOON, "{:?}", run.took);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_messages_are_counted_and_end_a_strict_run() {
    // A PUBLISH with a wildcard in its topic, and one that is valid.
    let server = || {
        raw(|peer| {
            peer.accept(&CONNACK)?;
            peer.grant()?;
            peer.send(b"\x30\x06\x00\x03a/+\x00\x30\x06\x00\x03a/b\x00")?;
            loop {
                peer.receive()?;
            }
        })
    };
    let sub = ["bench", "sub", "--json", "--count=1", "--topic=a/#"];
    let run = dunlin(sub).args([server()]).run().await;
    run.exits(0);
    expect_counts(&report(&run), &json!({"received": 1, "invalid": 1}));
    assert!(
        run.stderr
            .starts_with("warning: received messages are invalid"),
        "{}",
        run.stderr
    );
    let run = dunlin(sub).args(["--strict", &server()]).run().await;
    run.exits(10);
    assert!(run.stderr.contains("error[E-PROTOCOL]: "), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_have_stopped_wait_for_no_more_messages() {
    let endpoint = raw(|peer| {
        peer.accept(&CONNACK)?;
        peer.grant()
    });
    let run = dunlin(["bench", "sub", "--json", "--count=5", "--reconnect=0"])
        .args([&endpoint])
        .run()
        .await;
    run.exits(8);
    assert!(run.took < SOON, "{:?}", run.took);
    assert!(run.stderr.contains("error[E-LOST]: "), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_nothing_does_not_prolong_a_load() {
    let endpoint = raw(|peer| {
        peer.accept(&CONNACK)?;
        std::thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    for qos in ["--qos=0", "--qos=1"] {
        let run = dunlin([
            "bench",
            "pub",
            "--json",
            "--duration=1s",
            "--drain=500ms",
            qos,
        ])
        .args(["--size=100000", "--in-flight=1000", &endpoint])
        .run()
        .await;
        assert!(run.took < SOON, "{qos}: {:?}", run.took);
        run.exits(if qos == "--qos=1" { 9 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_keep_failing_do_not_prolong_a_load() {
    // CONNECT is not answered.
    let silent = raw(|peer| peer.receive().and_then(|_| peer.receive()).map(drop));
    let run = dunlin(["bench", "pub", "--json", "--duration=1s"])
        .args(["--connect-timeout=1s", &silent])
        .run()
        .await;
    run.exits(9);
    assert!(run.took < SOON, "{:?}", run.took);
    assert!(
        run.stderr.contains("error[E-CONNACK-TIMEOUT]: "),
        "{}",
        run.stderr
    );

    // Each connection ends at its first PUBLISH.
    let flapping = raw(|peer| {
        peer.accept(&CONNACK)?;
        peer.receive().map(drop)
    });
    let run = dunlin(["bench", "pub", "--json", "--duration=1s", "--drain=1s"])
        .args([&flapping])
        .run()
        .await;
    run.exits(8);
    assert!(run.took < SOON, "{:?}", run.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_refuses_is_asked_five_times() {
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&connections);
    // CONNACK 0x89: Server busy.
    let endpoint = raw(move |peer| {
        seen.fetch_add(1, Ordering::Relaxed);
        peer.accept(&[0x20, 3, 0, 0x89, 0])
    });
    let run = dunlin(["bench", "connect", "--json"])
        .args([&endpoint])
        .run()
        .await;
    run.exits(6);
    assert_eq!(connections.load(Ordering::Relaxed), 5);
    assert!(
        run.stderr.contains("error[E-CONN-REFUSED]: "),
        "{}",
        run.stderr
    );
}

/// The same rule as for the sample, whose retries are lines on standard error.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_gives_up_after_five_refusals_too() {
    let served = super::serve(&["connack=0x89"]).await;
    let run = dunlin(["sample", "--authorizer-name=Anybody", "--auth-username=u"])
        .connecting_to(&served.sandbox)
        .run()
        .await;
    run.exits(6);
    let attempts: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("attempt "))
        .collect();
    assert_eq!(attempts.len(), 4, "{}", run.stderr);
    assert!(
        run.stderr.contains("error[E-CONN-REFUSED]: "),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_whose_subscriptions_are_refused_waits_for_no_messages() {
    let served = super::serve(&["suback=0x87"]).await;
    let run = dunlin(["bench", "pubsub", "--json", "--count=5", "--drain=20s"])
        .connecting_to(&served.sandbox)
        .run()
        .await;
    run.exits(7);
    assert!(run.took < SOON, "{:?}", run.took);
    assert!(
        run.stderr.contains("error[E-SUB-DENIED]: "),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_without_tls_causes_a_warning() {
    let server = || {
        raw(|peer| {
            peer.accept(&CONNACK)
                .and_then(|()| peer.receive().map(drop))
        })
    };
    let run = |endpoint: String| {
        dunlin(["bench", "connect", "--json", "--auth-username=u"]).args([endpoint])
    };
    let warned = run(server())
        .env("DUNLIN_AUTH_PASSWORD", "canary-7f3a")
        .run()
        .await;
    warned.exits(0);
    assert_eq!(warned.stderr.matches("in clear text").count(), 1);
    assert!(!warned.stderr.contains("canary"), "{}", warned.stderr);
    let silent = run(server()).run().await;
    silent.exits(0);
    assert_eq!(silent.stderr, "");
}
