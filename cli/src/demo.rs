//! `dunlin demo`: a sandbox and both samples in one process, without an AWS account.

use std::ffi::OsString;

use dunlin_codec::Excerpt;
use dunlin_sandbox::{EventLog, Sandbox, SandboxOptions};

use crate::args::{self, Verb};
use crate::config::{SampleConfig, Script};
use crate::diagnosis::{Diagnosis, folder, shell};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sample;
use crate::sandbox;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Runs the unsigned and then the signed sample against a sandbox, and removes everything again.
///
/// # Errors
/// [`Failure::Diagnosed`] if the sandbox can't start or a sample fails; [`Failure::Local`] if
/// standard output can't be written.
pub(crate) async fn run(console: Console) -> Result<Exit, Failure> {
    let stop = StopSignal::install()?;
    let state = folder::temporary()?;
    let options = SandboxOptions {
        port: 0,
        state_dir: Some(state.path().into()),
        log: EventLog::new(move |line| console.note(format_args!("  [sandbox] {line}"))),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.map_err(|error| {
        folder::temporary_state(&error).unwrap_or_else(|| sandbox::not_started(&error))
    })?;
    console.note("demo: a sandbox, a local stand-in for AWS IoT Core, runs in this process. No AWS account is involved.");
    // The sandbox stops whatever the outcome of the samples is.
    let exit = run_samples(&sandbox, console, stop).await;
    sandbox.stop().await;
    if matches!(exit, Ok(Exit::Done)) {
        console.note(NEXT);
    }
    exit
}

/// Runs both samples; the exit code of the first one that did not succeed.
async fn run_samples(
    sandbox: &Sandbox,
    console: Console,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let signature = sandbox
        .sign(TOKEN)
        .map_err(|error| Diagnosis::usage(error.to_string()))?;
    let unsigned = [
        "--authorizer_name",
        "DemoUnsigned",
        "--auth_username",
        "demo",
        "--auth_password",
        "demo",
    ];
    let signed = [
        "--authorizer_name",
        "DemoSigned",
        "--auth_token_key_name",
        "tok",
        "--auth_token_key_value",
        TOKEN,
        "--auth_signature",
        &signature,
    ];
    for (script, flags) in [
        (Script::Unsigned, &unsigned[..]),
        (Script::Signed, &signed[..]),
    ] {
        // Show the command before it runs, as it could be typed.
        let line = command_line(sandbox, script, flags);
        let shown: Vec<String> = line
            .iter()
            .map(|word| Excerpt::new(&shell(&word.to_string_lossy()), LONGEST_WORD).to_string())
            .collect();
        console.note(format_args!("\n$ {}", shown.join(" ")));
        let config = configure(line, script)?;
        match sample::run(config, console, stop.clone()).await? {
            Exit::Done => {}
            stopped => return Ok(stopped),
        }
    }
    Ok(Exit::Done)
}

/// Command line for a sandbox in another terminal.
fn command_line(sandbox: &Sandbox, script: Script, flags: &[&str]) -> Vec<OsString> {
    let verb = if script == Script::Signed {
        "signed"
    } else {
        "unsigned"
    };
    // Port and CA as flags: another terminal can't find this sandbox, whose folder is temporary.
    let port = sandbox.port().to_string();
    let mut line: Vec<OsString> = [
        "dunlin",
        verb,
        "--endpoint",
        sandbox.endpoint(),
        "--port",
        &port,
        "--ca",
    ]
    .map(OsString::from)
    .into();
    line.push(sandbox.ca_path().into());
    line.extend(
        flags
            .iter()
            .chain(&["--count", "3", "--interval", "200ms"])
            .map(OsString::from),
    );
    line
}

/// Parses the command line and checks it, as the tool would.
fn configure(line: Vec<OsString>, script: Script) -> Result<SampleConfig, Diagnosis> {
    let typed = args::parse(line).map_err(|error| Diagnosis::usage(error.to_string()))?;
    let Some(Verb::Unsigned(sample) | Verb::Signed(sample)) = typed.line.verb else {
        return Err(Diagnosis::usage("the demo can't be set up"));
    };
    // Nobody needs a warning about the secrets of a demonstration.
    SampleConfig::new(sample, script, &typed.sources, Console { quiet: true })
}

const TOKEN: &str = "hello";
/// Characters of an argument that are shown: a signature is longer.
const LONGEST_WORD: usize = 60;
const NEXT: &str = "
demo: both samples ran. Next:
  dunlin sandbox        a sandbox that stays; it prints what to type in another terminal
  dunlin --help         the flags for your own endpoint and authorizer";
