//! Acknowledging by hand: with a reason code, in the order of arrival, or not at all (§4.3, §4.6).

use std::collections::VecDeque;

use dunlin_client::codec::{AckType, Delivery, PacketBuf, PacketType, ReasonCode, Sender};
use dunlin_client::engine::DeliveryId;
use dunlin_client::{QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, connack, connack_resumed, exactly_once, id, puback, pubcomp, publish,
    pubrec, pubrel, with_dup,
};

fn delivered(client: &mut Client) -> Vec<DeliveryId> {
    client
        .messages()
        .into_iter()
        .map(|(_, id)| id.unwrap())
        .collect()
}

fn answer(client: &mut Client, id: DeliveryId, reason_code: ReasonCode) {
    client.engine.received().answer(id, reason_code).unwrap();
}

fn refusing_ack(ack_type: AckType, packet_id: u16) -> PacketBuf {
    ack(ack_type, packet_id, ReasonCode::QuotaExceeded)
}

/// manual_pub_ack_basic_success, manual_pub_ack_no_auto_puback
#[test]
fn nothing_is_acknowledged_before_the_application_says_so() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    let ids = delivered(&mut client);
    client.advance(std::time::Duration::from_secs(3600));
    assert!(client.sends().is_empty());
    answer(&mut client, ids[0], ReasonCode::Success);
    assert_eq!(client.sends(), [puback(1)]);
}

/// manual_pub_ack_multiple_publishes [MQTT-4.6.0-2]
#[test]
fn pubacks_leave_in_the_order_of_arrival_with_their_own_codes() {
    let mut client = Client::connected();
    client.receives_all(&[1, 2, 3].map(|id| publish("a", at_least_once(id))));
    let ids = delivered(&mut client);
    answer(&mut client, ids[1], ReasonCode::QuotaExceeded);
    assert!(client.sends().is_empty());
    answer(&mut client, ids[0], ReasonCode::NoMatchingSubscribers);
    let first = ack(AckType::PubAck, 1, ReasonCode::NoMatchingSubscribers);
    assert_eq!(client.sends(), [first, refusing_ack(AckType::PubAck, 2)]);
    answer(&mut client, ids[2], ReasonCode::Success);
    assert_eq!(client.sends(), [puback(3)]);
}

/// [MQTT-4.6.0-3]
#[test]
fn pubrecs_leave_in_the_order_of_arrival_with_their_own_codes() {
    let mut client = Client::connected();
    client.receives_all(&[9, 4, 6].map(|id| publish("a", exactly_once(id))));
    let ids = delivered(&mut client);
    answer(&mut client, ids[2], ReasonCode::Success);
    answer(&mut client, ids[1], ReasonCode::QuotaExceeded);
    assert!(client.sends().is_empty());
    answer(&mut client, ids[0], ReasonCode::Success);
    assert_eq!(
        client.sends(),
        [pubrec(9), refusing_ack(AckType::PubRec, 4), pubrec(6)]
    );
    client.receives_all(&[pubrel(9), pubrel(6)]);
    assert_eq!(client.sends(), [pubcomp(9), pubcomp(6)]);
}

/// [MQTT-4.3.3-9]
#[test]
fn after_a_refusing_pubrec_the_same_identifier_is_another_message() {
    let mut options = options();
    options.receive_maximum = Some(1);
    let mut client = Client::connected_as(options, &connack());
    for _ in 0..3 {
        client.receives(&publish("a", exactly_once(1)));
        let ids = delivered(&mut client);
        assert_eq!(ids.len(), 1, "the place that the refused one had is free");
        answer(&mut client, ids[0], ReasonCode::QuotaExceeded);
        assert_eq!(client.sends(), [refusing_ack(AckType::PubRec, 1)]);
    }
    client.receives(&pubrel(1));
    assert_eq!(
        client.sends(),
        [ack(
            AckType::PubComp,
            1,
            ReasonCode::PacketIdentifierNotFound
        )]
    );
    client.receives(&publish("a", at_least_once(1)));
    assert_eq!(client.consumes_all(), ["a"]);
}

#[test]
fn every_reason_code_that_a_client_may_send_is_sent_and_no_other() {
    for code in ReasonCode::ALL.iter().copied() {
        for (ack_type, delivery) in [
            (AckType::PubAck, at_least_once(1)),
            (AckType::PubRec, exactly_once(1)),
        ] {
            let mut client = Client::connected();
            client.receives(&publish("a", delivery));
            let ids = delivered(&mut client);
            let answered = client.engine.received().answer(ids[0], code);
            if code.is_legal_in(PacketType::PubAck, Sender::Client) {
                assert_eq!(client.sends(), [ack(ack_type, 1, code)]);
            } else {
                assert!(matches!(answered, Err(RequestError::Encode(_))), "{code}");
                assert!(client.sends().is_empty());
                client.consumes(ids[0]);
                assert_eq!(
                    client.sends(),
                    [ack(ack_type, 1, ReasonCode::Success)],
                    "its acknowledgement was pending"
                );
            }
        }
    }
}

/// manual_pub_ack_invalid_control_id
#[test]
fn a_second_call_of_answer_has_no_effect() {
    let mut client = Client::connected();
    client.receives_all(&[1, 2].map(|id| publish("a", at_least_once(id))));
    let ids = delivered(&mut client);
    answer(&mut client, ids[0], ReasonCode::Success);
    answer(&mut client, ids[0], ReasonCode::QuotaExceeded);
    client.engine.received().abandon(ids[0]);
    assert_eq!(client.sends(), [puback(1)]);
    answer(&mut client, ids[1], ReasonCode::Success);
    assert_eq!(client.sends(), [puback(2)]);
}

#[test]
fn the_most_severe_of_several_reason_codes_is_sent() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    let ids = delivered(&mut client);
    client.engine.received().set_consumers(ids[0], 3);
    answer(&mut client, ids[0], ReasonCode::Success);
    answer(&mut client, ids[0], ReasonCode::QuotaExceeded);
    assert!(client.sends().is_empty());
    answer(&mut client, ids[0], ReasonCode::NoMatchingSubscribers);
    assert_eq!(client.sends(), [refusing_ack(AckType::PubAck, 1)]);
}

/// manual_pub_ack_disconnect_cancellation
#[test]
fn a_late_acknowledgement_answers_only_the_repetition() {
    let mut client = Client::connected();
    client.receives_all(&[
        publish("a", at_least_once(1)),
        publish("b", exactly_once(2)),
    ]);
    let ids = delivered(&mut client);
    client.reconnects(&connack_resumed());
    answer(&mut client, ids[0], ReasonCode::QuotaExceeded);
    assert!(
        client.sends().is_empty(),
        "on this connection nothing came yet"
    );
    client.receives_all(&[
        publish("a", with_dup(at_least_once(1))),
        publish("b", with_dup(exactly_once(2))),
    ]);
    assert!(client.messages().is_empty(), "the application has both");
    assert_eq!(client.sends(), [refusing_ack(AckType::PubAck, 1)]);
    answer(&mut client, ids[1], ReasonCode::Success);
    assert_eq!(client.sends(), [pubrec(2)]);

    client.receives(&publish("c", at_least_once(3)));
    let lost = delivered(&mut client)[0];
    client.reconnects(&connack());
    client.receives(&publish("d", at_least_once(3)));
    answer(&mut client, lost, ReasonCode::QuotaExceeded);
    assert!(client.sends().is_empty(), "that session is gone");
    assert_eq!(client.consumes_all(), ["d"]);
    assert_eq!(client.sends(), [puback(3)]);
}

#[test]
fn a_message_given_up_is_delivered_again_on_the_next_connection() {
    for delivery in [at_least_once(1), exactly_once(1)] {
        let mut client = Client::connected();
        client.receives_all(&[publish("a", delivery), publish("b", at_least_once(2))]);
        let ids = delivered(&mut client);
        client.engine.received().abandon(ids[0]);
        answer(&mut client, ids[1], ReasonCode::Success);
        assert!(client.sends().is_empty(), "b is behind a");
        client.reconnects(&connack_resumed());
        client.receives_all(&[
            publish("a", with_dup(delivery)),
            publish("b", with_dup(at_least_once(2))),
        ]);
        assert_eq!(client.consumes_all(), ["a"], "b was answered");
        let first = if delivery == at_least_once(1) {
            puback(1)
        } else {
            pubrec(1)
        };
        assert_eq!(client.sends(), [first, puback(2)]);
    }
}

#[test]
fn a_message_given_up_after_its_connection_is_delivered_again() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    let ids = delivered(&mut client);
    client.loses_connection();
    client.engine.received().abandon(ids[0]);
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    client.receives(&publish("a", with_dup(at_least_once(1))));
    assert_eq!(client.consumes_all(), ["a"]);
    assert_eq!(client.sends(), [puback(1)]);
}

#[test]
fn a_message_given_up_by_one_of_several_streams_is_not_acknowledged() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    let ids = delivered(&mut client);
    client.engine.received().set_consumers(ids[0], 2);
    client.engine.received().abandon(ids[0]);
    client.consumes(ids[0]);
    client.consumes(ids[0]);
    assert!(client.sends().is_empty());
}

/// A message of a server that repeats what isn't acknowledged.
struct Sent {
    packet_id: u16,
    qos: QoS,
    /// Delivery that the application holds; `None` once it has answered.
    token: Option<DeliveryId>,
    answer: Option<ReasonCode>,
    abandoned: bool,
}

impl Sent {
    fn packet(&self, dup: bool) -> PacketBuf {
        let delivery = Delivery::new(self.qos, id(self.packet_id), dup);
        publish(&self.packet_id.to_string(), delivery)
    }

    /// Sends the message and checks that the client delivers it, unless the application has it or has
    /// answered it.
    fn is_sent_to(&mut self, client: &mut Client, dup: bool) {
        client.receives(&self.packet(dup));
        let delivered = delivered(client);
        let expected = self.abandoned || self.token.is_none() && self.answer.is_none();
        assert_eq!(
            delivered.len(),
            usize::from(expected),
            "message {}",
            self.packet_id
        );
        if let Some(token) = delivered.first() {
            (self.token, self.answer, self.abandoned) = (Some(*token), None, false);
        }
    }
}

/// Messages that wait for acknowledgement, in the order of sending.
struct Server(VecDeque<Sent>);

impl Server {
    /// Checks the acknowledgements: in order, with the answers of the application, and none missing.
    fn receives_acks(&mut self, client: &mut Client) {
        for packet in client.sends() {
            let sent = self.0.pop_front().unwrap();
            let code = sent.answer.filter(|_| !sent.abandoned).unwrap();
            let ack_type = if sent.qos == QoS::AtLeastOnce {
                AckType::PubAck
            } else {
                AckType::PubRec
            };
            assert_eq!(packet, ack(ack_type, sent.packet_id, code));
            if ack_type == AckType::PubRec && !code.is_error() {
                client.receives(&pubrel(sent.packet_id));
                assert_eq!(client.sends(), [pubcomp(sent.packet_id)]);
            }
        }
        assert!(
            self.0
                .front()
                .is_none_or(|sent| sent.abandoned || sent.answer.is_none()),
            "it is due"
        );
    }
}

fn run_conversation(seed: u64) {
    const RECEIVE_MAXIMUM: u16 = 6;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut options = options();
    options.receive_maximum = Some(RECEIVE_MAXIMUM);
    let mut client = Client::connected_as(options, &connack());
    client.events();
    let mut server = Server(VecDeque::new());
    for packet_id in 1..200 {
        match random.u8(0..10) {
            0..=3 if server.0.len() < RECEIVE_MAXIMUM.into() => {
                let qos = if random.bool() {
                    QoS::AtLeastOnce
                } else {
                    QoS::ExactlyOnce
                };
                server.0.push_back(Sent {
                    packet_id,
                    qos,
                    token: None,
                    answer: None,
                    abandoned: false,
                });
                server.0.back_mut().unwrap().is_sent_to(&mut client, false);
            }
            4..=7 => {
                let held = server
                    .0
                    .iter_mut()
                    .filter(|sent| sent.token.is_some() && sent.answer.is_none());
                if let Some(sent) = random.choice(held.collect::<Vec<_>>()) {
                    let codes = [
                        ReasonCode::Success,
                        ReasonCode::QuotaExceeded,
                        ReasonCode::NotAuthorized,
                    ];
                    let code = random.choice(codes).unwrap();
                    sent.answer = Some(code);
                    answer(&mut client, sent.token.unwrap(), code);
                }
            }
            8 => {
                let held = server
                    .0
                    .iter_mut()
                    .filter(|sent| sent.token.is_some() && sent.answer.is_none());
                if let Some(sent) = random.choice(held.collect::<Vec<_>>()) {
                    sent.abandoned = true;
                    sent.answer = Some(ReasonCode::Success);
                    client.engine.received().abandon(sent.token.unwrap());
                }
            }
            _ => {
                client.reconnects(&connack_resumed());
                client.events();
                server
                    .0
                    .iter_mut()
                    .for_each(|sent| sent.is_sent_to(&mut client, true));
            }
        }
        server.receives_acks(&mut client);
    }
}

/// [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.3.3-10]
#[test]
fn acknowledgements_stay_in_order_whatever_the_answers_and_reconnections() {
    (0..300).for_each(run_conversation);
}

#[test]
fn a_message_of_a_connection_that_was_never_closed_is_not_acknowledged_on_the_next_one() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    let ids = delivered(&mut client);
    // The driver opens another transport without a word about the first one.
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    client.consumes(ids[0]);
    assert!(client.sends().is_empty(), "the server has to repeat it");
    client.receives(&publish("a", with_dup(at_least_once(1))));
    assert_eq!(client.sends(), [puback(1)]);
    assert!(client.messages().is_empty());
}
