//! Exit codes of the process and their meanings, which `--help` prints.

use std::process::ExitCode;

/// Outcome of a run; the discriminant is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Internal = 1,
    Usage = 2,
    Unreachable = 3,
    Tls = 4,
    NotAuthorized = 5,
    Refused = 6,
    Denied = 7,
    Lost = 8,
    TimedOut = 9,
    Protocol = 10,
    HungUp = 129,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    /// Meaning of each code, in order.
    pub(crate) const TABLE: [(Self, &'static str); 14] = [
        (
            Self::Done,
            "all that was asked for happened, or the reader closed the pipe",
        ),
        (
            Self::Internal,
            "internal error or local I/O; please report it",
        ),
        (Self::Usage, "usage or configuration; nothing was sent"),
        (Self::Unreachable, "could not reach the endpoint"),
        (Self::Tls, "TLS failed"),
        (Self::NotAuthorized, "connection not authorised"),
        (Self::Refused, "connection refused for another reason"),
        (
            Self::Denied,
            "operation denied after connecting, by auth eval or lint; a replay differs",
        ),
        (Self::Lost, "connection lost and not recovered"),
        (Self::TimedOut, "time ran out, or messages are missing"),
        (Self::Protocol, "the server broke the protocol"),
        (
            Self::HungUp,
            "SIGHUP, likewise, unless it was ignored at the start (nohup)",
        ),
        (
            Self::Interrupted,
            "SIGINT, after UNSUBSCRIBE and DISCONNECT; a second signal ends at once",
        ),
        (Self::Terminated, "SIGTERM, likewise"),
    ];

    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
