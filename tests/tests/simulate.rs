//! The engine against the model server, two thousand times; `cargo run --release --bin simulate`
//! does more.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use dunlin_tests::simulate::{self, Report};

#[test]
fn two_thousand_runs_break_no_rule() {
    let halves = [0..1_000, 1_000..2_000].map(|seeds| std::thread::spawn(|| run_all(seeds)));
    let reports = halves.map(|half| {
        half.join()
            .unwrap_or_else(|failure| std::panic::resume_unwind(failure))
    });
    let [one, other] = reports;
    let total = one.and(other);
    // A run in which nothing happens shows nothing.
    assert!(
        total.resumed > 500 && total.published.iter().all(|count| *count > 5_000),
        "{total:?}"
    );
    assert!(total.refused > 300 && total.excess > 200, "{total:?}");
    assert!(total.declined > 50, "{total:?}");
    assert!(
        total.received.iter().all(|count| *count > 500) && total.reauthenticated > 10,
        "{total:?}"
    );
}

fn run_all(seeds: std::ops::Range<u64>) -> Report {
    seeds.fold(Report::default(), |total, seed| match simulate::run(seed) {
        Ok(report) => total.and(report),
        Err(failure) => panic!("{failure}\nseed {seed}"),
    })
}
