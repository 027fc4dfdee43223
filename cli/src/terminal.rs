//! Standard error: warnings, notes and diagnoses, in colour only where a person reads them.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use dunlin_codec::Escaped;

use crate::diagnosis::{self, Diagnosis};
use crate::wrap::wrap;

/// Colour of standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE colours pipes too
    #[default]
    Auto,
    Always,
    Never,
}

/// Standard error. Text that can't be written is lost, because there is nowhere else to report it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// True if only errors are printed.
    pub(crate) quiet: bool,
}

impl Console {
    /// Prints an error.
    pub(crate) fn error(self, diagnosis: &Diagnosis) {
        line(&diagnosis::render(diagnosis, columns()));
    }

    /// Prints a warning, unless only errors are printed.
    pub(crate) fn warning(self, text: impl Display) {
        if !self.quiet {
            let text = fitted(&format!("warning: {}", escaped_lines(&text.to_string())));
            // Wrapped before it is coloured: the escape sequences would count as columns.
            let marked = text.replacen("warning", &format!("{WARNING}warning{WARNING:#}"), 1);
            line(&marked);
        }
    }

    /// Prints a note, unless only errors are printed.
    pub(crate) fn note(self, text: impl Display) {
        if !self.quiet {
            line(&fitted(&escaped_lines(&text.to_string())));
        }
    }
}

/// Sets the colour of the whole process.
pub(crate) fn set_color(color: Color) {
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Escapes everything that a terminal would obey, except for line breaks.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| Escaped(line).to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Escapes clap's text about a command line, except for line breaks and clap's colours.
pub(crate) fn escaped_styled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(&escaped_lines(before));
        // A colour is a sequence of digits and semicolons that ends in `m`.
        let digits = after
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(after.len());
        let is_color = after.get(digits..).is_some_and(|end| end.starts_with('m'));
        out.push_str(if is_color { "\x1b[" } else { "\\u{1b}[" });
        rest = after;
    }
    out.push_str(&escaped_lines(rest));
    out
}

/// Writes a line with one call, so that lines of several tasks don't mix.
fn line(text: &str) {
    let _ = anstream::stderr()
        .lock()
        .write_all(format!("{text}\n").as_bytes());
}

/// `text` with each of its lines wrapped to the terminal; unchanged in a pipe or a file, where a
/// line is easier to search for than its parts. A command after `$ ` stays in one piece, so that it
/// can be copied.
pub(crate) fn fitted(text: &str) -> String {
    let Some(columns) = columns() else {
        return text.to_owned();
    };
    text.split('\n')
        .flat_map(|line| match line.starts_with("$ ") {
            true => vec![line.to_owned()],
            false => wrap(line, columns, CONTINUATION),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Number of columns of the terminal that standard error is; `None` if it is none.
fn columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0))
}

/// Indent of the second and each later line of a wrapped warning or note.
const CONTINUATION: &str = "  ";

/// Style of the word "warning". The usual yellow would vanish on a white background.
const WARNING: Style = AnsiColor::Magenta.on_default().bold();
