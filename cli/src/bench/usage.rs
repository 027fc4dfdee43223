//! What a process has cost: CPU time and memory, where the system tells.

use std::fs;
use std::time::Duration;

use serde::Serialize;

/// One process, now.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ProcessUsage {
    /// User and system.
    #[serde(rename = "cpu_s", serialize_with = "seconds")]
    pub(super) cpu: Duration,
    pub(super) resident_kib: u64,
    pub(super) peak_kib: u64,
}

impl ProcessUsage {
    /// Of process `pid`; `None` where there is no /proc, or no such process.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold spaces and parentheses.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields
            .split_whitespace()
            .skip(11)
            .map_while(|field| field.parse::<u64>().ok());
        let ticks = ticks.next()? + ticks.next()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            cpu: Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND),
            resident_kib: kib("VmRSS:")?,
            peak_kib: kib("VmHWM:")?,
        })
    }

    pub(super) fn of_this() -> Option<Self> {
        Self::of(std::process::id())
    }
}

/// What /proc counts in, on every platform that has it.
const TICKS_PER_SECOND: f64 = 100.0;

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
