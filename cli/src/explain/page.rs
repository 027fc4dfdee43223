//! `ExplanationPage`: one explanation, as text for people and as JSON.

use serde_json::{Value, json};

use crate::wrap::wrap;

/// Explanation of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExplanationPage {
    /// Kind of the subject, such as `reason_code`.
    kind: &'static str,
    /// Identifier of the subject, such as `0x87`.
    id: String,
    /// First line of the text.
    title: String,
    /// Labelled texts; an empty label continues the one before.
    sections: Vec<(&'static str, String)>,
    /// Table of identifiers and their meanings, after the sections.
    rows: Vec<(String, String)>,
}

impl ExplanationPage {
    pub(super) fn new(kind: &'static str, id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            title: title.into(),
            sections: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a section: a label with its colon, and text that is wrapped beside it.
    pub(super) fn section(&mut self, label: &'static str, text: impl Into<String>) {
        self.sections.push((label, text.into()));
    }

    /// Adds a row to the table.
    pub(super) fn row(&mut self, id: impl Into<String>, meaning: impl Into<String>) {
        self.rows.push((id.into(), meaning.into()));
    }

    /// Text in 80 columns, which ends with a newline.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for (label, section) in &self.sections {
            for (row, line) in wrap(section, WIDTH - INDENT, "").iter().enumerate() {
                let head = if row == 0 { label } else { "" };
                text.push_str(&format!("  {head:<10}{line}\n"));
            }
        }
        for (id, meaning) in &self.rows {
            text.push_str(&format!("  {id:<18} {meaning}\n"));
        }
        text
    }

    /// Object of `--json`, in one line with a newline.
    pub(super) fn json(&self) -> String {
        let labelled = |(label, text): &(&str, String)| json!({ "label": label.trim_end_matches(':'), "text": text });
        let row = |(id, meaning): &(String, String)| json!({ "id": id, "meaning": meaning });
        let object: Value = json!({
            "v": 1,
            "event": "explanation",
            "kind": self.kind,
            "id": self.id,
            "title": self.title,
            "sections": self.sections.iter().map(labelled).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        });
        format!("{object}\n")
    }
}

/// Columns of a page.
pub(super) const WIDTH: usize = 80;
/// Columns of the label and what is before it.
const INDENT: usize = 12;
