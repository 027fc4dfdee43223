//! Records of the application in the store of its client.

use std::collections::BTreeMap;

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::store::{Change, Store};
use dunlin_client::{Client, OnDropped, RequestError, StopCause, StreamLimits};

use crate::packets::{
    ack, at_least_once, connack_resumed, exactly_once, puback, pubcomp, publish, pubrec, pubrel,
    with_dup,
};
use crate::server::TestServer;
use crate::streams::subscribed;
use crate::{millis, options, soon};

use crate::store::Memory;

fn record(key: &str, value: &str) -> Change {
    Change::Put {
        key: key.into(),
        value: value.into(),
    }
}

/// The application's records in a store.
fn records(store: &Memory) -> BTreeMap<String, String> {
    let records = store.clone().application_records().unwrap().into_iter();
    records
        .map(|(key, value)| {
            (
                String::from_utf8(key).unwrap(),
                String::from_utf8(value).unwrap(),
            )
        })
        .collect()
}

fn one_record(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

#[tokio::test]
async fn a_record_and_the_fact_that_its_message_was_received_are_in_one_commit() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut peer = server.accepts_client().await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    client.until_persisted().await.unwrap();
    peer.sends(&publish("lamp/1", exactly_once(9))).await;
    let (_, acknowledgement) = soon(lamps.next_unacknowledged()).await.unwrap();
    let before = store.copy();
    store.with(|kept| kept.is_shut = true);
    let accepting = tokio::spawn(acknowledgement.accept_with(vec![record("lamp/1", "on")]));
    assert!(
        tokio::time::timeout(millis(50), peer.receives_or_end())
            .await
            .is_err(),
        "no PUBREC before that"
    );
    assert!(!accepting.is_finished());
    store.with(|kept| kept.is_shut = false);
    soon(accepting).await.unwrap().unwrap();
    let after = store.copy();
    peer.expects(pubrec(9)).await;
    soon(client.disconnect_within(millis(0))).await;

    // A process that was killed before the commit has neither, one that was killed after it has
    // both.
    assert!(records(&before).is_empty());
    assert_eq!(records(&after), one_record("lamp/1", "on"));
    for (store, comes_again) in [(before, true), (after, false)] {
        let client = Client::start_with_store(options(&server), store).unwrap();
        let mut unmatched = client.unmatched(StreamLimits::default()).unwrap();
        let mut peer = server.accepts_client_with(&connack_resumed()).await;
        peer.sends(&publish("lamp/1", with_dup(exactly_once(9))))
            .await;
        if comes_again {
            assert_eq!(soon(unmatched.next()).await.unwrap().topic(), "lamp/1");
        }
        peer.expects(pubrec(9)).await;
        peer.sends(&pubrel(9)).await;
        peer.expects(pubcomp(9)).await;
        soon(client.disconnect_within(millis(0))).await;
    }
}

#[tokio::test]
async fn records_of_a_message_in_two_streams_are_written_with_the_last_answer() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut peer = server.accepts_client().await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    let mut all = subscribed(&client, &mut peer, 2, "#").await;
    // Without an identifier it goes wherever a filter matches.
    peer.sends(&publish("lamp/1", exactly_once(9))).await;
    let (_, first) = soon(lamps.next_unacknowledged()).await.unwrap();
    let (_, second) = soon(all.next_unacknowledged()).await.unwrap();
    soon(first.accept_with(vec![record("first", "on")]))
        .await
        .unwrap();
    client.until_persisted().await.unwrap();
    assert!(
        records(&store).is_empty(),
        "after a crash the message comes to both again"
    );
    second.accept();
    peer.expects(pubrec(9)).await;
    assert_eq!(records(&store), one_record("first", "on"));
    soon(client.disconnect_within(millis(0))).await;
}

#[tokio::test]
async fn a_second_stream_that_drops_its_acknowledgement_follows_the_policy() {
    for (on_dropped, code) in [
        (OnDropped::Reject, Some(ReasonCode::UnspecifiedError)),
        (OnDropped::Accept, Some(ReasonCode::Success)),
        (OnDropped::Hold, None),
    ] {
        let (server, store) = (TestServer::start().await, Memory::default());
        let mut options = options(&server);
        options.connect.on_dropped = on_dropped;
        let client = Client::start_with_store(options, store.clone()).unwrap();
        let mut peer = server.accepts_client().await;
        let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
        let mut all = subscribed(&client, &mut peer, 2, "#").await;
        peer.sends(&publish("lamp/1", exactly_once(9))).await;
        let (_, first) = soon(lamps.next_unacknowledged()).await.unwrap();
        let (_, second) = soon(all.next_unacknowledged()).await.unwrap();
        soon(first.accept_with(vec![record("first", "on")]))
            .await
            .unwrap();
        // At once, without the wait of five seconds.
        let handler = tokio::spawn(async move {
            let _second = second;
            panic!("on purpose");
        });
        assert!(handler.await.is_err());
        if let Some(code) = code {
            peer.expects(ack(AckType::PubRec, 9, code)).await;
            assert_eq!(records(&store), one_record("first", "on"), "{on_dropped:?}");
        } else {
            client.until_persisted().await.unwrap();
            assert!(records(&store).is_empty());
        }
        soon(client.disconnect_within(millis(0))).await;
    }
}

#[tokio::test]
async fn an_application_changes_its_records_without_a_message_too() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut peer = server.accepts_client().await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    soon(client.write_records(vec![record("a", "1"), record("b", "2")]))
        .await
        .unwrap();
    soon(client.write_records(vec![Change::Remove { key: b"a".to_vec() }]))
        .await
        .unwrap();
    assert_eq!(records(&store), one_record("b", "2"));
    peer.sends(&publish("lamp/1", at_least_once(9))).await;
    let (_, acknowledgement) = soon(lamps.next_unacknowledged()).await.unwrap();
    soon(acknowledgement.accept_with(vec![record("b", "3")]))
        .await
        .unwrap();
    peer.expects(puback(9)).await;
    assert_eq!(records(&store), one_record("b", "3"));
    soon(client.disconnect_within(millis(0))).await;
    let stopped = client.write_records(vec![record("c", "1")]).await;
    assert_eq!(stopped, Err(RequestError::Stopped(StopCause::Requested)));
}

#[tokio::test]
async fn a_client_without_a_store_writes_no_records() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut peer = server.accepts_client().await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    assert_eq!(
        client.write_records(vec![record("a", "1")]).await,
        Err(RequestError::NoStore)
    );
    peer.sends(&publish("lamp/1", at_least_once(9))).await;
    let (_, acknowledgement) = soon(lamps.next_unacknowledged()).await.unwrap();
    assert_eq!(
        acknowledgement.accept_with(vec![record("a", "1")]).await,
        Err(RequestError::NoStore)
    );
    soon(client.disconnect_within(millis(0))).await;
}
