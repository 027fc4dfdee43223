//! `simulate`: runs many seeds, or one seed with its transcript.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dunlin_tests::simulate::{self, Failure, Report};

const USAGE: &str = "simulate [--seeds COUNT] [--from SEED]   runs them on all cores
simulate --seed SEED                     runs it and tells what happens";

enum Command {
    Seeds { from: u64, count: u64 },
    Replay(u64),
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Some(Command::Seeds { from, count }) => run(from, count),
        Some(Command::Replay(seed)) => replay(seed),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Command> {
    let (mut from, mut count) = (0, 2_000);
    while let Some(word) = words.next() {
        let number = words.next()?.parse().ok()?;
        match word.as_str() {
            "--seeds" => count = number,
            "--from" => from = number,
            "--seed" => return Some(Command::Replay(number)),
            _ => return None,
        }
    }
    Some(Command::Seeds { from, count })
}

fn run(from: u64, count: u64) -> ExitCode {
    // A panic is a violation like others, and is reported like them.
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(from);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| scope.spawn(|| work(&next, from + count)))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let total = results
        .iter()
        .map(|(report, _)| *report)
        .fold(Report::default(), Report::and);
    let mut failures: Vec<_> = results
        .into_iter()
        .flat_map(|(_, failures)| failures)
        .collect();
    failures.sort_by_key(|(seed, _)| *seed);
    if let Some((seed, failure)) = failures.first() {
        println!("{failure}\nseed {seed}: --seed {seed} shows it again");
    }
    for (seed, failure) in failures.iter().skip(1) {
        println!("seed {seed}: {}", failure.violation.rule);
    }
    print_report(total, failures.len());
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs seeds until there are no more, or enough have failed.
fn work(next: &AtomicU64, end: u64) -> (Report, Vec<(u64, Box<Failure>)>) {
    let (mut total, mut failures) = (Report::default(), Vec::new());
    while failures.len() < MOST_FAILURES {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        match simulate::run(seed) {
            Ok(report) => total = total.and(report),
            Err(failure) => failures.push((seed, failure)),
        }
    }
    (total, failures)
}

const MOST_FAILURES: usize = 10;

fn print_report(total: Report, violations: usize) {
    let by_qos = |counts: [u64; 3]| {
        format!(
            "QoS 0 {}, QoS 1 {}, QoS 2 {}",
            counts[0], counts[1], counts[2]
        )
    };
    println!("seeds: {}", total.runs);
    println!("steps: {}", total.steps);
    println!(
        "connections: {} of {} attempts, {} resumed",
        total.connections, total.attempts, total.resumed
    );
    println!("re-authentications: {}", total.reauthenticated);
    println!("published: {}", by_qos(total.published));
    println!("received: {}", by_qos(total.received));
    println!("messages declined: {}", total.declined);
    println!("faulty messages refused: {}", total.refused);
    println!(
        "messages above the Receive Maximum at resumption: {}",
        total.excess
    );
    println!("violations: {violations}");
}

fn replay(seed: u64) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let (transcript, result) = simulate::replay(seed);
    print!("{transcript}");
    match result {
        Ok(report) => {
            print_report(report, 0);
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}
