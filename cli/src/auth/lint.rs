//! `dunlin auth lint`: the usual mistakes in a policy, before a device finds them.

use std::io::{self, Write};

use dunlin_codec::{Escaped, EscapedJson};
use serde::Serialize;

use super::documents::Documents;
use crate::args::LintArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// One mistake as JSON; fields may be added. Without a document it is about all of them.
#[derive(Serialize)]
struct Line {
    v: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<usize>,
    message: String,
}

/// Prints each mistake on a line.
pub(super) fn lint(typed: &LintArgs) -> Result<Exit, Failure> {
    let Documents { documents, faults } = Documents::read(&typed.policy)?;
    let of_answer = faults.iter().map(|fault| Line {
        v: 1,
        document: None,
        statement: None,
        message: format!("the Lambda's answer: {fault}"),
    });
    let mut lines: Vec<Line> = of_answer.collect();
    // An answer without documents is told already.
    if !documents.is_empty() || lines.is_empty() {
        let findings = dunlin_sandbox::lint(&documents, typed.client_id.as_deref());
        lines.extend(findings.into_iter().map(|finding| Line {
            v: 1,
            document: finding.document,
            statement: finding.statement,
            message: finding.to_string(),
        }));
    }
    let mut out = io::stdout().lock();
    for line in &lines {
        let json = || EscapedJson(serde_json::to_string(line).unwrap_or_default()).to_string();
        writeln!(
            out,
            "{}",
            if typed.json {
                json()
            } else {
                Escaped(&line.message).to_string()
            }
        )?;
    }
    match (lines.is_empty(), typed.json) {
        (true, false) => writeln!(out, "no mistakes found in {}", counted(documents.len()))?,
        (true, true) => {}
        (false, _) => return Ok(Exit::Denied),
    }
    Ok(Exit::Done)
}

fn counted(documents: usize) -> String {
    if documents == 1 {
        "1 document".into()
    } else {
        format!("{documents} documents")
    }
}
