//! Payloads of `pub`, `request` and `respond`: from words of the command line, files and standard
//! input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::args::{PayloadArgs, base64, hex};
use crate::diagnosis::Diagnosis;

/// Form in which payloads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadEncoding {
    Text,
    Hex,
    Base64,
}

impl PayloadEncoding {
    /// Form that the flags name.
    pub(crate) fn of(typed: &PayloadArgs) -> Self {
        match (typed.hex, typed.base64) {
            (true, _) => Self::Hex,
            (false, true) => Self::Base64,
            (false, false) => Self::Text,
        }
    }

    /// Payload that is written as `text`.
    ///
    /// # Errors
    /// Text about bytes that aren't in this form.
    pub(crate) fn decode(self, text: Vec<u8>) -> Result<Vec<u8>, String> {
        let decode = match self {
            // Bytes are sent as they are given.
            Self::Text => return Ok(text),
            Self::Hex => hex,
            Self::Base64 => base64,
        };
        let text = String::from_utf8(text).map_err(|_| "not text".to_owned())?;
        decode(&text).map_err(str::to_owned)
    }
}

/// Reads the payload that the flags name, in the form that they say.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for text that isn't in that form, or a file that can't be
/// read.
pub(crate) fn read_payload(typed: PayloadArgs) -> Result<Vec<u8>, Diagnosis> {
    let encoding = PayloadEncoding::of(&typed);
    let several = "one message is sent; dunlin pub -l sends one for each line of standard input";
    if let Some(text) = only_message(typed.message, several)? {
        return encoding
            .decode(text)
            .map_err(|fault| Diagnosis::usage(format!("--message: {fault}")));
    }
    if let Some(size) = typed.size {
        return Ok(vec![b'x'; size as usize]);
    }
    match typed.message_file {
        Some(path) if path != Path::new("-") => File::open(&path)
            .and_then(read_whole)
            .map_err(|error| Diagnosis::unreadable("--message-file", &path, &error)),
        None if typed.empty => Ok(Vec::new()),
        // `--stdin`, or "-" as the file.
        _ => read_whole(io::stdin().lock())
            .map_err(|error| Diagnosis::unreadable("--stdin", Path::new("-"), &error)),
    }
}

/// Bytes of the only `-m`; `None` without one. `why` says why there can't be several.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for several, or on Windows for one that isn't Unicode.
pub(crate) fn only_message(
    messages: Vec<OsString>,
    why: &str,
) -> Result<Option<Vec<u8>>, Diagnosis> {
    let mut messages = messages.into_iter();
    let Some(message) = messages.next() else {
        return Ok(None);
    };
    if messages.next().is_some() {
        return Err(Diagnosis::usage(format!("-m stands once: {why}")));
    }
    bytes_of(message)
        .map(Some)
        .map_err(|fault| Diagnosis::usage(format!("--message: {fault}")))
}

/// Bytes of a word of the command line, as the user has given them.
///
/// # Errors
/// Text about a word that isn't Unicode, on Windows, where a word has no bytes of its own.
fn bytes_of(word: OsString) -> Result<Vec<u8>, String> {
    match word.into_string() {
        Ok(text) => Ok(text.into_bytes()),
        #[cfg(unix)]
        Err(word) => Ok(std::os::unix::ffi::OsStringExt::into_vec(word)),
        #[cfg(not(unix))]
        Err(_) => Err("not Unicode".to_owned()),
    }
}

/// Reads everything, at most what a message can carry.
///
/// # Errors
/// Errors of `reader`, and [`io::ErrorKind::FileTooLarge`].
fn read_whole(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LONGEST_PAYLOAD + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_PAYLOAD {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "more than MQTT can carry",
        ));
    }
    Ok(bytes)
}

/// Longest payload of MQTT, in bytes (§2.1.4).
pub(crate) const LONGEST_PAYLOAD: u64 = 268_435_455;

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_payload_on_the_command_line_may_be_no_text() {
        let word = OsString::from_vec(b"a\xff".to_vec());
        assert_eq!(bytes_of(word).unwrap(), b"a\xff");
    }
}
