//! The clients side by side: the command and its options.

pub mod contestant;
pub mod dunlin;
pub mod flood;
mod goals;
mod machine;
mod measure;
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
mod websocket;
mod who;
pub mod wire;

use std::env;
use std::io;
use std::path::{self, PathBuf};
use std::process::{Command, ExitCode, Stdio};

pub use null_server::NullServer;
use scenario::Scenario;
use turn::Turn;

/// Options of the command line.
#[derive(Default)]
struct Options {
    json: bool,
    tls: bool,
    /// Dunlin's client over WebSocket takes part too, beside all others over TLS.
    websocket: bool,
    /// Text that the names of the measured scenarios contain; `None` for all scenarios.
    only: Option<String>,
    /// Earlier builds of this benchmark, whose Dunlin takes part too.
    earlier: Vec<PathBuf>,
}

/// Runs the command, or the part of it that this process was started for.
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
                "--wss" => (options.tls, options.websocket) = (true, true),
                "--beside" => options
                    .earlier
                    .push(path::absolute(arguments.next()?).ok()?),
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

/// Builds this program with paho and runs it; `None` if this program has paho or it can't be
/// built.
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
    // The build replaces this program's file, so its path is looked up before.
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
    let report = match measure::all(options) {
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
