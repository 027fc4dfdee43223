//! Answers of hostile or broken servers, and connections that ended in silence.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dunlin_client::Message;
use dunlin_client::aws::http_publish::{
    AnswerStage, HttpPublishError, HttpPublishOptions, HttpPublisher,
};

use super::{OK, Step, publisher};

/// Error of a publish to a server that follows the script.
async fn error(script: Vec<Step>) -> HttpPublishError {
    let (publisher, _) = publisher(vec![script]);
    publisher.publish(Message::new("t", "")).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_the_id_of_an_accepted_message_is_replaced() {
    for answer in [
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: canary-1\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{\"traceId\":\"canary-2\"}",
    ] {
        let (publisher, _) = publisher(vec![vec![Step::Send(answer)]]);
        let mut options = publisher.options().clone();
        options
            .headers
            .push(("token".to_owned(), "canary-1".into()));
        options.query = Some("t=canary-2".into());

        let publisher = HttpPublisher::new(options);
        let published = publisher.publish(Message::new("t", "")).await.unwrap();

        assert_eq!(published.request_id.as_deref(), Some("<redacted>"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_speaks_first_does_not_speak_http() {
    for greeting in ["SSH-2.0-OpenSSH_9.6\r\n", "220 mail ESMTP\r\n", OK] {
        // With the connection open, and closed after the greeting.
        for script in [
            vec![Step::Greet(greeting), Step::Silence],
            vec![Step::Greet(greeting), Step::Close],
        ] {
            let error = error(script).await;
            assert!(
                matches!(error, HttpPublishError::NotHttp { .. }),
                "{greeting}: {error:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_with_wrong_chunks_is_not_a_closed_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}!!0\r\n\r\n",
    ] {
        let error = error(vec![Step::Send(answer)]).await;
        assert!(
            matches!(error, HttpPublishError::NotHttp { .. }),
            "{answer}: {error:?}"
        );
    }
    // Without an end: an extension of a chunk, and trailers.
    for (first, again) in [
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
            "0123456789",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            "a: b\r\n",
        ),
    ] {
        let error = error(vec![Step::Flood(first, again)]).await;
        assert!(
            matches!(error, HttpPublishError::NotHttp { .. }),
            "{first}: {error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_text_stops_is_told_with_what_came_of_it() {
    let stalled = "HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\nthe reason";
    for step in [Step::Send(stalled), Step::SendAndClose(stalled)] {
        let HttpPublishError::Refused { refusal, .. } = error(vec![step]).await else {
            panic!("not refused");
        };
        assert_eq!(refusal.message, "the reason");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_at_any_byte_is_incomplete() {
    for len in 0..OK.len() {
        let error = error(vec![Step::SendAndClose(&OK[..len])]).await;
        assert!(
            matches!(error, HttpPublishError::Connection { .. }),
            "{len}: {error:?}"
        );
    }
}

#[tokio::test]
async fn interim_answers_without_an_end_are_bounded_by_the_timeout() {
    // In real time: a server that always has something to send lets no virtual time pass.
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let (publisher, _) = publisher(vec![vec![Step::Flood(interim, interim)]]);
    let mut options = publisher.options().clone();
    options.answer_timeout = Duration::from_millis(100);

    let publisher = HttpPublisher::new(options);
    let error = publisher.publish(Message::new("t", "")).await.unwrap_err();

    let stage = AnswerStage::Head;
    assert!(
        matches!(error, HttpPublishError::TimedOut { stage: missing, .. } if missing == stage),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_asked_for_is_not_that_of_the_next_message() {
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n\
                 HTTP/1.1 200 OK\r\nx-amzn-RequestId: injected\r\ncontent-length: 0\r\n\r\n";
    let (publisher, _) = publisher(vec![
        vec![Step::Send(twice), Step::Silence],
        vec![Step::Send(OK)],
    ]);
    publisher.publish(Message::new("t", "")).await.unwrap();

    let published = publisher.publish(Message::new("t", "")).await.unwrap();

    assert_eq!(published.request_id.as_deref(), Some("id-1"));
    assert!(!published.reused);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_a_minute_without_a_message() {
    let (publisher, requests) = publisher(vec![
        vec![Step::Send(OK), Step::Send(OK), Step::Silence],
        vec![Step::Send(OK)],
    ]);
    for pause in [0, 59, 61] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        publisher.publish(Message::new("t", "")).await.unwrap();
    }
    let connections: Vec<usize> = requests.lock().unwrap().iter().map(|(n, _)| *n).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_the_program_computed_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (close, closing) = mpsc::channel();
    let (closed, has_closed) = mpsc::channel();
    let server = thread::spawn(move || {
        // Two connections, each closed when the test says so.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).unwrap(), 0);
            stream.write_all(OK.as_bytes()).unwrap();
            closing.recv().unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let publisher = HttpPublisher::new(HttpPublishOptions::from_url(&url).unwrap());
    for _ in 0..2 {
        let published = publisher.publish(Message::new("t", "")).await.unwrap();
        assert!(!published.reused);
        // The runtime's only thread waits here, so that it doesn't learn of the end.
        close.send(()).unwrap();
        has_closed.recv().unwrap();
    }
    server.join().unwrap();
}
