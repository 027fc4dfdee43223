//! Sessions that move from one engine to another, and what a client without one believes (§4.1).

use dunlin_client::codec::{ConnAckProperties, Packet, ReasonCode};
use dunlin_client::engine::{Outcome, Session};
use dunlin_client::{
    CleanStart, ConnectError, ConnectOptions, ConnectionError, Message, QoS, RequestError,
    StopCause, Violation,
};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, connack_with, exactly_once, puback, pubcomp, publish,
    pubrec, pubrel, resubscribe, suback, with_dup,
};

fn other_options(clean_start: CleanStart) -> ConnectOptions {
    let mut options = options();
    options.clean_start = clean_start;
    options
}

/// Opens, and takes what CONNECT says.
fn clean_start_of(client: &mut Client) -> bool {
    client.opens();
    let sent = client.sends();
    match sent.first().map(|packet| packet.packet()) {
        Some(Packet::Connect(connect)) => connect.read().clean_start,
        other => panic!("{other:?}"),
    }
}

/// Opens, and takes a session that is present.
fn opens_resumed(client: &mut Client) {
    assert!(!clean_start_of(client));
    client.receives(&connack_resumed());
    assert!(client.engine.is_connected(), "{:?}", client.engine);
}

/// [MQTT-3.2.2-4]
#[test]
fn a_client_without_a_session_disconnects_from_a_server_that_has_one() {
    for clean_start in [CleanStart::First, CleanStart::Always, CleanStart::Never] {
        let mut client = Client::with_session(other_options(clean_start), Session::new());
        assert_eq!(
            clean_start_of(&mut client),
            clean_start != CleanStart::Never
        );
        client.receives(&connack_resumed());
        let Ended::Attempt(ConnectError::Protocol(Violation::Unexpected { statement, .. })) =
            client.closes()
        else {
            panic!("{:?}", client.engine)
        };
        assert_eq!(statement, "MQTT-3.2.2-4");
    }
}

/// [MQTT-3.2.2-4]
#[test]
fn a_session_that_is_assumed_empty_is_resumed() {
    for clean_start in [CleanStart::First, CleanStart::Never] {
        for answer in [connack(), connack_resumed()] {
            let mut client =
                Client::with_session(other_options(clean_start), Session::assumed_empty());
            assert!(!clean_start_of(&mut client));
            client.receives(&answer);
            assert!(client.engine.is_connected());
        }
    }
}

/// [MQTT-4.3.3-11]
#[test]
fn a_pubrel_of_an_earlier_process_is_answered() {
    let mut client = Client::with_session(options(), Session::assumed_empty());
    opens_resumed(&mut client);
    client.receives(&pubrel(7));
    let unknown = crate::packets::ack(
        dunlin_client::codec::AckType::PubComp,
        7,
        ReasonCode::PacketIdentifierNotFound,
    );
    assert_eq!(client.sends(), [unknown]);
}

/// [MQTT-4.4.0-1] [MQTT-4.3.3-6] [MQTT-3.3.1-1] [MQTT-2.2.1-3]
#[test]
fn another_engine_continues_a_session() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    let second = client.publishes("b", QoS::ExactlyOnce);
    client.receives(&pubrec(2));
    client.loses_connection();
    let third = client.publishes("c", QoS::AtLeastOnce);

    let mut client = client.restarts_with(options());
    opens_resumed(&mut client);
    let expected = [
        pubrel(2),
        publish("a", with_dup(at_least_once(1))),
        publish("c", at_least_once(3)),
    ];
    assert_eq!(client.sends(), expected);
    client.receives_all(&[puback(1), pubcomp(2), puback(3)]);
    for id in [first, second, third] {
        assert!(
            matches!(client.outcome(id), Some(Ok(Outcome::Published(_)))),
            "names outlive the engine"
        );
    }
    assert!(client.engine.into_session().is_empty());
}

#[test]
fn unread_outcomes_move_with_the_session_and_forgotten_ones_do_not() {
    let mut client = Client::connected();
    let taken_later = client.publishes("a", QoS::AtLeastOnce);
    let unwanted = client.publishes("b", QoS::AtLeastOnce);
    client.engine.forget(unwanted);
    client.receives_all(&[puback(1), puback(2)]);
    let mut client = client.restarts_with(options());
    assert!(matches!(client.outcome(taken_later), Some(Ok(_))));
    assert!(client.engine.into_session().is_empty());
}

/// [MQTT-3.3.1-3]
#[test]
fn unsent_messages_in_the_output_move_with_the_session_as_new() {
    for sends_disconnect in [false, true] {
        let mut client = Client::connected();
        client
            .publishes_unwritten(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .unwrap();
        if sends_disconnect {
            client.engine.disconnect();
        }
        let mut client = client.restarts_with(options());
        opens_resumed(&mut client);
        assert_eq!(client.sends(), [publish("a", at_least_once(2))]);
    }
}

/// [MQTT-3.2.2-5] [MQTT-3.1.2-4]
#[test]
fn subscriptions_move_with_the_session_and_are_renewed_if_the_server_lost_it() {
    let mut client = Client::connected();
    client.subscribes(&["a", "b/#"]);
    client.receives(&suback(
        1,
        &[ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS1],
    ));
    let session = client.engine.into_session();
    let filters: Vec<_> = session
        .subscriptions()
        .map(|(filter, _)| filter.to_owned())
        .collect();
    assert_eq!(filters, ["a", "b/#"]);
    assert!(!session.is_empty());

    let mut client = Client::with_session(options(), session);
    assert!(!clean_start_of(&mut client));
    client.receives(&connack());
    assert_eq!(client.sends(), [resubscribe(2, &["a", "b/#"])]);
}

/// [MQTT-4.3.3-10]
#[test]
fn only_unconsumed_messages_are_delivered_again_after_a_move() {
    let mut client = Client::connected();
    let deliveries = [
        exactly_once(1),
        exactly_once(2),
        at_least_once(3),
        exactly_once(4),
    ];
    for (delivery, topic) in
        deliveries
            .iter()
            .zip(["released", "unconsumed", "unconsumed too", "taken"])
    {
        client.receives(&publish(topic, *delivery));
    }

    // The application consumes the first and the last of four messages.
    let ids: Vec<_> = client
        .messages()
        .into_iter()
        .map(|(_, id)| id.unwrap())
        .collect();
    client.consumes(ids[0]);
    client.consumes(ids[3]);
    assert_eq!(
        client.sends(),
        [pubrec(1)],
        "the fourth waits for those before it"
    );

    // Another client takes the session, and the server repeats all four.
    let mut client = client.restarts_with(options());
    opens_resumed(&mut client);
    for (delivery, topic) in
        deliveries
            .iter()
            .zip(["released", "unconsumed", "unconsumed too", "taken"])
    {
        client.receives(&publish(topic, with_dup(*delivery)));
    }

    // Deliveries of the old client have no meaning here; unconsumed messages come again.
    client.consumes(ids[1]);
    assert_eq!(
        client.sends(),
        [pubrec(1)],
        "an old name means nothing here"
    );
    assert_eq!(client.consumes_all(), ["unconsumed", "unconsumed too"]);
    assert_eq!(client.sends(), [pubrec(2), puback(3), pubrec(4)]);
}

/// [U-4.1-1]
#[test]
fn a_session_reports_its_content() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    client.subscribes(&["b"]);
    client.loses_connection();
    client.publishes("c", QoS::AtMostOnce);
    let session = client.engine.into_session();
    assert_eq!(
        (session.client_id(), session.in_flight(), session.queued()),
        (Some("lamp-7"), 2, 1)
    );
    assert!(!session.is_empty());
    let new = Session::new();
    assert_eq!(
        (
            new.client_id(),
            new.in_flight(),
            new.queued(),
            new.is_empty()
        ),
        (None, 0, 0, true)
    );
}

/// [MQTT-3.1.3-2] [MQTT-3.1.2-4]
#[test]
fn a_session_of_another_client_identifier_is_not_resumed() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    let second = client.publishes("b", QoS::ExactlyOnce);
    let mut options = options();
    options.client_id = "lamp-8".into();
    let mut client = client.restarts_with(options);
    assert!(clean_start_of(&mut client));
    client.receives(&connack());
    assert_eq!(client.sends(), [publish("a", at_least_once(3))]);
    assert_eq!(client.outcome(second), Some(Err(RequestError::SessionLost)));
    client.loses_connection();
    assert!(
        !clean_start_of(&mut client),
        "it is the session of this identifier by now"
    );
}

/// [U-3.1.2-3]
#[test]
fn a_session_that_ends_with_its_connection_is_not_resumed() {
    let unsaid = ConnectOptions {
        session_expiry_interval: None,
        ..options()
    };
    let replaced = connack_with(ConnAckProperties {
        session_expiry_interval: Some(0),
        ..ConnAckProperties::default()
    });
    for (options, connack) in [(unsaid, connack()), (options(), replaced)] {
        let mut client = Client::connected_as(options, &connack);
        let first = client.publishes("a", QoS::ExactlyOnce);
        client.loses_connection();
        assert!(clean_start_of(&mut client));
        client.receives(&connack);
        assert_eq!(client.outcome(first), Some(Err(RequestError::SessionLost)));
    }
}

#[test]
fn a_taken_session_keeps_its_requests_but_not_their_receipts() {
    let mut old = Client::connected();
    let done = old.publishes("done", QoS::AtLeastOnce);
    let sent = old.publishes("sent", QoS::AtLeastOnce);
    old.receives(&puback(1));
    old.loses_connection();
    let queued = old.publishes("queued", QoS::AtMostOnce);
    let stopped = RequestError::Stopped(StopCause::Requested);
    let session = old.engine.take_session(&stopped);
    assert_eq!((session.in_flight(), session.queued()), (1, 1));

    let mut new = Client::with_session(options(), session);
    opens_resumed(&mut new);
    let repeated = publish("sent", with_dup(at_least_once(2)));
    assert_eq!(
        new.sends(),
        [repeated, publish("queued", crate::packets::at_most_once())]
    );
    new.receives(&puback(2));
    assert!(new.engine.into_session().is_empty());

    assert!(matches!(old.outcome(done), Some(Ok(_))));
    assert_eq!(old.outcome(sent), Some(Err(stopped.clone())));
    assert_eq!(old.outcome(queued), Some(Err(stopped)));
    assert!(clean_start_of(&mut old), "nothing is left behind");
}

#[test]
fn an_open_connection_is_closed_when_its_session_is_taken() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    client.receives(&publish("b", at_least_once(1)));
    let mut client = client.restarts_with(options());
    assert!(!client.engine.is_connected() && client.events().is_empty());
    opens_resumed(&mut client);
    assert_eq!(
        client.loses_connection(),
        Ended::Connection(ConnectionError::Reset)
    );
}
