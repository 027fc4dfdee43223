//! `Publisher`: sends messages one after another, and waits for their acknowledgements.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use dunlin_client::engine::Published;
use dunlin_client::{QoS, Receipt, RequestError};
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::{PublishPlan, Source};
use super::template::Values;
use super::{input, json_line};
use crate::client_run::event_json::{JsonEvent, millis, name_of};
use crate::client_run::{Activity, ClientRun, RunOutcome, Wait};
use crate::diagnosis::Operation;
use crate::message::OutgoingMessage;

/// Messages of one run, and those that the server hasn't acknowledged.
pub(super) struct Publisher<'a> {
    plan: &'a PublishPlan,
    /// Receipts in the order in which their messages were accepted.
    unacknowledged: VecDeque<Unacknowledged>,
    /// Time at which the next message may be sent; `None` for the first one.
    next_at: Option<Instant>,
    /// Number of messages so far.
    count: u64,
    /// True if a message of QoS 0 was sent, which nothing acknowledges.
    has_unconfirmed: bool,
}

/// Message whose outcome isn't known.
struct Unacknowledged {
    receipt: Receipt,
    seq: u64,
    topic: String,
    qos: QoS,
    since: Instant,
}

/// Outcome of the oldest message.
type PublishOutcome = Result<Published, RequestError>;

impl<'a> Publisher<'a> {
    pub(super) fn new(plan: &'a PublishPlan) -> Self {
        Self {
            plan,
            unacknowledged: VecDeque::new(),
            next_at: None,
            count: 0,
            has_unconfirmed: false,
        }
    }

    /// Publishes everything, and waits until the server has it.
    ///
    /// # Errors
    /// The reason that ends the run.
    pub(super) async fn publish_all(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        // With a store, messages are accepted while there is no connection; without one, no input
        // is read before the server has accepted the client.
        if self.plan.store.is_none() {
            run.connect().await?;
        }
        match &self.plan.source {
            Source::Stored => {}
            Source::Payload(payload) => {
                let message = OutgoingMessage {
                    payload: payload.clone(),
                    ..self.plan.message.clone()
                };
                for _ in 0..self.plan.repeat {
                    self.publish(run, message.clone()).await?;
                }
            }
            Source::Lines | Source::JsonLines => self.publish_input(run).await?,
        }
        self.drain(run).await
    }

    /// Publishes each message of standard input.
    async fn publish_input(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        let mut lines = input::lines();
        let mut number = 0_u64;
        // Acknowledgements are handled while the input has nothing.
        while let Some(batch) = self.until(run, lines.recv()).await? {
            for line in batch? {
                number += 1;
                let message = match &self.plan.source {
                    Source::JsonLines => json_line::message(&line, self.plan),
                    _ => self.plan.message_of_line(line).map(Some),
                };
                // A line without a message, such as another event of `sub --json`, is skipped.
                let message =
                    message.map_err(|fault| input::wrong_line(number, &fault, run.counts.sent))?;
                if let Some(message) = message {
                    self.publish(run, message).await?;
                }
            }
        }
        Ok(())
    }

    /// Publishes one message, once the interval is over and not too many are unacknowledged.
    async fn publish(
        &mut self,
        run: &mut ClientRun,
        mut message: OutgoingMessage,
    ) -> Result<(), RunOutcome> {
        // The interval lies between the starts of two messages; a delay isn't made up for.
        if let Some(interval) = self.plan.interval {
            if let Some(at) = self.next_at {
                self.until(run, sleep_until(at)).await?;
            }
            self.next_at = Some(Instant::now() + interval);
        }
        while self.unacknowledged.len() >= self.plan.in_flight {
            self.acknowledge_next(run).await?;
        }

        // Fill the template. The client checks the message.
        self.count += 1;
        if self.plan.template {
            message = Values::new(self.count).fill(message)?;
        }

        // Hand it to the client, which waits while its queue is full.
        run.counts.topic.clone_from(&message.topic);
        let wait = run.wait(Activity::Operate(Operation::Publish));
        let client = run.client.clone();
        let has_store = self.plan.store.is_some();
        let accepted = run
            .until(wait, async {
                let receipt = client
                    .publish(message.as_message(&message.user_pairs()))
                    .await?;
                // A kill from here on loses nothing.
                if has_store {
                    client.until_persisted().await?;
                }
                Ok::<_, RequestError>(receipt)
            })
            .await?;
        let receipt = match accepted {
            Ok(receipt) => receipt,
            Err(error) => return Err(run.failed(Operation::Publish, &error).await),
        };
        run.counts.sent += 1;
        self.has_unconfirmed |= message.qos == QoS::AtMostOnce;
        self.unacknowledged.push_back(Unacknowledged {
            receipt,
            seq: self.count,
            topic: message.topic,
            qos: message.qos,
            since: Instant::now(),
        });
        Ok(())
    }

    /// Waits for `future`, and handles acknowledgements meanwhile.
    async fn until<T>(
        &mut self,
        run: &mut ClientRun,
        future: impl Future<Output = T>,
    ) -> Result<T, RunOutcome> {
        let mut future = pin!(future);
        loop {
            let oldest = self.unacknowledged.front_mut();
            let wait = oldest.as_ref().map_or_else(Wait::idle, |oldest| {
                Wait::since(Activity::Operate(Operation::Publish), oldest.since)
            });
            let outcome = run
                .until(wait, async {
                    tokio::select! {
                        biased;
                        value = &mut future => Ok(value),
                        outcome = outcome_of(oldest) => Err(outcome),
                    }
                })
                .await?;
            match outcome {
                Ok(value) => return Ok(value),
                Err(outcome) => self.handle(run, outcome).await?,
            }
        }
    }

    /// Waits for the acknowledgement of the oldest message.
    async fn acknowledge_next(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        let wait = run.wait(Activity::Operate(Operation::Publish));
        let oldest = self.unacknowledged.front_mut();
        let outcome = run.until(wait, outcome_of(oldest)).await?;
        self.handle(run, outcome).await
    }

    /// Handles the outcome of the oldest message.
    async fn handle(
        &mut self,
        run: &mut ClientRun,
        outcome: PublishOutcome,
    ) -> Result<(), RunOutcome> {
        let Some(message) = self.unacknowledged.pop_front() else {
            return Ok(());
        };
        match outcome {
            Ok(_) if message.qos == QoS::AtMostOnce => Ok(()),
            Ok(published) => {
                run.acknowledged();
                if run.report.is_json() {
                    let output = run.output.clone();
                    run.until(Wait::idle(), output.ready()).await?;
                    run.report.json(&JsonEvent::Puback {
                        seq: message.seq,
                        packet_id: published.packet_id.map(Into::into),
                        code: published.reason_code.code(),
                        name: &name_of(published.reason_code),
                        rtt_ms: millis(message.since.elapsed()),
                    })?;
                }
                Ok(())
            }
            Err(error) => {
                run.counts.topic = message.topic;
                Err(run.failed(Operation::Publish, &error).await)
            }
        }
    }

    /// Waits until the server has acknowledged everything, also what an earlier run has stored, and
    /// until the last bytes are written.
    async fn drain(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        while !self.unacknowledged.is_empty() {
            self.acknowledge_next(run).await?;
        }
        if self.plan.store.is_some() {
            run.connect().await?;
        }
        // At QoS 0, what was on its way when a connection ended is lost, and nobody tells.
        if self.has_unconfirmed && run.client.statistics().connections > 1 {
            run.warn(
                "a connection was lost: messages of QoS 0 that were on their way may be missing",
            )?;
        }
        // Stored messages of an earlier run have no receipts, and bytes have none either.
        let wait = run.wait(Activity::Operate(Operation::Publish));
        let client = run.client.clone();
        run.until(wait, async {
            let mut pause = SHORTEST_PAUSE;
            loop {
                let statistics = client.statistics();
                if statistics.unfinished == 0 && statistics.bytes_held == 0 {
                    return;
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
        .await
    }
}

/// Outcome of a message; pending for ever without one.
async fn outcome_of(message: Option<&mut Unacknowledged>) -> PublishOutcome {
    match message {
        Some(message) => (&mut message.receipt).await,
        None => pending().await,
    }
}

/// Pauses between two looks at what is unwritten.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
