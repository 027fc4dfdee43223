//! `Subscriber`: subscribes, prints messages, and acknowledges them once they are written.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use dunlin_client::{
    Acknowledgement, ReceivedMessage, RequestError, StreamLimits, SubscribeOptions, Subscription,
    WhenFull,
};
use dunlin_codec::{TopicFilter, TopicName};
use tokio::time::{Instant, sleep_until, timeout};

use super::plan::SubscribePlan;
use super::printer::Printer;
use super::stats::Stats;
use super::streams::{Received, Streams};
use crate::client_run::event_json::JsonEvent;
use crate::client_run::{ClientRun, RunOutcome, Wait};
use crate::diagnosis::{Diagnosis, Id, Operation, count, duration};

/// One run.
pub(super) struct Subscriber<'a> {
    plan: &'a SubscribePlan,
    printer: Printer<'a>,
    streams: Option<Streams>,
    /// Acknowledgements of printed messages, each with the number of output bytes up to the end of
    /// its message.
    unacknowledged: VecDeque<(u64, Acknowledgement)>,
    stats: Option<Stats>,
    /// End of the run; `None` without one.
    deadline: Option<Instant>,
    /// Time of SUBACK, or of the last retained message.
    last_retained: Instant,
}

/// Next thing to handle.
enum Next {
    Messages(Vec<Received>),
    /// Printed messages were written.
    Written,
    StatsDue,
    TimeIsOver,
    /// No retained message has come for a while.
    RetainedAreOver,
}

impl<'a> Subscriber<'a> {
    /// # Errors
    /// [`Id::Usage`] for a folder that can't be used.
    pub(super) fn new(plan: &'a SubscribePlan) -> Result<Self, Diagnosis> {
        let now = Instant::now();
        Ok(Self {
            plan,
            printer: Printer::new(plan)?,
            streams: None,
            unacknowledged: VecDeque::new(),
            stats: plan.stats.map(Stats::new),
            deadline: plan.time.and_then(|time| now.checked_add(time)),
            last_retained: now,
        })
    }

    /// Subscribes, and prints messages until the run is over.
    ///
    /// # Errors
    /// The reason that ends the run: also [`Id::NotReceived`] if the time is over before the count is
    /// reached.
    pub(super) async fn run(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        run.connect().await?;
        self.subscribe(run).await?;
        if self.plan.exit_after_suback {
            return Ok(());
        }
        self.last_retained = Instant::now();
        loop {
            match self.next(run).await? {
                Next::Messages(messages) => {
                    if messages.is_empty() {
                        // The streams end with the client, whose last event has the reason.
                        run.until(Wait::idle(), pending::<()>()).await?;
                    }
                    for (message, acknowledgement) in messages {
                        self.handle(run, &message, acknowledgement)?;
                        if self
                            .plan
                            .count
                            .is_some_and(|count| run.counts.received >= count)
                        {
                            return self.flush(run).await;
                        }
                    }
                }
                Next::Written => {}
                Next::StatsDue => {
                    if let Some(stats) = &mut self.stats {
                        stats.print(run)?;
                    }
                }
                Next::TimeIsOver => {
                    self.flush(run).await?;
                    return self.time_is_over(run);
                }
                Next::RetainedAreOver => return self.flush(run).await,
            }
            self.acknowledge_written(run);
        }
    }

    /// Ends the subscriptions, unless the session outlives the run. Bounded in time.
    pub(super) async fn unsubscribe(&self, run: &ClientRun) {
        if self.plan.connection.keeps_session || self.streams.is_none() || !run.is_up() {
            return;
        }
        let filters: Vec<&str> = self
            .plan
            .filters
            .iter()
            .map(|(filter, _)| &**filter)
            .collect();
        // The run is over either way; an error here would hide its reason.
        let _ = timeout(
            UNSUBSCRIBE_TIMEOUT,
            run.client.unsubscribe_many(&filters, &[]),
        )
        .await;
    }

    /// Sends SUBSCRIBE and opens the streams.
    async fn subscribe(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        run.counts.topic = self
            .plan
            .filters
            .first()
            .map(|(filter, _)| filter.clone())
            .unwrap_or_default();
        let has_identifiers = run
            .accepted
            .as_ref()
            .is_some_and(|connected| connected.limits.subscription_identifier_available);
        if self.plan.sub_id.is_some() && !has_identifiers {
            run.warn("the server has no Subscription Identifiers: --sub-id is not sent")?;
        }
        let filters = &self.plan.filters;
        // One SUBSCRIBE for all filters, which is repeated if the session is lost before its SUBACK.
        let answers = run
            .request(Operation::Subscribe, |client| async move {
                let filters = filters.iter().map(|(filter, options)| {
                    let options = SubscribeOptions {
                        subscription: *options,
                        limits: LIMITS,
                    };
                    (filter.as_str(), options)
                });
                client.subscribe_many(filters, &[]).await
            })
            .await?;
        run.report.json(&JsonEvent::Suback {
            filters: self.grants(&answers),
        })?;

        // A filter that was refused ends the run: its messages would be missing in silence.
        let mut subscriptions = Vec::new();
        for ((filter, _), answer) in filters.iter().zip(answers) {
            match answer {
                Ok(subscription) => subscriptions.push(subscription),
                Err(error) => {
                    run.counts.topic.clone_from(filter);
                    return Err(run.failed(Operation::Subscribe, &error).await);
                }
            }
        }
        // The session may have messages of subscriptions that an earlier run made.
        let unmatched = self
            .plan
            .continues_session
            .then(|| run.client.unmatched(LIMITS))
            .flatten();
        self.streams = Some(Streams::new(subscriptions, unmatched));
        Ok(())
    }

    fn grants(
        &self,
        answers: &[Result<Subscription, RequestError>],
    ) -> Vec<crate::client_run::event_json::GrantJson<'_>> {
        let filters = self.plan.filters.iter().zip(answers);
        let grants = filters.map(|((filter, _), answer)| {
            let code = match answer {
                Ok(subscription) => subscription
                    .answer()
                    .and_then(|answer| answer.reason_codes.first().copied())
                    .unwrap_or_default(),
                Err(RequestError::Refused(reason)) => reason.reason_code,
                Err(_) => dunlin_codec::ReasonCode::UnspecifiedError,
            };
            crate::client_run::event_json::GrantJson::new(filter, code)
        });
        grants.collect()
    }

    /// Waits for what comes next.
    async fn next(&mut self, run: &mut ClientRun) -> Result<Next, RunOutcome> {
        let output = run.output.clone();
        let unwritten = self.unacknowledged.front().map(|(end, _)| *end);
        let retained_over = self
            .plan
            .until_retained
            .then(|| self.last_retained + RETAINED_SILENCE);
        let (deadline, stats) = (self.deadline, &self.stats);
        let streams = &mut self.streams;
        run.until(Wait::idle(), async {
            tokio::select! {
                biased;
                // Times first: a flood of messages must not hold them up.
                () = at(deadline) => Next::TimeIsOver,
                () = async { match stats {
                    Some(stats) => stats.due().await,
                    None => pending().await,
                } } => Next::StatsDue,
                () = async { match unwritten {
                    Some(end) => output.written_up_to(end).await,
                    None => pending().await,
                } } => Next::Written,
                // Messages wait for a slow reader, so that memory stays bounded.
                messages = async {
                    output.ready().await;
                    match streams {
                        Some(streams) => streams.next().await,
                        None => pending().await,
                    }
                } => Next::Messages(messages),
                () = at(retained_over) => Next::RetainedAreOver,
            }
        })
        .await
    }

    /// Prints a message, unless it is left out. It is acknowledged once it is written.
    fn handle(
        &mut self,
        run: &mut ClientRun,
        message: &ReceivedMessage,
        acknowledgement: Acknowledgement,
    ) -> Result<(), RunOutcome> {
        if self.is_left_out(message) {
            acknowledgement.accept();
            return Ok(());
        }
        if message.retain() {
            self.last_retained = Instant::now();
        }
        self.printer.print(run, message)?;
        run.counts.received += 1;
        if let Some(stats) = &mut self.stats {
            stats.count(message.payload().len());
        }
        self.unacknowledged
            .push_back((run.output.queued(), acknowledgement));
        Ok(())
    }

    fn is_left_out(&self, message: &ReceivedMessage) -> bool {
        let is_retained = message.retain();
        if (self.plan.no_retained && is_retained) || (self.plan.until_retained && !is_retained) {
            return true;
        }
        if self.plan.filter_out.is_empty() {
            return false;
        }
        let Ok(topic) = TopicName::new(message.topic()) else {
            return false;
        };
        let mut filters = self.plan.filter_out.iter();
        filters.any(|filter| TopicFilter::new(filter).is_ok_and(|filter| filter.matches(&topic)))
    }

    /// Acknowledges the messages that are written.
    fn acknowledge_written(&mut self, run: &ClientRun) {
        let written = run.output.written();
        while self
            .unacknowledged
            .front()
            .is_some_and(|(end, _)| *end <= written)
        {
            if let Some((_, acknowledgement)) = self.unacknowledged.pop_front() {
                acknowledgement.accept();
            }
        }
    }

    /// Waits until everything is written, and acknowledges it.
    async fn flush(&mut self, run: &mut ClientRun) -> Result<(), RunOutcome> {
        let output = run.output.clone();
        run.until(Wait::idle(), output.flushed()).await?;
        run.output.check()?;
        self.acknowledge_written(run);
        Ok(())
    }

    /// Outcome of a run whose time is over: a failure if messages are missing.
    fn time_is_over(&self, run: &ClientRun) -> Result<(), RunOutcome> {
        let (Some(wanted), Some(time)) = (self.plan.count, self.plan.time) else {
            return Ok(());
        };
        // Messages are missing: how many, on what, and why that may be.
        let received = run.counts.received;
        let filters: Vec<&str> = self
            .plan
            .filters
            .iter()
            .map(|(filter, _)| &**filter)
            .collect();
        let context = run.context();
        let mut likely = vec!["nobody published as many to these topics".to_owned()];
        if context.uses_authorizers() {
            likely.push("the policy lacks iot:Receive on them".to_owned());
        }
        Err(Diagnosis {
            saw: Some(format!("subscribed to {}", filters.join(", "))),
            likely,
            ..Diagnosis::new(
                Id::NotReceived,
                format!(
                    "received {received} of {} within {}",
                    count(usize::try_from(wanted).unwrap_or(usize::MAX), "message"),
                    duration(time)
                ),
            )
        }
        .into())
    }
}

/// Waits until `time`; `None` never comes.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// Limits of messages of QoS 0 that wait to be printed: beyond them the connection isn't read, so
/// that none is dropped here.
const LIMITS: StreamLimits = StreamLimits {
    count: 10_000,
    bytes: 16 << 20,
    when_full: WhenFull::PauseReading,
};
/// Time without a retained message after which `--until-retained` ends.
const RETAINED_SILENCE: Duration = Duration::from_secs(1);
/// Longest wait for UNSUBACK at the end.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
