//! Policy documents of `--policy`: one, a list of them, or those in the answer of a Lambda.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dunlin_sandbox::{Answer, AnswerError, AnswerProblem};
use serde_json::Value;

use super::position::Position;
use crate::diagnosis::Diagnosis;

/// Content of all files together.
#[derive(Default)]
pub(super) struct Documents {
    pub(super) documents: Vec<Document>,
    /// Faults of answers, besides those of their documents.
    pub(super) faults: Vec<Placed<AnswerProblem>>,
    /// Files that aren't JSON, with the reason.
    pub(super) malformed: Vec<Placed<String>>,
    files: Vec<PolicyFile>,
}

/// A policy document and its place.
pub(super) struct Document {
    /// Object, or the text of one.
    pub(super) value: Value,
    source: DocumentSource,
}

/// Something that was found in a file.
pub(super) struct Placed<T> {
    pub(super) what: T,
    pub(super) location: Location,
}

/// File, line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Number of the file in the command line, from 0.
    pub(super) file_index: usize,
    pub(super) file: String,
    pub(super) position: Position,
}

/// Place in a file, as a JSON Pointer.
#[derive(Clone)]
struct DocumentSource {
    /// Index of the file.
    file: usize,
    pointer: String,
    /// The JSON is the content of a string there, so that no place in it is one of the file.
    is_text: bool,
}

struct PolicyFile {
    name: String,
    text: String,
}

impl Documents {
    /// Reads all files; `-` is standard input.
    ///
    /// # Errors
    /// A [`Diagnosis`] of a file that can't be read. A file that isn't JSON is in
    /// [`Self::malformed`].
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Diagnosis> {
        let mut documents = Self::default();
        for file in files {
            let text =
                read(file).map_err(|error| Diagnosis::unreadable("--policy", file, &error))?;
            let name = match file.to_string_lossy() {
                name if name == "-" => "<stdin>".into(),
                name => name.into_owned(),
            };
            documents.add_file(PolicyFile { name, text });
        }
        Ok(documents)
    }

    /// Place in the files of a JSON Pointer into a document; `number` counts from 1.
    pub(super) fn location(&self, number: usize, pointer: &str) -> Option<Location> {
        let source = &self.documents.get(number.checked_sub(1)?)?.source;
        self.locate(source, pointer)
    }

    fn add_file(&mut self, file: PolicyFile) {
        let parsed = serde_json::from_str(&file.text);
        let source = DocumentSource {
            file: self.files.len(),
            pointer: String::new(),
            is_text: false,
        };
        // The other files are still read: one run finds all mistakes.
        if let Err(error) = &parsed {
            let what = json_problem(&file.text, error);
            let location = Location {
                file_index: source.file,
                file: file.name.clone(),
                position: json_position(&file.text, error),
            };
            self.malformed.push(Placed { what, location });
        }
        self.files.push(file);
        if let Ok(value) = parsed {
            self.add(value, source);
        }
    }

    fn add(&mut self, value: Value, source: DocumentSource) {
        match value {
            // An answer or a document as its JSON text, which AWS takes as well.
            Value::String(text) => match serde_json::from_str(&text) {
                Ok(Value::String(_)) | Err(_) => self.add_document(Value::String(text), source),
                Ok(value) => self.add(
                    value,
                    DocumentSource {
                        is_text: true,
                        ..source
                    },
                ),
            },
            Value::Array(list) => self.add_list(list, &source),
            answer
                if answer.get("isAuthenticated").is_some()
                    || answer.get("policyDocuments").is_some() =>
            {
                self.add_answer(answer, &source);
            }
            document => self.add_document(document, source),
        }
    }

    fn add_document(&mut self, value: Value, source: DocumentSource) {
        let is_text = source.is_text || value.is_string();
        self.documents.push(Document {
            value,
            source: DocumentSource { is_text, ..source },
        });
    }

    fn add_list(&mut self, list: Vec<Value>, source: &DocumentSource) {
        for (value, index) in list.into_iter().zip(0..) {
            let pointer = format!("{}/{index}", source.pointer);
            self.add_document(
                value,
                DocumentSource {
                    pointer,
                    ..source.clone()
                },
            );
        }
    }

    fn add_answer(&mut self, value: Value, source: &DocumentSource) {
        // The fields of the answer first, then its documents.
        let faults = match Answer::from_value(value) {
            // No document of such an answer counts.
            Ok(answer) if !answer.is_authenticated => vec![AnswerProblem::NotAuthenticated],
            Ok(answer) => {
                // Mistakes in documents are told of each document.
                let rest = Answer {
                    policy_documents: Vec::new(),
                    ..answer.clone()
                };
                let faults = rest.check().err().map(faults).unwrap_or_default();
                let documents = DocumentSource {
                    pointer: format!("{}/policyDocuments", source.pointer),
                    ..source.clone()
                };
                self.add_list(answer.policy_documents, &documents);
                faults
            }
            Err(error) => faults(error),
        };
        for fault in faults {
            let location = self.locate(source, &pointer_of(&fault));
            if let Some(location) = location {
                self.faults.push(Placed {
                    what: fault,
                    location,
                });
            }
        }
    }

    fn locate(&self, source: &DocumentSource, pointer: &str) -> Option<Location> {
        let file = self.files.get(source.file)?;
        // A place inside a string has escapes before it, so the string itself is named.
        let pointer = if source.is_text {
            source.pointer.clone()
        } else {
            format!("{}{pointer}", source.pointer)
        };
        Some(Location {
            file_index: source.file,
            file: file.name.clone(),
            position: Position::of(&file.text, &pointer),
        })
    }
}

/// JSON Pointer to the field of an answer that has a fault.
fn pointer_of(fault: &AnswerProblem) -> String {
    match fault {
        AnswerProblem::Type { field, .. } | AnswerProblem::Seconds { field, .. } => {
            format!("/{field}")
        }
        AnswerProblem::Misspelled { found, .. } => format!("/{found}"),
        AnswerProblem::PrincipalId => "/principalId".into(),
        AnswerProblem::TooManyDocuments(_) => "/policyDocuments".into(),
        AnswerProblem::NotAuthenticated => "/isAuthenticated".into(),
        _ => String::new(),
    }
}

fn faults(error: AnswerError) -> Vec<AnswerProblem> {
    error.problems().to_vec()
}

/// Reason why a text isn't JSON, without its place.
fn json_problem(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return "it is empty".into();
    }
    if error.is_eof() {
        return "it ends early".into();
    }
    // The place is shown in front of the message, so it is cut off here.
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.as_str(), |(reason, _)| reason)
        .into()
}

/// Place where a text goes wrong: its last character, if it ends early.
fn json_position(text: &str, error: &serde_json::Error) -> Position {
    if error.is_eof() {
        return Position::at(text, text.trim_end().len());
    }
    Position {
        line: error.line(),
        column: error.column().max(1),
    }
}

fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}
