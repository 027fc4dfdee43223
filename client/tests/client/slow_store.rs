//! A store that takes its time, under a server that leaves at any time: nothing is lost, and
//! nothing is sent twice that was received.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use dunlin_client::codec::{Delivery, Packet, PacketType};
use dunlin_client::store::{Change, Store};
use dunlin_client::{Client, Message, QoS};

use crate::packets::{connack, connack_resumed, puback, pubcomp, pubrec};
use crate::server::{Peer, TestServer};
use crate::{millis, options};

/// Forgets everything, slowly.
struct Slow;

impl Store for Slow {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(Vec::new())
    }

    fn apply(&mut self, _: &[Change]) -> io::Result<()> {
        std::thread::sleep(Duration::from_micros(fastrand::u64(..5_000)));
        Ok(())
    }
}

/// Session state of the server.
#[derive(Default)]
struct Session {
    /// Messages that are whole here, with their packet identifiers.
    received: BTreeMap<u32, u16>,
    /// Messages of QoS 2 that weren't released.
    unreleased: BTreeSet<u16>,
}

impl Session {
    /// Answers at most `packets` packets, and closes the connection.
    async fn serves(&mut self, mut peer: Peer, packets: usize, delivered: &mut BTreeMap<u32, u32>) {
        for _ in 0..packets {
            let Some(packet) = peer.receives_or_end().await else {
                return;
            };
            let answer = match packet.packet() {
                Packet::Publish(publish) => {
                    let number: u32 = std::str::from_utf8(publish.payload)
                        .unwrap()
                        .parse()
                        .unwrap();
                    let packet_id = publish.delivery.packet_id().unwrap().get();

                    // A message that was received before has to be a repetition under its
                    // identifier.
                    if let Some(first) = self.received.insert(number, packet_id) {
                        assert!(publish.delivery.dup(), "{number} was here under {first}");
                        assert_eq!(first, packet_id, "{number}");
                    }

                    // QoS 1 is delivered each time, QoS 2 once for each exchange.
                    let is_exact = matches!(publish.delivery, Delivery::ExactlyOnce { .. });
                    if !is_exact || self.unreleased.insert(packet_id) {
                        *delivered.entry(number).or_default() += 1;
                    }
                    if is_exact {
                        pubrec(packet_id)
                    } else {
                        puback(packet_id)
                    }
                }
                Packet::PubRel(ack) => {
                    self.unreleased.remove(&ack.packet_id.get());
                    pubcomp(ack.packet_id.get())
                }
                other if other.packet_type() == PacketType::Disconnect => return,
                other => panic!("{other:?}"),
            };

            // One answer in twenty is lost with its connection.
            if fastrand::u8(..20) > 0 {
                peer.sends(&answer).await;
            } else {
                break;
            }
        }
        peer.resets();
    }
}

#[tokio::test]
async fn no_message_is_lost_and_none_is_sent_as_new_twice() {
    const MESSAGES: u32 = 500;
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.receive_maximum = None;
    let client = Client::start_with_store(options, Slow).unwrap();

    // The publisher goes on while the connections break; in the end each message has a receipt.
    let publishing = tokio::spawn({
        let client = client.clone();
        async move {
            let mut receipts = Vec::new();
            for number in 0..MESSAGES {
                let payload = number.to_string();
                let qos = if number % 2 == 0 {
                    QoS::AtLeastOnce
                } else {
                    QoS::ExactlyOnce
                };
                receipts.push(
                    client
                        .publish(Message::new("a", &payload).qos(qos))
                        .await
                        .unwrap(),
                );
                if number % 50 == 0 {
                    tokio::time::sleep(millis(2)).await;
                }
            }
            for (number, receipt) in receipts.into_iter().enumerate() {
                receipt
                    .await
                    .unwrap_or_else(|error| panic!("{number}: {error}"));
            }
            client.disconnect().await;
        }
    });

    // The server accepts connections one after another, each for a few packets.
    let (mut session, mut delivered) = (Session::default(), BTreeMap::new());
    let mut connections = 0;
    while !publishing.is_finished() {
        let Ok(mut peer) =
            tokio::time::timeout(millis(100), server.accepts_without_timeout()).await
        else {
            continue;
        };
        if peer.receives_or_end().await.is_none() {
            continue;
        }
        peer.sends(&if connections == 0 {
            connack()
        } else {
            connack_resumed()
        })
        .await;
        connections += 1;
        session
            .serves(peer, fastrand::usize(..200), &mut delivered)
            .await;
    }

    // All messages have arrived, those of QoS 2 once.
    publishing.await.unwrap();
    assert!(connections > 10, "{connections}");
    assert_eq!(delivered.len(), MESSAGES as usize);
    let twice = delivered
        .iter()
        .filter(|(number, times)| *number % 2 == 1 && **times > 1)
        .count();
    assert_eq!(twice, 0, "of QoS 2");
}
