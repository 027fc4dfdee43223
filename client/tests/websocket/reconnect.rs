//! Attempts after a failure: headers of a provider, and statuses that stop the client.

use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_client::transport::WebSocketError;
use dunlin_client::{Client, NextAttempt, Provider, StopCause};
use dunlin_test_support::websocket::WebSocketServer;

use crate::{options, soon, websocket_end};

const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_provider_sets_other_headers_for_each_attempt() {
    let server = WebSocketServer::start().await;
    let mut options = options(&server);
    let number = AtomicU32::new(0);
    options.provider = Provider::new(move |attempt: NextAttempt| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut target = attempt.target;
            let websocket = target.transport.websocket.get_or_insert_default();
            websocket.set_header("X-Token", format!("token-{number}"));
            Ok(target)
        }
    });
    let client = Client::start(options);

    // A refused token is final, unless the next one is another.
    for expected in ["token-0", "token-1", "token-2"] {
        let mut peer = server.accepts_request().await;
        assert_eq!(peer.header("X-Token"), Some(expected));
        peer.sends_bytes(FORBIDDEN).await;
    }
    drop(client);
}

#[tokio::test]
async fn refused_credentials_stop_the_client_and_a_server_in_trouble_does_not() {
    let server = WebSocketServer::start().await;
    let connecting = tokio::spawn(Client::connect(options(&server)));

    server
        .accepts_request()
        .await
        .sends_bytes(UNAVAILABLE)
        .await;
    server.accepts_request().await.sends_bytes(FORBIDDEN).await;

    let stopped = soon(connecting).await.unwrap().unwrap_err();
    let StopCause::Final(cause) = stopped else {
        panic!("{stopped}");
    };
    let WebSocketError::Refused(refusal) = websocket_end(&cause) else {
        panic!("another error");
    };
    assert_eq!(refusal.status, 403);
}
