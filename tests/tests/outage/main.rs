//! Outages between the client and mosquitto, over TLS: cut links, stopped and killed brokers,
//! restarted clients. Each test prints what it counted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod device;
mod ledger;

use std::time::Duration;

use dunlin_tests::{Cutter, Mosquitto};

use crate::device::Device;
use crate::ledger::Ledger;

/// Outages in a test.
const CYCLES: usize = 20;
/// Messages of each QoS in each direction, in a test.
const MESSAGES: usize = 10_000;
const CHUNK: usize = MESSAGES / CYCLES;

/// A device behind a wire that can be cut, and another client that the broker alone separates from
/// it. Each publishes to the other.
struct OutageTest {
    broker: Mosquitto,
    wire: Cutter,
    device: Device,
    other: Device,
    up: Ledger,
    down: Ledger,
    /// True if the broker may forget messages that it has acknowledged.
    losses_are_the_brokers: bool,
}

impl OutageTest {
    async fn new() -> Option<Self> {
        let broker = Mosquitto::start_persistent().await?;
        let wire = Cutter::start(broker.address()).await;
        let (up, down) = (Ledger::default(), Ledger::default());
        let device = Device::start(&broker, wire.address(), "device", "down/+", &down).await;
        let other = Device::start(&broker, broker.address(), "other", "up/+", &up).await;
        Some(Self {
            broker,
            wire,
            device,
            other,
            up,
            down,
            losses_are_the_brokers: false,
        })
    }

    /// Publishes a chunk of messages from both sides and waits until some of them have arrived.
    async fn publish(&mut self) {
        let before = self.up.received() + self.down.received();
        let patience = Duration::from_secs(if self.losses_are_the_brokers { 2 } else { 30 });
        let accepted = tokio::join!(
            self.device.publish("up", &self.up, CHUNK, patience),
            self.other.publish("down", &self.down, CHUNK, patience),
        );
        assert!(
            self.losses_are_the_brokers || accepted == (true, true),
            "the queue takes everything in time"
        );
        let (up, down) = (&self.up, &self.down);
        let some_arrive = wait_until("some messages arrive", || {
            up.received() + down.received() > before + CHUNK
        });
        if self.losses_are_the_brokers {
            // It may have lost even these.
            let _: Result<_, _> = tokio::time::timeout(Duration::from_secs(2), some_arrive).await;
        } else {
            some_arrive.await;
        }
    }

    /// Waits until the device has more than `connections` connections, and until the messages of this
    /// cycle have arrived and have outcomes.
    async fn wait_until_complete(&mut self, connections: usize) {
        let (device, up, down) = (&self.device, &self.up, &self.down);
        wait_until("the device is back", || device.connections() > connections).await;
        if self.losses_are_the_brokers {
            let everything = wait_until("everything arrives", || {
                up.is_complete() && down.is_complete()
            });
            let _: Result<_, _> = tokio::time::timeout(Duration::from_secs(2), everything).await;
            return;
        }
        wait_until("everything arrives", || {
            up.is_complete() && down.is_complete()
        })
        .await;
        self.device.finish_publishing().await;
        self.other.finish_publishing().await;
    }

    async fn finish(self, name: &str) {
        let Self {
            broker: _broker,
            up,
            down,
            mut device,
            mut other,
            losses_are_the_brokers,
            ..
        } = self;
        // What a broker never finishes has its outcome at the end.
        device.stop().await;
        other.stop().await;
        device.finish_publishing().await;
        other.finish_publishing().await;
        for (direction, ledger) in [("device to broker", &up), ("broker to device", &down)] {
            println!("{name}, {direction}: {ledger}");
        }
        println!(
            "{name}: {} connections of the device, {} of them resumed",
            device.connections(),
            device.resumed()
        );
        for ledger in [&up, &down] {
            ledger.check(losses_are_the_brokers);
        }
        device.check_wire();
        other.check_wire();
        assert!(device.resumed() >= CYCLES, "sessions were resumed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_network_loses_and_repeats_nothing() {
    let Some(mut test) = OutageTest::new().await else {
        return;
    };
    for _ in 0..CYCLES {
        let connections = test.device.connections();
        test.publish().await;
        test.wire.cut();
        test.wait_until_complete(connections).await;
    }
    test.finish("cut link").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_broker_loses_and_repeats_nothing() {
    let Some(mut test) = OutageTest::new().await else {
        return;
    };
    for _ in 0..CYCLES {
        let connections = test.device.connections();
        test.publish().await;
        test.broker.stop();
        test.broker.run().await;
        test.wait_until_complete(connections).await;
    }
    test.finish("stopped broker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_client_that_keeps_its_session_loses_and_repeats_nothing() {
    let Some(mut test) = OutageTest::new().await else {
        return;
    };
    for cycle in 0..CYCLES {
        test.publish().await;
        if cycle % 2 == 0 {
            // Without a DISCONNECT.
            test.wire.cut();
        }
        test.device.restart().await;
        let connections = test.device.connections();
        test.wait_until_complete(connections).await;
    }
    test.finish("restarted client").await;
}

/// The last state that mosquitto saved may be older than its last acknowledgements: messages lost
/// by this count as the broker's losses. So do exchanges that it never finishes: it may repeat old
/// PUBRELs and close the connection because of the PUBCOMP 0x92 that answers them
/// [MQTT-4.3.3-11]; and it may close every connection at the first acknowledgement, also for its
/// own client. Then the queue stays full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_leaves_no_message_without_an_outcome() {
    let Some(mut test) = OutageTest::new().await else {
        return;
    };
    test.losses_are_the_brokers = true;
    for _ in 0..CYCLES {
        let connections = test.device.connections();
        test.publish().await;
        test.broker.kill();
        test.broker.run().await;
        test.wait_until_complete(connections).await;
    }
    test.finish("killed broker").await;
}

/// Polls `condition` every 5 ms for at most 30 s.
async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within half a minute");
}
