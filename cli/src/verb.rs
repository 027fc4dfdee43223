//! From the verb that was typed to the code that does it.

use std::io;

use crate::args::{InspectVerb, OutputArgs, SampleArgs, Sources, Typed, Verb};
use crate::config::{SampleConfig, Script};
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::signal::StopSignal;
use crate::terminal::{self, Console};
use crate::{auth, bench, demo, inspect, log, sample, sandbox};

/// What ends a run early.
#[derive(Debug)]
pub(crate) enum Failure {
    Diagnosed(Box<Diagnosis>),
    /// Local input or output, for which there is nothing to diagnose.
    Local(io::Error),
}

/// Does what was asked for, and tells what went wrong.
pub(crate) fn run(typed: Typed) -> Exit {
    let Typed { line, sources } = typed;
    let console = console(line.verb.as_ref().map_or(Some(&line.sample.output), output));
    let outcome = match line.verb {
        None => play(line.sample, Script::Either, &sources, console),
        Some(Verb::Sample(typed)) => play(typed, Script::Either, &sources, console),
        Some(Verb::Unsigned(typed)) => play(typed, Script::Unsigned, &sources, console),
        Some(Verb::Signed(typed)) => play(typed, Script::Signed, &sources, console),
        Some(Verb::Demo(_)) => in_runtime(demo::run(console)),
        Some(Verb::Sandbox(typed)) => in_runtime(sandbox::run(typed, console)),
        Some(Verb::Bench(verb)) => bench::run(verb, &sources, console),
        Some(Verb::Auth(verb)) => auth::run(verb, &sources, console),
        Some(Verb::Inspect(InspectVerb::Decode(typed))) => inspect::decode(typed),
        Some(Verb::LambdaWatchdog) => {
            dunlin_sandbox::watch_process_groups(io::stdin().lock());
            Ok(Exit::Done)
        }
    };
    match outcome {
        Ok(exit) => exit,
        Err(Failure::Diagnosed(diagnosis)) => {
            console.error(&diagnosis);
            diagnosis.id.exit()
        }
        // Whoever read our output has had enough.
        Err(Failure::Local(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(Failure::Local(error)) => {
            console.failure(&error);
            Exit::Internal
        }
    }
}

fn play(
    typed: SampleArgs,
    script: Script,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    let config = SampleConfig::new(typed, script, sources, console)?;
    in_runtime(async {
        let stop = StopSignal::install()?;
        sample::run(config, console, stop).await
    })
}

/// Two threads: one may wait for a slow reader of our output while the other answers the server.
pub(crate) fn in_runtime<T>(run: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(run);
    // Dropped, it would wait for a name that is still being resolved.
    runtime.shutdown_background();
    outcome
}

fn output(verb: &Verb) -> Option<&OutputArgs> {
    match verb {
        Verb::Sample(typed) | Verb::Unsigned(typed) | Verb::Signed(typed) => Some(&typed.output),
        Verb::Demo(typed) => Some(&typed.output),
        Verb::Sandbox(typed) => Some(&typed.output),
        Verb::Bench(verb) => Some(&verb.way().output),
        Verb::Auth(_) | Verb::Inspect(_) | Verb::LambdaWatchdog => None,
    }
}

fn console(typed: Option<&OutputArgs>) -> Console {
    let Some(typed) = typed else {
        return Console { quiet: false };
    };
    terminal::set_color(typed.color);
    log::init(typed.verbose);
    Console { quiet: typed.quiet }
}

impl From<Diagnosis> for Failure {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::Diagnosed(Box::new(diagnosis))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}
