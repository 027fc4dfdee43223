//! What the process's exit code means: one table, obeyed by every verb and printed by `--help`.

use std::process::ExitCode;

use crate::diagnosis::Id;

/// How a run ended. The discriminant is the exit code.
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
    const TABLE: [(Self, &'static str); 14] = [
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
            "operation denied after connecting; by auth eval, or faulted by auth lint",
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

    /// The table as `--help` shows it: code, meaning, and the errors that end with it.
    pub(crate) fn help() -> String {
        let mut text = String::from("Exit codes:\n");
        for (exit, meaning) in Self::TABLE {
            let ids: Vec<&str> = Id::ALL
                .iter()
                .filter(|id| id.exit() == exit)
                .map(|id| id.name())
                .collect();
            text.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
            if !ids.is_empty() {
                text.push_str(&format!("       {}\n", ids.join(" ")));
            }
        }
        text
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_lists_every_error_once() {
        assert!(Exit::TABLE.is_sorted_by_key(|(exit, _)| exit.code()));
        let help = Exit::help();
        assert!(
            Exit::TABLE.iter().all(|(_, meaning)| meaning.len() <= 73),
            "a row fits on 80 columns"
        );
        for id in Id::ALL {
            assert_eq!(
                help.split_whitespace()
                    .filter(|word| *word == id.name())
                    .count(),
                1,
                "{}",
                id.name()
            );
        }
    }
}
