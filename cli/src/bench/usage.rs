//! `ProcessUsage`: CPU time and memory of a process, where the system tells them.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// CPU time and memory of a process until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ProcessUsage {
    /// User and system time; seconds in JSON.
    #[serde(rename = "cpu_s", with = "self")]
    pub(super) cpu: Duration,
    /// Resident memory now, in KiB.
    pub(super) resident_kib: u64,
    /// Largest resident memory so far, in KiB.
    pub(super) peak_kib: u64,
}

impl ProcessUsage {
    /// Usage of process `pid`; `None` without `/proc`, or if there is no such process.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold spaces and parentheses itself.
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

    /// Usage of this process.
    pub(super) fn of_this() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Usage of two processes together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            resident_kib: self.resident_kib.saturating_add(other.resident_kib),
            peak_kib: self.peak_kib.saturating_add(other.peak_kib),
        }
    }
}

/// Unit of CPU time in `/proc`, on every platform that has it.
const TICKS_PER_SECOND: f64 = 100.0;

fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}
