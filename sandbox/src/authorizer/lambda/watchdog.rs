//! The watchdog: a small process that outlives the sandbox long enough to end the processes of its
//! Lambdas.
//!
//! The sandbox writes each process group to a pipe, `+ID` when one begins and `-ID` when one has
//! ended. When the sandbox ends, even by SIGKILL, the pipe closes, and the watchdog kills the groups
//! that are left. A process that left its group by `setsid` isn't in any of them.

use std::io;

#[cfg(unix)]
pub use unix::watch_process_groups;
#[cfg(unix)]
pub(crate) use unix::{Watchdog, Watched};

/// Does nothing: there are no process groups on this system.
#[cfg(not(unix))]
pub use other::watch_process_groups;
/// Stand-in on systems without process groups.
#[cfg(not(unix))]
pub(crate) use other::{Watchdog, Watched};

#[cfg(unix)]
mod unix {
    use std::collections::{BTreeSet, VecDeque};
    use std::ffi::OsString;
    use std::path::Path;
    use std::process::Stdio;
    use std::sync::{Arc, Mutex, PoisonError};

    use rustix::process::{Pid, Signal, kill_process_group};
    use tokio::net::unix::pipe::Sender;
    use tokio::process::Command;

    use super::io;

    /// The sandbox's end of the pipe.
    #[derive(Debug, Clone)]
    pub(crate) struct Watchdog(Arc<Pipe>);

    /// The pipe, and the lines that it had no space for.
    #[derive(Debug)]
    struct Pipe {
        sender: Sender,
        unsent: Mutex<VecDeque<Change>>,
    }

    /// A process group that begins or ends: `+ID` or `-ID` on a line of the pipe.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Change {
        Begins(u32),
        Ends(u32),
    }

    /// A process group that the watchdog knows, until this is dropped.
    #[derive(Debug)]
    pub(crate) struct Watched {
        watchdog: Watchdog,
        group: u32,
    }

    impl Watchdog {
        /// Starts the watchdog: a program that calls [`watch_process_groups`] with its standard
        /// input.
        ///
        /// # Errors
        /// The error of the system if the program doesn't start or the pipe can't be used.
        pub(crate) async fn start(program: &Path, arguments: &[OsString]) -> io::Result<Self> {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // Out of the terminal's group: Ctrl-C is for the sandbox.
                .process_group(0)
                .spawn()?;
            let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
            Self::new(Sender::from_owned_fd(pipe.into_owned_fd()?)?).await
        }

        pub(super) async fn new(sender: Sender) -> io::Result<Self> {
            // The runtime doesn't try to write before it knows that there is space.
            sender.writable().await?;
            let unsent = Mutex::default();
            Ok(Self(Arc::new(Pipe { sender, unsent })))
        }

        /// Tells the watchdog of a process group.
        pub(crate) fn watch(&self, group: u32) -> Watched {
            self.tell(Change::Begins(group));
            Watched {
                watchdog: self.clone(),
                group,
            }
        }

        /// Sends a change, and before it those that didn't fit into the pipe earlier.
        fn tell(&self, change: Change) {
            let Pipe { sender, unsent } = &*self.0;
            let mut unsent = unsent.lock().unwrap_or_else(PoisonError::into_inner);
            add(&mut unsent, change);
            while let Some(change) = unsent.front() {
                // So short a write is complete or fails.
                match sender.try_write(change.line().as_bytes()) {
                    Ok(_) => drop(unsent.pop_front()),
                    // The pipe is full: the watchdog reads nothing at the moment.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    // The watchdog is gone.
                    Err(_) => return unsent.clear(),
                }
            }
        }
    }

    /// Adds a change to those that wait. A group that ended before the watchdog was told of it is
    /// left out, so that no more wait than there are groups.
    pub(super) fn add(unsent: &mut VecDeque<Change>, change: Change) {
        // Begin and end of one group cancel out while both are unsent.
        let begins = match change {
            Change::Ends(group) => {
                let begin = Change::Begins(group);
                unsent.iter().position(|waiting| *waiting == begin)
            }
            Change::Begins(_) => None,
        };
        match begins {
            Some(index) => drop(unsent.remove(index)),
            None => unsent.push_back(change),
        }
    }

    impl Change {
        fn line(self) -> String {
            match self {
                Self::Begins(group) => format!("+{group}\n"),
                Self::Ends(group) => format!("-{group}\n"),
            }
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            self.watchdog.tell(Change::Ends(self.group));
        }
    }

    /// The watchdog itself: reads process groups from `input` until it ends, then kills those that
    /// are left.
    ///
    /// For programs that use this crate as a library: run this with standard input in a process of
    /// its own, and name that program in `SandboxOptions::watchdog`.
    ///
    /// ```no_run
    /// // All that the program of `SandboxOptions::watchdog` does.
    /// dunlin_sandbox::watch_process_groups(std::io::stdin().lock());
    /// ```
    pub fn watch_process_groups(input: impl io::BufRead) {
        let mut groups = BTreeSet::new();
        for line in input.lines() {
            let Ok(line) = line else { break };
            // Lines that aren't understood are skipped: the groups on the others must be tracked
            // all the same.
            match line
                .split_at_checked(1)
                .map(|(change, group)| (change, group.parse::<i32>()))
            {
                Some(("+", Ok(group))) => drop(groups.insert(group)),
                Some(("-", Ok(group))) => drop(groups.remove(&group)),
                _ => {}
            }
        }
        // The input has ended: the sandbox is gone, and nobody else ends these groups.
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
        pub(crate) async fn start(_: &Path, _: &[OsString]) -> io::Result<Self> {
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
    use std::collections::VecDeque;
    use std::io::Read as _;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    use tokio::net::unix::pipe::Sender;

    use super::unix::{Change, add};

    #[tokio::test]
    async fn messages_to_the_watchdog_that_a_full_pipe_refuses_are_sent_later() {
        let (mut reader, writer) = io::pipe().unwrap();
        let watchdog = Watchdog::new(Sender::from_owned_fd(writer.into()).unwrap());
        let watchdog = watchdog.await.unwrap();
        // Nobody reads: the pipe takes 64 KiB.
        let groups: Vec<Watched> = (1..=20_000).map(|group| watchdog.watch(group)).collect();
        let mut told = vec![0; 64 * 1024];
        let read = reader.read(&mut told).unwrap();
        told.truncate(read);

        // From here on there is space, which the runtime learns when it parks: the next change
        // takes the earlier ones along.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let last = watchdog.watch(20_001);
        let keep_open = (groups, last, watchdog);
        let expected: String = (1..=20_001).map(|group| format!("+{group}\n")).collect();
        while told.len() < expected.len() {
            let mut more = vec![0; 64 * 1024];
            let read = reader.read(&mut more).unwrap();
            told.extend_from_slice(&more[..read]);
        }
        assert_eq!(String::from_utf8(told).unwrap(), expected);
        core::mem::forget(keep_open);
    }

    #[test]
    fn a_group_that_ended_before_it_was_told_is_left_out() {
        let mut unsent = VecDeque::from([Change::Begins(1), Change::Begins(2)]);
        add(&mut unsent, Change::Ends(1));
        add(&mut unsent, Change::Ends(3));
        assert_eq!(unsent, [Change::Begins(2), Change::Ends(3)]);
    }

    #[test]
    fn the_watchdog_kills_the_remaining_process_groups_and_no_others() {
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
