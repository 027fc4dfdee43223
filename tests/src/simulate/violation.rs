//! A rule that a run has broken.

use std::fmt;

/// A rule that a run has broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule, with the statement of the standard where there is one.
    pub rule: &'static str,
    /// Description of what happened instead.
    pub detail: String,
}

/// Success, or the first violation.
pub(crate) type Checked<T = ()> = Result<T, Violation>;

impl Violation {
    pub(super) fn new(rule: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            rule,
            detail: detail.to_string(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}

/// Returns a violation of `rule` unless it `holds`; `detail` is only called for a violation.
pub(super) fn ensure(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Violation::new(rule, detail()))
    }
}
