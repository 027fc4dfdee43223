//! What to decode: from words, a file or standard input; in hex, in base64, or as it is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::hex;
use crate::args::DecodeArgs;
use crate::diagnosis::Diagnosis;
use crate::verb::Failure;

/// All of it at once.
pub(super) fn bytes(typed: &DecodeArgs) -> Result<Vec<u8>, Failure> {
    if !typed.words.is_empty() {
        return Ok(decoded(typed, typed.words.join(" ").as_bytes())?);
    }
    let mut read = Vec::new();
    open(typed.file.as_deref())?.read_to_end(&mut read)?;
    if typed.raw { Ok(read) } else { Ok(decoded(typed, &read)?) }
}

/// The file of `--file`, or standard input.
pub(super) fn open(file: Option<&Path>) -> Result<Box<dyn Read>, Diagnosis> {
    match file {
        Some(path) if path.as_os_str() != "-" => match File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(Diagnosis::unreadable("--file", path, &error)),
        },
        _ => Ok(Box::new(io::stdin())),
    }
}

/// The bytes of text that people wrote.
fn decoded(typed: &DecodeArgs, text: &[u8]) -> Result<Vec<u8>, Diagnosis> {
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if typed.base64 {
        let joined: Vec<u8> = words.flatten().copied().collect();
        return STANDARD.decode(joined).map_err(|error| Diagnosis::usage(format!("not base64: {error}")));
    }
    let digits: Vec<u8> = words.flat_map(|word| word.strip_prefix(b"0x").unwrap_or(word)).copied().collect();
    hex::decode(&digits).ok_or_else(|| {
        Diagnosis::usage(match digits.iter().position(|digit| hex::value(*digit).is_none()) {
            Some(at) => format!("not hex: digit {} is none", at + 1),
            None => format!("not hex: {} digits, and a byte has two", digits.len()),
        })
    })
}
