//! What is kept of a session, and the session that is made of it: all of it, or an error.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use dunlin_client::codec::ReasonCode;
use dunlin_client::engine::{Change, Session};
use dunlin_client::{Message, QoS, RequestError};

use crate::bench::{Client, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, exactly_once, puback, publish, pubrec, pubrel, suback,
};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn keep(client: &mut Client, entries: &mut Entries) {
    let now = client.now();
    for change in client.engine.take_changes(now, SystemTime::UNIX_EPOCH) {
        match change {
            Change::Put { key, value } => drop(entries.insert(key, value)),
            Change::Remove { key } => drop(entries.remove(&key)),
        }
    }
}

/// A session with something of everything.
fn entries() -> Entries {
    let mut client = Client::new(options());
    client.engine.keep_journal();
    client.opens();
    client.sends();
    client.receives(&connack());
    client.subscribes(&["lamp/+"]);
    client.sends();
    client.receives(&suback(1, &[ReasonCode::GrantedQoS2]));
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::ExactlyOnce);
    client.sends();
    client.receives(&pubrec(3));
    client.receives(&publish("lamp/1", exactly_once(9)));
    client.takes_all();
    client.sends();
    client.hands_over(Message::new("c", "on").qos(QoS::AtLeastOnce)).unwrap();
    let mut entries = Entries::new();
    keep(&mut client, &mut entries);
    entries
}

fn restored(entries: Entries) -> Client {
    let now = Client::new(options()).now();
    let session = Session::restore(entries, now, SystemTime::UNIX_EPOCH).unwrap().unwrap();
    Client::with_session(options(), session)
}

#[test]
fn everything_that_a_server_may_know_is_kept() {
    let mut client = restored(entries());
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    assert_eq!(
        client.sends(),
        [pubrel(3), publish("a", crate::packets::again(at_least_once(2))), publish("c", at_least_once(4)),]
    );
    client.receives(&publish("lamp/1", crate::packets::again(exactly_once(9))));
    assert!(client.messages().is_empty(), "it was handed over by another process");
    assert_eq!(client.sends(), [pubrec(9)]);
}

#[test]
fn what_is_over_is_not_kept() {
    let mut client = Client::connected();
    client.engine.keep_journal();
    let mut entries = Entries::new();
    client.publishes("a", QoS::AtLeastOnce);
    client.sends();
    keep(&mut client, &mut entries);
    assert_eq!(entries.len(), 3, "about the session, a message, its packet");
    client.receives(&puback(1));
    keep(&mut client, &mut entries);
    assert_eq!(entries.len(), 1);
    assert!(!client.engine.has_changes());
}

#[test]
fn a_message_expires_by_the_calendar() {
    let mut client = Client::new(options());
    client.engine.keep_journal();
    let mut message = Message::new("a", "on").qos(QoS::AtLeastOnce);
    message.properties.message_expiry_interval = Some(60);
    client.tries_to_publish(message).unwrap();
    let mut entries = Entries::new();
    keep(&mut client, &mut entries);
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(59);
    let session = Session::restore(entries.clone(), client.now(), later).unwrap().unwrap();
    let mut next = Client::with_session(options(), session);
    assert_eq!(next.engine.statistics().queued, 1);
    next.waits(Duration::from_secs(1));
    assert_eq!(next.engine.statistics().queued, 0);
    assert_eq!(next.engine.statistics().expired, 1, "{:?}", RequestError::Expired);
}

/// Nothing is taken for something else, and nothing panics.
#[test]
fn what_was_cut_or_mixed_up_is_refused() {
    let all = entries();
    let now = Client::new(options()).now();
    let restore = |entries: Entries| Session::restore(entries, now, SystemTime::UNIX_EPOCH);
    let mut refused = 0;
    for (key, value) in &all {
        for len in 0..value.len() {
            let mut cut = all.clone();
            cut.insert(key.clone(), value[..len].to_vec());
            refused += u32::from(restore(cut).is_err());
        }
        for (index, bit) in (0..value.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut flipped = all.clone();
            flipped.get_mut(key).unwrap()[index] ^= 1 << bit;
            if let Ok(Some(session)) = restore(flipped) {
                let mut client = Client::with_session(options(), session);
                client.opens();
                client.sends();
                client.receives(&connack_resumed());
                client.sends();
            }
        }
        let mut less = all.clone();
        less.remove(key);
        refused += u32::from(restore(less).is_err());
    }
    assert!(refused > 100, "{refused}");
    assert!(restore(Entries::new()).unwrap().is_none());
}
