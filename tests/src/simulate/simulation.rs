//! One run: a client, a server and the network between them do random steps; in the final phase
//! everything has to finish.

use std::time::{Duration, Instant};

use dunlin_client::codec::QoS;
use dunlin_client::engine::{CloseCause, EngineEvent};
use dunlin_client::{ConnectOptions, EndCause};

use super::application::{Application, FILTERS};
use super::checks::Deliveries;
use super::choices::Choices;
use super::driver::Driver;
use super::network::Network;
use super::server::Server;
use super::transcript::Transcript;
use super::violation::{Checked, ensure};
use super::{Report, configuration};

/// State of one run.
#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) choices: Choices,
    pub(super) now: Instant,
    pub(super) options: ConnectOptions,
    /// Number of random steps before the final phase.
    pub(super) steps: usize,
    /// Number of unread bytes that the network holds in one direction.
    pub(super) room: usize,
    pub(super) network: Option<Network>,
    pub(super) driver: Driver,
    pub(super) application: Application,
    pub(super) server: Server,
    pub(super) deliveries: Deliveries,
    pub(super) keep_alive: u16,
    /// Since the last connection.
    pub(super) attempts: usize,
    pub(super) transcript: Transcript,
    pub(super) report: Report,
}

impl Simulation {
    pub(super) fn new(mut choices: Choices, transcript: Transcript) -> Self {
        let now = start();
        let options = configuration::options(&mut choices);
        let behavior = configuration::behavior(&mut choices);
        let declines_one_in = configuration::declines_one_in(&mut choices);
        Self {
            now,
            steps: choices.between(20, 300),
            room: choices.pick(&[1 << 20, 300, 40]).unwrap_or(1 << 20),
            network: None,
            driver: Driver::new(options.clone(), now),
            application: Application::new(declines_one_in),
            server: Server::new(behavior),
            deliveries: Deliveries::new(&options),
            keep_alive: 0,
            attempts: 0,
            report: Report {
                runs: 1,
                ..Report::default()
            },
            options,
            choices,
            transcript,
        }
    }

    /// Runs to the end.
    pub(super) fn run(&mut self) -> Checked {
        for _ in 0..self.steps {
            if self.choices.is_over() {
                break;
            }
            self.report.steps += 1;
            self.transcript.at(self.report.steps);
            self.step()?;
            self.process_events()?;
        }
        self.finish_everything()
    }

    fn step(&mut self) -> Checked {
        match self.choices.below(67) {
            0..=9 => self.publish(),
            10..=13 => {
                self.driver.engine.set_now(self.now);
                let (engine, transcript) = (&mut self.driver.engine, &mut self.transcript);
                let (deliveries, now) = (&self.deliveries, self.now);
                self.application.request_some(
                    engine,
                    deliveries,
                    now,
                    &mut self.choices,
                    transcript,
                );
                Ok(())
            }
            14..=16 => self.take().map(drop),
            17..=19 => self.look(),
            20 => {
                let (engine, deliveries) = (&mut self.driver.engine, &mut self.deliveries);
                self.application
                    .drops_receipt(engine, deliveries, &mut self.choices);
                Ok(())
            }
            21..=29 => self.move_bytes(true).map(drop),
            30..=38 => self.move_bytes(false).map(drop),
            39..=45 => {
                self.server
                    .answers(self.now, &mut self.choices, &mut self.transcript);
                Ok(())
            }
            46..=49 => {
                self.server.sends(&mut self.choices, &mut self.transcript);
                Ok(())
            }
            50..=53 => {
                for _ in 0..self.choices.between(1, 8) {
                    self.queue_server_message();
                }
                Ok(())
            }
            54..=56 => {
                let longest = self.choices.pick(&[1, 1, 10, 100]).unwrap_or(1);
                let seconds = self.choices.between(0, longest);
                self.wait(Duration::from_secs(seconds as u64)).map(drop)
            }
            57..=59 => {
                for _ in 0..self.choices.between(1, 4) {
                    self.exchange()?;
                }
                Ok(())
            }
            60 | 61 => self.open(),
            62 => {
                self.end_connection();
                Ok(())
            }
            63 | 64 => self.reauthenticate(),
            65 => {
                let poll_outcomes = self.choices.between(1, 3);
                self.transcript.say(format_args!("client's store is slow"));
                self.driver.store.delay_writes(poll_outcomes);
                Ok(())
            }
            _ => self.inject_rare_fault(),
        }
    }

    fn publish(&mut self) -> Checked {
        let published = self.application.publishes(
            &mut self.driver.engine,
            &mut self.deliveries,
            self.now,
            &mut self.choices,
            &mut self.transcript,
        )?;
        if let Some(qos) = published {
            self.report.published[usize::from(qos.level())] += 1;
        }
        Ok(())
    }

    pub(super) fn look(&mut self) -> Checked {
        let (engine, deliveries) = (&mut self.driver.engine, &mut self.deliveries);
        let reauthenticated = self.application.poll_outcomes(
            engine,
            deliveries,
            (&self.options, self.now),
            &mut self.transcript,
        )?;
        self.report.reauthenticated += u64::from(reauthenticated);
        Ok(())
    }

    fn reauthenticate(&mut self) -> Checked {
        // The application knows how the last one ended.
        self.look()?;
        let has_method = self.options.authentication.is_some();
        let engine = &mut self.driver.engine;
        self.application
            .again
            .request_some(engine, has_method, self.now, &mut self.transcript)
    }

    fn take(&mut self) -> Checked<bool> {
        let checks = (&mut self.deliveries, &mut self.driver.acks);
        let engine = &mut self.driver.engine;
        self.application
            .takes(engine, checks, &mut self.choices, &mut self.transcript)
    }

    fn queue_server_message(&mut self) {
        let qos = self
            .choices
            .pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce])
            .unwrap_or_default();
        let serial = self.deliveries.incoming.next_serial();
        let queued = self.server.queues_message(serial, qos, &mut self.choices);
        if let (Some((qos, topic, is_faulty)), Some(session)) = (queued, &self.server.session) {
            let what = if is_faulty { "faulty " } else { "" };
            self.transcript.say(format_args!(
                "server takes on {what}{serial} at {qos} to {topic}"
            ));
            self.deliveries
                .incoming
                .queued(qos, topic, session.number, is_faulty);
        }
    }

    /// Some bytes move in one direction; whether any did.
    fn move_bytes(&mut self, up: bool) -> Checked<bool> {
        let Some(network) = &mut self.network else {
            return Ok(false);
        };
        let most = if self.choices.one_in(2) {
            self.choices.between(1, 64)
        } else {
            usize::MAX
        };
        let (now, transcript) = (self.now, &mut self.transcript);
        if up {
            let wrote = self.driver.writes(network, most, now, transcript)?;
            Ok(self
                .server
                .receives(&mut network.up, most, &mut self.choices, transcript)?
                || wrote)
        } else {
            let spoke = self.server.write_output(&mut network.down, most);
            Ok(self.driver.reads(network, most, now, transcript)? || spoke)
        }
    }

    /// Everything that can move does, and the server answers once; whether anything happened.
    fn exchange(&mut self) -> Checked<bool> {
        let mut some = self.move_bytes(true)?;
        some |= self
            .server
            .answers(self.now, &mut self.choices, &mut self.transcript);
        some |= self.server.sends(&mut self.choices, &mut self.transcript);
        some |= self.move_bytes(false)?;
        self.process_events()?;
        Ok(some)
    }

    pub(super) fn wait(&mut self, duration: Duration) -> Checked<bool> {
        self.transcript.say(format_args!("{duration:?} go by"));
        // The driver hasn't taken what the engine had until now.
        self.driver.progresses |= self.driver.engine.has_output();
        let network = self.network.as_mut();
        let some = self
            .driver
            .waits(&mut self.now, duration, network, &mut self.transcript)?;
        self.driver.check_keep_alive(self.keep_alive, self.now)?;
        self.driver.check_declining(self.now)?;
        Ok(some)
    }

    fn open(&mut self) -> Checked {
        if self.network.is_some() {
            return Ok(());
        }
        self.transcript.say(format_args!("client connects"));
        self.report.attempts += 1;
        self.attempts += 1;
        self.network = Some(Network::new(self.room));
        self.driver.opens(self.now)?;
        self.server.opens(self.now);
        Ok(())
    }

    /// Handles all events, closes ended connections, and checks the bounds of the queue.
    fn process_events(&mut self) -> Checked {
        self.driver
            .written
            .drain(..)
            .for_each(|serial| self.deliveries.written(serial, self.now));
        let is_behind = self.driver.engine.has_output();
        if std::mem::take(&mut self.driver.progresses) || is_behind {
            self.deliveries.clock.progress(self.now);
        }
        for observed in self.server.observed.drain(..) {
            self.deliveries.observed(observed)?;
        }
        while let Some(event) = self.driver.engine.poll_event() {
            self.handle(event)?;
        }
        if self.server.wants_to_close() {
            self.server.closes(self.now);
            self.network
                .as_mut()
                .into_iter()
                .for_each(|network| network.down.close());
        }
        if let Some(network) = &mut self.network
            && let Some(cause) = self.driver.close_cause(network)
        {
            self.close_connection(cause)?;
        }
        self.driver.persist(self.now);
        let limits = self.options.queue;
        let (count, bytes) = self.driver.engine.load();
        // The engine's own renewals come on top, and a re-authentication.
        let most = limits.count + FILTERS.len() + 1;
        ensure(count <= most, "the queue is bounded", || {
            format!("{count} of {limits:?}")
        })?;
        // What is kept is in the output once more, and acknowledgements of what the application has
        // taken.
        let most = 2 * limits.bytes + LARGEST_PACKET;
        ensure(bytes <= most, "the queue is bounded", || {
            format!("{bytes} of {limits:?}")
        })
    }

    /// The client's end closes. What it wrote may still arrive.
    fn close_connection(&mut self, cause: CloseCause) -> Checked {
        let Some(mut network) = self.network.take() else {
            return Ok(());
        };
        self.deliveries.clock.stop(self.now);
        let ended = self.driver.closes(cause, self.now, &mut self.transcript)?;
        // Neither a faulty message nor a burst at resumption is one that a connection ends for.
        let is_violation = matches!(ended, EndCause::Connection(_)) && ended.violation().is_some();
        ensure(
            !is_violation,
            "no connection ends for what this server sends",
            || format!("{ended:?}"),
        )?;
        network.up.close();
        let most = if self.choices.one_in(4) {
            self.choices.below(64)
        } else {
            usize::MAX
        };
        self.server.receives(
            &mut network.up,
            most,
            &mut self.choices,
            &mut self.transcript,
        )?;
        for observed in self.server.observed.drain(..) {
            self.deliveries.observed(observed)?;
        }
        self.server.closes(self.now);
        Ok(())
    }

    fn handle(&mut self, event: EngineEvent) -> Checked {
        match event {
            EngineEvent::Connected(connected) => {
                self.report.connections += 1;
                self.report.resumed += u64::from(connected.session_present);
                self.keep_alive = connected.limits.keep_alive;
                let in_doubt = std::mem::take(&mut self.attempts) > 1;
                let (session, present) = (self.server.sessions, connected.session_present);
                self.application.connected(present, self.now);
                if self
                    .deliveries
                    .connected(connected.limits, present, session, in_doubt, self.now)
                {
                    self.driver.wire.is_mistaken();
                }
            }
            event => {
                if let EngineEvent::SubscriptionLost { .. } = &event {
                    self.look()?;
                }
                if let EngineEvent::Message(message, _) = &event {
                    self.report.received[usize::from(message.qos().level())] += 1;
                }
                if let EngineEvent::MessageRefused(_) = &event {
                    self.report.refused += 1;
                }
                let checks = (&mut self.deliveries, &mut self.driver.acks);
                let engine = &mut self.driver.engine;
                let context = (&self.options, self.now);
                self.application.receive_maximum = self.driver.receive_maximum;
                self.application
                    .receives(event, engine, checks, &mut self.choices, context)?;
                self.driver.expects_smaller_window(self.now);
            }
        }
        Ok(())
    }

    /// Final phase: the server answers, the network stays up and the application answers messages,
    /// until everything has finished.
    fn finish_everything(&mut self) -> Checked {
        self.transcript.say(format_args!("final phase"));
        self.server.is_cooperative = true;
        self.driver.store.delay_writes(0);
        self.application.declines_one_in = None;
        self.network.as_mut().into_iter().for_each(Network::cut);
        self.process_events()?;
        for _ in 0..MAX_FINAL_ROUNDS {
            self.open()?;
            let mut some = self.exchange()?;
            some |= self.take()?;
            // What an answer brings about is known before the server can send anything more.
            self.process_events()?;
            self.look()?;
            if !some && self.is_done() {
                return self.check_end();
            }
            if !some {
                // Only time can bring it on.
                let due = self
                    .driver
                    .engine
                    .poll_timeout()
                    .filter(|_| self.network.is_some());
                let stuck = || {
                    format!(
                        "{} outcomes are awaited: {:?}",
                        self.application.pending_outcomes(),
                        self.driver.engine
                    )
                };
                ensure(due.is_some(), "an engine with work wants to go on", stuck)?;
                let due = due.unwrap_or(self.now);
                self.wait(due.saturating_duration_since(self.now))?;
                self.process_events()?;
            }
        }
        ensure(false, "everything comes to its end", || {
            format!("{:#?} {:#?}", self.driver.engine, self.server)
        })
    }

    fn is_done(&self) -> bool {
        self.server.is_open()
            && self.server.is_done()
            && !self.driver.has_output()
            && self.driver.engine.is_connected()
            && self.driver.engine.is_idle()
            && self.application.pending_outcomes() == 0
            // What nobody waits for any more is finished all the same, at its pace.
            && self.driver.wire.unfinished() == 0
    }

    fn check_end(&mut self) -> Checked {
        self.driver.check_persisted(self.now)?;
        // Identifiers stay of messages that the server's limits don't allow any more, and messages that
        // the pace holds back.
        let (count, _) = self.driver.engine.load();
        let reserved = self.driver.wire.reserved();
        ensure(
            count <= reserved || self.options.pace.is_some(),
            "a finished request leaves nothing",
            || format!("{count} requests, {reserved} identifiers"),
        )?;
        self.report.excess = self.server.excess;
        self.report.declined = self.application.declined;
        let session = self.server.session.as_ref();
        self.deliveries
            .check_end(session.map(|session| session.number), self.now)?;
        for (filter, believed) in &self.application.subscriptions {
            let real = session.is_some_and(|session| session.subscriptions.contains_key(*filter));
            ensure(
                believed.is_none_or(|believed| believed == real),
                "subscriptions are kept",
                || format!("{filter}: {believed:?}, in truth {real}"),
            )?;
        }
        Ok(())
    }
}

/// A message, a little more than the application ever sends.
const LARGEST_PACKET: usize = 512;
const MAX_FINAL_ROUNDS: usize = 5_000;

#[expect(
    clippy::disallowed_methods,
    reason = "an instant to count from; from there on time is virtual"
)]
fn start() -> Instant {
    Instant::now()
}
