//! The watchdog: a small process that outlives the sandbox long enough to end the processes of its
//! Lambdas.
//!
//! The sandbox tells it each process group over a pipe, `+ID` when one begins and `-ID` when one
//! has ended. However the sandbox ends, SIGKILL included, the pipe closes then, and the watchdog
//! kills the groups that are left.

use std::io;

#[cfg(unix)]
pub use unix::watch_process_groups;
#[cfg(unix)]
pub(crate) use unix::{Watchdog, Watched};

/// Does nothing: there are no process groups on this system.
#[cfg(not(unix))]
pub use other::watch_process_groups;
/// Where there are no process groups, there is nothing to watch.
#[cfg(not(unix))]
pub(crate) use other::{Watchdog, Watched};

#[cfg(unix)]
mod unix {
    use std::collections::BTreeSet;
    use std::ffi::OsString;
    use std::path::Path;
    use std::process::Stdio;
    use std::sync::Arc;

    use rustix::process::{Pid, Signal, kill_process_group};
    use tokio::net::unix::pipe::Sender;
    use tokio::process::Command;

    use super::io;

    /// The sandbox's end of the pipe.
    #[derive(Debug, Clone)]
    pub(crate) struct Watchdog(Arc<Sender>);

    /// A process group that the watchdog knows, until this is dropped.
    #[derive(Debug)]
    pub(crate) struct Watched {
        watchdog: Watchdog,
        group: u32,
    }

    impl Watchdog {
        /// Starts the watchdog: a program that calls [`watch_process_groups`] with its standard
        /// input.
        pub(crate) fn start(program: &Path, arguments: &[OsString]) -> io::Result<Self> {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // Out of the terminal's group: Ctrl-C is for the sandbox.
                .process_group(0)
                .spawn()?;
            let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(Self(Arc::new(Sender::from_owned_fd(
                pipe.into_owned_fd()?,
            )?)))
        }

        /// Tells it of a process group.
        pub(crate) fn watch(&self, group: u32) -> Watched {
            self.tell('+', group);
            Watched {
                watchdog: self.clone(),
                group,
            }
        }

        fn tell(&self, change: char, group: u32) {
            // So short a write is whole or fails, and it fails only if the watchdog is gone or
            // reads nothing.
            let _ = self.0.try_write(format!("{change}{group}\n").as_bytes());
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            self.watchdog.tell('-', self.group);
        }
    }

    /// The watchdog itself: reads process groups from `input` until it ends, then kills those that
    /// are left.
    ///
    /// For programs that use this crate as a library: run this with standard input in a process of
    /// its own, and name that program to `SandboxBuilder::watchdog`.
    pub fn watch_process_groups(input: impl io::BufRead) {
        let mut groups = BTreeSet::new();
        for line in input.lines() {
            let Ok(line) = line else { break };
            match line
                .split_at_checked(1)
                .map(|(change, group)| (change, group.parse::<i32>()))
            {
                Some(("+", Ok(group))) => drop(groups.insert(group)),
                Some(("-", Ok(group))) => drop(groups.remove(&group)),
                _ => {}
            }
        }
        for group in groups.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::ffi::OsString;
    use std::path::Path;

    use super::io;

    #[derive(Debug, Clone)]
    pub(crate) struct Watchdog;

    #[derive(Debug)]
    pub(crate) struct Watched;

    impl Watchdog {
        pub(crate) fn start(_: &Path, _: &[OsString]) -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn watch(&self, _: u32) -> Watched {
            Watched
        }
    }

    /// Does nothing: there are no process groups on this system.
    pub fn watch_process_groups(_: impl io::BufRead) {}
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    #[test]
    fn the_groups_that_are_left_are_killed_and_no_others() {
        let sleep = || {
            Command::new("sleep")
                .arg("600")
                .process_group(0)
                .spawn()
                .expect("the program sleep")
        };
        let (mut left, mut gone) = (sleep(), sleep());
        let told = format!(
            "+{}\n+{}\nnonsense\n\n-{}\n",
            left.id(),
            gone.id(),
            gone.id()
        );
        watch_process_groups(told.as_bytes());
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert!(gone.try_wait().unwrap().is_none(), "it still runs");
        gone.kill().unwrap();
        gone.wait().unwrap();
    }
}
