//! Input of `inspect decode`: words, a file or standard input, in hex, base64 or binary.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::copied;
use crate::args::DecodeArgs;
use crate::diagnosis::Diagnosis;
use crate::failure::Failure;

/// Bytes of the packets.
///
/// # Errors
/// `E-USAGE` if the input can't be read, is not in the form that was asked for, or is a capture file.
pub(super) fn bytes(typed: &DecodeArgs) -> Result<Vec<u8>, Failure> {
    if !typed.words.is_empty() {
        return Ok(decoded(typed, typed.words.join(" ").as_bytes())?);
    }
    let mut read = Vec::new();
    open(typed.file.as_deref())?.read_to_end(&mut read)?;
    // A capture file would decode to nonsense, so its header is refused by name.
    if typed.raw {
        copied::reject_capture(&read).map_err(Diagnosis::usage)?;
        Ok(read)
    } else {
        Ok(decoded(typed, &read)?)
    }
}

/// Reader of the file of `--file`, or of standard input.
///
/// # Errors
/// `E-USAGE` if the file can't be opened.
pub(super) fn open(file: Option<&Path>) -> Result<Box<dyn Read>, Diagnosis> {
    match file {
        Some(path) if path.as_os_str() != "-" => match File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(Diagnosis::unreadable("--file", path, &error)),
        },
        _ => Ok(Box::new(io::stdin())),
    }
}

/// Bytes of a text in hex or base64.
fn decoded(typed: &DecodeArgs, text: &[u8]) -> Result<Vec<u8>, Diagnosis> {
    if typed.base64 {
        let joined: Vec<u8> = text
            .iter()
            .filter(|byte| !byte.is_ascii_whitespace())
            .copied()
            .collect();
        return STANDARD
            .decode(joined)
            .map_err(|error| Diagnosis::usage(format!("the input is not base64: {error}")));
    }
    copied::decode(text).map_err(Diagnosis::usage)
}
