//! Take-over of a session by another connection of the same client.

use dunlin_codec::{
    BinaryData, Connect, ConnectProperties, Packet, QoS, ReasonCode, TopicName, Will,
    WillProperties,
};

use crate::server::tests::harness::{Harness, connect, subscribe, subscription};

/// §3.1.2.11.2, MQTT-3.1.2-8
#[test]
fn a_take_over_ends_a_session_without_expiry_and_its_will_goes_out_at_once() {
    let mut harness = Harness::new();
    let mut watcher = harness.connected("w");
    harness.receives(&mut watcher, subscribe(&[subscription("will")]));
    harness.sends(&mut watcher);
    let properties = WillProperties {
        will_delay_interval: Some(60),
        ..Default::default()
    };
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        properties,
        topic: TopicName::new("will").unwrap(),
        payload: BinaryData::new(b"gone").unwrap(),
    };
    // Clean Start 0, but no session expiry: the session ends with its connection.
    let resuming = || Connect {
        clean_start: false,
        ..connect("c")
    };
    let (mut first, _) = harness.connects(Connect {
        will: Some(will),
        ..resuming()
    });
    // The take-over ends the session of the first connection, and with it the will's delay of 60 s.
    let (_second, session_present) = harness.connects(resuming());
    assert!(!session_present);
    assert_eq!(
        harness.sends_disconnect(&mut first),
        Some(ReasonCode::SessionTakenOver)
    );
    let sent = harness.sends(&mut watcher);
    let [packet] = sent.as_slice() else {
        panic!("the will, not {sent:?}")
    };
    let Packet::Publish(publish) = packet.packet() else {
        panic!("a PUBLISH")
    };
    assert_eq!(publish.payload, b"gone");
}

/// The session goes on, so the client is back before its will's time. [MQTT-3.1.3-9]
#[test]
fn a_take_over_of_a_lasting_session_resumes_it_without_the_will() {
    let mut harness = Harness::new();
    let properties = ConnectProperties {
        session_expiry_interval: Some(60),
        ..Default::default()
    };
    let lasting = || Connect {
        clean_start: false,
        properties,
        ..connect("c")
    };
    let (mut first, _) = harness.connects(lasting());
    // With a session expiry the second connection resumes the session.
    let (_second, session_present) = harness.connects(lasting());
    assert!(session_present);
    assert_eq!(
        harness.sends_disconnect(&mut first),
        Some(ReasonCode::SessionTakenOver)
    );
}
