//! Faults of a run: connections end, processes end, another client takes the session over.

use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::engine::Engine;
use dunlin_client::{CleanStart, RequestError, StopCause};

use super::driver::Driver;
use super::network::Network;
use super::server::codes;
use super::simulation::Simulation;
use super::violation::Checked;

impl Simulation {
    /// Ends the connection: cut, or closed by the server with or without DISCONNECT.
    pub(super) fn end_connection(&mut self) {
        match self.choices.below(4) {
            0 | 1 => {
                self.transcript.say(format_args!("the network is cut"));
                self.network.as_mut().into_iter().for_each(Network::cut);
            }
            2 => {
                let legal = codes(PacketType::Disconnect);
                let code = self.choices.pick(&legal).unwrap_or_default();
                self.server.disconnects(code, &mut self.transcript);
            }
            _ => {
                self.transcript.say(format_args!("server hangs up"));
                self.server.closes(self.now);
                self.network
                    .as_mut()
                    .into_iter()
                    .for_each(|network| network.down.close());
            }
        }
    }

    /// Injects one of the rarer faults.
    pub(super) fn inject_rare_fault(&mut self) -> Checked {
        match self.choices.below(12) {
            9 | 10 => self.restart_with_store()?,
            6 | 7 => self.restart_with_session()?,
            8 => {
                let (engine, deliveries) = (&mut self.driver.engine, &mut self.deliveries);
                self.application
                    .abandons(engine, deliveries, &mut self.choices);
            }
            0 => {
                self.transcript.say(format_args!("client disconnects"));
                self.driver.engine.disconnect();
            }
            1 => {
                self.transcript
                    .say(format_args!("server crashes, and keeps its session"));
                self.server.closes(self.now);
                self.network.as_mut().into_iter().for_each(Network::cut);
            }
            2 => {
                self.transcript
                    .say(format_args!("server crashes, and loses its session"));
                self.server.closes(self.now);
                self.server.lose_session();
                self.network.as_mut().into_iter().for_each(Network::cut);
            }
            3 => self.restart_without_session(),
            4 => self.take_session_over(),
            _ => self.wait(Duration::from_secs(4000)).map(drop)?,
        }
        Ok(())
    }

    /// The client's engine ends, and another one goes on with its session.
    fn restart_with_session(&mut self) -> Checked {
        self.transcript
            .say(format_args!("client's session moves to another engine"));
        self.network = None;
        self.server.closes(self.now);
        self.deliveries.clock.stop(self.now);
        self.application.move_session(&mut self.deliveries);
        self.driver.discard_output();
        // The time of the connection ends now, for the engine as for the checks.
        self.driver.engine.set_now(self.now);
        let session = if self.choices.one_in(2) {
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
            .move_session(self.options.clone(), session, self.now)
    }

    /// The client's process ends and another one begins, which knows what was written down.
    fn restart_with_store(&mut self) -> Checked {
        self.transcript.say(format_args!(
            "client's process ends; the next one goes on with what was kept"
        ));
        self.network = None;
        self.server.closes(self.now);
        self.deliveries.clock.stop(self.now);
        self.application.move_session(&mut self.deliveries);
        self.application.drop_receipts(&mut self.deliveries);
        self.driver
            .restart_from_store(self.options.clone(), self.now, &mut self.transcript)
    }

    /// The client's process ends and another one begins, which knows nothing.
    fn restart_without_session(&mut self) {
        self.transcript.say(format_args!(
            "client's process ends; the next one knows nothing"
        ));
        self.network = None;
        self.server.closes(self.now);
        self.server.process += 1;
        self.options.clean_start = if self.choices.one_in(2) {
            CleanStart::Never
        } else {
            CleanStart::First
        };
        self.driver = Driver::new(self.options.clone(), self.now);
        self.application.restart_empty();
        self.deliveries.clock.stop(self.now);
        self.deliveries.process_lost();
    }

    /// Another client connects with this client identifier, with or without Clean Start, and leaves again.
    fn take_session_over(&mut self) {
        self.transcript
            .say(format_args!("somebody else connects as this client"));
        self.server
            .disconnects(ReasonCode::SessionTakenOver, &mut self.transcript);
        if self.choices.one_in(2) {
            self.server.lose_session();
        }
    }
}
