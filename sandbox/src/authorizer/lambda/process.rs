//! A process of a Lambda, in a process group of its own that is killed with it.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::authorizer::lambda::watchdog::{Watchdog, Watched};

/// One process. Dropped, its whole group is killed: what it started doesn't outlive it, however it
/// ended.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    has_ended: bool,
    /// Process group; `None` once it was killed.
    #[cfg(unix)]
    group: Option<u32>,
    /// Dropped after the process: it is in the watchdog's list for at least as long as it lives.
    _watched: Option<Watched>,
}

impl Process {
    pub(super) fn spawn(command: &mut Command, watchdog: Option<&Watchdog>) -> io::Result<Self> {
        command.kill_on_drop(true);
        // A group of its own, so that what it starts can be killed with it.
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        // The leader's process id is the id of its group.
        let group = child.id();
        let watched = group.and_then(|group| Some(watchdog?.watch(group)));
        Ok(Self {
            child,
            has_ended: false,
            #[cfg(unix)]
            group,
            _watched: watched,
        })
    }

    /// Takes the pipes, each `None` if there is none or it was taken already.
    pub(super) fn take_pipes(
        &mut self,
    ) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (
            self.child.stdin.take(),
            self.child.stdout.take(),
            self.child.stderr.take(),
        )
    }

    /// Waits for its end. Cancel safe.
    ///
    /// Drop it soon after: its group is killed by a number that the system may give to another
    /// group later.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.has_ended = status.is_ok();
        status
    }

    /// Returns whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        if !self.has_ended {
            self.has_ended = !matches!(self.child.try_wait(), Ok(None));
        }
        self.has_ended
    }

    /// Kills it and what it started, and takes its exit status, so that no zombie stays.
    pub(super) async fn kill(&mut self) {
        // The group first: the children would otherwise outlive their parent.
        self.kill_group();
        self.has_ended = timeout(REAPING, self.child.wait()).await.is_ok();
    }

    /// Kills the process, unless it has ended, and what it started.
    pub(super) fn kill_group(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self
            .group
            .take()
            .and_then(|group| i32::try_from(group).ok())
            && let Some(group) = rustix::process::Pid::from_raw(group)
        {
            // It fails if nobody is left.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // The process itself as well, for systems without groups.
        if !self.has_ended {
            let _ = self.child.start_kill();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // tokio reaps what is dropped while it runs.
        self.kill_group();
    }
}

/// A killed process ends at once.
const REAPING: Duration = Duration::from_secs(1);
