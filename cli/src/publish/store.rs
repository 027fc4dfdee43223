//! File of `pub --store`: messages that outlive the run.

use std::path::Path;

use dunlin_client::Client;
use dunlin_client::store::FileStore;

use crate::client_run::RunOutcome;
use crate::diagnosis::{Diagnosis, Try};
use crate::terminal::Console;

/// Opens the file, or makes a new one that only this user can read.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that is damaged, in use, or something else.
pub(super) fn open(path: &Path) -> Result<FileStore, Diagnosis> {
    // The error's text begins with the path.
    FileStore::open(path).map_err(|error| Diagnosis::usage(format!("--store: {error}")))
}

/// Adds how many messages are in the file to the reason that ended the run; after a signal, prints
/// it.
pub(super) fn explain(
    path: &Path,
    client: &Client,
    outcome: RunOutcome,
    console: Console,
) -> RunOutcome {
    let left = client.statistics().unfinished;
    if left == 0 {
        return outcome;
    }
    let text = format!(
        "{left} message(s) stay in {}; a run with the same --store and --client-id sends them",
        path.display()
    );
    match outcome {
        RunOutcome::Failed(mut diagnosis) => {
            diagnosis.try_.insert(0, Try::advice(text));
            RunOutcome::Failed(diagnosis)
        }
        outcome => {
            console.note(text);
            outcome
        }
    }
}
