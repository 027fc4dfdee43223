//! What must hold at every step: on the wire, and between what was promised and what came of it.

mod exchange;
mod inbound;
mod outbound;
mod promises;
mod received;
mod request_clock;
mod wire;

use std::fmt;

pub(super) use promises::{NewMessage, Promises};
pub(super) use request_clock::AcceptedAt;
pub use wire::Wire;

/// Something that must never happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What holds otherwise, with the statement where there is one.
    pub rule: &'static str,
    /// What happened instead.
    pub detail: String,
}

/// Fine, or a breach.
pub type Checked<T = ()> = Result<T, Breach>;

impl Breach {
    pub(super) fn new(rule: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            rule,
            detail: detail.to_string(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}

/// A breach of `rule` unless it `holds`.
pub(super) fn ensure(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Breach::new(rule, detail()))
    }
}
