//! A client that publishes and receives by itself, and whose every packet is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::codec::{DecodeOptions, Packet, PacketBuf, PacketId};
use dunlin_client::transport::{CaBundle, Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{
    CleanStart, Client, ClientOptions, ConnectOptions, Direction, Event, Message, ObservedPacket,
    Observer, QoS, Reconnect, StreamLimits,
};
use dunlin_tests::Mosquitto;
use dunlin_tests::simulate::checks::{Violation, Wire};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::ledger::{CHECKED_QOS, Ledger, number_of};

pub(crate) struct Device {
    client: Client,
    options: ClientOptions,
    /// Received messages.
    inbox: Ledger,
    /// Tasks that wait for receipts.
    work: JoinSet<()>,
    monitor: Arc<ConnectionMonitor>,
}

/// Connections and packets of all clients of a device.
struct ConnectionMonitor {
    connections: AtomicUsize,
    resumed: AtomicUsize,
    wire: Mutex<(Wire, Option<Violation>)>,
    exchanges: Mutex<Exchanges>,
    inbox: Ledger,
}

/// Received messages of QoS 2: the message of each Packet Identifier, and the messages that the
/// broker has released.
#[derive(Default)]
struct Exchanges {
    open: BTreeMap<PacketId, usize>,
    over: BTreeSet<usize>,
}

impl Device {
    pub(crate) async fn start(
        broker: &Mosquitto,
        address: SocketAddr,
        client_id: &str,
        filter: &str,
        inbox: &Ledger,
    ) -> Self {
        let monitor = Arc::new(ConnectionMonitor {
            connections: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            wire: Mutex::new((Wire::new(false), None)),
            exchanges: Mutex::default(),
            inbox: inbox.clone(),
        });
        let check_output = Arc::clone(&monitor);
        let observer = Observer::new(move |seen| check_output.observe(seen));
        let options = ClientOptions {
            observer: Some(observer),
            ..options(broker, address, client_id)
        };
        let client = Client::start(options.clone());
        count_connections(&client, &monitor);
        let mut subscription = client
            .subscribe(filter, QoS::ExactlyOnce)
            .await
            .expect("granted");
        let ledger = inbox.clone();
        tokio::spawn(async move {
            while let Some(message) = subscription.next().await {
                ledger.add_arrival(&message);
            }
        });
        Self {
            client,
            options,
            inbox: inbox.clone(),
            work: JoinSet::new(),
            monitor,
        }
    }

    /// Hands over so many messages of each QoS. Their outcomes are waited for elsewhere. Those that
    /// find no room in the queue for as long as `patience` aren't published; returns whether
    /// all were.
    #[expect(
        clippy::disallowed_methods,
        reason = "bounds the wait for another process"
    )]
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        ledger: &Ledger,
        count: usize,
        patience: Duration,
    ) -> bool {
        let deadline = Instant::now() + patience;
        for _ in 0..count {
            for qos in CHECKED_QOS {
                let number = ledger.add_message(qos);
                let (topic, payload) = (format!("{topic}/{}", qos.level()), number.to_string());
                let publish = self.client.publish(Message::new(&topic, &payload).qos(qos));
                let Ok(receipt) = timeout_at(deadline, publish).await else {
                    ledger.remove_last(qos);
                    return false;
                };
                let (receipt, ledger) = (receipt.expect("accepted"), ledger.clone());
                self.work
                    .spawn(async move { ledger.add_outcome(qos, number, receipt.await) });
            }
        }
        true
    }

    /// Stops the client and starts another with its session.
    pub(crate) async fn restart(&mut self) {
        let session = self
            .client
            .disconnect_keeping_session()
            .await
            .expect("a session");
        self.client = Client::start_with_session(self.options.clone(), session);
        let mut unmatched = self
            .client
            .unmatched(StreamLimits::default())
            .expect("the first");
        count_connections(&self.client, &self.monitor);
        let ledger = self.inbox.clone();
        tokio::spawn(async move {
            while let Some(message) = unmatched.next().await {
                ledger.add_arrival(&message);
            }
        });
    }

    /// Waits until every published message has an outcome.
    pub(crate) async fn finish_publishing(&mut self) {
        let all = async {
            while let Some(done) = self.work.join_next().await {
                done.expect("no panic");
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all)
            .await
            .expect("every message has its outcome");
    }

    pub(crate) fn connections(&self) -> usize {
        self.monitor.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn resumed(&self) -> usize {
        self.monitor.resumed.load(Ordering::Relaxed)
    }

    pub(crate) fn check_wire(&self) {
        assert_eq!(self.monitor.wire.lock().unwrap().1, None);
    }

    pub(crate) async fn stop(&self) {
        self.client.disconnect().await;
    }
}

impl ConnectionMonitor {
    fn observe(&self, seen: ObservedPacket<'_>) {
        let mut wire = self.wire.lock().unwrap();
        let (wire, violation) = &mut *wire;
        let mut bytes = BytesMut::from(seen.bytes);
        let packet = PacketBuf::take(&mut bytes, &DecodeOptions::default())
            .unwrap()
            .expect("a whole packet");
        if matches!(packet.packet(), Packet::Connect(_)) {
            wire.opens();
        }
        match seen.direction {
            Direction::Sent => {
                let judged = wire.sends(&packet).err();
                *violation = violation.take().or(judged);
            }
            Direction::Received => {
                wire.receives(&packet);
                let repeated = self.exchanges.lock().unwrap().repeated(&packet.packet());
                repeated
                    .into_iter()
                    .for_each(|number| self.inbox.mark_repeated_by_broker(number));
            }
        }
    }
}

impl Exchanges {
    /// Number of a message that the broker sends again after its PUBREL. [MQTT-4.3.3-6]
    fn repeated(&mut self, received: &Packet<'_>) -> Option<usize> {
        match received {
            Packet::Publish(publish) if publish.delivery.qos() == QoS::ExactlyOnce => {
                let number = number_of(publish.payload);
                self.open.insert(publish.delivery.packet_id()?, number);
                self.over.contains(&number).then_some(number)
            }
            Packet::PubRel(pubrel) => {
                self.over.extend(self.open.remove(&pubrel.packet_id));
                None
            }
            _ => None,
        }
    }
}

/// Counts the client's connections until it ends.
fn count_connections(client: &Client, monitor: &Arc<ConnectionMonitor>) {
    let (mut events, monitor) = (client.events(), Arc::clone(monitor));
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Connected(connected) = event {
                monitor
                    .resumed
                    .fetch_add(connected.session_present.into(), Ordering::Relaxed);
                monitor.connections.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

fn options(broker: &Mosquitto, address: SocketAddr, client_id: &str) -> ClientOptions {
    let tls = TlsOptions {
        roots: Roots::Only(CaBundle::from_pem_file(broker.ca()).unwrap()),
        ..TlsOptions::default()
    };
    let transport = TransportOptions {
        connect_to: Some(address),
        tls: Some(Arc::new(TlsConnector::new(&tls).unwrap())),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new("localhost", address.port())
    };
    let mut connect = ConnectOptions::new(client_id);
    connect.username = Some(Mosquitto::USER.into());
    connect.password = Some(Mosquitto::PASSWORD.as_bytes().into());
    // mosquitto 2.0 writes no session down that began with a clean start.
    connect.clean_start = CleanStart::Never;
    // mosquitto 2.0 sends more than any Receive Maximum when a session with a backlog is resumed.
    connect.receive_maximum = None;
    let reconnect = Reconnect {
        min_delay: Duration::from_millis(20),
        max_delay: Duration::from_millis(100),
        ..Reconnect::default()
    };
    ClientOptions {
        reconnect,
        ..ClientOptions::new(transport, connect)
    }
}
