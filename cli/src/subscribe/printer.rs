//! `Printer`: messages on standard output, as text, as JSON lines, or as the names of their files.

use std::io::{self, Write as _};

use dunlin_client::ReceivedMessage;
use dunlin_codec::Escaped;

use super::folder::Folder;
use super::format::FormatFault;
use super::plan::{MessageForm, SubscribePlan};
use crate::client_run::event_json::JsonEvent;
use crate::client_run::{ClientRun, RunOutcome};
use crate::diagnosis::{Diagnosis, quoted};

/// Writer of the messages of one run.
pub(super) struct Printer<'a> {
    plan: &'a SubscribePlan,
    folder: Option<Folder>,
    text: Vec<u8>,
}

impl<'a> Printer<'a> {
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a folder that can't be used.
    pub(super) fn new(plan: &'a SubscribePlan) -> Result<Self, Diagnosis> {
        Ok(Self {
            plan,
            folder: plan.folder.as_deref().map(Folder::open).transpose()?,
            text: Vec::new(),
        })
    }

    /// Prints one message.
    ///
    /// # Errors
    /// [`RunOutcome::Failed`] if its file can't be written, [`RunOutcome::Output`] if standard output
    /// can't be.
    pub(super) fn print(
        &mut self,
        run: &mut ClientRun,
        message: &ReceivedMessage,
    ) -> Result<(), RunOutcome> {
        let file = match &mut self.folder {
            Some(folder) => Some(folder.write(message)?),
            None => None,
        };
        match (&self.plan.form, &file) {
            (MessageForm::Json, file) => {
                Ok(JsonEvent::message(message, file.as_deref()).write(&mut run.output)?)
            }
            (MessageForm::Text { .. }, Some(file)) => {
                Ok(writeln!(run.output, "{}", Escaped(file))?)
            }
            (
                MessageForm::Text {
                    omits_empty: true, ..
                },
                None,
            ) if message.payload().is_empty() => Ok(()),
            (
                MessageForm::Text {
                    format,
                    has_line_break,
                    ..
                },
                None,
            ) => {
                self.text.clear();
                let written = format.write(message, self.plan.is_terminal, &mut self.text);
                if *has_line_break {
                    self.text.push(b'\n');
                }
                // One call, so that a message is written whole or not at all.
                let printed: io::Result<()> = run.output.write_all(&self.text);
                if let Err(FormatFault::PayloadIsNotJson) = written {
                    let topic = quoted(message.topic());
                    run.warn(&format!(
                        "the payload of a message to {topic} is not JSON (%J)"
                    ))?;
                }
                Ok(printed?)
            }
        }
    }
}
