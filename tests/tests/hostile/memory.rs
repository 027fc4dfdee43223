//! Servers that fill a client's memory. At the defaults its peak is at most the memory budget, the
//! queue and two packets.

use std::time::Duration;

use dunlin_client::codec::{Delivery, Packet, PacketBuf, QoS, ReasonCode};
use dunlin_client::{ClientOptions, ConnectionError, EndCause, Event, Message, Reconnect};

use crate::attack::{attack, connect, options, wait_for};
use crate::burst::take_burst;
use crate::packets::{connack, delivery, empty_user_properties, publish, raw};
use crate::server::{Peer, serve};

/// The memory budget, the queue, and two packets of the largest size, at the defaults.
const SUM: u64 = (16 + 16 + 2 * 16) << 20;

fn is_full_run() -> bool {
    std::env::var_os("DUNLIN_FULL").is_some_and(|value| value == "1")
}

/// CONNACK with success, without a session, and with so many empty user properties.
fn large_connack(properties: usize) -> Vec<u8> {
    raw(
        0x20,
        &[&[0, 0][..], &empty_user_properties(properties)].concat(),
    )
}

fn with_short_timeouts(mut options: ClientOptions) -> ClientOptions {
    let (min_delay, max_delay) = (Duration::from_millis(5), Duration::from_millis(10));
    options.reconnect = Reconnect {
        min_delay,
        base_delay: min_delay,
        max_delay,
        ..Reconnect::default()
    };
    options
}

#[test]
fn a_large_connack_is_refused_before_it_is_read() {
    for megabytes in [10, 130] {
        let server = serve(move |_, peer| {
            peer.receive()?;
            // The client leaves at the fixed header.
            let _ = peer.send(&large_connack(megabytes * 200_000));
            Ok(())
        });
        attack(&format!("a CONNACK of {megabytes} MB"), 2 << 20, async {
            let mut options = options(server.address, "connack");
            options.connect_within = Duration::from_secs(2);
            dunlin_client::Client::connect(options).await.unwrap_err()
        });
    }
}

#[test]
fn little_of_a_connack_below_the_limit_is_copied() {
    let server = serve(|_, peer| {
        peer.receive()?;
        peer.send(&large_connack(200_000))?;
        peer.receive_until_end();
        Ok(())
    });
    attack("a CONNACK of 1 MB", 4 << 20, async {
        let client = dunlin_client::Client::start(options(server.address, "connack"));
        let mut events = client.events();
        let connected = wait_for(&mut events, |event| match event {
            Event::Connected(connected) => Some(connected.clone()),
            _ => None,
        });
        let connected = connected.await;
        assert_eq!(
            connected.user_properties.len() + connected.omitted.user_properties,
            200_000
        );
        client.disconnect().await;
    });
}

/// Resumes the session and sends large messages without waiting for acknowledgements.
fn flood_with_large_messages(number: u32, peer: &mut Peer) -> std::io::Result<()> {
    let connect = peer.receive()?;
    let Packet::Connect(connect) = connect.packet() else {
        panic!("{connect:?}")
    };
    let receive_maximum = connect.read().properties.receive_maximum.unwrap();
    peer.send(&connack(number > 1))?;
    if number == 1 {
        let subscribe = peer.receive()?;
        let Packet::Subscribe(subscribe) = subscribe.packet() else {
            panic!("{subscribe:?}")
        };
        peer.send(&crate::packets::suback(subscribe.packet_id))?;
        assert_eq!(u16::from(receive_maximum), 1024);
        for id in 1..=1024 {
            // The client may have left.
            let _ = peer.send(&publish(
                "large",
                delivery(QoS::AtLeastOnce, id, false),
                &[b'x'; 1 << 20],
            ));
        }
        let last = peer.receive_until_end().pop();
        assert_eq!(
            disconnect_code(last.as_ref()),
            Some(ReasonCode::QuotaExceeded)
        );
    } else if number == 2 {
        assert!(
            u16::from(receive_maximum) <= 8,
            "half of what fitted: {receive_maximum}"
        );
        peer.receive_until_end();
    }
    Ok(())
}

fn disconnect_code(packet: Option<&PacketBuf>) -> Option<ReasonCode> {
    match packet?.packet() {
        Packet::Disconnect(disconnect) => Some(disconnect.reason_code),
        _ => None,
    }
}

#[test]
fn large_unread_messages_end_the_connection_and_lower_the_receive_maximum() {
    let server = serve(flood_with_large_messages);
    attack("1,024 messages of 1 MiB that nobody takes", SUM, async {
        let client = connect(with_short_timeouts(options(server.address, "large"))).await;
        let mut events = client.events();
        let mut stream = client.subscribe("large", QoS::AtLeastOnce).await.unwrap();
        let is_full = |event: &Event| match event {
            Event::Disconnected {
                cause: EndCause::Connection(cause),
                ..
            } => {
                assert!(
                    matches!(**cause, ConnectionError::MemoryBudget { .. }),
                    "{cause:?}"
                );
                Some(())
            }
            _ => None,
        };
        wait_for(&mut events, is_full).await;
        wait_for(&mut events, |event| {
            matches!(event, Event::Connected(_)).then_some(())
        })
        .await;
        // What fitted is there.
        for _ in 0..15 {
            assert_eq!(stream.next().await.unwrap().payload().len(), 1 << 20);
        }
        client.disconnect().await;
    });
}

#[test]
fn small_messages_do_not_retain_their_read_buffers() {
    let junk = publish("nobody", Delivery::AtMostOnce, &[b'x'; 60_000]);
    let server = serve(move |_, peer| {
        peer.accept_client(false)?;
        for _ in 0..10_000 {
            peer.send(&[publish("small", Delivery::AtMostOnce, b"x"), junk.clone()].concat())?;
        }
        peer.receive_until_end();
        Ok(())
    });
    attack("10,000 small messages among large ones", SUM / 2, async {
        let client = connect(options(server.address, "small")).await;
        let mut stream = client.subscribe("small", QoS::AtMostOnce).await.unwrap();
        while client.statistics().messages_received.at_most_once < 20_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(stream.next().await.is_some());
        client.disconnect().await;
    });
}

/// Each read brings one message, which waits in its stream.
#[test]
fn messages_that_arrive_one_at_a_time_share_a_read_buffer() {
    const MESSAGES: u16 = 500;
    let server = serve(|_, peer| {
        peer.accept_client(false)?;
        // From now on the client reads 64 KiB at a time.
        let large = publish("nobody", Delivery::AtMostOnce, &[b'x'; 60_000]);
        for _ in 0..20 {
            peer.send(&large)?;
        }
        for id in 1..=MESSAGES {
            let request = peer.receive()?;
            let Packet::Publish(request) = request.packet() else {
                panic!("{request:?}")
            };
            let [high, low] = request.delivery.packet_id().unwrap().get().to_be_bytes();
            let puback = [0x40, 2, high, low];
            let message = publish("small", delivery(QoS::AtLeastOnce, id, false), b"x");
            peer.send(&[&puback[..], &message].concat())?;
        }
        peer.receive_until_end();
        Ok(())
    });
    attack("500 messages, one to a read", 4 << 20, async {
        let client = connect(options(server.address, "one-by-one")).await;
        let mut stream = client.subscribe("small", QoS::AtLeastOnce).await.unwrap();
        for _ in 0..MESSAGES {
            let request = Message::new("ask", "x").qos(QoS::AtLeastOnce);
            client.publish(request).await.unwrap().await.unwrap();
        }
        for _ in 0..MESSAGES {
            assert_eq!(stream.next().await.unwrap().payload(), b"x");
        }
        client.disconnect().await;
    });
}

#[test]
fn unread_events_are_bounded() {
    let rounds = if is_full_run() { 1_000 } else { 100 };
    let server = serve(|_, peer| {
        peer.receive()?;
        peer.send(&large_connack(20_000))?;
        // DISCONNECT 0x8B (Server shutting down), with as many.
        peer.send(&raw(
            0xe0,
            &[&[0x8b][..], &empty_user_properties(20_000)].concat(),
        ))
    });
    attack("reconnections with large packets", 12 << 20, async {
        let client =
            dunlin_client::Client::start(with_short_timeouts(options(server.address, "events")));
        while client.statistics().connections < rounds {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        client.disconnect().await;
    });
}

#[test]
fn unread_outcomes_are_bounded() {
    let requests = if is_full_run() { 1_000 } else { 300 };
    let server = serve(|_, peer| {
        peer.receive()?;
        peer.send(&connack(false))?;
        loop {
            let packet = peer.receive()?;
            let Packet::Publish(publish) = packet.packet() else {
                return Ok(());
            };
            let id = publish.delivery.packet_id().unwrap().get().to_be_bytes();
            peer.send(&raw(
                0x40,
                &[&id[..], &[0], &empty_user_properties(20_000)].concat(),
            ))?;
        }
    });
    attack("acknowledgements of 100 kB", 16 << 20, async {
        let client = connect(options(server.address, "outcomes")).await;
        let mut receipts = Vec::new();
        for _ in 0..requests {
            receipts.push(
                client
                    .publish(Message::new("a", "x").qos(QoS::AtLeastOnce))
                    .await
                    .unwrap(),
            );
        }
        while client.statistics().acknowledged < requests {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for receipt in receipts {
            let published = receipt.await.unwrap();
            assert_eq!(
                published.user_properties.len() + published.omitted.user_properties,
                20_000
            );
        }
        client.disconnect().await;
    });
}

#[test]
fn a_packet_of_the_largest_size_arrives_in_a_buffer_of_its_size() {
    let server = serve(|_, peer| {
        peer.accept_client(false)?;
        for id in 1..=3 {
            peer.send(&publish(
                "large",
                delivery(QoS::AtLeastOnce, id, false),
                &vec![b'x'; (16 << 20) - 20],
            ))?;
        }
        peer.receive_until_end();
        Ok(())
    });
    attack("three messages of 16 MiB", SUM, async {
        let client = connect(options(server.address, "largest")).await;
        let mut stream = client.subscribe("large", QoS::AtLeastOnce).await.unwrap();
        assert_eq!(
            stream.next().await.unwrap().payload().len(),
            (16 << 20) - 20
        );
        client.disconnect().await;
    });
}

/// With so small a budget the burst costs connections, but every message arrives, in order.
#[test]
fn a_burst_arrives_with_a_small_memory_budget() {
    attack(
        "1,100 messages with a memory budget of 64 KiB",
        16 << 20,
        async {
            let change = |options: &mut ClientOptions| {
                *options = with_short_timeouts(options.clone());
                options.connect.memory_budget = 64 << 10;
            };
            let Some(statistics) = take_burst(1_100, QoS::AtLeastOnce, change).await else {
                return;
            };
            println!("connections: {}", statistics.connections);
        },
    );
}
