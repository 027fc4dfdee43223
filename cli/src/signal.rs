//! SIGINT, SIGTERM and SIGHUP: the first one asks for a clean end, a later one ends the process at
//! once.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::process_group;

/// Signal of the user to stop; once received it stays received.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal {
    stop: watch::Receiver<Option<Exit>>,
}

impl StopSignal {
    /// Installs handlers for the signals of the process.
    ///
    /// # Errors
    /// The system refuses a handler.
    #[expect(
        clippy::disallowed_methods,
        reason = "tells a second signal from one signal that arrives twice"
    )]
    pub(crate) fn install() -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (sender, stop) = watch::channel(None);
        tokio::spawn(async move {
            let first = signals.next().await;
            let at = Instant::now();
            // Kept even if nobody waits yet; `received` then returns at once.
            sender.send_replace(Some(first));
            loop {
                let again = signals.next().await;
                // timeout(1) and npm send a signal to the process and again to its group.
                if at.elapsed() >= SAME_SIGNAL {
                    // Programs of the user are in groups of their own, which no signal of the
                    // terminal reaches.
                    process_group::kill_all();
                    std::process::exit(i32::from(again.code()));
                }
            }
        });
        Ok(Self { stop })
    }

    /// Waits for the first signal and returns its exit code; ready at once if it came before.
    ///
    /// Cancel safe.
    pub(crate) async fn received(&mut self) -> Exit {
        match self.stop.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            _ => pending().await,
        }
    }
}

/// A repetition within this time is the same signal.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` if SIGHUP was ignored when the program started, as under nohup(1): it stays ignored.
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        // Read before a handler is installed, because a handler ends the ignoring.
        let hang_up = if ignores_hang_up() {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    async fn next(&mut self) -> Exit {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = hang_up => Exit::HungUp,
        }
    }
}

/// True if the process ignores SIGHUP (1), by its mask of ignored signals. False where the system
/// has no `/proc`.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, 1))
}

/// True if the text of `/proc/PID/status` says that the signal is ignored.
#[cfg(unix)]
fn ignores(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 of the mask is signal 1.
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Exit {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Exit::Interrupted,
            Err(_) => pending().await,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_the_mask() {
        let status =
            "Name:\tdunlin\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t00\n";
        assert!(ignores(status, 1));
        assert!(!ignores(status, 2));
        assert!(ignores(status, 13));
        assert!(!ignores("", 1));
    }
}
