//! `dunlin sandbox cert`: the certificate of a thing, from the sandbox's own CA.

use std::io::{self, Write};
use std::path::Path;

use dunlin_sandbox::{Pki, StateDir};

use crate::args::CertArgs;
use crate::diagnosis::{Diagnosis, folder, shell};
use crate::exit::Exit;
use crate::failure::Failure;

/// Writes certificate and key, and prints their paths with the commands that use them.
///
/// # Errors
/// `E-USAGE` for a name that no thing can have, or if the folder can't be used.
pub(super) fn make(typed: &CertArgs) -> Result<Exit, Failure> {
    let state_dir = StateDir::resolve(typed.state_dir.clone());
    let state_dir = state_dir.map_err(|error| Diagnosis::usage(error.to_string()))?;
    let written = Pki::open(&state_dir).and_then(|pki| {
        let files = pki.write_client(&typed.thing)?;
        Ok((pki, files))
    });
    let (pki, files) = written.map_err(|error| Diagnosis {
        try_: match &error {
            dunlin_sandbox::PkiError::ThingName(_) => Vec::new(),
            _ => folder::state_dir_advice(),
        },
        ..Diagnosis::usage(error.to_string())
    })?;

    // Commands run as they stand, so paths are quoted for the shell.
    let quoted = |path: &Path| shell(&path.to_string_lossy());
    let (ca, certificate, key) = (
        quoted(pki.ca_path()),
        quoted(&files.certificate),
        quoted(&files.key),
    );
    let (thing, id) = (&typed.thing, &files.certificate_id);
    let folder = typed
        .state_dir
        .as_deref()
        .map_or_else(String::new, |dir| format!(" --state-dir {}", quoted(dir)));
    writeln!(
        io::stdout(),
        "\
certificate     {certificate}
private key     {key}   (keep it secret)
CA              {ca}
certificate id  {id}
commands, in two terminals:
  dunlin sandbox --port 8883{folder} --client-certificates
  dunlin pub -H localhost --port 8883 --ca {ca} \\
    --cert {certificate} \\
    --key {key} \\
    -i {thing} -t test/topic -m hello"
    )?;
    Ok(Exit::Done)
}
