//! Messages published over HTTP to a scripted server in memory, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_client::aws::http_publish::{
    AnswerStage, HttpPublishError, HttpPublishOptions, HttpPublisher, RefusalKind,
};
use dunlin_client::error::{IoFault, PeerAddress, TransportError};
use dunlin_client::transport::{StreamOpener, TransportOptions};
use dunlin_client::{Message, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const OK: &str = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: id-1\r\ncontent-length: 2\r\n\r\n{}";

/// What the server does with each request of one connection.
#[derive(Clone, Copy)]
enum Step {
    /// Sends a text before a request has come.
    Greet(&'static str),
    /// Sends an answer.
    Send(&'static str),
    /// Sends an answer and closes.
    SendAndClose(&'static str),
    /// Sends the first text, then the second one for ever.
    Flood(&'static str, &'static str),
    /// Closes without an answer.
    Close,
    /// Answers nothing.
    Silence,
}

/// Requests that the server has got, each with the number of its connection, from 1.
type Requests = Arc<Mutex<Vec<(usize, String)>>>;

/// Publisher for a server whose connections follow the scripts, one after another.
fn publisher(scripts: Vec<Vec<Step>>) -> (HttpPublisher, Requests) {
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let scripts = Arc::new(Mutex::new(scripts.into_iter().enumerate()));
    let opener = StreamOpener::new(move || {
        let script = scripts.lock().unwrap().next();
        let seen = Arc::clone(&seen);
        async move {
            let (number, steps) = script.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (near, far) = duplex(64 * 1024);
            tokio::spawn(serve(far, number + 1, steps, seen));
            // A server that speaks first has done so before the request.
            tokio::task::yield_now().await;
            Ok::<_, io::Error>(near)
        }
    });
    let options = HttpPublishOptions::new(TransportOptions {
        stream_opener: Some(opener),
        ..TransportOptions::new("localhost", 80)
    });
    (HttpPublisher::new(options), requests)
}

async fn serve(mut stream: DuplexStream, number: usize, steps: Vec<Step>, seen: Requests) {
    for step in steps {
        if let Step::Greet(text) = step {
            stream.write_all(text.as_bytes()).await.unwrap();
            continue;
        }
        let Some(request) = read_request(&mut stream).await else {
            return;
        };
        seen.lock().unwrap().push((number, request));
        match step {
            Step::Greet(_) => {}
            Step::Send(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Step::SendAndClose(answer) => {
                stream.write_all(answer.as_bytes()).await.unwrap();
                return;
            }
            Step::Flood(first, next) => {
                let _ = stream.write_all(first.as_bytes()).await;
                while stream.write_all(next.as_bytes()).await.is_ok() {}
                return;
            }
            Step::Close => return,
            Step::Silence => std::future::pending().await,
        }
    }
    // Open until the client closes.
    let _ = stream.read(&mut [0]).await;
}

/// Request with a body of the announced length; `None` at the end of the connection.
async fn read_request(stream: &mut DuplexStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.lines();
            let mut lengths = lines.filter_map(|line| line.strip_prefix("content-length: "));
            let length: usize = lengths.next().map_or(0, |text| text.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn closed() -> Box<TransportError> {
    Box::new(TransportError::Io(IoFault {
        kind: io::ErrorKind::UnexpectedEof,
        os_code: None,
    }))
}

#[tokio::test(start_paused = true)]
async fn a_message_is_posted_and_the_answer_has_an_id() {
    let (publisher, requests) = publisher(vec![vec![Step::Send(OK)]]);

    let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce);
    let published = publisher.publish(message).await.unwrap();

    assert_eq!(published.request_id.as_deref(), Some("id-1"));
    assert!(!published.reused);
    assert_eq!(
        requests.lock().unwrap()[0].1,
        "POST /topics/lamp%2F7?qos=1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\non"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_for_the_next_message() {
    let (publisher, requests) = publisher(vec![vec![Step::Send(OK), Step::Send(OK)]]);

    for reused in [false, true] {
        let published = publisher.publish(Message::new("t", "")).await.unwrap();
        assert_eq!(published.reused, reused);
    }
    let connections: Vec<usize> = requests.lock().unwrap().iter().map(|(n, _)| *n).collect();
    assert_eq!(connections, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_server_has_closed_is_replaced() {
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let old = "HTTP/1.0 200 OK\r\n\r\n{}";
    for answer in [close, old, OK] {
        let (publisher, requests) = publisher(vec![
            vec![Step::SendAndClose(answer)],
            vec![Step::Send(OK), Step::Send(OK)],
        ]);
        for _ in 0..2 {
            publisher.publish(Message::new("t", "")).await.unwrap();
            // The server's end is processed.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let connections: Vec<usize> = requests.lock().unwrap().iter().map(|(n, _)| *n).collect();
        assert_eq!(connections, [1, 2], "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_is_not_sent_again() {
    let (publisher, requests) = publisher(vec![
        vec![Step::Send(OK), Step::Close],
        vec![Step::Send(OK)],
    ]);
    publisher.publish(Message::new("t", "")).await.unwrap();

    let error = publisher.publish(Message::new("t", "")).await.unwrap_err();

    let peer = PeerAddress::Own;
    let error_of_connection = closed();
    assert_eq!(
        error,
        HttpPublishError::Connection {
            peer,
            error: error_of_connection
        }
    );
    assert!(error.is_retryable());
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn messages_at_the_same_time_have_connections_of_their_own() {
    let (publisher, requests) = publisher(vec![vec![Step::Send(OK)], vec![Step::Send(OK)]]);

    let (one, two) = tokio::join!(
        publisher.publish(Message::new("a", "")),
        publisher.publish(Message::new("b", "")),
    );

    assert!(one.is_ok() && two.is_ok());
    let mut connections: Vec<usize> = requests.lock().unwrap().iter().map(|(n, _)| *n).collect();
    connections.sort_unstable();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_has_the_words_of_the_service_and_whether_to_try_again() {
    for (status, name, message, kind, is_retryable) in [
        (
            400,
            "InvalidRequestException",
            "no",
            RefusalKind::InvalidRequest,
            false,
        ),
        (
            401,
            "UnauthorizedException",
            "no",
            RefusalKind::Unauthorized,
            false,
        ),
        (
            403,
            "ForbiddenException:",
            "Forbidden",
            RefusalKind::Forbidden,
            false,
        ),
        (
            413,
            "RequestEntityTooLargeException",
            "no",
            RefusalKind::TooLarge,
            false,
        ),
        (
            429,
            "ThrottlingException:http://x",
            "slower",
            RefusalKind::Throttled,
            true,
        ),
        (500, "", "no", RefusalKind::InternalFailure, true),
        (502, "", "no", RefusalKind::Unavailable, true),
        (307, "", "elsewhere", RefusalKind::Other, false),
    ] {
        let body = format!("{{\"message\":\"{message}\",\"traceId\":\"id-2\"}}");
        let answer = format!(
            "HTTP/1.1 {status} X\r\nx-amzn-ErrorType: {name}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (publisher, _) = publisher(vec![vec![Step::Send(answer.leak())]]);

        let error = publisher.publish(Message::new("t", "")).await.unwrap_err();

        assert_eq!(error.is_retryable(), is_retryable, "{status}");
        let HttpPublishError::Refused { refusal, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((refusal.status, refusal.kind), (status, kind));
        assert_eq!(refusal.message, message);
        assert_eq!(refusal.request_id.as_deref(), Some("id-2"));
        let name = name.split(':').next().unwrap();
        assert_eq!(refusal.error_type.as_deref(), Some(name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_the_server_repeats_is_not_in_the_error() {
    let answer = "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: canary-1\r\n\
                  x-amzn-RequestId: canary+2\r\ncontent-length: 27\r\n\r\n\
                  no canary-1 and canary%2B2!";
    let (publisher, _) = publisher(vec![vec![Step::Send(answer)]]);
    let mut options = publisher.options().clone();
    options
        .headers
        .push(("token".to_owned(), "canary-1".into()));
    options.query = Some("signature=canary%2B2".into());
    let publisher = HttpPublisher::new(options);

    let error = publisher.publish(Message::new("t", "")).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the server refused the message: HTTP 403 Forbidden (<redacted>): no <redacted> and <redacted>!"
    );
    assert!(!format!("{error:?} {publisher:?}").contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_timeout_of_its_stage() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{";
    for (steps, stage) in [
        (vec![Step::Silence], AnswerStage::Head),
        (vec![Step::Send(half)], AnswerStage::Body),
    ] {
        let (publisher, _) = publisher(vec![steps]);
        let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
        let after = Duration::from_secs(30);
        let peer = PeerAddress::Own;
        assert_eq!(error, HttpPublishError::TimedOut { peer, stage, after });
    }

    // The status of a refusal is known, and so is the beginning of its text.
    let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 50\r\n\r\nnot allowed, bec";
    let (publisher, _) = publisher(vec![vec![Step::Send(refused), Step::Silence]]);
    let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
    let HttpPublishError::Refused { refusal, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(refusal.message, "not allowed, bec");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_end_is_too_long() {
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for step in [
        Step::Flood("HTTP/1.1 200 OK\r\n", "x-header: 0123456789\r\n"),
        Step::Flood("HTTP/1.1 200 OK\r\nx: ", "0123456789"),
        Step::Flood(endless, "a\r\n0123456789\r\n"),
    ] {
        let (publisher, _) = publisher(vec![vec![step]]);
        let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
        let peer = PeerAddress::Own;
        assert_eq!(error, HttpPublishError::AnswerTooLong { peer });
    }

    // The status of a refusal is known, whatever follows.
    let refused = "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n";
    let (publisher, _) = publisher(vec![vec![Step::Flood(refused, "1\r\nx\r\n")]]);
    let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
    assert!(matches!(error, HttpPublishError::Refused { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_http_is_told_apart_from_a_closed_connection() {
    for answer in [
        "\x20\x02\x00\x00\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        // A chunk without a size, and one whose size has more than 64 bits.
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ] {
        let (publisher, _) = publisher(vec![vec![Step::Send(answer)]]);
        let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
        assert!(matches!(error, HttpPublishError::NotHttp { .. }), "{error}");
    }
    // An end within the head, and one within the body.
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}";
    for step in [
        Step::Close,
        Step::SendAndClose("HTTP/1.1 200 OK\r\nconten"),
        Step::SendAndClose(cut),
    ] {
        let (publisher, _) = publisher(vec![vec![step]]);
        let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
        assert!(
            matches!(&error, HttpPublishError::Connection { error, .. } if error == &closed()),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_an_error_of_the_transport() {
    let (publisher, _) = publisher(Vec::new());
    let error = publisher.publish(Message::new("t", "")).await.unwrap_err();
    assert!(matches!(error, HttpPublishError::Connect(_)), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_publish_closes_its_connection_and_the_publisher_goes_on() {
    let (publisher, requests) = publisher(vec![vec![Step::Silence], vec![Step::Send(OK)]]);

    let short = Duration::from_secs(1);
    let dropped = tokio::time::timeout(short, publisher.publish(Message::new("t", ""))).await;
    assert!(dropped.is_err());
    publisher.publish(Message::new("t", "")).await.unwrap();

    let connections: Vec<usize> = requests.lock().unwrap().iter().map(|(n, _)| *n).collect();
    assert_eq!(connections, [1, 2]);
}
