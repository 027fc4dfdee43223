//! Servers that refuse a WebSocket connection, or close it: id, exit code and words of each.

use dunlin_test_support::websocket::{BINARY, CLOSE, WebSocketServer};

use crate::{CANARY, accepts_connect, connect};

#[tokio::test]
async fn a_refused_request_has_an_id_an_exit_code_and_its_body() {
    for (status, id, exit, words) in [
        ("401 Unauthorized", "E-AUTH-DENIED", 5, "HTTP 401"),
        ("403 Forbidden", "E-AUTH-DENIED", 5, "ForbiddenException"),
        ("404 Not Found", "E-UPGRADE", 6, "MQTT is at another path"),
        ("400 Bad Request", "E-UPGRADE", 6, "another subprotocol"),
        ("503 Unavailable", "E-UPGRADE", 6, "down or overloaded"),
    ] {
        let server = WebSocketServer::start().await;
        let tool = connect(&server).args(["--ws-header", "X-Token=canary-7f3a"]);
        let (run, ()) = tokio::join!(tool.run(), async {
            let mut peer = server.accepts_request().await;
            // Some servers repeat what they don't accept.
            let body = format!("{{\"message\":\"no {CANARY}\"}}");
            let answer = format!(
                "HTTP/1.1 {status}\r\nx-amzn-ErrorType: ForbiddenException:\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            peer.sends_bytes(answer.as_bytes()).await;
        });
        run.exits(exit);
        assert!(
            run.stderr.contains(&format!("error[{id}]")),
            "{}",
            run.stderr
        );
        for word in [words, "message"] {
            assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
        }
        assert!(!run.stderr.contains(CANARY), "{}", run.stderr);
    }
}

#[tokio::test]
async fn another_subprotocol_is_named() {
    let server = WebSocketServer::start().await;
    let (run, ()) = tokio::join!(connect(&server).run(), async {
        let mut peer = server.accepts_request().await;
        let answer = peer.answer("Sec-WebSocket-Protocol: mqttv3.1\r\n");
        peer.sends_bytes(answer.as_bytes()).await;
    });
    run.exits(6);
    assert!(run.stderr.contains("E-UPGRADE") && run.stderr.contains("mqttv3.1"));
}

#[tokio::test]
async fn a_close_code_before_connack_is_evidence() {
    let server = WebSocketServer::start().await;
    let (run, ()) = tokio::join!(connect(&server).run(), async {
        let mut peer = server.accepts().await;
        peer.receives().await;
        peer.sends(CLOSE, b"\x03\xf0no access").await;
    });
    run.exits(5);
    for words in [
        "E-HANGUP",
        "at:     CONNECT · ",
        "code 1008 (policy violation)",
        "no access",
    ] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_close_code_after_connack_is_the_cause() {
    let server = WebSocketServer::start().await;
    let url = format!("ws://localhost:{}", server.address().port());
    let tool = dunlin_tests::dunlin(["connect", "--reconnect=0", "-H"]).args([url]);
    let (run, ()) = tokio::join!(tool.run(), async {
        let mut peer = server.accepts().await;
        accepts_connect(&mut peer).await;
        peer.sends(CLOSE, b"\x03\xe9").await;
        // The end of the server, so that no further attempt succeeds.
        drop(peer);
    });
    run.exits(8);
    assert!(run.stderr.contains("E-DISCONNECTED"), "{}", run.stderr);
    assert!(run.stderr.contains("code 1001"), "{}", run.stderr);
    assert!(run.stdout.contains("  WebSocket  "), "{}", run.stdout);
}

#[tokio::test]
async fn a_text_frame_is_a_broken_protocol() {
    let server = WebSocketServer::start().await;
    let (run, ()) = tokio::join!(connect(&server).run(), async {
        let mut peer = server.accepts().await;
        peer.receives().await;
        peer.sends(BINARY & 0xf0 | 0x01, b"hello").await;
    });
    run.exits(10);
    assert!(run.stderr.contains("a text frame"), "{}", run.stderr);
    assert!(run.stderr.contains("at:     CONNECT · "), "{}", run.stderr);
}
