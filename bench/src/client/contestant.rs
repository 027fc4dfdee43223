//! Operations that every measured client implements, and the parameters of a run.
#![expect(clippy::disallowed_methods, reason = "a clock is what this is about")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Result of a benchmark step; the error text is printed for the user.
pub type Result<T> = std::result::Result<T, String>;

/// Maximum number of unacknowledged messages of QoS 1 and 2.
pub const IN_FLIGHT: usize = 100;
/// Topic of all published messages.
pub const TOPIC: &str = "lamp/7";

/// The server of a scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    pub port: u16,
    /// The certificate to trust, in PEM; `None` for plain TCP.
    pub certificate: Option<String>,
    /// True for MQTT over WebSocket. Earlier builds don't know this field.
    #[serde(default)]
    pub websocket: bool,
}

/// A connected client. A scenario measures these calls, with the same messages for every client.
pub trait Contestant: Sized + 'static {
    /// Number of connections that are opened to measure the memory of one.
    const IDLE: u64 = 1000;

    /// Connects, and waits for the server's CONNACK.
    async fn connect(target: &Target, client_id: &str) -> Result<Self>;

    /// Publishes to [`TOPIC`] as fast as possible, as long as `pace` allows; with QoS 1 and 2 at most
    /// [`IN_FLIGHT`] are unacknowledged, and the call waits for the last acknowledgement.
    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()>;

    /// Publishes one message with QoS 1 and waits for its acknowledgement.
    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()>;

    /// Subscribes, and waits until every filter is granted.
    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()>;

    /// Waits until `count` more messages have arrived in the application.
    async fn receive(&mut self, count: u64) -> Result<()>;

    /// Sends DISCONNECT, and waits until the connection is closed.
    async fn disconnect(self) -> Result<()>;
}

/// Limit of a run, by time or by number of messages.
#[derive(Debug)]
pub struct Pace {
    until: Option<Instant>,
    left: u64,
    /// Number of messages between two readings of the clock.
    every: u64,
    until_look: u64,
    /// Number of messages so far.
    pub sent: u64,
}

impl Pace {
    pub fn time(span: Duration, every: u64) -> Self {
        Self {
            until: Some(Instant::now() + span),
            left: u64::MAX,
            every,
            until_look: 0,
            sent: 0,
        }
    }

    pub const fn count(left: u64) -> Self {
        Self {
            until: None,
            left,
            every: 1,
            until_look: 0,
            sent: 0,
        }
    }

    /// Returns true if another message may be sent, and counts it.
    pub fn next(&mut self) -> bool {
        self.take(1) == 1
    }

    /// Returns the number of messages, at most `wanted`, that may be sent, and counts them.
    pub fn take(&mut self, wanted: u64) -> u64 {
        if self.until_look == 0 {
            if self.until.is_some_and(|until| Instant::now() >= until) {
                self.left = 0;
            }
            self.until_look = self.every;
        }
        let taken = wanted.min(self.left);
        self.left -= taken;
        self.sent += taken;
        self.until_look = self.until_look.saturating_sub(taken);
        taken
    }
}

/// Counter of events in another task or thread, which wakes a waiting task at a goal.
#[derive(Clone, Default)]
pub struct Tally(Arc<Inner>);

#[derive(Default)]
struct Inner {
    count: AtomicU64,
    goal: AtomicU64,
    reached: Notify,
}

impl Tally {
    pub fn add(&self, more: u64) {
        let count = self.0.count.fetch_add(more, Ordering::SeqCst) + more;
        if count >= self.0.goal.load(Ordering::SeqCst) {
            self.0.reached.notify_one();
        }
    }

    pub fn get(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }

    pub async fn reach(&self, goal: u64) {
        self.0.goal.store(goal, Ordering::SeqCst);
        while self.get() < goal {
            self.0.reached.notified().await;
        }
        self.0.goal.store(u64::MAX, Ordering::SeqCst);
    }
}
