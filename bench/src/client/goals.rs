//! The figures that Dunlin's client is to reach, compared with the best peer and the limit of the
//! same run.

use super::report::{Figures, Goal, Group, Table};
use super::scenario::Scenario;

/// A share of the best peer's CPU time, and a multiple of the limit's.
struct Share {
    scenario: Scenario,
    goal: &'static str,
    of_best_peer: f64,
    of_limit: f64,
}

const SHARES: [Share; 4] = [
    Share {
        scenario: Scenario::Publish0,
        goal: "CPU <= 1/10 of the best peer's",
        of_best_peer: 1.0 / 10.0,
        of_limit: f64::INFINITY,
    },
    Share {
        scenario: Scenario::Publish1,
        goal: "CPU <= 1/4 of the best peer's, <= 2.0 x raw tokio's",
        of_best_peer: 1.0 / 4.0,
        of_limit: 2.0,
    },
    Share {
        scenario: Scenario::Publish2,
        goal: "CPU <= 1/3.5 of the best peer's, <= 2.0 x raw tokio's",
        of_best_peer: 1.0 / 3.5,
        of_limit: 2.0,
    },
    Share {
        scenario: Scenario::Receive0,
        goal: "CPU <= 1/2.5 of the best peer's",
        of_best_peer: 1.0 / 2.5,
        of_limit: f64::INFINITY,
    },
];

/// Goal for a server that reads more slowly than Dunlin publishes, which mosquitto does.
pub fn of_slow_server(table: &Table) -> Option<Goal> {
    let group = table.group(Scenario::Publish0)?;
    let goal = "CPU <= 0.12 us (with mosquitto)";
    let Some(ours) = group.ours() else {
        return Some(unknown(group, goal));
    };
    let calls = ours
        .system_calls
        .map_or_else(String::new, |calls| format!(", {calls:.4} calls"));
    Some(Goal {
        name: group.scenario.name(),
        goal,
        found: format!("{:.3} us{calls}", ours.cpu_us),
        reached: Some(ours.cpu_us <= 0.12),
    })
}

/// Compares the figures of `table`, measured with the null server, with the goals.
pub fn of(table: &Table) -> Vec<Goal> {
    let mut goals: Vec<Goal> = SHARES
        .iter()
        .filter_map(|share| Some(share.judge(table.group(share.scenario)?)))
        .collect();
    goals.extend(table.group(Scenario::OneByOne).map(latency));
    goals.extend(table.group(Scenario::ConnectTls).map(connecting));
    for (scenario, goal, most) in [
        (Scenario::Idle, "<= 6 KiB each", 6.0),
        (Scenario::IdleTls, "<= 27 KiB each", 27.0),
    ] {
        goals.extend(table.group(scenario).map(|group| memory(group, goal, most)));
    }
    goals
}

impl Share {
    fn judge(&self, group: &Group) -> Goal {
        let Some(ours) = group.ours() else {
            return unknown(group, self.goal);
        };
        let of = |other: Option<f64>| other.map(|other| ours.cpu_us / other);
        let (peer, limit) = (
            of(group.best_peer()),
            of(group.limit().map(|limit| limit.cpu_us)),
        );
        let within = |found: Option<f64>, most: f64| match most.is_infinite() {
            true => Some(true),
            false => found.map(|found| found <= most),
        };
        let reached = within(peer, self.of_best_peer).zip(within(limit, self.of_limit));
        let share = peer.map_or_else(
            || "no peer".to_owned(),
            |peer| format!("1/{:.1} of the best peer's", 1.0 / peer),
        );
        let times = limit.map_or_else(
            || "no limit".to_owned(),
            |limit| format!("{limit:.2} x raw tokio's"),
        );
        Goal {
            name: group.scenario.name(),
            goal: self.goal,
            found: format!("{share}, {times}"),
            reached: reached.map(|(peer, limit)| peer && limit),
        }
    }
}

fn latency(group: &Group) -> Goal {
    let goal = "p50 <= 1.10 x raw tokio's";
    let p50 = |figures: Option<&Figures>| figures.and_then(|figures| figures.p50_us);
    let (Some(ours), Some(limit)) = (p50(group.ours()), p50(group.limit())) else {
        return unknown(group, goal);
    };
    let found = format!("{:.2} x raw tokio's", ours / limit);
    Goal {
        name: group.scenario.name(),
        goal,
        found,
        reached: Some(ours <= 1.10 * limit),
    }
}

fn connecting(group: &Group) -> Goal {
    let goal = "CPU reported (instructions: `-- instructions`)";
    let (Some(ours), Some(limit)) = (group.ours(), group.limit()) else {
        return unknown(group, goal);
    };
    let found = format!("{:.2} x raw tokio's", ours.cpu_us / limit.cpu_us);
    Goal {
        name: group.scenario.name(),
        goal,
        found,
        reached: None,
    }
}

fn memory(group: &Group, goal: &'static str, most: f64) -> Goal {
    let Some(each) = group.ours().and_then(|ours| ours.memory_each_kib) else {
        return unknown(group, goal);
    };
    let found = format!("{each:.1} KiB each");
    Goal {
        name: group.scenario.name(),
        goal,
        found,
        reached: Some(each <= most),
    }
}

fn unknown(group: &Group, goal: &'static str) -> Goal {
    Goal {
        name: group.scenario.name(),
        goal,
        found: "-".to_owned(),
        reached: None,
    }
}
