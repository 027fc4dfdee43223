//! A connection is a file descriptor, and of those a process has only so many.

use crate::diagnosis::{Diagnosis, Try};

/// Makes room for so many connections, as far as the system lets us.
#[cfg(unix)]
pub(super) fn reserve(connections: u64) -> Result<(), Diagnosis> {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let needed = connections.saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(u64::MAX);
    if most >= needed {
        limit.current = Some(needed);
        if setrlimit(Resource::Nofile, limit).is_ok() {
            return Ok(());
        }
    }
    Err(too_few(needed, most.min(limit.current.unwrap_or(most))))
}

#[cfg(not(unix))]
pub(super) fn reserve(_: u64) -> Result<(), Diagnosis> {
    Ok(())
}

/// What the runtime, the terminal and name resolution hold.
const OTHERS: u64 = 64;

fn too_few(needed: u64, allowed: u64) -> Diagnosis {
    Diagnosis {
        saw: Some(format!("this shell allows {allowed}")),
        try_: vec![
            Try::command(format!(
                "ulimit -n {needed}        (in this shell; more than its hard limit needs root)"
            )),
            Try::advice("fewer --clients"),
        ],
        ..Diagnosis::usage(format!("so many clients need {needed} file descriptors; nothing was sent"))
    }
}
