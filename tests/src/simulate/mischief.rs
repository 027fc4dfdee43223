//! What goes wrong in a run: connections end, processes end, somebody else comes.

use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::engine::Engine;
use dunlin_client::{CleanStart, RequestError, StopCause};

use super::checks::Checked;
use super::driver::Driver;
use super::link::Link;
use super::server::codes;
use super::world::World;

impl World {
    /// A connection ends in one of the ways in which connections end.
    pub(super) fn end_somehow(&mut self) {
        match self.chance.below(4) {
            0 | 1 => {
                self.transcript.say(format_args!("the network is cut"));
                self.link.as_mut().into_iter().for_each(Link::cut);
            }
            2 => {
                let legal = codes(PacketType::Disconnect);
                let code = self.chance.of(&legal).unwrap_or_default();
                self.server.disconnects(code, &mut self.transcript);
            }
            _ => {
                self.transcript.say(format_args!("server hangs up"));
                self.server.closes(self.now);
                self.link
                    .as_mut()
                    .into_iter()
                    .for_each(|link| link.down.close());
            }
        }
    }

    /// What seldom happens, and hurts.
    pub(super) fn something_rare(&mut self) -> Checked {
        match self.chance.below(12) {
            9 | 10 => self.restart_with_store()?,
            6 | 7 => self.restart_with_session()?,
            8 => {
                let (engine, promises) = (&mut self.driver.engine, &mut self.promises);
                self.application
                    .abandons(engine, promises, &mut self.chance);
            }
            0 => {
                self.transcript.say(format_args!("client disconnects"));
                self.driver.engine.disconnect();
            }
            1 => {
                self.transcript.say(format_args!(
                    "server crashes, and keeps what is written down"
                ));
                self.server.closes(self.now);
                self.link.as_mut().into_iter().for_each(Link::cut);
            }
            2 => {
                self.transcript
                    .say(format_args!("server crashes, and forgets everything"));
                self.server.closes(self.now);
                self.server.forgets();
                self.link.as_mut().into_iter().for_each(Link::cut);
            }
            3 => self.restart_without_session(),
            4 => self.is_taken_over(),
            _ => self.wait(Duration::from_secs(4000)).map(drop)?,
        }
        Ok(())
    }

    /// The client's engine ends, and another one goes on with its session.
    fn restart_with_session(&mut self) -> Checked {
        self.transcript
            .say(format_args!("client's session moves to another engine"));
        self.link = None;
        self.server.closes(self.now);
        self.promises.clock.stop(self.now);
        self.application.moves_on(&mut self.promises);
        self.driver.is_cut();
        let session = if self.chance.one_in(2) {
            let session = self
                .driver
                .engine
                .take_session(&RequestError::Stopped(StopCause::Requested));
            self.look()?;
            session
        } else {
            let empty = Engine::new(self.options.clone());
            std::mem::replace(&mut self.driver.engine, empty).into_session()
        };
        self.driver
            .moves_on(self.options.clone(), session, self.now)
    }

    /// The client's process ends and another one begins, which knows what was written down.
    fn restart_with_store(&mut self) -> Checked {
        self.transcript.say(format_args!(
            "client's process ends; the next one goes on with what was kept"
        ));
        self.link = None;
        self.server.closes(self.now);
        self.promises.clock.stop(self.now);
        self.application.moves_on(&mut self.promises);
        self.application.loses_receipts(&mut self.promises);
        self.driver
            .starts_again(self.options.clone(), self.now, &mut self.transcript)
    }

    /// The client's process ends and another one begins, which knows nothing.
    fn restart_without_session(&mut self) {
        self.transcript.say(format_args!(
            "client's process ends; the next one knows nothing"
        ));
        self.link = None;
        self.server.closes(self.now);
        self.server.process += 1;
        self.options.clean_start = if self.chance.one_in(2) {
            CleanStart::Never
        } else {
            CleanStart::First
        };
        self.driver = Driver::new(self.options.clone(), self.now);
        self.application.starts_over();
        self.promises.clock.stop(self.now);
        self.promises.process_lost();
    }

    /// Somebody else connects as this client, with or without a clean start, and leaves again.
    fn is_taken_over(&mut self) {
        self.transcript
            .say(format_args!("somebody else connects as this client"));
        self.server
            .disconnects(ReasonCode::SessionTakenOver, &mut self.transcript);
        if self.chance.one_in(2) {
            self.server.forgets();
        }
    }
}
