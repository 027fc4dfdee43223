//! One run: a client, a server and the network between them, each doing something at random, then a
//! calm in which everything has to come to its end.

use std::time::{Duration, Instant};

use dunlin_client::codec::QoS;
use dunlin_client::engine::{CloseCause, Ended, EngineEvent};
use dunlin_client::{ConnectOptions, ConnectionError};

use super::application::{Application, FILTERS};
use super::chance::Chance;
use super::checks::{Checked, Promises, ensure};
use super::driver::Driver;
use super::link::Link;
use super::server::Server;
use super::transcript::Transcript;
use super::{Report, setting};

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) chance: Chance,
    pub(super) now: Instant,
    pub(super) options: ConnectOptions,
    /// How much of everything happens before the calm.
    pub(super) steps: usize,
    /// How many bytes the network takes in one direction.
    pub(super) room: usize,
    pub(super) link: Option<Link>,
    pub(super) driver: Driver,
    pub(super) application: Application,
    pub(super) server: Server,
    pub(super) promises: Promises,
    pub(super) keep_alive: u16,
    /// Since the last connection.
    pub(super) attempts: usize,
    pub(super) transcript: Transcript,
    pub(super) report: Report,
}

impl World {
    pub(super) fn new(mut chance: Chance, transcript: Transcript) -> Self {
        let now = start();
        let options = setting::options(&mut chance);
        let habits = setting::habits(&mut chance);
        let declines_one_in = setting::declines_one_in(&mut chance);
        Self {
            now,
            steps: chance.between(20, 300),
            room: chance.of(&[1 << 20, 300, 40]).unwrap_or(1 << 20),
            link: None,
            driver: Driver::new(options.clone(), now),
            application: Application::new(declines_one_in),
            server: Server::new(habits),
            promises: Promises::new(&options),
            keep_alive: 0,
            attempts: 0,
            report: Report {
                runs: 1,
                ..Report::default()
            },
            options,
            chance,
            transcript,
        }
    }

    /// Runs to the end.
    pub(super) fn run(&mut self) -> Checked {
        for _ in 0..self.steps {
            if self.chance.is_over() {
                break;
            }
            self.report.steps += 1;
            self.transcript.at(self.report.steps);
            self.step()?;
            self.settle()?;
        }
        self.calm()
    }

    fn step(&mut self) -> Checked {
        match self.chance.below(67) {
            0..=9 => self.publish(),
            10..=13 => {
                self.driver.engine.set_now(self.now);
                let (engine, transcript) = (&mut self.driver.engine, &mut self.transcript);
                let (promises, now) = (&self.promises, self.now);
                self.application
                    .asks(engine, promises, now, &mut self.chance, transcript);
                Ok(())
            }
            14..=16 => self.take().map(drop),
            17..=19 => self.look(),
            20 => {
                let (engine, promises) = (&mut self.driver.engine, &mut self.promises);
                self.application
                    .drops_receipt(engine, promises, &mut self.chance);
                Ok(())
            }
            21..=29 => self.flow(true).map(drop),
            30..=38 => self.flow(false).map(drop),
            39..=45 => {
                self.server
                    .answers(self.now, &mut self.chance, &mut self.transcript);
                Ok(())
            }
            46..=49 => {
                self.server.sends(&mut self.chance, &mut self.transcript);
                Ok(())
            }
            50..=53 => {
                for _ in 0..self.chance.between(1, 8) {
                    self.server_takes_on();
                }
                Ok(())
            }
            54..=56 => {
                let longest = self.chance.of(&[1, 1, 10, 100]).unwrap_or(1);
                let seconds = self.chance.between(0, longest);
                self.wait(Duration::from_secs(seconds as u64)).map(drop)
            }
            57..=59 => {
                for _ in 0..self.chance.between(1, 4) {
                    self.exchange()?;
                }
                Ok(())
            }
            60 | 61 => self.open(),
            62 => {
                self.end_somehow();
                Ok(())
            }
            63 | 64 => self.reauthenticate(),
            65 => {
                let looks = self.chance.between(1, 3);
                self.transcript.say(format_args!("client's store is slow"));
                self.driver.store.delays(looks);
                Ok(())
            }
            _ => self.something_rare(),
        }
    }

    fn publish(&mut self) -> Checked {
        let published = self.application.publishes(
            &mut self.driver.engine,
            &mut self.promises,
            self.now,
            &mut self.chance,
            &mut self.transcript,
        )?;
        if let Some(qos) = published {
            self.report.published[usize::from(qos.level())] += 1;
        }
        Ok(())
    }

    pub(super) fn look(&mut self) -> Checked {
        let (engine, promises) = (&mut self.driver.engine, &mut self.promises);
        let reauthenticated = self.application.looks(
            engine,
            promises,
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
            .asks(engine, has_method, self.now, &mut self.transcript)
    }

    fn take(&mut self) -> Checked<bool> {
        let (engine, promises) = (&mut self.driver.engine, &mut self.promises);
        self.application
            .takes(engine, promises, &mut self.chance, &mut self.transcript)
    }

    fn server_takes_on(&mut self) {
        let qos = self
            .chance
            .of(&[QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce])
            .unwrap_or_default();
        let serial = self.promises.next_incoming();
        let taken_on = self.server.takes_on(serial, qos, &mut self.chance);
        if let (Some((qos, topic, is_faulty)), Some(session)) = (taken_on, &self.server.session) {
            let what = if is_faulty { "faulty " } else { "" };
            self.transcript.say(format_args!(
                "server takes on {what}{serial} at {qos} to {topic}"
            ));
            self.promises
                .taken_on(qos, topic, session.number, is_faulty);
        }
    }

    /// Some bytes move in one direction; whether any did.
    fn flow(&mut self, up: bool) -> Checked<bool> {
        let Some(link) = &mut self.link else {
            return Ok(false);
        };
        let most = if self.chance.one_in(2) {
            self.chance.between(1, 64)
        } else {
            usize::MAX
        };
        let (now, transcript) = (self.now, &mut self.transcript);
        if up {
            let wrote = self.driver.writes(link, most, now, transcript)?;
            Ok(self
                .server
                .hears(&mut link.up, most, &mut self.chance, transcript)?
                || wrote)
        } else {
            let spoke = self.server.speaks(&mut link.down, most);
            Ok(self.driver.reads(link, most, now, transcript)? || spoke)
        }
    }

    /// Everything that can move does, and the server answers once; whether anything happened.
    fn exchange(&mut self) -> Checked<bool> {
        let mut some = self.flow(true)?;
        some |= self
            .server
            .answers(self.now, &mut self.chance, &mut self.transcript);
        some |= self.server.sends(&mut self.chance, &mut self.transcript);
        some |= self.flow(false)?;
        self.settle()?;
        Ok(some)
    }

    pub(super) fn wait(&mut self, duration: Duration) -> Checked<bool> {
        self.transcript.say(format_args!("{duration:?} go by"));
        // The driver hasn't taken what the engine had until now.
        self.driver.progresses |= self.driver.engine.has_output();
        let link = self.link.as_mut();
        let some = self
            .driver
            .waits(&mut self.now, duration, link, &mut self.transcript)?;
        self.driver.check_keep_alive(self.keep_alive, self.now)?;
        self.driver.check_declining(self.now)?;
        Ok(some)
    }

    fn open(&mut self) -> Checked {
        if self.link.is_some() {
            return Ok(());
        }
        self.transcript.say(format_args!("client connects"));
        self.report.attempts += 1;
        self.attempts += 1;
        self.link = Some(Link::new(self.room));
        self.driver.opens(self.now)?;
        self.server.opens(self.now);
        Ok(())
    }

    /// What follows from what has happened: events, ends, and what must hold now.
    fn settle(&mut self) -> Checked {
        self.driver
            .written
            .drain(..)
            .for_each(|serial| self.promises.written(serial, self.now));
        let is_behind = self.driver.engine.has_output();
        if std::mem::take(&mut self.driver.progresses) || is_behind {
            self.promises.clock.progress(self.now);
        }
        for heard in self.server.heard.drain(..) {
            self.promises.heard(heard)?;
        }
        while let Some(event) = self.driver.engine.poll_event() {
            self.handle(event)?;
        }
        if self.server.wants_to_close() {
            self.server.closes(self.now);
            self.link
                .as_mut()
                .into_iter()
                .for_each(|link| link.down.close());
        }
        if let Some(link) = &mut self.link
            && let Some(cause) = self.driver.close_cause(link)
        {
            self.hang_up(cause)?;
        }
        self.driver.keeps(self.now);
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
    fn hang_up(&mut self, cause: CloseCause) -> Checked {
        let Some(mut link) = self.link.take() else {
            return Ok(());
        };
        self.promises.clock.stop(self.now);
        let ended = self.driver.closes(cause, self.now, &mut self.transcript)?;
        // Neither a faulty message nor a burst at resumption is one that a connection ends for.
        let is_violation = matches!(ended, Ended::Connection(ConnectionError::Protocol(_)));
        ensure(
            !is_violation,
            "no connection ends for what this server sends",
            || format!("{ended:?}"),
        )?;
        self.application.disconnected();
        link.up.close();
        let most = if self.chance.one_in(4) {
            self.chance.below(64)
        } else {
            usize::MAX
        };
        self.server
            .hears(&mut link.up, most, &mut self.chance, &mut self.transcript)?;
        for heard in self.server.heard.drain(..) {
            self.promises.heard(heard)?;
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
                    .promises
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
                let (engine, promises) = (&mut self.driver.engine, &mut self.promises);
                let told_at = (&self.options, self.now);
                self.application.receive_maximum = self.driver.receive_maximum;
                self.application
                    .hears(event, engine, promises, &mut self.chance, told_at)?;
                self.driver.expects_smaller_window(self.now);
            }
        }
        Ok(())
    }

    /// The server answers, the network holds, the application takes: everything comes to its end.
    fn calm(&mut self) -> Checked {
        self.transcript.say(format_args!("calm"));
        self.server.is_calm = true;
        self.driver.store.delays(0);
        self.application.declines_one_in = None;
        self.link.as_mut().into_iter().for_each(Link::cut);
        self.settle()?;
        for _ in 0..MOST_CALM_ROUNDS {
            self.open()?;
            let mut some = self.exchange()?;
            some |= self.take()?;
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
                    .filter(|_| self.link.is_some());
                let stuck = || {
                    format!(
                        "{} outcomes are awaited: {:?}",
                        self.application.waits_for(),
                        self.driver.engine
                    )
                };
                ensure(due.is_some(), "an engine with work wants to go on", stuck)?;
                let due = due.unwrap_or(self.now);
                self.wait(due.saturating_duration_since(self.now))?;
                self.settle()?;
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
            && self.application.waits_for() == 0
            // What nobody waits for any more is finished all the same, at its pace.
            && self.driver.wire.unfinished() == 0
    }

    fn check_end(&mut self) -> Checked {
        self.driver.check_kept(self.now)?;
        self.report.excess = self.server.excess;
        self.report.declined = self.application.declined;
        let session = self.server.session.as_ref();
        self.promises
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
const MOST_CALM_ROUNDS: usize = 5_000;

#[expect(
    clippy::disallowed_methods,
    reason = "an instant to count from; from there on time is virtual"
)]
fn start() -> Instant {
    Instant::now()
}
