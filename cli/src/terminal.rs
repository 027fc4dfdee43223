//! Standard error: warnings, notes and diagnoses, in colour only where a person reads them.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::diagnosis::{self, Diagnosis};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE colours pipes too
    #[default]
    Auto,
    Always,
    Never,
}

/// Standard error, as the user wants it. What can't be written there is lost: there is nobody left to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// Only errors.
    pub(crate) quiet: bool,
}

impl Console {
    pub(crate) fn error(self, diagnosis: &Diagnosis) {
        line(&diagnosis::render(diagnosis, width()));
    }

    /// Something of this computer failed, and there is nothing to diagnose.
    pub(crate) fn failure(self, error: &io::Error) {
        line(&format!("{ERROR}error{ERROR:#}: local input or output failed: {error}"));
    }

    pub(crate) fn warning(self, text: impl Display) {
        if !self.quiet {
            line(&format!("{WARNING}warning{WARNING:#}: {text}"));
        }
    }

    pub(crate) fn note(self, text: impl Display) {
        if !self.quiet {
            line(&text.to_string());
        }
    }
}

/// Decides for the whole process.
pub(crate) fn set_color(color: Color) {
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// One write a line, so that lines of several tasks don't mix.
fn line(text: &str) {
    let _ = anstream::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Of the terminal behind stderr; without one, what reads well in a log.
fn width() -> usize {
    let columns = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0));
    columns.unwrap_or(100).clamp(40, 120)
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
