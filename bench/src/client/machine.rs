//! Queries to the operating system: CPU core, limit of file descriptors, CPU time and memory.

use std::fs;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeVal;
use nix::unistd::{Pid, getppid};
use serde::{Deserialize, Serialize};

/// Pins this process to the first core that it may use, as clients are.
pub fn pin_client() {
    pin(0, 0);
}

/// Pins a process (0: this one) to the second core, if there is one, as servers are.
pub fn pin_server(process: i32) {
    pin(process, 1);
}

fn pin(process: i32, position: usize) {
    let process = Pid::from_raw(process);
    let Ok(allowed) = sched_getaffinity(process) else {
        return;
    };
    let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
    let Some(core) = cores.nth(position) else {
        return;
    };
    let mut only = CpuSet::new();
    if only.set(core).is_ok() {
        // Without the right to pin, the figures vary more but are still useful.
        let _ = sched_setaffinity(process, &only);
    }
}

/// Raises the limit of open descriptors to its maximum, and returns the limit.
pub fn allow_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 0;
    };
    if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        hard
    } else {
        soft
    }
}

/// Resources that this process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub user: Duration,
    pub system: Duration,
    /// Voluntary and involuntary context switches.
    pub context_switches: u64,
}

impl Usage {
    pub fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Self::default();
        };
        let switches = usage.voluntary_context_switches() + usage.involuntary_context_switches();
        Self {
            user: duration(usage.user_time()),
            system: duration(usage.system_time()),
            context_switches: u64::try_from(switches).unwrap_or(0),
        }
    }

    pub fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            context_switches: self.context_switches - before.context_switches,
        }
    }
}

fn duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// Peak of the resident memory of this program in KiB. (`ru_maxrss` begins with the peak of the
/// parent process.)
pub fn peak_memory() -> u64 {
    status("VmHWM:")
}

/// Resident memory of this program in KiB.
pub fn memory() -> u64 {
    status("VmRSS:")
}

fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// Makes a system call that no client makes; calls are counted between two of them.
pub fn mark() {
    getppid();
}

/// Name of the marker system call in the output of `strace`.
pub const MARK: &str = "getppid(";
