//! Duration of work: all contestants take turns, for many rounds.
#![expect(clippy::disallowed_methods, reason = "a clock is what this is about")]

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 41;
const TURN: Duration = Duration::from_micros(1500);

/// Something that can be done over and over.
pub trait Work {
    /// Makes ready what one run uses up. Neither timed nor counted.
    fn prepare(&mut self);
    /// Does it.
    fn run(&mut self);
    /// The packets of one run.
    fn packets(&self) -> u32;
}

/// Nanoseconds a packet.
#[derive(Clone, Copy)]
pub struct Timing {
    /// The best turn.
    pub min: f64,
    /// The turn in the middle.
    pub median: f64,
}

/// Times all of `works` in turns, so that what disturbs the machine disturbs them alike.
pub fn time(works: &mut [Box<dyn Work>]) -> Vec<Timing> {
    let clock = clock_reading();
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
        let start = Instant::now();
        work.run();
        spent += start.elapsed().saturating_sub(clock);
        packets += f64::from(work.packets());
    }
    spent.as_secs_f64() * 1e9 / packets
}

/// Measures the duration of reading the clock.
fn clock_reading() -> Duration {
    (0..1000)
        .map(|_| black_box(Instant::now()).elapsed())
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
