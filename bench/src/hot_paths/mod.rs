//! Instructions of the hot paths of codec, engine and client, compared with a budget that is checked
//! in, so that a regression shows in review.

mod budget;
mod client;
mod codec;
mod engine;

use std::process::ExitCode;

use budget::{Budget, Verdict};

use crate::instructions;
use crate::timing::Work;

/// Work that is counted, with its name in the budget.
struct HotPath {
    name: &'static str,
    operations: u32,
    work: Box<dyn FnMut()>,
}

impl HotPath {
    fn new(name: &'static str, operations: u32, work: impl FnMut() + 'static) -> Self {
        Self {
            name,
            operations,
            work: Box::new(work),
        }
    }
}

impl Work for HotPath {
    fn prepare(&mut self) {}

    fn run(&mut self) {
        (self.work)();
    }

    fn packets(&self) -> u32 {
        self.operations
    }
}

/// Counts the instructions and compares them with the budget; with `renew` writes a new budget.
pub fn check(renew: bool) -> ExitCode {
    let Some(counts) = instructions::of_child("instructions") else {
        eprintln!("valgrind isn't installed, or a hot path failed under it");
        return ExitCode::FAILURE;
    };
    // Each path was counted several times; the least count has the least of chance in it.
    let counts: Vec<u64> = counts
        .chunks(TIMES)
        .map(|times| times.iter().copied().min().unwrap_or_default())
        .collect();
    let each: Vec<_> = all()
        .iter()
        .zip(counts)
        .map(|(path, count)| (path.name, count as f64 / f64::from(path.operations)))
        .collect();
    if renew {
        return match budget::write(&each) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // A path without a budget fails too, so that a new one is written.
    let budget = Budget::checked_in();
    println!(
        "{:<52}{:>14}{:>14}{:>9}",
        "instructions an operation", "counted", "budget", "change"
    );
    let mut exceeded = false;
    for (name, count) in each {
        let verdict = budget.judge(name, count);
        exceeded |= matches!(verdict, Verdict::Exceeded(_) | Verdict::Unknown);
        println!("{name:<52}{count:>14.1}{verdict}");
    }
    if exceeded {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs each, in the order of [`check`], inside the function that is counted.
pub fn run_each_once() {
    for mut path in all() {
        // The first run connects and allocates; it isn't counted.
        path.run();
        for _ in 0..TIMES {
            instructions::counted(&mut path);
        }
    }
}

/// Number of runs; the smallest count is used, as messages are distributed over reads by chance.
const TIMES: usize = 5;

fn all() -> Vec<HotPath> {
    let mut all = codec::hot_paths();
    all.extend(engine::hot_paths());
    all.extend(client::hot_paths());
    all
}
