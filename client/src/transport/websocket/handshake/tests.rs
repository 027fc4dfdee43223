//! Handshakes over a pipe in memory: refusals, and answers that never end.

use super::body::LONGEST_BODY;
use super::*;
use crate::error::PeerAddress;

fn server() -> Server<'static> {
    Server {
        host: "h",
        port: 443,
        is_tls: true,
        peer: &PeerAddress::Own,
    }
}

async fn refusal(answer: &[u8]) -> UpgradeRefusal {
    let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
    peer.write_all(answer).await.unwrap();
    peer.shutdown().await.unwrap();
    let options = WebSocketOptions::default();
    match run(&mut client, &options, server()).await {
        Err(Failure::WebSocket(WebSocketError::Refused(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_has_status_error_type_and_the_beginning_of_its_body() {
    let json = r#"{"message":"Forbidden"}"#;
    let with_length = format!(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: ForbiddenException:\r\n\
         content-length: {}\r\n\r\n{json}",
        json.len()
    );
    let chunked = format!(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: ForbiddenException:\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &json[..5],
        json.len() - 5,
        &json[5..]
    );
    for answer in [with_length, chunked] {
        let expected = UpgradeRefusal {
            status: 403,
            reason: "Forbidden".into(),
            error_type: Some("ForbiddenException:".into()),
            body: json.into(),
        };
        assert_eq!(refusal(answer.as_bytes()).await, expected);
    }
    let long = [b"HTTP/1.1 404 \r\n\r\n", &[b'x'; 5_000][..]].concat();
    let refusal = refusal(&long).await;
    assert_eq!((refusal.status, refusal.body.len()), (404, LONGEST_BODY));
}

#[tokio::test]
async fn a_server_that_repeats_the_request_brings_no_secret_into_the_error() {
    let mut options = WebSocketOptions::default();
    options.set_header("X-Token", "canary-1");
    options.push_query(&"a=1&token=canary-2".into());
    let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
    let answer = b"HTTP/1.1 403 canary-1\r\n\r\n{\"token\":\"canary-2\",\"x\":\"canary-1\"}";
    peer.write_all(answer).await.unwrap();
    peer.shutdown().await.unwrap();

    let outcome = run(&mut client, &options, server()).await;

    let Err(Failure::WebSocket(error)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}

#[tokio::test]
async fn answers_before_the_final_one_are_skipped_and_bounded() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let final_answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let answer = interim.repeat(2) + final_answer;
    assert_eq!(refusal(answer.as_bytes()).await.status, 404);

    let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
    peer.write_all(interim.repeat(100).as_bytes())
        .await
        .unwrap();
    let options = WebSocketOptions::default();
    let outcome = run(&mut client, &options, server()).await;
    assert!(
        matches!(
            outcome,
            Err(Failure::WebSocket(WebSocketError::AnswerTooLong))
        ),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_waited_for_briefly() {
    let (mut client, mut peer) = tokio::io::duplex(1024);
    let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 900\r\n\r\npart";
    peer.write_all(answer).await.unwrap();
    let options = WebSocketOptions::default();

    let outcome = run(&mut client, &options, server()).await;

    let Err(Failure::WebSocket(WebSocketError::Refused(refusal))) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((refusal.status, refusal.body.as_str()), (401, "part"));
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
    let mut answer = b"HTTP/1.1 101 x\r\nX: ".to_vec();
    answer.resize(LONGEST_HEAD + 100, b'y');
    peer.write_all(&answer).await.unwrap();
    let options = WebSocketOptions::default();

    let outcome = run(&mut client, &options, server()).await;

    assert!(
        matches!(
            outcome,
            Err(Failure::WebSocket(WebSocketError::AnswerTooLong))
        ),
        "{outcome:?}"
    );
}
