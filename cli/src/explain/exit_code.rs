//! Explanations of exit codes: meaning, and the errors that end with them.

use super::{error, section};
use crate::diagnosis::Id;
use crate::exit::Exit;

/// Text about an exit code; `None` if the tool has no such code.
pub(super) fn explain(number: &str) -> Option<String> {
    let number: u8 = number.parse().ok()?;
    let (exit, meaning) = Exit::TABLE
        .into_iter()
        .find(|(exit, _)| exit.code() == number)?;
    let mut text = format!("exit code {number}\n");
    text.push_str(&section("meaning:", meaning));
    for id in Id::ALL.iter().filter(|id| id.exit() == exit) {
        text.push_str(&format!("  {:<18} {}\n", id.name(), error::meaning(*id)));
    }
    Some(text)
}
