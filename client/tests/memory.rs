//! Memory of an idle connection: counted allocations, without the system's part and the
//! server's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use dunlin_client::codec::{Packet, ReasonCode};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};

use dunlin_test_support::packets::{at_most_once, connack, puback, publish, suback};
use dunlin_test_support::server::{Peer, TestServer};

const BURST: usize = 5_000;

async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .unwrap()
}

/// Accepts each CONNECT, acknowledges everything, and answers SUBSCRIBE with a burst.
async fn serve(mut peer: Peer) {
    while let Some(packet) = peer.receives_or_end().await {
        match packet.packet() {
            Packet::Connect(_) => peer.sends(&connack()).await,
            Packet::Publish(publish) => {
                if let Some(id) = publish.delivery.packet_id() {
                    peer.sends(&puback(id.get())).await;
                }
            }
            Packet::Subscribe(subscribe) => {
                peer.sends(&suback(subscribe.packet_id.get(), &[ReasonCode::Success]))
                    .await;
                let filter = subscribe.subscriptions.iter().next().unwrap().filter;
                peer.sends_bytes(&burst_of_messages(filter.as_str())).await;
            }
            _ => {}
        }
    }
}

/// Messages to `lamp/1` for the filter `lamp/+`; for others, ten of those among messages to `door/1`.
fn burst_of_messages(filter: &str) -> Vec<u8> {
    match filter {
        "lamp/+" => publish("lamp/1", at_most_once()).as_bytes().repeat(BURST),
        _ => {
            let mut most = publish("door/1", at_most_once())
                .as_bytes()
                .repeat(BURST / 10);
            most.extend_from_slice(publish("lamp/1", at_most_once()).as_bytes());
            most.repeat(10)
        }
    }
}

fn start_server() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = TestServer::start().await;
            tell.send(server.address()).unwrap();
            // It ends with the test's process.
            while let Ok(peer) =
                tokio::time::timeout(Duration::from_secs(60), server.accepts_without_timeout())
                    .await
            {
                tokio::spawn(serve(peer));
            }
        });
    });
    told.recv_timeout(Duration::from_secs(5)).unwrap()
}

async fn connected_client(address: SocketAddr) -> Client {
    let transport = TransportOptions {
        connect_to: Some(address),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new("localhost", address.port())
    };
    let mut connect = ConnectOptions::new("lamp-7");
    connect.keep_alive = Duration::from_secs(1200);
    Client::connect(ClientOptions::new(transport, connect))
        .await
        .unwrap()
}

/// Waits for longer than buffers are kept.
async fn wait_until_buffers_are_freed() {
    tokio::time::sleep(Duration::from_millis(1300)).await;
}

fn single_threaded_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn an_idle_connection_holds_less_than_six_kibibytes() {
    const CLIENTS: usize = 20;
    let (address, runtime, mut clients) = (
        start_server(),
        single_threaded_runtime(),
        Vec::with_capacity(CLIENTS),
    );
    let first = runtime.block_on(connected_client(address));
    let held = allocation_counter::measure(|| {
        runtime.block_on(async {
            for _ in 0..CLIENTS {
                clients.push(connected_client(address).await);
            }
            wait_until_buffers_are_freed().await;
        });
    });
    let each = held.bytes_current / i64::try_from(CLIENTS).unwrap();
    println!("an idle connection holds {each} bytes");
    assert!(each < 6 * 1024, "{each}");
    drop((first, clients));
}

#[test]
fn memory_of_a_burst_is_freed() {
    let (address, runtime) = (start_server(), single_threaded_runtime());
    let client = runtime.block_on(connected_client(address));
    let mut stream = None;
    let burst = allocation_counter::measure(|| {
        runtime.block_on(async {
            let lamps = stream.insert(client.subscribe("lamp/+", QoS::AtMostOnce).await.unwrap());
            let mut receipts = Vec::new();
            for _ in 0..BURST {
                let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce);
                receipts.push(client.publish(message).await.unwrap());
            }
            for receipt in receipts {
                soon(receipt).await.unwrap();
            }
            for _ in 0..BURST {
                soon(lamps.next()).await.unwrap();
            }
            wait_until_buffers_are_freed().await;
        });
    });
    println!(
        "a burst needed {} bytes and left {}",
        burst.bytes_max, burst.bytes_current
    );
    assert!(burst.bytes_max > 100 * 1024, "{burst:?}");
    assert!(burst.bytes_current < 8 * 1024, "{burst:?}");
}

/// Each of them was read together with hundreds of others, which are gone.
#[test]
fn a_waiting_message_does_not_retain_its_read_buffer() {
    let (address, runtime) = (start_server(), single_threaded_runtime());
    let client = runtime.block_on(connected_client(address));
    let mut stream = None;
    let waiting = allocation_counter::measure(|| {
        runtime.block_on(async {
            stream = Some(client.subscribe("lamp/1", QoS::AtMostOnce).await.unwrap());
            let everything = u64::try_from(BURST).unwrap();
            soon(async {
                while client.unrouted() < everything {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            wait_until_buffers_are_freed().await;
        });
    });
    println!(
        "ten messages that wait hold {} bytes",
        waiting.bytes_current
    );
    // With the event that reports the others as dropped, and the queue that it is in.
    assert!(waiting.bytes_current < 5 * 1024, "{waiting:?}");
    let mut lamps = stream.unwrap();
    for _ in 0..10 {
        assert_eq!(
            runtime.block_on(soon(lamps.next())).unwrap().payload(),
            b"on"
        );
    }
}
