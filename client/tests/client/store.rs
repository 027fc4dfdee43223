//! A session that outlives its process: what leaves was written down before, and what was written
//! down goes on.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::engine::{ClockReading, Session};
use dunlin_client::store::{Change, RestoreError, Store, StoreError};
use dunlin_client::{Client, Event, Message, QoS, RequestError, StopCause, StreamLimits};

use crate::packets::{
    ack, at_least_once, connack, connack_resumed, exactly_once, puback, pubcomp, publish, pubrec,
    pubrel, unsubscribe, with_dup,
};
use crate::server::TestServer;
use crate::streams::subscribed;
use crate::{millis, options, soon, until_connected};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store in memory; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) entries: Entries,
    /// Nothing is written down for now.
    pub(crate) is_shut: bool,
    /// Nothing can be written down any more.
    is_broken: bool,
    /// Number of commits.
    commits: usize,
}

impl Memory {
    pub(crate) fn with(&self, act: impl FnOnce(&mut Kept)) {
        act(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Copies the records, as a process that starts now would read them.
    pub(crate) fn copy(&self) -> Self {
        let entries = self.0.0.lock().unwrap().entries.clone();
        let copy = Self::default();
        copy.with(|kept| kept.entries = entries);
        copy
    }
}

impl Store for Memory {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(self
            .0
            .0
            .lock()
            .unwrap()
            .entries
            .clone()
            .into_iter()
            .collect())
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        let kept = self.0.0.lock().unwrap();
        let mut kept = self.0.1.wait_while(kept, |kept| kept.is_shut).unwrap();
        if kept.is_broken {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the disk is full",
            ));
        }
        kept.commits += 1;
        for change in changes {
            match change.clone() {
                Change::Put { key, value } => drop(kept.entries.insert(key, value)),
                Change::Remove { key } => drop(kept.entries.remove(&key)),
            }
        }
        Ok(())
    }
}

pub(crate) fn lamp_message(qos: QoS) -> Message<'static> {
    Message::new("lamp/7", "on").qos(qos)
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_persisted() {
    let (server, store) = (TestServer::start().await, Memory::default());
    store.with(|kept| kept.is_shut = true);
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut peer = server.accepts().await;
    let early = tokio::time::timeout(millis(50), peer.receives_or_end()).await;
    assert!(early.is_err(), "not even CONNECT: {early:?}");
    store.with(|kept| kept.is_shut = false);
    peer.receives().await;
    peer.sends(&connack()).await;
    until_connected(&mut client.events()).await;
    client.until_persisted().await.unwrap();
    store.with(|kept| kept.is_shut = true);
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    assert!(
        tokio::time::timeout(millis(50), client.until_persisted())
            .await
            .is_err()
    );
    let early = tokio::time::timeout(millis(50), peer.receives_or_end()).await;
    assert!(early.is_err(), "{early:?}");
    store.with(|kept| kept.is_shut = false);
    soon(client.until_persisted()).await.unwrap();
    peer.expects(publish("lamp/7", at_least_once(1))).await;
    peer.sends(&puback(1)).await;
    soon(receipt).await.unwrap();
    soon(client.disconnect()).await;
}

#[tokio::test]
async fn the_next_process_continues_the_session() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut peer = server.accepts_client().await;
    let mut lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    peer.expects(publish("lamp/7", at_least_once(2))).await;
    drop(
        client
            .publish(lamp_message(QoS::ExactlyOnce))
            .await
            .unwrap(),
    );
    peer.expects(publish("lamp/7", exactly_once(3))).await;
    peer.sends(&pubrec(3)).await;
    peer.expects(pubrel(3)).await;
    peer.sends(&publish("lamp/1", exactly_once(9))).await;
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    peer.expects(pubrec(9)).await;
    let crashed = store.copy();
    soon(client.disconnect_within(millis(0))).await;

    let client = Client::start_with_store(options(&server), crashed.clone()).unwrap();
    let mut unmatched = client.unmatched(StreamLimits::default()).unwrap();
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    peer.expects(pubrel(3)).await;
    peer.expects(publish("lamp/7", with_dup(at_least_once(2))))
        .await;
    peer.sends(&pubcomp(3)).await;
    peer.sends(&puback(2)).await;
    // It was given out before, and comes to nobody again.
    peer.sends(&publish("lamp/1", with_dup(exactly_once(9))))
        .await;
    peer.expects(pubrec(9)).await;
    peer.sends(&pubrel(9)).await;
    peer.expects(pubcomp(9)).await;
    peer.sends(&publish("lamp/2", exactly_once(10))).await;
    assert_eq!(soon(unmatched.next()).await.unwrap().topic(), "lamp/2");
    peer.expects(pubrec(10)).await;
    soon(client.disconnect()).await;
    let keys = crashed
        .0
        .0
        .lock()
        .unwrap()
        .entries
        .keys()
        .map(|key| key[0])
        .collect::<Vec<_>>();
    assert_eq!(keys, *b"ars", "what is finished isn't kept: {keys:?}");
}

/// A disk flushes a few hundred times a second: that bounds what a store can do.
#[tokio::test]
async fn a_message_costs_one_commit_and_many_at_once_cost_no_more() {
    const MESSAGES: usize = 50;
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let peer = server.accepts_client().await;
    tokio::spawn(peer.acknowledges_until_end());
    until_connected(&mut client.events()).await;
    client.until_persisted().await.unwrap();
    let commits = || store.0.0.lock().unwrap().commits;

    let before = commits();
    for _ in 0..MESSAGES {
        soon(
            client
                .publish(lamp_message(QoS::AtLeastOnce))
                .await
                .unwrap(),
        )
        .await
        .unwrap();
    }
    let one_by_one = commits() - before;
    // With some tolerance for acknowledgements that take longer than they can wait for the next commit.
    assert!(
        (MESSAGES..MESSAGES + MESSAGES / 2).contains(&one_by_one),
        "{one_by_one}"
    );

    let before = commits();
    let mut receipts = Vec::new();
    for _ in 0..MESSAGES {
        receipts.push(
            client
                .publish(lamp_message(QoS::AtLeastOnce))
                .await
                .unwrap(),
        );
    }
    for receipt in receipts {
        soon(receipt).await.unwrap();
    }
    let at_once = commits() - before;
    assert!(at_once < 10, "{at_once}");

    // What nothing waits for is kept all the same.
    let is_clean = async {
        while store.0.0.lock().unwrap().entries.len() > 1 {
            tokio::time::sleep(millis(20)).await;
        }
    };
    soon(is_clean).await;
    soon(client.disconnect()).await;
}

#[tokio::test]
async fn an_unsent_message_is_sent_without_dup() {
    let (nowhere, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&nowhere), store.clone()).unwrap();
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    soon(client.until_persisted()).await.unwrap();
    let crashed = store.copy();
    client.disconnect_within(millis(0)).await;
    let server = TestServer::start().await;
    let client = Client::start_with_store(options(&server), crashed).unwrap();
    let mut peer = server.accepts_client().await;
    peer.expects(publish("lamp/7", at_least_once(1))).await;
    peer.sends(&ack(AckType::PubAck, 1, ReasonCode::Success))
        .await;
    soon(client.disconnect()).await;
}

/// The server loses the session before it was ever told of the message.
#[tokio::test]
async fn messages_that_wait_for_the_store_at_the_end_of_a_connection_are_unsent() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut events = client.events();
    let peer = server.accepts_client().await;
    until_connected(&mut events).await;
    client.until_persisted().await.unwrap();
    store.with(|kept| kept.is_shut = true);
    let receipt = client
        .publish(lamp_message(QoS::ExactlyOnce))
        .await
        .unwrap();
    assert!(
        tokio::time::timeout(millis(20), client.until_persisted())
            .await
            .is_err()
    );
    peer.resets();
    while !matches!(
        soon(events.next()).await.unwrap(),
        Event::Disconnected { .. }
    ) {}
    store.with(|kept| kept.is_shut = false);
    let mut peer = server.accepts_client().await;
    let sent = peer.receives().await;
    assert!(
        (1..3).any(|id| sent == publish("lamp/7", exactly_once(id))),
        "{sent:?}"
    );
    assert_eq!(client.statistics().repeated, 0);
    soon(client.disconnect_within(millis(0))).await;
    assert!(matches!(soon(receipt).await, Err(RequestError::Stopped(_))));
}

#[tokio::test]
async fn a_subscription_that_was_dropped_without_a_connection_ends_with_the_next_process() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut events = client.events();
    let mut peer = server.accepts_client().await;
    let lamps = subscribed(&client, &mut peer, 1, "lamp/+").await;
    drop(peer);
    while !matches!(
        soon(events.next()).await.unwrap(),
        Event::Disconnected { .. }
    ) {}
    drop(lamps);
    soon(client.disconnect_within(millis(0))).await;
    let client = Client::start_with_store(options(&server), store).unwrap();
    let mut peer = server.accepts_client_with(&connack_resumed()).await;
    let sent = peer.receives().await;
    assert!(
        (1..3).any(|id| sent == unsubscribe(id, &["lamp/+"])),
        "{sent:?}"
    );
    soon(client.disconnect_within(millis(0))).await;
}

/// Requests during the last commit aren't persisted and don't delay the end.
#[tokio::test]
async fn publishing_during_a_stop_does_not_delay_the_end() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let peer = server.accepts_client().await;
    until_connected(&mut client.events()).await;
    let publishing = tokio::spawn({
        let client = client.clone();
        async move { while client.publish(lamp_message(QoS::AtLeastOnce)).await.is_ok() {} }
    });
    let acknowledging = tokio::spawn(peer.acknowledges_until_end());
    tokio::time::sleep(millis(20)).await;
    tokio::time::timeout(Duration::from_secs(3), client.disconnect_within(millis(10)))
        .await
        .unwrap();
    soon(publishing).await.unwrap();
    soon(acknowledging).await.unwrap();
    let last = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap_err();
    assert_eq!(last, RequestError::Stopped(StopCause::Requested));
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time at which a store is read"
)]
async fn a_restored_session_goes_on_without_a_store_too() {
    let (nowhere, mut store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&nowhere), store.clone()).unwrap();
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    soon(client.until_persisted()).await.unwrap();
    client.disconnect_within(millis(0)).await;
    let now = tokio::time::Instant::now().into_std();
    let clock = ClockReading {
        now,
        date: std::time::SystemTime::now(),
        boot: None,
    };
    let session = Session::restore(store.load().unwrap(), clock)
        .unwrap()
        .unwrap();
    let server = TestServer::start().await;
    let _client = Client::start_with_session(options(&server), session);
    let mut peer = server.accepts_client().await;
    peer.expects(publish("lamp/7", at_least_once(1))).await;
}

#[tokio::test]
async fn a_store_that_fails_stops_the_client_and_nothing_is_sent() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let mut events = client.events();
    let mut peer = server.accepts_client().await;
    until_connected(&mut events).await;
    store.with(|kept| kept.is_broken = true);
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    let cause = StopCause::Store {
        kind: io::ErrorKind::StorageFull,
        fault: "the disk is full".into(),
    };
    assert_eq!(
        soon(receipt).await.unwrap_err(),
        RequestError::Stopped(cause.clone())
    );
    assert!(
        peer.receives_or_end().await.is_none(),
        "neither PUBLISH nor DISCONNECT"
    );
    let last = loop {
        if let Event::Stopped(cause) = soon(events.next()).await.unwrap() {
            break cause;
        }
    };
    assert_eq!(last, cause);
}

#[tokio::test]
async fn records_that_are_no_session_are_refused() {
    let (server, store) = (TestServer::start().await, Memory::default());
    store.with(|kept| drop(kept.entries.insert(b"m1".to_vec(), Vec::new())));
    let refused = Client::start_with_store(options(&server), store).unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::Restore(RestoreError {
                fault: "no request",
                ..
            })
        ),
        "{refused:?}"
    );
}

/// The store has five seconds for its last commit.
#[tokio::test]
async fn a_store_that_hangs_does_not_prevent_a_stop() {
    let (server, store) = (TestServer::start().await, Memory::default());
    let client = Client::start_with_store(options(&server), store.clone()).unwrap();
    let _peer = server.accepts_client().await;
    until_connected(&mut client.events()).await;
    store.with(|kept| kept.is_shut = true);
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    let stopping = client.disconnect_within(millis(0));
    assert!(
        tokio::time::timeout(Duration::from_secs(8), stopping)
            .await
            .is_ok()
    );
    let RequestError::Stopped(StopCause::Store { kind, fault }) = soon(receipt).await.unwrap_err()
    else {
        panic!()
    };
    assert_eq!(
        (kind, &*fault),
        (io::ErrorKind::TimedOut, "no answer within 5s")
    );
    store.with(|kept| kept.is_shut = false);
}
