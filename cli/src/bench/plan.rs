//! What traffic is asked for: all of it known before the first connection.

use std::time::Duration;

use dunlin_client::QoS;
use dunlin_codec::{TopicFilter, TopicName};

use super::stamp;
use super::target::LoadTarget;
use crate::args::{LoadArgs, Sources, TrafficArgs};
use crate::diagnosis::{Diagnosis, quoted};
use crate::terminal::Console;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    Pub,
    Sub,
    Pubsub,
    Request,
}

#[derive(Debug)]
pub(super) struct TrafficPlan {
    pub(super) verb: Traffic,
    pub(super) target: LoadTarget,
    /// Of all clients; `None` for what only time ends.
    pub(super) count: Option<u64>,
    pub(super) duration: Option<Duration>,
    /// Of all clients, a second; 0 for as fast as it goes.
    pub(super) rate: f64,
    pub(super) size: usize,
    pub(super) qos: QoS,
    pub(super) topic: String,
    pub(super) in_flight: u16,
    pub(super) drain: Duration,
}

const DEFAULT_COUNT: u64 = 10_000;

impl TrafficPlan {
    pub(super) fn new(
        verb: Traffic,
        typed: TrafficArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        let TrafficArgs { target, load } = typed;
        check(verb, &load)?;
        let target = LoadTarget::new(target, sources, console)?;
        let count = load
            .count
            .or_else(|| load.duration.is_none().then_some(DEFAULT_COUNT));
        let plan = Self {
            verb,
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
                .unwrap_or(if verb == Traffic::Request { 1 } else { 100 }),
            drain: load.drain,
        };
        plan.target.check(plan.connections(), plan.messages())?;
        Ok(plan)
    }

    /// The responder is one more.
    pub(super) fn connections(&self) -> u32 {
        self.target
            .clients
            .saturating_add(u32::from(self.verb == Traffic::Request))
    }

    /// Messages to and from the server, as far as it can be known.
    fn messages(&self) -> Option<u64> {
        let by_rate = self
            .duration
            .filter(|_| self.rate > 0.0)
            .map(|time| whole(self.rate * time.as_secs_f64()));
        let each_way = match (self.count, by_rate) {
            (Some(count), Some(by_rate)) => count.min(by_rate),
            (count, by_rate) => count.or(by_rate)?,
        };
        let times = match self.verb {
            Traffic::Pub | Traffic::Sub => 1,
            Traffic::Pubsub => 2,
            Traffic::Request => 4,
        };
        Some(each_way.saturating_mul(times))
    }

    /// Whether what arrives is compared with what was sent here.
    pub(super) fn knows_senders(&self) -> bool {
        matches!(self.verb, Traffic::Pubsub | Traffic::Request)
    }

    /// How many of the messages are client `number`'s.
    pub(super) fn share(&self, number: u32) -> Option<u64> {
        let clients = u64::from(self.target.clients);
        self.count
            .map(|count| count / clients + u64::from(u64::from(number) < count % clients))
    }

    /// Where client `number` publishes.
    pub(super) fn topic_of(&self, number: u32) -> String {
        format!("{}/{number}", self.topic)
    }

    /// What client `number` subscribes to: its neighbour's topic, or all that anybody publishes.
    pub(super) fn filter_of(&self, number: u32) -> String {
        match self.verb {
            Traffic::Pubsub => self.topic_of(
                number
                    .checked_sub(1)
                    .unwrap_or_else(|| self.target.clients.saturating_sub(1)),
            ),
            _ if self.topic.contains(['+', '#']) => self.topic.clone(),
            _ => format!("{}/#", self.topic),
        }
    }
}

fn check(verb: Traffic, load: &LoadArgs) -> Result<(), Diagnosis> {
    let usable = match verb {
        Traffic::Sub => TopicFilter::new(&load.topic).map(drop),
        Traffic::Pub | Traffic::Pubsub | Traffic::Request => TopicName::new(&load.topic).map(drop),
    };
    usable
        .map_err(|error| Diagnosis::usage(format!("--topic {}: {error}", quoted(&load.topic))))?;
    if verb != Traffic::Sub && load.size < stamp::LEN {
        let least = stamp::LEN;
        return Err(Diagnosis::usage(format!(
            "--size {}: a payload needs {least} bytes at least",
            load.size
        )));
    }
    if load.size > LARGEST {
        return Err(Diagnosis::usage(format!(
            "--size {}: MQTT carries {LARGEST} bytes at most",
            load.size
        )));
    }
    Ok(())
}

/// A packet less its header and topic.
const LARGEST: usize = 268_435_455 - 65_535 - 64;

/// Rounded down.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is too large becomes the largest"
)]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}
