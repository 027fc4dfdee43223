//! Explanations of exit codes: meaning, and the errors that end with them.

use super::error;
use super::page::ExplanationPage;
use crate::diagnosis::Id;
use crate::exit::Exit;

/// Page about an exit code; `None` if the tool has no such code.
pub(super) fn explain(number: &str) -> Option<ExplanationPage> {
    let number: u8 = number.parse().ok()?;
    let (exit, meaning) = Exit::TABLE
        .into_iter()
        .find(|(exit, _)| exit.code() == number)?;
    let title = format!("exit code {number}");
    let mut page = ExplanationPage::new("exit_code", number.to_string(), title);
    page.section("meaning:", meaning);
    for id in Id::ALL.iter().filter(|id| id.exit() == exit) {
        page.row(id.name(), error::meaning(*id));
    }
    Some(page)
}
