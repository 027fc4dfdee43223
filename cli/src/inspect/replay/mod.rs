//! `dunlin inspect replay`: the client's side of a capture, sent again, and the answers compared.

mod comparison;
mod player;
mod script;

use std::fs::File;
use std::io::{self, Write};

use serde::Serialize;

use self::comparison::Difference;
use self::player::Player;
use self::script::ReplayScript;
use super::upstream::Upstream;
use crate::args::{ReplayArgs, Sources};
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Sends the packets of a capture, and prints the differences of the answers.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags and files that can't be used, and a server that can't be reached;
/// [`Failure::Local`] if standard output can't be written.
pub(super) fn run(typed: ReplayArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let name = typed.file.display().to_string();
    let file = File::open(&typed.file)
        .map_err(|error| Diagnosis::usage(format!("{name} can't be read: {error}")))?;
    let script = ReplayScript::read(file, &name)?;
    let upstream = Upstream::new(typed.upstream, "inspect replay", sources, console)?;
    block_on(async {
        let mut stop = StopSignal::install()?;
        let player = Player::new(&script, &upstream, typed.fast, typed.timeout);
        let played = tokio::select! {
            played = player.play() => played?,
            exit = stop.received() => return Ok(exit),
        };
        let differences = comparison::differences(&script.answers, &played.answers);
        print(&differences, played.sent, &script, typed.json)?;
        Ok(if differences.is_empty() {
            Exit::Done
        } else {
            Exit::Denied
        })
    })
}

/// Prints each difference, then the totals.
fn print(
    differences: &[Difference],
    sent: u64,
    script: &ReplayScript,
    is_json: bool,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let expected = script.answers.len();
    for difference in differences {
        if is_json {
            let line = ReplayLine {
                v: 1,
                event: ReplayEvent::Difference(difference),
            };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            writeln!(out, "{difference}")?;
        }
    }
    let count = differences.len();
    if is_json {
        let line = ReplayLine {
            v: 1,
            event: ReplayEvent::Summary {
                connections: script.connections,
                sent,
                answers: expected,
                differences: count,
            },
        };
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
    } else {
        writeln!(
            out,
            "{sent} packets sent on {} connections; {expected} answers in the capture, {count} differences",
            script.connections
        )?;
    }
    out.flush()
}

#[derive(Serialize)]
struct ReplayLine<'a> {
    v: u8,
    #[serde(flatten)]
    event: ReplayEvent<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum ReplayEvent<'a> {
    Difference(&'a Difference),
    Summary {
        connections: u32,
        sent: u64,
        answers: usize,
        differences: usize,
    },
}
