//! From the verb that was typed to the code that does it.

use std::io;

use crate::args::{InspectVerb, OutputArgs, SampleArgs, Sources, Typed, Verb};
use crate::config::{SampleConfig, Script};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::{self, Console};
use crate::{auth, bench, demo, inspect, log, sample, sandbox};

/// Runs the verb and prints the error that ended it.
pub(crate) fn run(typed: Typed) -> Exit {
    let Typed { line, sources } = typed;
    let console = console(line.verb.as_ref().map_or(Some(&line.sample.output), output));
    let outcome = match line.verb {
        None => play(line.sample, Script::Either, &sources, console),
        Some(Verb::Sample(typed)) => play(typed, Script::Either, &sources, console),
        Some(Verb::Unsigned(typed)) => play(typed, Script::Unsigned, &sources, console),
        Some(Verb::Signed(typed)) => play(typed, Script::Signed, &sources, console),
        Some(Verb::Demo(_)) => block_on(demo::run(console)),
        Some(Verb::Sandbox(typed)) => block_on(sandbox::run(typed, console)),
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
    block_on(async {
        let stop = StopSignal::install()?;
        sample::run(config, console, stop).await
    })
}

fn output(verb: &Verb) -> Option<&OutputArgs> {
    match verb {
        Verb::Sample(typed) | Verb::Unsigned(typed) | Verb::Signed(typed) => Some(&typed.output),
        Verb::Demo(typed) => Some(&typed.output),
        Verb::Sandbox(typed) => Some(&typed.output),
        Verb::Bench(verb) => verb.output(),
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
