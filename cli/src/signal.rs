//! Ctrl-C and SIGTERM: the first asks for a clean end, the second ends the process at once.

use std::future::pending;
use std::io;

use tokio::sync::watch;

use crate::exit::Exit;

/// Tells, once and for good, that the user wants to stop.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal {
    stop: watch::Receiver<Option<Exit>>,
}

impl StopSignal {
    /// Takes over the process's signals.
    pub(crate) fn install() -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (sender, stop) = watch::channel(None);
        tokio::spawn(async move {
            let first = signals.next().await;
            sender.send_replace(Some(first));
            let second = signals.next().await;
            std::process::exit(i32::from(second.code()));
        });
        Ok(Self { stop })
    }

    /// Waits for the signal; the exit code that it stands for.
    ///
    /// Cancel safe, and ready at once when the signal came before.
    pub(crate) async fn received(&mut self) -> Exit {
        match self.stop.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            _ => pending().await,
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
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
