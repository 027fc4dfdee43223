//! The measurements: which scenarios, with which server, and in which order.

use std::time::Duration;

use super::contestant::{Result, Target};
use super::machine;
use super::mosquitto::Mosquitto;
use super::null_server::{self, NullServer};
use super::report::{Figures, Group, Report, Row, Table};
use super::scenario::{Sample, Scenario, Span};
use super::turn::Turn;
use super::who::Entrant;
use super::{Options, goals};

/// Measures every scenario that `options` asks for.
///
/// # Errors
/// A text for the user if descriptors are too few or the null server doesn't start.
pub fn all(options: &Options) -> Result<Report> {
    if machine::allow_descriptors() < DESCRIPTORS {
        return Err(format!(
            "this needs {DESCRIPTORS} open descriptors: raise `ulimit -n`"
        ));
    }
    let entrants = Entrant::all(&options.earlier, options.websocket);
    let mut report = Report::default();
    let server = NullServer::start().map_err(|error| format!("the null server: {error}"))?;
    // With --tls, each scenario that has a twin with TLS would be measured twice.
    let twice = |scenario: Scenario| options.tls && scenario.has_tls_twin();
    let mut table = Table::new("null server", options.tls);
    for scenario in Scenario::ALL
        .into_iter()
        .filter(|scenario| options.wants(*scenario) && !twice(*scenario))
    {
        let target = server.target(options.tls || scenario.is_tls());
        table.groups.push(one(
            scenario,
            &entrants,
            &target,
            Some(&server),
            &mut report.notes,
        ));
    }
    report.goals = goals::of(&table);
    report.tables.push(table);

    // The same with a real server, for those scenarios in which the server makes a difference.
    let Some(mosquitto) = Mosquitto::start(options.tls) else {
        report
            .notes
            .push("mosquitto isn't installed, or doesn't start: no second table".to_owned());
        return Ok(report);
    };
    let mut table = Table::new("mosquitto", options.tls);
    let entrants: Vec<_> = (entrants.into_iter())
        .filter(|entrant| !entrant.websocket)
        .collect();
    for scenario in WITH_MOSQUITTO
        .into_iter()
        .filter(|scenario| options.wants(*scenario))
    {
        table.groups.push(one(
            scenario,
            &entrants,
            &mosquitto.target,
            None,
            &mut report.notes,
        ));
    }
    report.goals.extend(goals::of_slow_server(&table));
    report.tables.push(table);
    Ok(report)
}

/// Measures one scenario: every client's turn, one after another, and again; then the system calls.
///
/// `server` is the null server if `target` is one.
fn one(
    scenario: Scenario,
    entrants: &[Entrant],
    target: &Target,
    server: Option<&NullServer>,
    notes: &mut Vec<String>,
) -> Group {
    let turn = |entrant: &Entrant, span| Turn {
        who: entrant.who,
        scenario,
        target: match server {
            Some(server) if entrant.websocket => server.websocket_target(),
            _ => target.clone(),
        },
        span,
    };
    let mut samples: Vec<Result<Vec<Sample>>> = entrants.iter().map(|_| Ok(Vec::new())).collect();
    let rounds = if scenario.is_idle() { 1 } else { ROUNDS };
    for round in 1..=rounds {
        eprintln!("{}: round {round} of {rounds}", scenario.name());
        for (entrant, samples) in entrants.iter().zip(&mut samples) {
            // A client that failed once has no figures, so it takes no more turns.
            let Ok(earlier_rounds) = samples else {
                continue;
            };
            match take_checked(&turn(entrant, Span::Time(SPAN)), entrant, server) {
                Ok(sample) => earlier_rounds.push(sample),
                Err(reason) => *samples = Err(reason),
            }
        }
    }

    let mut rows = Vec::new();
    for (entrant, samples) in entrants.iter().zip(samples) {
        let figures = samples.map(|samples| {
            // Attaching to every idle connection takes long, and they are measured for memory.
            let traced = (!scenario.is_idle()).then(|| {
                turn(entrant, Span::Count(scenario.count_to_trace())).count_system_calls(entrant)
            });
            Figures::new(&samples, traced.and_then(Result::ok))
        });
        if let Err(reason) = &figures {
            notes.push(format!("{}, {}: {reason}", entrant.name(), scenario.name()));
        }
        rows.push(Row {
            name: entrant.name(),
            side: entrant.side(),
            figures: figures.ok(),
        });
    }
    let mut group = Group { scenario, rows };
    group.compare();
    group
}

/// Takes a turn, and compares the messages sent with those that the null server has read.
///
/// # Errors
/// A text for the user if the turn failed or a message is missing.
fn take_checked(turn: &Turn, entrant: &Entrant, server: Option<&NullServer>) -> Result<Sample> {
    let published = || match server {
        Some(server) => null_server::published(&server.address).map_err(|error| error.to_string()),
        None => Ok(0),
    };
    let before = published()?;
    let sample = turn.take(entrant)?;
    let (arrived, sent) = (published()? - before, sample.done + sample.others);
    if server.is_some() && turn.scenario.publishes() && arrived != sent {
        return Err(format!("of {sent} messages {arrived} arrived"));
    }
    Ok(sample)
}

/// Rounds of which the median is reported; memory doesn't vary, so one round is enough for it.
const ROUNDS: usize = 3;
/// Length of a turn.
const SPAN: Duration = Duration::from_millis(300);
/// Descriptors for a thousand connections and the program's own files.
const DESCRIPTORS: u64 = 1100;
/// The scenarios with mosquitto; what a connection costs doesn't depend on the server.
const WITH_MOSQUITTO: [Scenario; 7] = [
    Scenario::Publish0,
    Scenario::Publish1,
    Scenario::Publish2,
    Scenario::Receive0,
    Scenario::Receive1,
    Scenario::OneByOne,
    Scenario::Connect,
];
