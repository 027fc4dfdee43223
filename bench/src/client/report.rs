//! Results of the measurements; `to_json` writes them for programs.

use std::time::Duration;

use serde::Serialize;

use super::scenario::{Sample, Scenario};

/// All of it.
#[derive(Default, Serialize)]
pub struct Report {
    pub tables: Vec<Table>,
    pub goals: Vec<Goal>,
    /// Why a figure is missing.
    pub notes: Vec<String>,
}

/// All scenarios with one server.
#[derive(Serialize)]
pub struct Table {
    pub server: &'static str,
    pub tls: bool,
    pub groups: Vec<Group>,
}

#[derive(Serialize)]
pub struct Group {
    pub scenario: Scenario,
    pub rows: Vec<Row>,
}

#[derive(Serialize)]
pub struct Row {
    pub name: String,
    pub side: Side,
    pub figures: Option<Figures>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Side {
    Ours,
    /// Dunlin in an earlier build of this program.
    Earlier,
    /// Dunlin over WebSocket, beside itself without.
    WebSocket,
    Peer,
    Limit,
}

/// Medians of the rounds; by message, or by connection where the scenario is about connections.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub per_second: f64,
    /// User and system time of the client's process: the figure that counts.
    pub cpu_us: f64,
    pub user_us: f64,
    pub system_us: f64,
    /// The best peer's CPU time divided by this one's: above 1 is less than every peer's.
    pub ratio: Option<f64>,
    pub system_calls: Option<f64>,
    pub context_switches: f64,
    pub peak_mib: f64,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub memory_each_kib: Option<f64>,
}

/// Figure that Dunlin's client is to reach.
#[derive(Serialize)]
pub struct Goal {
    pub name: &'static str,
    pub goal: &'static str,
    pub found: String,
    /// `None` if it can't be told.
    pub reached: Option<bool>,
}

impl Report {
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers")
    }
}

impl Table {
    pub const fn new(server: &'static str, tls: bool) -> Self {
        Self {
            server,
            tls,
            groups: Vec::new(),
        }
    }

    pub fn group(&self, scenario: Scenario) -> Option<&Group> {
        self.groups.iter().find(|group| group.scenario == scenario)
    }
}

impl Group {
    /// Fills in the ratios.
    pub fn compare(&mut self) {
        let Some(best) = self.best_peer() else { return };
        for row in &mut self.rows {
            if let Some(figures) = &mut row.figures {
                figures.ratio = Some(best / figures.cpu_us);
            }
        }
    }

    /// The least CPU time of all peers.
    pub fn best_peer(&self) -> Option<f64> {
        self.figures(Side::Peer)
            .map(|figures| figures.cpu_us)
            .min_by(f64::total_cmp)
    }

    pub fn ours(&self) -> Option<&Figures> {
        self.figures(Side::Ours).next()
    }

    pub fn limit(&self) -> Option<&Figures> {
        self.figures(Side::Limit).next()
    }

    fn figures(&self, side: Side) -> impl Iterator<Item = &Figures> {
        self.rows
            .iter()
            .filter(move |row| row.side == side)
            .filter_map(|row| row.figures.as_ref())
    }
}

impl Figures {
    pub fn new(samples: &[Sample], system_calls: Option<f64>) -> Self {
        let median = |figure: &dyn Fn(&Sample) -> f64| {
            let mut figures: Vec<f64> = samples.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        let each =
            |figure: &dyn Fn(&Sample) -> f64| median(&|sample| figure(sample) / sample.done as f64);
        let time = |figure: fn(&Sample) -> Option<Duration>| {
            samples
                .iter()
                .any(|sample| figure(sample).is_some())
                .then(|| median(&|sample: &Sample| micros(figure(sample).unwrap_or_default())))
        };
        Self {
            per_second: median(&|sample| sample.done as f64 / sample.elapsed.as_secs_f64()),
            cpu_us: each(&|sample| micros(sample.usage.user + sample.usage.system)),
            user_us: each(&|sample| micros(sample.usage.user)),
            system_us: each(&|sample| micros(sample.usage.system)),
            ratio: None,
            system_calls,
            context_switches: each(&|sample| sample.usage.context_switches as f64),
            peak_mib: median(&|sample| sample.peak_memory as f64 / 1024.0),
            p50_us: time(|sample| sample.p50),
            p99_us: time(|sample| sample.p99),
            memory_each_kib: samples
                .iter()
                .any(|sample| sample.memory_each.is_some())
                .then(|| median(&|sample| sample.memory_each.unwrap_or_default())),
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
