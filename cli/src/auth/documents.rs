//! The policy documents of `--policy`: one, a list of them, or those in the answer of a Lambda.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dunlin_sandbox::{Answer, AnswerError, AnswerFault};
use serde_json::Value;

use crate::diagnosis::Diagnosis;

/// What all files hold together.
#[derive(Default)]
pub(super) struct Documents {
    /// Each an object, or the text of one.
    pub(super) documents: Vec<Value>,
    /// What is wrong with answers, besides their documents.
    pub(super) faults: Vec<AnswerFault>,
}

impl Documents {
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Diagnosis> {
        let mut documents = Self::default();
        for file in files {
            let text =
                read(file).map_err(|error| Diagnosis::unreadable("--policy", file, &error))?;
            let value: Value = serde_json::from_str(&text).map_err(|error| {
                Diagnosis::usage(format!("--policy {} isn't JSON: {error}", file.display()))
            })?;
            documents.add(value);
        }
        Ok(documents)
    }

    fn add(&mut self, value: Value) {
        match value {
            // An answer or a document as its JSON text, which AWS takes as well.
            Value::String(text) => match serde_json::from_str(&text) {
                Ok(Value::String(_)) | Err(_) => self.documents.push(Value::String(text)),
                Ok(value) => self.add(value),
            },
            Value::Array(list) => self.documents.extend(list),
            answer
                if answer.get("isAuthenticated").is_some()
                    || answer.get("policyDocuments").is_some() =>
            {
                self.add_answer(answer);
            }
            document => self.documents.push(document),
        }
    }

    fn add_answer(&mut self, value: Value) {
        match Answer::from_value(value) {
            // It has no documents that would count.
            Ok(answer) if !answer.is_authenticated => {
                self.faults.push(AnswerFault::NotAuthenticated);
            }
            Ok(answer) => {
                // What is wrong with documents is told of each of them.
                let rest = Answer {
                    policy_documents: Vec::new(),
                    ..answer.clone()
                };
                self.faults
                    .extend(rest.check().err().into_iter().flat_map(faults));
                self.documents.extend(answer.policy_documents);
            }
            Err(error) => self.faults.extend(faults(error)),
        }
    }
}

fn faults(error: AnswerError) -> Vec<AnswerFault> {
    error.faults().to_vec()
}

fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}
