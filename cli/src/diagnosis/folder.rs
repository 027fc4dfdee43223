//! Errors of local folders that can't be written to.

use std::io;
use std::path::Path;

use dunlin_sandbox::{PkiError, StartError, StateError};
use tempfile::TempDir;

use super::{Diagnosis, Try};

/// Creates a folder for temporary files, which is removed when the value is dropped.
///
/// # Errors
/// [`Id::Usage`](super::Id::Usage) with the path of the temporary folder and the variable that
/// chooses another one.
pub(crate) fn temporary() -> Result<TempDir, Diagnosis> {
    tempfile::tempdir().map_err(|error| not_temporary(&error))
}

/// Error of a file in the folder for temporary files.
pub(crate) fn not_temporary(error: &io::Error) -> Diagnosis {
    no_temporary_files(&without_path(error))
}

fn no_temporary_files(fault: &str) -> Diagnosis {
    let folder = std::env::temp_dir();
    Diagnosis {
        try_: vec![
            Try::advice(
                // The variable is the only choice that the user has.
                "set TMPDIR to a folder that exists and that you can write to, for example",
            ),
            Try::command("export TMPDIR=\"$PWD\""),
        ],
        ..Diagnosis::usage(format!(
            "no temporary files can be written to {}: {fault}; nothing was sent",
            folder.display()
        ))
    }
}

/// Error of a sandbox that can't write to its temporary folder; `None` for errors of other kinds.
pub(crate) fn temporary_state(error: &StartError) -> Option<Diagnosis> {
    is_about_files(error).then(|| no_temporary_files(&error.to_string()))
}

/// Error of a state directory that can't be used; `what` names the failed action.
pub(crate) fn state_dir(what: &str, error: impl Into<PkiError>) -> Diagnosis {
    let error = error.into();
    // Another folder is no advice for a damaged key.
    let try_ = if is_about_folders(&error) {
        state_dir_advice()
    } else {
        Vec::new()
    };
    Diagnosis {
        try_,
        ..Diagnosis::usage(format!("{what}: {error}"))
    }
}

/// Proposals for choosing another state directory.
pub(crate) fn state_dir_advice() -> Vec<Try> {
    vec![
        Try::advice(
            "--state-dir or DUNLIN_STATE_DIR names a folder that you can write to, for example",
        ),
        Try::command("export DUNLIN_STATE_DIR=\"$PWD/dunlin-state\""),
    ]
}

/// Error of a file that `flag` names and that can't be written.
pub(crate) fn not_writable(flag: &str, path: &Path, error: &io::Error) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::advice(format!(
            "{flag} in a folder that exists and that you can write to"
        ))],
        ..Diagnosis::usage(format!(
            "{flag} can't be written: {}: {}",
            path.display(),
            without_path(error)
        ))
    }
}

/// True if a sandbox couldn't start because of a file or a folder.
pub(crate) const fn is_about_files(error: &StartError) -> bool {
    match error {
        StartError::State(_) => true,
        StartError::Pki(error) => is_about_folders(error),
        _ => false,
    }
}

const fn is_about_folders(error: &PkiError) -> bool {
    matches!(
        error,
        PkiError::State(StateError::Io { .. } | StateError::NoHome | StateError::NotOwned { .. })
            | PkiError::Io { .. }
    )
}

/// Text of an I/O error without the name of a temporary file, which the user has not chosen.
fn without_path(error: &io::Error) -> String {
    let text = error.to_string();
    // The tempfile crate adds the path at the end of the text and gives no access to the error
    // without it.
    text.split_once(" at path ")
        .map_or(&*text, |(fault, _path)| fault)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_not_shown() {
        let missing = Path::new("/does/not/exist");
        let error = tempfile::NamedTempFile::new_in(missing).unwrap_err();
        assert!(
            error.to_string().contains(".tmp"),
            "otherwise this test shows nothing: {error}"
        );
        let shown = not_writable("--ready-file", &missing.join("ready.json"), &error);
        assert_eq!(
            &*shown.headline,
            "--ready-file can't be written: /does/not/exist/ready.json: No such file or directory (os error 2)"
        );
    }
}
