//! Runs the verb of the command line.

use std::ffi::OsString;
use std::io;

use crate::args::{InspectVerb, OutputArgs, ProfileVerb, SampleArgs, Sources, Typed, Verb};
use crate::client_run::dry_run;
use crate::config::{SampleConfig, Script};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::{self, Console};
use crate::{
    auth, bench, connect, demo, doctor, explain, inspect, log, manual, profile, publish, request,
    respond, sample, sandbox, subscribe,
};

/// Runs the verb and prints the error that ended it. `words` is the command line of `typed`.
pub(crate) fn run(typed: Typed, words: &[OsString]) -> Exit {
    // Flags that were not given may be in a profile.
    let Typed { line, sources } = match profile::apply(typed, words) {
        Ok(typed) => typed,
        Err(diagnosis) => {
            Console { quiet: false }.error(&diagnosis);
            return diagnosis.id.exit();
        }
    };
    let console = console(line.verb.as_ref().map_or(Some(&line.sample.output), output));
    // Without a verb it is the sample.
    let outcome = match line.verb {
        None => run_sample(line.sample, Script::Either, &sources, console),
        Some(Verb::Sample(typed)) => run_sample(typed, Script::Either, &sources, console),
        Some(Verb::Unsigned(typed)) => run_sample(typed, Script::Unsigned, &sources, console),
        Some(Verb::Signed(typed)) => run_sample(typed, Script::Signed, &sources, console),
        Some(Verb::Demo(_)) => block_on(demo::run(console)),
        Some(Verb::Connect(typed)) => connect::run(*typed, &sources, console),
        Some(Verb::Doctor(typed)) => doctor::run(*typed, &sources, console),
        Some(Verb::Pub(typed)) => publish::run(*typed, &sources, console),
        Some(Verb::Sub(typed)) => subscribe::run(*typed, &sources, console),
        Some(Verb::Request(typed)) => request::run(*typed, &sources, console),
        Some(Verb::Respond(typed)) => respond::run(*typed, &sources, console),
        Some(Verb::Sandbox(typed)) => block_on(sandbox::run(typed, console)),
        Some(Verb::Bench(verb)) => bench::run(verb, &sources, console),
        Some(Verb::Auth(verb)) => auth::run(verb, &sources, console),
        Some(Verb::Inspect(verb)) => inspect::run(verb, &sources, console),
        Some(Verb::Profile(verb)) => profile::run(verb, &sources, console),
        Some(Verb::Explain(typed)) => explain::print(&typed),
        Some(Verb::Completions(typed)) => manual::completions(&typed),
        Some(Verb::Man(typed)) => manual::man(&typed),
        Some(Verb::Help(typed)) => manual::help(&typed),
        Some(Verb::Version) => manual::version(),
        Some(Verb::LambdaWatchdog) => {
            dunlin_sandbox::watch_process_groups(io::stdin().lock());
            Ok(Exit::Done)
        }
    };
    // A failure that has no report of its own is printed here.
    match outcome {
        Ok(exit) => exit,
        Err(failure) => match failure.into_diagnosis() {
            Some(diagnosis) => {
                console.error(&diagnosis);
                diagnosis.id.exit()
            }
            None => Exit::Done,
        },
    }
}

/// Runs the sample with the requirements of a script.
fn run_sample(
    typed: SampleArgs,
    script: Script,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    let config = SampleConfig::new(typed, script, sources, console)?;
    if config.results.dry_run {
        let packets = config.packets()?;
        return dry_run::print(
            &config.client.connect,
            &config.context,
            config.results,
            &packets,
        );
    }
    block_on(async {
        let stop = StopSignal::install()?;
        sample::run(config, console, stop).await
    })
}

/// Flags for standard error; `None` for verbs without them.
fn output(verb: &Verb) -> Option<&OutputArgs> {
    match verb {
        Verb::Sample(typed) | Verb::Unsigned(typed) | Verb::Signed(typed) => Some(&typed.output),
        Verb::Demo(typed) => Some(&typed.output),
        Verb::Connect(typed) => Some(&typed.connection.output),
        Verb::Doctor(typed) => Some(&typed.connection.output),
        Verb::Pub(typed) => Some(&typed.connection.output),
        Verb::Sub(typed) => Some(&typed.connection.output),
        Verb::Request(typed) => Some(&typed.connection.output),
        Verb::Respond(typed) => Some(&typed.connection.output),
        Verb::Profile(ProfileVerb::Check(typed)) => Some(&typed.connection.output),
        Verb::Sandbox(typed) => Some(&typed.output),
        Verb::Bench(verb) => verb.output(),
        Verb::Inspect(InspectVerb::Proxy(typed)) => Some(&typed.output),
        Verb::Inspect(InspectVerb::Replay(typed)) => Some(&typed.output),
        Verb::Auth(_)
        | Verb::Inspect(InspectVerb::Decode(_))
        | Verb::Profile(_)
        | Verb::Explain(_)
        | Verb::Completions(_)
        | Verb::Man(_)
        | Verb::Help(_)
        | Verb::Version
        | Verb::LambdaWatchdog => None,
    }
}

/// Sets up colour and logging.
fn console(typed: Option<&OutputArgs>) -> Console {
    let Some(typed) = typed else {
        return Console { quiet: false };
    };
    terminal::set_color(typed.color);
    log::init(typed.verbose);
    Console { quiet: typed.quiet }
}
