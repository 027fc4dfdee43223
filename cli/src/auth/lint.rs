//! `dunlin auth lint`: the usual mistakes in a policy, before a device finds them.

use std::io::{self, Write};
use std::time::SystemTime;

use dunlin_codec::{Escaped, EscapedJson};
use serde::Serialize;
use serde_json::Value;

use super::documents::{Documents, Location};
use crate::args::LintArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// One mistake as JSON; fields may be added.
#[derive(Serialize)]
struct Mistake {
    v: u8,
    /// Number of the document; absent for a mistake of all documents together.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<usize>,
    #[serde(flatten)]
    place: Option<FilePlace>,
    message: String,
}

/// Place of a mistake; lines and columns count from 1.
#[derive(Serialize)]
struct FilePlace {
    #[serde(skip)]
    file_index: usize,
    file: String,
    line: usize,
    column: usize,
}

/// Prints each mistake on a line, in the order of the files.
pub(super) fn lint(typed: &LintArgs) -> Result<Exit, Failure> {
    let read = Documents::read(&typed.policy)?;
    let mut mistakes = mistakes(&read, typed.client_id.as_deref());
    // Mistakes of all documents together have no place, and come last.
    mistakes.sort_by_key(|mistake| {
        let place = mistake.place.as_ref();
        let in_file = place.map(|place| (place.file_index, place.line, place.column));
        (place.is_none(), in_file)
    });

    // One line for each mistake.
    let mut out = io::stdout().lock();
    for mistake in &mistakes {
        let text = if typed.json {
            EscapedJson(serde_json::to_string(mistake).unwrap_or_default()).to_string()
        } else {
            Escaped(mistake.text()).to_string()
        };
        writeln!(out, "{text}")?;
    }
    // People are told that nothing was found; for programs that is an empty output.
    match (mistakes.is_empty(), typed.json) {
        (true, false) => writeln!(
            out,
            "no mistakes found in {}",
            counted(read.documents.len())
        )?,
        (true, true) => {}
        (false, _) => return Ok(Exit::Denied),
    }
    Ok(Exit::Done)
}

#[expect(
    clippy::disallowed_methods,
    reason = "conditions on the time are about now"
)]
/// Mistakes of the files, of the answers in them, and of their policy documents.
fn mistakes(read: &Documents, client_id: Option<&str>) -> Vec<Mistake> {
    let malformed = read.malformed.iter().map(|malformed| {
        let message = format!("the file isn't JSON: {}", malformed.what);
        Mistake::of_file(&malformed.location, message)
    });
    let of_answers = read.faults.iter().map(|fault| {
        let message = format!("the Lambda's answer: {}", fault.what);
        Mistake::of_file(&fault.location, message)
    });
    let mut mistakes: Vec<Mistake> = malformed.chain(of_answers).collect();

    // A file or an answer without documents is told already.
    if !read.documents.is_empty() || mistakes.is_empty() {
        let values = read.documents.iter().map(|document| document.value.clone());
        let values: Vec<Value> = values.collect();
        let findings = dunlin_sandbox::lint(&values, client_id, SystemTime::now());
        mistakes.extend(findings.into_iter().map(|finding| {
            let location = finding
                .document
                .and_then(|document| read.location(document, &finding.pointer));
            Mistake {
                v: 1,
                document: finding.document,
                statement: finding.statement,
                place: location.as_ref().map(FilePlace::at),
                message: finding.to_string(),
            }
        }));
    }
    mistakes
}

impl Mistake {
    fn of_file(location: &Location, message: String) -> Self {
        Self {
            v: 1,
            document: None,
            statement: None,
            place: Some(FilePlace::at(location)),
            message,
        }
    }

    /// `FILE:LINE:COLUMN: message`, as compilers write it.
    fn text(&self) -> String {
        match &self.place {
            Some(place) => {
                let FilePlace {
                    file, line, column, ..
                } = place;
                format!("{file}:{line}:{column}: {}", self.message)
            }
            None => self.message.clone(),
        }
    }
}

impl FilePlace {
    fn at(location: &Location) -> Self {
        Self {
            file_index: location.file_index,
            file: location.file.clone(),
            line: location.position.line,
            column: location.position.column,
        }
    }
}

fn counted(documents: usize) -> String {
    if documents == 1 {
        "1 document".into()
    } else {
        format!("{documents} documents")
    }
}
