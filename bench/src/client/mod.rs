//! The clients side by side: who takes part, in which order, and where the figures come from.

pub mod contestant;
pub mod dunlin;
pub mod flood;
mod goals;
mod machine;
mod mosquitto;
pub mod null_server;
#[cfg(feature = "peers")]
mod peers;
pub mod raw;
mod report;
mod scenario;
mod table;
mod tls;
mod turn;
pub mod wire;

use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, path::PathBuf};

use serde::{Deserialize, Serialize};

use contestant::{Result, Target};
use mosquitto::Mosquitto;
pub use null_server::NullServer;
use report::{Figures, Group, Report, Row, Side, Table};
use scenario::{Sample, Scenario, Span};
use turn::Turn;

/// Everyone that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    Dunlin,
    #[cfg(feature = "peers")]
    Rumqttc,
    #[cfg(feature = "peers")]
    Gneiss,
    #[cfg(feature = "peers")]
    Mqtt5,
    #[cfg(feature = "paho")]
    Paho,
    Raw,
}

/// Options of the command line.
#[derive(Default)]
struct Options {
    json: bool,
    tls: bool,
    /// Only scenarios whose name contains it.
    only: Option<String>,
}

/// Runs the command, or a role of it in another process.
pub fn main(arguments: &[&str]) -> ExitCode {
    match *arguments {
        [null_server::ROLE] => ended(null_server::run()),
        [mosquitto::FLOODER, port] => ended(mosquitto::flood(port.parse().unwrap_or(0))),
        [turn::ROLE, turn] => Turn::take_here(turn),
        _ => match Options::parse(arguments) {
            None => crate::usage(),
            Some(options) => match with_paho(arguments) {
                Some(code) => code,
                None => measure(&options),
            },
        },
    }
}

fn ended(result: io::Result<()>) -> ExitCode {
    if let Err(error) = result {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

impl Options {
    fn parse(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--json" => options.json = true,
                "--tls" => options.tls = true,
                "--only" => options.only = Some((*arguments.next()?).to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }

    fn wants(&self, scenario: Scenario) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| scenario.name().contains(only.as_str()))
    }
}

/// Builds this program with paho and runs it, if paho can be built and isn't part of this one.
fn with_paho(arguments: &[&str]) -> Option<ExitCode> {
    let has = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let buildable = || has("cmake", &["--version"]) && has("pkg-config", &["--exists", "openssl"]);
    if !cfg!(feature = "peers") || cfg!(feature = "paho") || !buildable() {
        return None;
    }
    // It takes the place of this file.
    let program = env::current_exe().ok()?;
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut build = Command::new("cargo");
    build
        .args(["build", "--features", "paho", "--manifest-path"])
        .arg(manifest);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if !build.status().is_ok_and(|status| status.success()) {
        eprintln!("paho-mqtt can't be built here and is left out");
        return None;
    }
    let status = Command::new(program)
        .arg("client")
        .args(arguments)
        .status()
        .ok()?;
    Some(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn measure(options: &Options) -> ExitCode {
    let report = match measure_all(options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if options.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    ExitCode::SUCCESS
}

fn measure_all(options: &Options) -> Result<Report> {
    if machine::allow_descriptors() < DESCRIPTORS {
        return Err(format!(
            "this needs {DESCRIPTORS} open descriptors: raise `ulimit -n`"
        ));
    }
    let mut report = Report::default();
    let server = NullServer::start().map_err(|error| format!("the null server: {error}"))?;
    let mut table = Table::new("null server", options.tls);
    let twice = |scenario: Scenario| options.tls && scenario.has_tls_twin();
    for scenario in Scenario::ALL
        .into_iter()
        .filter(|scenario| options.wants(*scenario) && !twice(*scenario))
    {
        let target = server.target(options.tls || scenario.is_tls());
        let group = measure_one(scenario, &target, Some(&server), &mut report.notes);
        table.groups.push(group);
    }
    report.goals = goals::of(&table);
    report.tables.push(table);
    match Mosquitto::start(options.tls) {
        None => report
            .notes
            .push("mosquitto isn't installed, or doesn't come up: no second table".to_owned()),
        Some(mosquitto) => {
            let mut table = Table::new("mosquitto", options.tls);
            for scenario in WITH_MOSQUITTO
                .into_iter()
                .filter(|scenario| options.wants(*scenario))
            {
                table.groups.push(measure_one(
                    scenario,
                    &mosquitto.target,
                    None,
                    &mut report.notes,
                ));
            }
            report.tables.push(table);
        }
    }
    Ok(report)
}

/// Everybody's turns at one scenario, one after another, and again; then the system calls.
fn measure_one(
    scenario: Scenario,
    target: &Target,
    server: Option<&NullServer>,
    notes: &mut Vec<String>,
) -> Group {
    let mut all: Vec<(Who, Result<Vec<Sample>>)> = Who::all()
        .into_iter()
        .map(|who| (who, Ok(Vec::new())))
        .collect();
    let rounds = if scenario.is_idle() { 1 } else { ROUNDS };
    for round in 1..=rounds {
        eprintln!("{}: round {round} of {rounds}", scenario.name());
        for (who, samples) in &mut all {
            let Ok(so_far) = samples else { continue };
            let turn = Turn {
                who: *who,
                scenario,
                target: target.clone(),
                span: Span::Time(SPAN),
            };
            match take_checked(&turn, server) {
                Ok(sample) => so_far.push(sample),
                Err(reason) => *samples = Err(reason),
            }
        }
    }
    let rows = all.into_iter().map(|(who, samples)| {
        let turn = |span| Turn {
            who,
            scenario,
            target: target.clone(),
            span,
        };
        let figures = samples.map(|samples| {
            // Nobody else is asked for memory alone, and attaching to all of that takes long.
            let traced = (!scenario.is_idle() && server.is_some())
                .then(|| turn(Span::Count(scenario.count_to_trace())).count_system_calls());
            Figures::new(&samples, traced.and_then(Result::ok))
        });
        match figures {
            Ok(figures) => Row {
                name: who.name(),
                side: who.side(),
                figures: Some(figures),
            },
            Err(reason) => {
                notes.push(format!("{}, {}: {reason}", who.name(), scenario.name()));
                Row {
                    name: who.name(),
                    side: who.side(),
                    figures: None,
                }
            }
        }
    });
    let mut group = Group {
        scenario,
        rows: rows.collect(),
    };
    group.compare();
    group
}

/// A turn of which the null server has read every message.
fn take_checked(turn: &Turn, server: Option<&NullServer>) -> Result<Sample> {
    let published = || match server {
        Some(server) => null_server::published(&server.address).map_err(|error| error.to_string()),
        None => Ok(0),
    };
    let before = published()?;
    let sample = turn.take()?;
    let (arrived, sent) = (published()? - before, sample.done + sample.others);
    if server.is_some() && turn.scenario.publishes() && arrived != sent {
        return Err(format!("of {sent} messages {arrived} arrived"));
    }
    Ok(sample)
}

impl Who {
    fn all() -> Vec<Self> {
        vec![
            Self::Dunlin,
            #[cfg(feature = "peers")]
            Self::Rumqttc,
            #[cfg(feature = "peers")]
            Self::Gneiss,
            #[cfg(feature = "peers")]
            Self::Mqtt5,
            #[cfg(feature = "paho")]
            Self::Paho,
            Self::Raw,
        ]
    }

    /// With the version that was built.
    fn name(self) -> String {
        let package = match self {
            Self::Dunlin => "dunlin-client",
            #[cfg(feature = "peers")]
            Self::Rumqttc => "rumqttc",
            #[cfg(feature = "peers")]
            Self::Gneiss => "gneiss-mqtt",
            #[cfg(feature = "peers")]
            Self::Mqtt5 => "mqtt5",
            #[cfg(feature = "paho")]
            Self::Paho => "paho-mqtt",
            Self::Raw => return "limit: raw tokio".to_owned(),
        };
        let name = format!("name = \"{package}\"\nversion = \"");
        let version = LOCK
            .split_once(&name)
            .and_then(|(_, rest)| rest.split_once('"'));
        format!("{package} {}", version.map_or("", |(version, _)| version))
    }

    const fn side(self) -> Side {
        match self {
            Self::Dunlin => Side::Ours,
            Self::Raw => Side::Limit,
            #[cfg(feature = "peers")]
            _ => Side::Peer,
        }
    }
}

const LOCK: &str = include_str!("../../Cargo.lock");
/// Memory is the same every time, so once is enough for it.
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_millis(300);
/// A thousand connections, and some.
const DESCRIPTORS: u64 = 1100;
/// A real server answers the same; what it costs to be connected is told by the other table.
const WITH_MOSQUITTO: [Scenario; 7] = [
    Scenario::Publish0,
    Scenario::Publish1,
    Scenario::Publish2,
    Scenario::Receive0,
    Scenario::Receive1,
    Scenario::OneByOne,
    Scenario::Connect,
];
