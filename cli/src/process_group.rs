//! `ProcessGroup`: a program of the user, together with the processes that it starts.
//!
//! On Unix the program leads a process group of its own, so that its children end with it. Other
//! systems have no such groups: there the program is killed alone.

use std::io;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Running program. Dropped, all processes of the group are killed.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    pub(crate) child: Child,
    #[cfg(unix)]
    registered: Option<unix::Registered>,
}

impl ProcessGroup {
    /// Starts the program.
    ///
    /// # Errors
    /// The error of the system, such as a program that isn't found.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        command.kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        Ok(Self {
            #[cfg(unix)]
            registered: unix::Registered::of(&child),
            child,
        })
    }

    /// Leaves the children of a program alone that was waited for.
    pub(crate) fn release(self) {
        #[cfg(unix)]
        {
            let mut group = self;
            drop(group.registered.take());
        }
    }

    /// Asks the group to end (SIGTERM), and kills what is left after [`GRACE`].
    pub(crate) async fn terminate(mut self) {
        #[cfg(unix)]
        if let Some(registered) = &self.registered {
            registered.terminate();
            // Without an end in time the program is killed below, as are children that outlive it.
            let _ = timeout(GRACE, self.child.wait()).await;
        }
        self.kill();
        // Taken, so that no zombie stays; a killed process ends at once.
        let _ = timeout(GRACE, self.child.wait()).await;
    }

    /// Kills the group (SIGKILL).
    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(registered) = self.registered.take() {
            registered.kill();
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(registered) = self.registered.take() {
            registered.kill();
        }
    }
}

/// Kills the groups that run, before the process exits without dropping them. On systems without
/// process groups it does nothing.
pub(crate) fn kill_all() {
    #[cfg(unix)]
    unix::kill_all();
}

/// Time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(unix)]
mod unix {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::process::{Pid, Signal, kill_process_group};
    use tokio::process::Child;

    /// Process group in the list of those that run.
    #[derive(Debug)]
    pub(super) struct Registered(Pid);

    /// Groups that run; a handler of signals has no other way to reach them.
    static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

    impl Registered {
        /// Group that `child` leads; `None` if the child has been waited for.
        pub(super) fn of(child: &Child) -> Option<Self> {
            let group = Pid::from_raw(i32::try_from(child.id()?).ok()?)?;
            running().push(group);
            Some(Self(group))
        }

        pub(super) fn terminate(&self) {
            // An error means that nobody is left.
            let _ = kill_process_group(self.0, Signal::TERM);
        }

        pub(super) fn kill(self) {
            let _ = kill_process_group(self.0, Signal::KILL);
        }
    }

    impl Drop for Registered {
        fn drop(&mut self) {
            running().retain(|group| *group != self.0);
        }
    }

    pub(super) fn kill_all() {
        for group in running().iter() {
            let _ = kill_process_group(*group, Signal::KILL);
        }
    }

    fn running() -> MutexGuard<'static, Vec<Pid>> {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[tokio::test]
    async fn groups_that_run_are_killed_before_an_exit() {
        let mut command = Command::new("sleep");
        let mut group = ProcessGroup::spawn(command.arg("600")).unwrap();
        kill_all();
        assert_eq!(group.child.wait().await.unwrap().signal(), Some(9));
    }
}
