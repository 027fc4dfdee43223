//! `Client::ping`: PINGREQ on demand, and the time until its answer.

use dunlin_client::Client;

use crate::packets::{pingreq, pingresp};
use crate::server::TestServer;
use crate::{connected, options, soon};

#[tokio::test]
async fn a_ping_ends_with_its_answer() {
    let server = TestServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;
    let ping = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    assert_eq!(soon(peer.receives()).await, pingreq());
    assert!(!ping.is_finished());
    peer.sends(&pingresp()).await;
    assert!(soon(ping).await.unwrap().is_some());
}

#[tokio::test]
async fn a_ping_without_a_connection_or_whose_connection_ends_has_no_time() {
    let server = TestServer::start().await;
    let unconnected = Client::start(options(&server));
    assert_eq!(unconnected.ping().await, None);
    drop(unconnected);

    let server = TestServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;
    let ping = tokio::spawn(async move { client.ping().await });
    assert_eq!(soon(peer.receives()).await, pingreq());
    drop(peer);
    assert_eq!(soon(ping).await.unwrap(), None);
}
