//! The scenarios, each run by one client in a process of its own.
#![expect(clippy::disallowed_methods, reason = "a clock is what this is about")]

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;

use super::contestant::{Contestant, Pace, Result, Target};
use super::flood::{self, Order, TRIGGER};
use super::machine::{self, Usage};

/// Kind of work that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scenario {
    Publish0,
    Publish1,
    Publish2,
    PublishLarge,
    Receive0,
    Receive1,
    OneByOne,
    Route,
    Connect,
    ConnectTls,
    Idle,
    IdleTls,
}

/// Length of a turn, as a time or as a number of messages, floods or connections.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Span {
    Time(Duration),
    /// Fixed number, for counting system calls.
    Count(u64),
}

/// Figures of one turn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Number of messages or connections.
    pub done: u64,
    /// Messages that were published outside of the measured part.
    pub others: u64,
    pub elapsed: Duration,
    pub usage: Usage,
    /// Peak of the resident memory in KiB.
    pub peak_memory: u64,
    /// Median and 99th percentile of the time of one message; `None` unless sent one at a time.
    pub p50: Option<Duration>,
    pub p99: Option<Duration>,
    /// KiB of memory for each idle connection; `None` for other scenarios.
    pub memory_each: Option<f64>,
}

impl Scenario {
    pub const ALL: [Self; 12] = [
        Self::Publish0,
        Self::Publish1,
        Self::Publish2,
        Self::PublishLarge,
        Self::Receive0,
        Self::Receive1,
        Self::OneByOne,
        Self::Route,
        Self::Connect,
        Self::ConnectTls,
        Self::Idle,
        Self::IdleTls,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish0 => "publish QoS 0, until the server has read all",
            Self::Publish1 => "publish QoS 1, 100 in flight",
            Self::Publish2 => "publish QoS 2, 100 in flight",
            Self::PublishLarge => "publish 16 KiB, QoS 0, until the server has read all",
            Self::Receive0 => "receive QoS 0",
            Self::Receive1 => "receive QoS 1",
            Self::OneByOne => "one at a time, QoS 1",
            Self::Route => "1,000 subscriptions, 200,000 messages to route, QoS 0",
            Self::Connect => "connect and disconnect",
            Self::ConnectTls => "connect and disconnect, TLS",
            Self::Idle => "1,000 idle connections",
            Self::IdleTls => "1,000 idle connections, TLS",
        }
    }

    /// Returns true for scenarios that always use TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::ConnectTls | Self::IdleTls)
    }

    /// Returns true if another scenario does the same work with TLS.
    pub const fn has_tls_twin(self) -> bool {
        matches!(self, Self::Connect | Self::Idle)
    }

    /// Returns true if memory is measured; one turn is enough, as it doesn't vary.
    pub const fn is_idle(self) -> bool {
        matches!(self, Self::Idle | Self::IdleTls)
    }

    /// Returns true if the server counts the messages that it receives.
    pub const fn publishes(self) -> bool {
        matches!(
            self,
            Self::Publish0 | Self::Publish1 | Self::Publish2 | Self::PublishLarge | Self::OneByOne
        )
    }

    /// Number of messages or connections over which system calls are counted.
    pub const fn count_to_trace(self) -> u64 {
        match self {
            // Enough to fill the client's buffers while the server reads.
            Self::Publish0 => 20_000,
            Self::Receive0 | Self::Receive1 | Self::Route => 5000,
            Self::Publish1 | Self::Publish2 => 2000,
            Self::PublishLarge | Self::OneByOne => 500,
            Self::Connect | Self::ConnectTls => 50,
            Self::Idle | Self::IdleTls => 100,
        }
    }

    /// Runs the scenario with the client `C`.
    ///
    /// # Errors
    /// A text for the user if the client fails.
    pub async fn run<C: Contestant>(self, target: &Target, span: Span) -> Result<Sample> {
        match self {
            Self::Publish0 => publish::<C>(target, span, 0, SMALL).await,
            Self::Publish1 => publish::<C>(target, span, 1, SMALL).await,
            Self::Publish2 => publish::<C>(target, span, 2, SMALL).await,
            Self::PublishLarge => publish::<C>(target, span, 0, LARGE).await,
            Self::Receive0 => receive::<C>(target, span, FLOOD).await,
            Self::Receive1 => receive::<C>(target, span, Order { qos: 1, ..FLOOD }).await,
            Self::Route => {
                let count = if let Span::Count(count) = span {
                    count
                } else {
                    200_000
                };
                receive::<C>(
                    target,
                    Span::Count(count),
                    Order {
                        topics: 1000,
                        count,
                        ..FLOOD
                    },
                )
                .await
            }
            Self::OneByOne => one_by_one::<C>(target, span).await,
            Self::Connect | Self::ConnectTls => connect::<C>(target, span).await,
            Self::Idle | Self::IdleTls => idle::<C>(target, span).await,
        }
    }
}

/// Lengths of payloads in bytes.
const SMALL: usize = 64;
const LARGE: usize = 16 * 1024;
/// Flood of as many messages as a stream of Dunlin holds by default before it drops some; most
/// peers have no such limit.
const FLOOD: Order = Order {
    count: 10_000,
    size: SMALL,
    qos: 0,
    topics: 1,
};

/// The measured part of a turn.
struct Measured {
    began: Instant,
    before: Usage,
}

impl Measured {
    fn begin() -> Self {
        let measured = Self {
            began: Instant::now(),
            before: Usage::now(),
        };
        machine::mark();
        measured
    }

    fn end(self, done: u64) -> Sample {
        machine::mark();
        let usage = Usage::now().since(self.before);
        let elapsed = self.began.elapsed();
        Sample {
            done,
            elapsed,
            usage,
            peak_memory: machine::peak_memory(),
            ..Sample::default()
        }
    }
}

impl Span {
    fn pace(self, every: u64) -> Pace {
        match self {
            Self::Time(span) => Pace::time(span, every),
            Self::Count(count) => Pace::count(count),
        }
    }
}

async fn publish<C: Contestant>(
    target: &Target,
    span: Span,
    qos: u8,
    size: usize,
) -> Result<Sample> {
    let mut client = C::connect(target, "bench").await?;
    let payload = vec![b'x'; size];
    // The first messages allocate buffers; the mark is acknowledged once they were read.
    let warm_up = if size == LARGE { FEW } else { WARM_UP };
    client
        .publish(qos, &payload, &mut Pace::count(warm_up))
        .await?;
    client.publish_one(TOPIC_OF_MARK, b"").await?;
    let measured = Measured::begin();
    let mut pace = span.pace(64);
    client.publish(qos, &payload, &mut pace).await?;
    if qos == 0 {
        // The server acknowledges it after reading everything before it.
        client.publish_one(TOPIC_OF_MARK, b"").await?;
    }
    let sample = measured.end(pace.sent);
    Ok(Sample {
        others: warm_up + 1 + u64::from(qos == 0),
        ..sample
    })
}

async fn receive<C: Contestant>(target: &Target, span: Span, order: Order) -> Result<Sample> {
    let mut client = C::connect(target, "bench").await?;
    let filters: Vec<_> = (0..order.topics)
        .map(|number| flood::topic(order.topics, number))
        .collect();
    client.subscribe(&filters, order.qos).await?;
    // A fixed number of messages comes in one flood.
    let (order, span) = match span {
        Span::Count(count) => (Order { count, ..order }, Span::Count(1)),
        Span::Time(_) => (order, span),
    };
    let measured = Measured::begin();
    let mut floods = span.pace(1);
    while floods.next() {
        client
            .publish_one(TRIGGER, order.to_payload().as_bytes())
            .await?;
        client.receive(order.count).await?;
    }
    Ok(measured.end(floods.sent * order.count))
}

async fn one_by_one<C: Contestant>(target: &Target, span: Span) -> Result<Sample> {
    let mut client = C::connect(target, "bench").await?;
    let payload = [b'x'; SMALL];
    for _ in 0..FEW {
        client
            .publish_one(super::contestant::TOPIC, &payload)
            .await?;
    }
    // The vector doesn't grow while time is measured.
    let mut times = Vec::with_capacity(100_000);
    let measured = Measured::begin();
    let mut pace = span.pace(1);
    while pace.next() {
        let sent = Instant::now();
        client
            .publish_one(super::contestant::TOPIC, &payload)
            .await?;
        times.push(sent.elapsed());
    }
    let sample = measured.end(pace.sent);
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get((times.len() * percent / 100).min(times.len() - 1))
            .copied()
    };
    Ok(Sample {
        others: FEW,
        p50: at(50),
        p99: at(99),
        ..sample
    })
}

async fn connect<C: Contestant>(target: &Target, span: Span) -> Result<Sample> {
    // The first connection pays for what later ones share, for example the TLS configuration.
    C::connect(target, "warm").await?.disconnect().await?;
    let measured = Measured::begin();
    let mut pace = span.pace(1);
    while pace.next() {
        C::connect(target, "bench").await?.disconnect().await?;
    }
    Ok(measured.end(pace.sent))
}

async fn idle<C: Contestant>(target: &Target, span: Span) -> Result<Sample> {
    let count = if let Span::Count(count) = span {
        count.min(C::IDLE)
    } else {
        C::IDLE
    };
    // The first connection allocates what all of them share.
    let mut clients = vec![C::connect(target, "first").await?];
    tokio::time::sleep(SETTLE).await;
    let before = machine::memory();
    let measured = Measured::begin();
    let local = LocalSet::new();
    // Connect a few at a time, each in a task of its own.
    for some in (0..count).collect::<Vec<_>>().chunks(AT_A_TIME) {
        let connecting: Vec<_> = some
            .iter()
            .map(|number| {
                let (target, client_id) = (target.clone(), format!("idle-{number:04}"));
                local.spawn_local(async move { C::connect(&target, &client_id).await })
            })
            .collect();
        let connected = async {
            for client in connecting {
                clients.push(client.await.map_err(|error| error.to_string())??);
            }
            Ok::<(), String>(())
        };
        local.run_until(connected).await?;
    }
    // Buffers of the handshake are released some time later.
    tokio::time::sleep(IDLE_FOR).await;
    let sample = measured.end(count);
    let more = machine::memory().saturating_sub(before);
    Ok(Sample {
        memory_each: Some(more as f64 / count as f64),
        ..sample
    })
}

/// Messages before the measured part, and their number where each takes long.
const WARM_UP: u64 = 500;
const FEW: u64 = 10;
const TOPIC_OF_MARK: &str = "mark";
/// Connections that are made at the same time; few, so that memory of one handshake is used again
/// for the next.
const AT_A_TIME: usize = 10;
const SETTLE: Duration = Duration::from_millis(100);
/// A connection isn't idle before: buffers are kept for the next message for a while.
const IDLE_FOR: Duration = Duration::from_millis(1500);
