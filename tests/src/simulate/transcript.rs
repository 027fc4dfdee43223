//! Events of a run, one a line; recorded only for a run that is shown.

use std::fmt::{self, Write};

/// The lines of a run.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    lines: Option<String>,
    step: usize,
}

impl Transcript {
    pub(super) fn kept() -> Self {
        Self {
            lines: Some(String::new()),
            step: 0,
        }
    }

    /// Sets the step that the next lines belong to.
    pub(super) const fn at(&mut self, step: usize) {
        self.step = step;
    }

    /// Another line.
    pub(super) fn say(&mut self, line: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            // A String takes everything.
            let _ = writeln!(lines, "{:5} {line}", self.step);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.lines.unwrap_or_default()
    }
}
