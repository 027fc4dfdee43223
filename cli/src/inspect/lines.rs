//! `--lines`: one line of output for each line of input, which should be exactly one packet.

use std::io::{self, BufRead, BufReader, BufWriter, StdoutLock, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::{DecodeOptions, Escaped};

use super::verdict::{self, Fault, Verdict};
use super::{copied, input, json};
use crate::args::DecodeArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// Answers every line. The exit code is success, whatever the answers are.
///
/// # Errors
/// A file that can't be read, or an output that can't be written.
pub(super) fn answer(
    typed: &DecodeArgs,
    options: &DecodeOptions,
    out: &mut BufWriter<StdoutLock<'static>>,
) -> Result<Exit, Failure> {
    let mut lines = BufReader::with_capacity(super::BUFFER, input::open(typed.file.as_deref())?);
    let mut line = Vec::new();
    loop {
        // A program that waits for the answer before it sends the next line gets it at once; the
        // answers to a long list are written in large blocks.
        if lines.buffer().is_empty() {
            out.flush()?;
        }
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(Exit::Done);
        }
        match bytes(&line, typed.base64) {
            Ok(bytes) => print(&verdict::of_whole(&bytes, options), typed.json, out)?,
            Err(fault) => print(&Err(fault), typed.json, out)?,
        }
    }
}

fn print(verdict: &Verdict<'_>, as_json: bool, out: &mut impl Write) -> io::Result<()> {
    match verdict {
        _ if as_json => json::write(verdict, out),
        Ok(packet) => writeln!(out, "{packet}"),
        Err(fault) => writeln!(out, "{}", Escaped(&fault.message)),
    }
}

/// Bytes of one line, which is hexadecimal in any form in which it is copied, or base64.
fn bytes(line: &[u8], base64: bool) -> Result<Vec<u8>, Fault> {
    if base64 {
        return STANDARD
            .decode(line.trim_ascii())
            .map_err(|error| Fault::input(format!("the input is not base64: {error}")));
    }
    copied::decode(line).map_err(Fault::input)
}
