//! Check that at most one flag reads standard input, which has one end.

use std::path::Path;

use crate::args::Sources;
use crate::diagnosis::Diagnosis;

/// Checks that not two flags of a verb that connects read standard input: the second one would read
/// nothing, and the first one what was meant for both.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) with the two flags.
pub(super) fn check_readers(sources: &Sources) -> Result<(), Diagnosis> {
    let files = FILES.into_iter().filter(|id| reads_for(sources, id));
    let switches = SWITCHES.into_iter().filter(|id| sources.is_chosen(id));
    let mut readers = files.chain(switches);
    match (readers.next(), readers.next()) {
        (Some(first), Some(second)) => Err(two_readers(&flag(first), &flag(second))),
        _ => Ok(()),
    }
}

/// Error for two flags that read standard input.
pub(super) fn two_readers(first: &str, second: &str) -> Diagnosis {
    Diagnosis::usage(format!(
        "{first} and {second} can't both read standard input"
    ))
}

/// True if the file of this flag is `-` and is read.
fn reads_for(sources: &Sources, id: &str) -> bool {
    let is_dash = sources
        .values(id)
        .last()
        .is_some_and(|value| Path::new(value) == Path::new("-"));
    // A value with the higher precedence is used in place of the file.
    let value = id
        .strip_suffix("_file")
        .and_then(|value| sources.origin(value));
    let file = sources.origin(id);
    is_dash && (file.is_some() && (value.is_none() || file < value))
}

fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// Ids of flags with a file that may be `-`.
const FILES: [&str; 7] = [
    "password_file",
    "auth_password_file",
    "auth_signature_file",
    "auth_token_key_value_file",
    "key_password_file",
    "ws_header_file",
    "message_file",
];

/// Ids of flags that read standard input by themselves.
const SWITCHES: [&str; 3] = ["stdin", "lines", "json_lines"];
