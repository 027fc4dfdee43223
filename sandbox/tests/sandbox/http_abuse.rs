//! HTTP clients that are slow, that send too much, or whose requests can be read in two ways.

use dunlin_codec::{Packet, QoS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::{TIMEOUT, TestSandbox, publish};
use crate::http::{SIGNED, asks, open, request, sandbox};

/// Reads until the server closes the connection.
async fn read_all(mut tcp: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Sends bytes on a connection of HTTP without TLS, and reads until the server closes it.
async fn sends(sandbox: &TestSandbox, bytes: &str) -> String {
    let mut tcp = open(sandbox).await;
    tcp.write_all(bytes.as_bytes()).await.unwrap();
    timeout(TIMEOUT, read_all(tcp)).await.unwrap()
}

/// Statuses of all answers on a connection, in order.
fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

const WHOLE: &str = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";

#[tokio::test]
async fn a_client_that_is_silent_for_ten_seconds_is_disconnected() {
    for (sent, expected, reason) in [
        ("", &[][..], "no HTTP request came within 10 seconds"),
        (
            "POST /topics/a HTTP/1.1\r\nHost: ",
            &[],
            "no whole HTTP request came within 10 seconds",
        ),
        (
            "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx",
            &[408],
            "The body didn't come within 10 seconds",
        ),
        // Keep-alive, with nothing more or with half of another request.
        (
            WHOLE,
            &[200],
            "no whole HTTP request came within 10 seconds",
        ),
        (
            &format!("{WHOLE}POST /topics"),
            &[200],
            "no whole HTTP request came within 10 seconds",
        ),
    ] {
        let sandbox = sandbox().await;
        let mut tcp = open(&sandbox).await;
        tcp.write_all(sent.as_bytes()).await.unwrap();
        // What the server answers at once is read in real time; then nothing happens but time.
        let mut answer = String::new();
        while statuses(&answer).len() < expected.len() && expected != [408] {
            let mut part = [0; 1024];
            let length = timeout(TIMEOUT, tcp.read(&mut part))
                .await
                .unwrap()
                .unwrap();
            answer.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
        tokio::time::pause();
        answer.push_str(&read_all(tcp).await);
        assert_eq!(statuses(&answer), expected, "{sent:?}: {answer}");
        assert!(sandbox.logged(reason), "{sent:?}: {:?}", sandbox.log);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_tls_handshake_that_stops_is_given_up_after_ten_seconds() {
    // Nothing, and the beginning of a ClientHello.
    for sent in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let sandbox = sandbox().await;
        let port = sandbox.sandbox.https_port().unwrap();
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tcp.write_all(sent).await.unwrap();
        tokio::time::pause();
        assert_eq!(read_all(tcp).await, "");
        assert!(sandbox.logged("the TLS handshake took more than 10 seconds"));
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_disconnected() {
    let sandbox = sandbox().await;
    let mut tcp = open(&sandbox).await;
    // Until the answers fill the buffers of both sides, so that no more requests are read.
    let requests = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let pause = std::time::Duration::from_millis(300);
    while let Ok(written) = timeout(pause, tcp.write_all(requests.as_bytes())).await {
        written.unwrap();
    }
    tokio::time::pause();
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(sandbox.logged("the client took nothing of its answers for 10 seconds"));
}

#[tokio::test]
async fn clients_with_slow_bodies_shut_no_others_out() {
    let sandbox = sandbox().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut tcp = open(&sandbox).await;
        let head = WHOLE.replace("Length: 1\r\n", "Length: 1000\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        slow.push(tcp);
    }
    let response = asks(&sandbox, "POST /topics/a", &[], "x").await;
    assert_eq!(response.status, 200, "{response:?}");
    // The bytes of all bodies are bounded: 64 of the largest ones, less those above.
    for _ in 0..63 {
        let mut tcp = open(&sandbox).await;
        let head = WHOLE.replace("Length: 1\r\n", "Length: 1048576\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        slow.push(tcp);
    }
    let large = "x".repeat(1024 * 1024);
    let mut tcp = open(&sandbox).await;
    let (mut reader, mut writer) = tcp.split();
    let head = WHOLE.replace("Length: 1\r\n\r\nx", "Length: 1048576\r\n\r\n");
    let mut answer = [0; 12];
    let sent = async {
        writer.write_all(head.as_bytes()).await.unwrap();
        // The server may close the connection before it has read all.
        let _ = writer.write_all(large.as_bytes()).await;
    };
    let (read, ()) = tokio::join!(timeout(TIMEOUT, reader.read_exact(&mut answer)), sent);
    read.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    let response = asks(&sandbox, "POST /topics/a", &[], "x").await;
    assert_eq!(response.status, 200, "{response:?}");
}

#[tokio::test]
async fn a_request_without_one_host_is_refused() {
    let sandbox = sandbox().await;
    let post = "Connection: close\r\nContent-Length: 1\r\n\r\nx";
    for (head, expected) in [
        ("HTTP/1.1\r\n", 400),
        ("HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n", 400),
        ("HTTP/1.0\r\nHost: a\r\nHost: a\r\n", 400),
        ("HTTP/1.0\r\n", 200),
        ("HTTP/1.1\r\nHost:\r\n", 200),
    ] {
        let text = format!("POST /topics/a {head}{post}");
        let answers = sends(&sandbox, &text).await;
        let status: u16 = answers[9..12].parse().unwrap();
        assert_eq!(status, expected, "{head:?}: {answers}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let sandbox = sandbox().await;
    let other = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = String::from_utf8(request("POST /topics/a?qos=2", &[], "")).unwrap();
    let answers = sends(&sandbox, &format!("{WHOLE}{other}{WHOLE}{last}")).await;
    assert_eq!(statuses(&answers), [200, 404, 200, 400]);
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_before_its_body() {
    let sandbox = sandbox().await;
    let mut tcp = open(&sandbox).await;
    let head = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\
                Expect: 100-continue\r\n\r\n";
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    let read = timeout(TIMEOUT, tcp.read_exact(&mut interim)).await;
    read.unwrap().unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    tcp.write_all(b"hello").await.unwrap();
    let answer = timeout(TIMEOUT, read_all(tcp)).await.unwrap();
    assert_eq!(statuses(&answer), [200]);
}

#[tokio::test]
async fn a_chunked_body_is_one_message_and_ends_the_connection() {
    let sandbox = sandbox().await;
    let mut watcher = sandbox.connected_to_default("watcher").await;
    watcher.subscribes("a").await;
    let chunked = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n";
    // The request after it isn't read.
    let answers = sends(&sandbox, &format!("{chunked}{WHOLE}")).await;
    assert_eq!(statuses(&answers), [200]);
    assert_eq!(watcher.receives_message().await.0, "hello world");
    watcher.receives_nothing_more().await;
}

#[tokio::test]
async fn a_request_with_two_lengths_brings_no_second_request() {
    let sandbox = sandbox().await;
    let mut watcher = sandbox.connected_to_default("watcher").await;
    watcher.subscribes("hidden").await;
    let hidden = "POST /topics/hidden HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (headers, expected) in [
        // The chunks count, and the connection ends (RFC 9112, 6.3).
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 200),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 200),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5, 6\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        (chunked, 200),
    ] {
        let text =
            format!("POST /topics/a HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n0\r\n\r\n{hidden}");
        let answers = sends(&sandbox, &text).await;
        let told: Vec<_> = statuses(&answers);
        assert_eq!(told, [expected], "{headers}: {answers}");
    }
    watcher.receives_nothing_more().await;
}

#[tokio::test]
async fn a_flood_of_requests_does_not_hold_mqtt_up() {
    let sandbox = sandbox().await;
    let mut client = sandbox.connected_to_default("lamp").await;
    client.subscribes("a").await;
    // Clients that send one request after another without waiting, until the test drops them.
    let mut flood = JoinSet::new();
    for _ in 0..32 {
        let mut tcp = open(&sandbox).await;
        flood.spawn(async move {
            let (mut reader, mut writer) = tcp.split();
            let requests = WHOLE.replace("/a ", "/flood ").repeat(16);
            let mut answers = [0; 4096];
            loop {
                tokio::select! {
                    sent = writer.write_all(requests.as_bytes()) => sent.unwrap(),
                    read = reader.read(&mut answers) => assert!(read.unwrap() > 0),
                }
            }
        });
    }
    sandbox.wait_for_log("  flood  http Test → allow").await;
    for number in 0..20 {
        let text = number.to_string();
        client.sends(publish("a", &text, QoS::AtMostOnce)).await;
        assert_eq!(client.receives_message().await.0, text);
    }
    // All of them still send.
    assert!(flood.try_join_next().is_none());
}

#[tokio::test]
async fn direct_messages_that_wait_for_a_puback_take_no_place_of_other_requests() {
    let sandbox = sandbox().await;
    let mut client = sandbox.connected_to_default("lamp").await;
    // As many as are handled at a time, to a client that acknowledges nothing.
    let line = "POST /connections/lamp/messages?topic=a&confirmation=true&timeout=15";
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut tcp = open(&sandbox).await;
        tcp.write_all(&request(line, &[SIGNED], "x")).await.unwrap();
        let packet = client.receives().await;
        assert!(matches!(packet.packet(), Packet::Publish(_)));
        waiting.push(tcp);
    }
    let response = asks(&sandbox, "POST /topics/b", &[], "x").await;
    assert_eq!(response.status, 200);
    client.receives_nothing_more().await;
}

#[tokio::test]
async fn direct_messages_that_wait_are_bounded() {
    let sandbox = sandbox().await;
    let _client = sandbox.connected_to_default("lamp").await;
    let line = "POST /connections/lamp/messages?topic=a&confirmation=true&timeout=15";
    let mut waiting = Vec::new();
    for _ in 0..256 {
        let mut tcp = open(&sandbox).await;
        tcp.write_all(&request(line, &[SIGNED], "x")).await.unwrap();
        waiting.push(tcp);
    }
    let told = "signed with the access key";
    while sandbox.count(told) < 256 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let response = asks(&sandbox, line, &[SIGNED], "x").await;
    assert_eq!(response.status, 429, "{response:?}");
    assert_eq!(response.error(), "ThrottlingException");
}
