//! CPU time of work: all contestants take turns, for many rounds.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 41;
const TURN: Duration = Duration::from_micros(1500);

/// Work that can be repeated.
pub trait Work {
    /// Prepares what one run consumes. Neither timed nor counted.
    fn prepare(&mut self);
    /// Runs the work once.
    fn run(&mut self);
    /// Number of packets of one run.
    fn packets(&self) -> u32;
}

/// CPU time in nanoseconds per packet.
#[derive(Clone, Copy)]
pub struct Timing {
    /// The fastest turn.
    pub min: f64,
    /// The turn in the middle.
    pub median: f64,
}

/// Times all of `works` in turns, so that a disturbance of the machine hits all of them.
pub fn time(works: &mut [Box<dyn Work>]) -> Vec<Timing> {
    let clock = clock_cost();
    let mut turns = vec![Vec::with_capacity(ROUNDS); works.len()];
    for round in 0..=ROUNDS {
        for (work, turns) in works.iter_mut().zip(&mut turns) {
            let nanoseconds = turn(work.as_mut(), clock);
            // The first round warms up.
            if round > 0 {
                turns.push(nanoseconds);
            }
        }
    }
    turns.into_iter().map(summary).collect()
}

fn turn(work: &mut dyn Work, clock: Duration) -> f64 {
    let (mut spent, mut packets) = (Duration::ZERO, 0.0);
    while spent < TURN {
        work.prepare();
        let start = cpu_time();
        work.run();
        spent += (cpu_time() - start).saturating_sub(clock);
        packets += f64::from(work.packets());
    }
    spent.as_secs_f64() * 1e9 / packets
}

/// CPU time of this thread: what other processes do meanwhile doesn't count.
pub fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .expect("every Unix has this clock")
}

/// Returns the least CPU time between two readings of the clock.
fn clock_cost() -> Duration {
    (0..1000)
        .map(|_| {
            let start = cpu_time();
            cpu_time() - start
        })
        .min()
        .unwrap_or_default()
}

fn summary(mut turns: Vec<f64>) -> Timing {
    turns.sort_by(f64::total_cmp);
    Timing {
        min: turns[0],
        median: turns[turns.len() / 2],
    }
}
