//! Input of `inspect decode`: words, a file or standard input, in hex, base64 or binary, or a
//! capture file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::Quoted;

use super::copied;
use crate::args::DecodeArgs;
use crate::diagnosis::Diagnosis;
use crate::failure::Failure;

/// Input that was found.
pub(super) enum DecodeInput {
    /// A capture file, and its name for advice.
    Capture(Box<dyn Read + Send>, String),
    /// Bytes of packets.
    Packets(Vec<u8>),
}

/// Reads the input; a capture file is left to be read as it is printed.
///
/// # Errors
/// `E-USAGE` if the input can't be read, or is not in the form that was asked for.
pub(super) fn read(typed: &DecodeArgs) -> Result<DecodeInput, Failure> {
    if typed.words.is_empty() {
        let name = typed.file.as_deref().unwrap_or_else(|| Path::new("-"));
        return read_file(typed, open(typed.file.as_deref())?, name);
    }
    let text = typed.words.join(" ");
    match (decoded(typed, text.as_bytes()), typed.words.as_slice()) {
        (Ok(bytes), _) => Ok(DecodeInput::Packets(bytes)),
        // A word that is no hex may be the name of a file, or of a pipe of the shell.
        (Err(_), [word]) if is_readable(Path::new(word)) => {
            read_file(typed, open(Some(Path::new(word)))?, Path::new(word))
        }
        // One word may have been meant as either.
        (Err(fault), [word]) if Path::new(word).symlink_metadata().is_err() => Err(Diagnosis {
            headline: format!("there is no file {}, and {}", Quoted(word), fault.headline).into(),
            ..fault
        }
        .into()),
        (Err(fault), _) => Err(fault.into()),
    }
}

/// True for a file of any kind but a folder.
fn is_readable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_dir())
}

fn read_file(
    typed: &DecodeArgs,
    mut input: Box<dyn Read + Send>,
    name: &Path,
) -> Result<DecodeInput, Failure> {
    // The first bytes tell a capture file, in whatever form packets were expected.
    let mut start = Vec::new();
    input.by_ref().take(4).read_to_end(&mut start)?;
    if copied::is_capture(&start) {
        let input = Box::new(io::Cursor::new(start).chain(input));
        return Ok(DecodeInput::Capture(input, name.display().to_string()));
    }
    let mut bytes = start;
    bytes.extend(bounded(&mut input, MAX_INPUT)?);
    Ok(DecodeInput::Packets(if typed.raw {
        bytes
    } else {
        decoded(typed, &bytes)?
    }))
}

/// Largest input that is no capture file, in bytes: more than the largest packet in hex with blanks. A
/// capture file has no limit, as it's read piece by piece.
const MAX_INPUT: u64 = 1 << 30;

/// All of `input`, if it has at most `most` bytes.
///
/// # Errors
/// `Diagnosed` with `E-USAGE` for a longer input, `Local` if it can't be read.
fn bounded(input: &mut dyn Read, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more tells a longer input from one of exactly this length.
    input.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let most = most >> 20;
        return Err(Diagnosis::usage(format!(
            "the input is longer than {most} MiB, which no packets to look at are"
        ))
        .into());
    }
    Ok(bytes)
}

/// Reader of the file of `--file`, or of standard input.
///
/// # Errors
/// `E-USAGE` if the file can't be opened.
pub(super) fn open(file: Option<&Path>) -> Result<Box<dyn Read + Send>, Diagnosis> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_without_an_end_is_refused() {
        let refused = bounded(&mut io::repeat(0), 3 << 20).unwrap_err();
        let Failure::Diagnosed(diagnosis) = refused else {
            panic!("{refused:?}");
        };
        assert!(diagnosis.headline.contains("3 MiB"), "{diagnosis:?}");
        assert_eq!(bounded(&mut &[7; 9][..], 9).unwrap(), [7; 9]);
    }
}
