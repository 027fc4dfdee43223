//! File descriptors: each connection needs one, and the system limits those of a process.

#[cfg(unix)]
pub(super) use self::limited::reserve;
#[cfg(not(unix))]
use crate::diagnosis::Diagnosis;

/// Does nothing: other systems have no such limit.
#[cfg(not(unix))]
pub(super) const fn reserve(_connections: u64) -> Result<(), Diagnosis> {
    Ok(())
}

#[cfg(unix)]
mod limited {
    use rustix::process::{Resource, getrlimit, setrlimit};

    use crate::diagnosis::{Diagnosis, Try};

    /// File descriptors of the runtime, the terminal and name resolution.
    const OTHERS: u64 = 64;

    /// Raises the soft limit of this process so that it can hold this many connections.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) if the system's hard limit is lower.
    pub(in super::super) fn reserve(connections: u64) -> Result<(), Diagnosis> {
        let needed = connections.saturating_add(OTHERS);
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current.is_none_or(|current| current >= needed) {
            return Ok(());
        }
        // A process may raise its soft limit up to the hard one without special rights.
        let most = limit.maximum.unwrap_or(u64::MAX);
        if most >= needed {
            limit.current = Some(needed);
            if setrlimit(Resource::Nofile, limit).is_ok() {
                return Ok(());
            }
        }
        Err(too_few(needed, most.min(limit.current.unwrap_or(most))))
    }

    /// Error with the command that raises the limit.
    fn too_few(needed: u64, allowed: u64) -> Diagnosis {
        Diagnosis {
            saw: Some(format!("this shell allows {allowed}")),
            try_: vec![
                Try::command(format!(
                    "ulimit -n {needed}        (in this shell; more than its hard limit needs root)"
                )),
                Try::advice("fewer --clients"),
            ],
            ..Diagnosis::usage(format!(
                "so many clients need {needed} file descriptors; nothing was sent"
            ))
        }
    }
}
