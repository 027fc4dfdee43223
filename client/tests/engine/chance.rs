//! Conversations at random: whatever a server and a network do, each request has one outcome and
//! the wire keeps its rules.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use dunlin_client::codec::{AckType, ConnAckProperties, Packet, PacketBuf, PacketType, ReasonCode};
use dunlin_client::engine::OperationId;
use dunlin_client::{Message, QoS};
use fastrand::Rng;

use crate::bench::{Client, options};
use crate::packets::{
    ack, connack_resumed_with, connack_with, puback, pubcomp, pubrec, suback, unsuback,
};

/// What a server knows of a session, and what it checks.
#[derive(Default)]
struct Server {
    receive_maximum: usize,
    /// Messages that are on the wire of this connection and not finished; with the topic and how
    /// far they are.
    in_flight: BTreeMap<u16, Step>,
    /// What was in flight on earlier connections of this session: the only ones that may come with
    /// DUP.
    before: HashMap<u16, Step>,
    requests: VecDeque<(PacketType, u16)>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    Message(QoS),
    Released,
}

impl Server {
    fn connack(&mut self, random: &mut Rng, resumed: bool) -> PacketBuf {
        let receive_maximum = random.u16(1..5);
        self.receive_maximum = receive_maximum.into();
        self.before.extend(std::mem::take(&mut self.in_flight));
        if !resumed {
            self.before.clear();
        }
        self.requests.clear();
        let properties = ConnAckProperties {
            receive_maximum: receive_maximum.try_into().ok(),
            ..ConnAckProperties::default()
        };
        if resumed {
            connack_resumed_with(properties)
        } else {
            connack_with(properties)
        }
    }

    fn hears(&mut self, packets: &[PacketBuf]) {
        for packet in packets {
            match packet.packet() {
                Packet::Publish(publish) => {
                    let Some(id) = publish.delivery.packet_id() else {
                        continue;
                    };
                    let step = Step::Message(publish.delivery.qos());
                    let known = self.before.remove(&id.get());
                    // One that was lost on its way is repeated too.
                    assert!(
                        known.is_none() || publish.delivery.dup(),
                        "[MQTT-3.3.1-1] {id:?}"
                    );
                    assert!(
                        known.is_none_or(|known| known == step),
                        "[MQTT-4.3.3-6] {known:?}"
                    );
                    assert!(
                        self.requests.iter().all(|(_, taken)| *taken != id.get()),
                        "[MQTT-2.2.1-3]"
                    );
                    assert_eq!(
                        self.in_flight.insert(id.get(), step),
                        None,
                        "[MQTT-2.2.1-3]"
                    );
                    assert!(
                        self.in_flight.len() <= self.receive_maximum,
                        "[MQTT-3.3.4-7] {:?}",
                        self.in_flight
                    );
                }
                Packet::PubRel(pubrel) => {
                    let id = pubrel.packet_id.get();
                    if self.before.remove(&id).is_some() {
                        self.in_flight.insert(id, Step::Released);
                    }
                    assert_eq!(self.in_flight.get(&id), Some(&Step::Released));
                }
                Packet::Subscribe(subscribe) => {
                    self.requests
                        .push_back((PacketType::SubAck, subscribe.packet_id.get()));
                }
                Packet::Unsubscribe(unsubscribe) => {
                    self.requests
                        .push_back((PacketType::UnsubAck, unsubscribe.packet_id.get()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Some answer that is due, if one is.
    fn answer(&mut self, random: &mut Rng) -> Option<PacketBuf> {
        if random.bool()
            && let Some((packet_type, id)) = self.requests.pop_front()
        {
            let codes = [ReasonCode::Success];
            return Some(if packet_type == PacketType::SubAck {
                suback(id, &codes)
            } else {
                unsuback(id, &codes)
            });
        }
        let (&id, &step) = random.choice(self.in_flight.iter().collect::<Vec<_>>())?;
        let refuses = random.u8(0..8) == 0;
        Some(match step {
            Step::Message(QoS::ExactlyOnce) if !refuses => {
                self.in_flight.insert(id, Step::Released);
                pubrec(id)
            }
            step => {
                self.in_flight.remove(&id);
                match step {
                    Step::Released => pubcomp(id),
                    Step::Message(QoS::ExactlyOnce) => {
                        ack(AckType::PubRec, id, ReasonCode::QuotaExceeded)
                    }
                    Step::Message(_) if refuses => {
                        ack(AckType::PubAck, id, ReasonCode::QuotaExceeded)
                    }
                    Step::Message(_) => puback(id),
                }
            }
        })
    }
}

/// One conversation: a hundred steps of anything, then a network that holds until everything is
/// settled.
fn converse(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut options = options();
    options.ack_timeout = Duration::from_secs(30);
    let mut client = Client::new(options);
    let mut server = Server::default();
    let mut pending: Vec<OperationId> = Vec::new();
    let mut connected_once = false;
    connect(&mut client, &mut server, &mut random, &mut connected_once);
    for _ in 0..100 {
        match random.u8(0..10) {
            0..=2 => {
                let qos = if random.bool() {
                    QoS::AtLeastOnce
                } else {
                    QoS::ExactlyOnce
                };
                pending.push(client.publishes("a", qos));
            }
            3 => drop(client.tries_to_publish(Message::new("b", "on")).unwrap()),
            4 if random.bool() => pending.push(client.subscribes(&["c"])),
            4 => pending.push(client.unsubscribes(&["c"])),
            5 => client.waits(Duration::from_secs(random.u64(0..20))),
            6 if random.u8(0..3) == 0 => {
                // What is in the output when the network goes away may or may not have arrived.
                if random.bool() {
                    hear(&mut client, &mut server);
                }
                client.loses_connection();
                connect(&mut client, &mut server, &mut random, &mut connected_once);
            }
            _ => {
                hear(&mut client, &mut server);
                if let Some(answer) = server.answer(&mut random) {
                    client.receives(&answer);
                }
            }
        }
        pending.retain(|id| client.outcome(*id).is_none());
    }
    for _ in 0..10_000 {
        if client.engine.load().0 == 0 {
            break;
        }
        hear(&mut client, &mut server);
        if let Some(answer) = server.answer(&mut random) {
            client.receives(&answer);
        }
    }
    pending.retain(|id| client.outcome(*id).is_none());
    assert_eq!((pending.len(), client.engine.load()), (0, (0, 0)));
    assert!(client.engine.is_connected() && client.engine.is_idle());
}

fn connect(client: &mut Client, server: &mut Server, random: &mut Rng, connected_once: &mut bool) {
    client.opens();
    client.sends();
    let resumed = std::mem::replace(connected_once, true) && random.u8(0..4) != 0;
    client.receives(&server.connack(random, resumed));
    assert!(client.engine.is_connected());
}

fn hear(client: &mut Client, server: &mut Server) {
    let packets = client.sends();
    server.hears(&packets);
}

#[test]
fn every_request_has_one_outcome_whatever_happens() {
    for seed in 0..300 {
        let conversation = std::panic::catch_unwind(|| converse(seed));
        assert!(conversation.is_ok(), "seed {seed}");
    }
}
