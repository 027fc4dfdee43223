//! `dunlin auth keygen`: a key pair that signs tokens.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dunlin_sandbox::TokenKey;

use crate::args::KeygenArgs;
use crate::diagnosis::{Diagnosis, Try, folder, shell};
use crate::exit::Exit;
use crate::failure::Failure;

/// Writes a private and a public key and prints their names, with the commands that use them.
///
/// # Errors
/// `E-USAGE` if `--out` names no file, one that exists, or one that can't be written.
pub(super) fn generate(typed: &KeygenArgs) -> Result<Exit, Failure> {
    // A file named "-" is standard input to most tools; nobody who typed it wants that file.
    if typed.out.file_name().is_none_or(|name| name == "-") {
        return Err(Diagnosis::usage(
            "--out needs the name of a file (not \"-\"): two keys are written",
        )
        .into());
    }
    let private = plain_path(&typed.out);
    let public = private.with_extension("pub.pem");
    // Both files are new, or none is written.
    if public.exists() {
        return Err(exists(&public).into());
    }
    let key = TokenKey::generate().map_err(|error| Diagnosis::usage(error.to_string()))?;
    write_new(&private, &key.private_pem, 0o600)?;
    write_new(&public, &key.public_pem, 0o644)?;
    // Commands run as they stand, so paths are quoted for the shell.
    let (private, public) = (
        shell(&private.to_string_lossy()),
        shell(&public.to_string_lossy()),
    );
    writeln!(
        io::stdout(),
        "\
private key  {private}   (keep it secret)
public key   {public}   (for AWS IoT, or public_key in the sandbox's config file)
commands, with your values for TOKEN, NAME, ARN and PARAMETER:
  dunlin auth sign --key {private} TOKEN
  aws iot create-authorizer --authorizer-name NAME --authorizer-function-arn ARN \\
    --status ACTIVE --token-key-name PARAMETER \\
    --token-signing-public-keys KEY=\"$(cat {public})\""
    )?;
    Ok(Exit::Done)
}

/// `path` in a form that no command takes for a flag.
fn plain_path(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        Path::new(".").join(path)
    } else {
        path.to_owned()
    }
}

fn write_new(path: &Path, pem: &str, mode: u32) -> Result<(), Diagnosis> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| {
        let written = file.write_all(pem.as_bytes());
        if written.is_err() {
            // A part of a key is useless, and would be in the way of the next attempt.
            let _ = std::fs::remove_file(path);
        }
        written
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => folder::not_writable("--out", path, &error),
    })
}

fn exists(path: &Path) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::advice("another --out, or move the old key away")],
        ..Diagnosis::usage(format!(
            "--out: {} exists already; no key is overwritten",
            path.display()
        ))
    }
}
