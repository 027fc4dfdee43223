//! `TrafficPlan`: the messages of a load test, complete before the first connection.

use std::time::Duration;

use dunlin_client::QoS;
use dunlin_codec::{TopicFilter, TopicName};

use super::kind::LoadKind;
use super::stamp;
use super::target::LoadTarget;
use crate::args::{LoadArgs, Sources, TrafficArgs};
use crate::config::Faults;
use crate::diagnosis::{Diagnosis, quoted};
use crate::terminal::Console;

/// Messages that are published, received, or both.
#[derive(Debug)]
pub(super) struct TrafficPlan {
    pub(super) kind: LoadKind,
    pub(super) target: LoadTarget,
    /// Messages of all clients together; `None` if only `duration` limits them.
    pub(super) count: Option<u64>,
    /// Time from the first message; `None` if only `count` limits them.
    pub(super) duration: Option<Duration>,
    /// Messages of all clients in a second; 0 means no limit.
    pub(super) rate: f64,
    /// Bytes of a payload.
    pub(super) size: usize,
    pub(super) qos: QoS,
    /// Topic under which the clients publish, or filter to subscribe to.
    pub(super) topic: String,
    /// Unacknowledged messages, or requests without a response, of one client.
    pub(super) in_flight: u16,
    /// Longest wait without progress for the last messages.
    pub(super) drain: Duration,
    /// Time without a message after which `sub` ends, unless it has a duration: `--timeout`.
    pub(super) silence: Duration,
}

const DEFAULT_COUNT: u64 = 10_000;

impl TrafficPlan {
    /// Checks the flags, and the price of the load.
    ///
    /// # Errors
    /// See [`LoadTarget::new`] and [`LoadTarget::check`]; also
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a topic or a size that can't be used.
    pub(super) fn new(
        kind: LoadKind,
        typed: TrafficArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        let TrafficArgs { target, load } = typed;
        let silence = target.reliability.timeout;
        let mut faults = Faults::default();
        check(kind, &load, &mut faults);
        let mut target = LoadTarget::new(target, faults, sources, console)?;
        // A load with a duration ends in about that time, even if nobody can connect.
        if let Some(duration) = load.duration {
            target.limit_connecting(duration);
        }
        // Without any limit, a number of messages that takes some seconds.
        let count = load
            .count
            .or_else(|| load.duration.is_none().then_some(DEFAULT_COUNT));
        let plan = Self {
            kind,
            target,
            count,
            duration: load.duration,
            rate: load.rate.unwrap_or(0.0),
            size: load.size,
            qos: match load.qos {
                0 => QoS::AtMostOnce,
                1 => QoS::AtLeastOnce,
                _ => QoS::ExactlyOnce,
            },
            topic: load.topic,
            in_flight: load
                .in_flight
                .unwrap_or(if kind == LoadKind::Request { 1 } else { 100 }),
            drain: load.drain,
            silence,
        };
        plan.target.check(plan.connections(), plan.messages())?;
        Ok(plan)
    }

    /// Number of connections: the clients, and for requests the responder.
    pub(super) fn connections(&self) -> u32 {
        self.target
            .clients
            .saturating_add(u32::from(self.kind == LoadKind::Request))
    }

    /// Number of messages to and from the server; `None` if nothing limits it.
    fn messages(&self) -> Option<u64> {
        let by_rate = self
            .duration
            .filter(|_| self.rate > 0.0)
            .map(|time| whole(self.rate * time.as_secs_f64()));
        // Of count and duration, the smaller load.
        let each_way = match (self.count, by_rate) {
            (Some(count), Some(by_rate)) => count.min(by_rate),
            (count, by_rate) => count.or(by_rate)?,
        };
        // A request and its response are both sent and received.
        let times = match self.kind {
            LoadKind::Pubsub => 2,
            LoadKind::Request => 4,
            _ => 1,
        };
        Some(each_way.saturating_mul(times))
    }

    /// Number of messages of client `number`; `None` if only the time limits them.
    pub(super) fn share(&self, number: u32) -> Option<u64> {
        let clients = u64::from(self.target.clients);
        self.count
            .map(|count| count / clients + u64::from(u64::from(number) < count % clients))
    }

    /// Topic of client `number`.
    pub(super) fn topic_of(&self, number: u32) -> String {
        format!("{}/{number}", self.topic)
    }

    /// Topic filter of client `number`: the topic of its neighbour, or for `sub` all topics.
    pub(super) fn filter_of(&self, number: u32) -> String {
        match self.kind {
            LoadKind::Pubsub => self.topic_of(
                number
                    .checked_sub(1)
                    .unwrap_or_else(|| self.target.clients.saturating_sub(1)),
            ),
            _ if self.topic.contains(['+', '#']) => self.topic.clone(),
            _ => format!("{}/#", self.topic),
        }
    }
}

/// Checks `--topic` and `--size`.
fn check(kind: LoadKind, load: &LoadArgs, faults: &mut Faults) {
    let usable = match kind {
        LoadKind::Sub => TopicFilter::new(&load.topic).map(drop),
        _ => TopicName::new(&load.topic).map(drop),
    };
    faults
        .collect(usable.map_err(|error| {
            Diagnosis::usage(format!("--topic {}: {error}", quoted(&load.topic)))
        }));
    if kind != LoadKind::Sub && load.size < stamp::LEN {
        let least = stamp::LEN;
        faults.collect::<()>(Err(Diagnosis::usage(format!(
            "--size {}: a payload needs {least} bytes at least",
            load.size
        ))));
    }
    if load.size > LARGEST {
        faults.collect::<()>(Err(Diagnosis::usage(format!(
            "--size {}: MQTT carries {LARGEST} bytes at most",
            load.size
        ))));
    }
}

/// Largest payload in bytes: a packet without its header and its topic.
const LARGEST: usize = 268_435_455 - 65_535 - 64;

/// `number` rounded down.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a number that is too large becomes the largest one"
)]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}
