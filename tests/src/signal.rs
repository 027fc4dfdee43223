//! Signals to processes that a test has started.

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// Sends a signal to the process with this identifier.
///
/// # Panics
/// If there is no such process, or it isn't ours.
pub fn send_signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("an identifier of a process");
    kill_process(pid, signal).expect("the process runs and is ours");
}
