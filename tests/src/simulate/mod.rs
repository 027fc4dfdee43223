//! A simulator: the engine against a model server, over a network that delays, cuts and loses, in
//! virtual time.
//!
//! A run is made of choices, and the choices come from a seed or from a fuzzer's bytes: the same
//! source gives the same run. Each packet of the engine is checked when it is sent, each guarantee
//! when it is due.

mod application;
mod auth_method;
pub mod checks;
mod choices;
mod configuration;
mod driver;
mod faults;
mod network;
mod server;
mod simulation;
mod store_model;
mod transcript;
mod violation;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::choices::Choices;
use self::simulation::Simulation;
use self::transcript::Transcript;
use self::violation::Violation;

/// Counts of the events in one run, or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Runs.
    pub runs: u64,
    /// Random steps before the final phase.
    pub steps: usize,
    /// Network connections that were opened.
    pub attempts: u64,
    /// Connections that the server accepted.
    pub connections: u64,
    /// Connections that resumed a session.
    pub resumed: u64,
    /// Re-authentications that succeeded.
    pub reauthenticated: u64,
    /// Messages that the client accepted, by QoS.
    pub published: [u64; 3],
    /// Messages that the application had no memory for.
    pub declined: u64,
    /// Messages that the application got, by QoS.
    pub received: [u64; 3],
    /// Messages that the client refused because they were wrong in themselves.
    pub refused: u64,
    /// Messages that the server sent above the client's Receive Maximum when it resumed a session.
    pub excess: u64,
}

/// A run that broke a rule.
#[derive(Debug)]
pub struct Failure {
    /// The rule; of a panic, what it said.
    pub violation: Violation,
    /// Events that led to the violation, one a line.
    pub transcript: String,
}

/// The run of a seed.
///
/// # Errors
/// The rule that was broken, and how it came to that.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    run_and_tell(&|| Choices::of_seed(seed))
}

/// The run of a fuzzer's bytes.
///
/// # Errors
/// The violated rule and its transcript, like [`run`].
pub fn run_bytes(bytes: &[u8]) -> Result<Report, Box<Failure>> {
    run_and_tell(&|| Choices::of_bytes(bytes))
}

/// The run of a seed once more: everything that happened in it, and how it ended.
pub fn replay(seed: u64) -> (String, Result<Report, Violation>) {
    run_once(Choices::of_seed(seed), Transcript::kept())
}

fn run_and_tell(choices: &dyn Fn() -> Choices) -> Result<Report, Box<Failure>> {
    let (_, result) = run_once(choices(), Transcript::default());
    result.map_err(|violation| {
        let (transcript, _) = run_once(choices(), Transcript::kept());
        Box::new(Failure {
            violation,
            transcript,
        })
    })
}

fn run_once(choices: Choices, transcript: Transcript) -> (String, Result<Report, Violation>) {
    let mut simulation = Simulation::new(choices, transcript);
    let result = catch_unwind(AssertUnwindSafe(|| simulation.run()));
    let checked = result.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        Err(Violation::new("nothing panics", said.unwrap_or_default()))
    });
    let report = simulation.report;
    (simulation.transcript.into_text(), checked.map(|()| report))
}

impl Report {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: [u64; 3], b: [u64; 3]| std::array::from_fn(|qos| a[qos] + b[qos]);
        Self {
            runs: self.runs + other.runs,
            steps: self.steps + other.steps,
            attempts: self.attempts + other.attempts,
            connections: self.connections + other.connections,
            resumed: self.resumed + other.resumed,
            reauthenticated: self.reauthenticated + other.reauthenticated,
            published: sum(self.published, other.published),
            received: sum(self.received, other.received),
            declined: self.declined + other.declined,
            refused: self.refused + other.refused,
            excess: self.excess + other.excess,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.transcript, self.violation)
    }
}
