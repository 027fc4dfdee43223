//! WebSocket whose upgrade is signed by SigV4, in the query or in headers; `signature` in the sources
//! tests the signature itself.

use dunlin_codec::{QoS, ReasonCode};
use dunlin_sandbox::{AccessKey, SandboxOptions, WebSocketRefusal};
use tokio_tungstenite::tungstenite::Error;

use crate::client::{connect, publish};
use crate::websocket::{client_over, open_wss, sandbox_with, upgrade};

/// Signature in the query, as for `AKID`; nothing of it is right.
const QUERY: &str = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261130%2Feu-west-1%2F\
                     iotdevicegateway%2Faws4_request&X-Amz-Date=20261130T101500Z&X-Amz-SignedHeaders=host&\
                     X-Amz-Signature=00&X-Amz-Security-Token=t%2Bk";
const HEADER: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261130/eu-west-1/iotdevicegateway/aws4_request, \
                      SignedHeaders=host, Signature=00";

#[tokio::test]
async fn without_keys_a_signed_client_is_let_in_with_a_warning_and_no_authorizer_is_asked() {
    for refusal in [WebSocketRefusal::ConnAck, WebSocketRefusal::Forbidden] {
        let sandbox = sandbox_with(|options| SandboxOptions {
            websocket_refusal: refusal,
            ..options
        })
        .await;
        for (id, query, headers) in [
            ("in-query", QUERY, &[][..]),
            ("in-header", "", &[("authorization", HEADER)]),
        ] {
            let opened = open_wss(&sandbox, upgrade(query, headers)).await.unwrap();
            let mut client = client_over(opened);
            client.sends(connect(id, "", "")).await;
            assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
            // No IoT policy applies.
            client.sends(publish("any", "x", QoS::AtLeastOnce)).await;
            assert_eq!(client.receives_puback().await.0, ReasonCode::Success);
            assert!(sandbox.logged(&format!("connect   {id}  wss  SigV4 of AKID → allow")));
        }
        assert!(sandbox.logged("its signature isn't checked, since there is no [[key]]"));
    }
}

#[tokio::test]
async fn with_keys_a_wrong_signature_is_403_at_the_upgrade() {
    let sandbox = sandbox_with(|options| SandboxOptions {
        access_keys: vec![AccessKey {
            id: "AKID".into(),
            secret: "s3cret".into(),
        }],
        ..options
    })
    .await;
    let other_service = QUERY.replace("iotdevicegateway", "s3");
    let incomplete = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00";
    for (query, headers, reason) in [
        (QUERY, &[][..], "X-Amz-"),
        (&other_service, &[], "for the service \"s3\""),
        (incomplete, &[], "the query isn't signed in the form"),
        ("", &[("authorization", HEADER)], "has no X-Amz-Date"),
    ] {
        let opened = open_wss(&sandbox, upgrade(query, headers)).await;
        let Err(Error::Http(answer)) = opened.map(drop) else {
            panic!("an answer without an upgrade to {query}")
        };
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.headers()["x-amzn-errortype"], "ForbiddenException");
        sandbox
            .wait_for_log("no upgrade to WebSocket (403): ")
            .await;
        assert!(sandbox.logged(reason), "{reason}");
        assert!(!sandbox.logged("s3cret"));
    }
}
