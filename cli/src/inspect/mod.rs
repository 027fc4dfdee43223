//! `dunlin inspect`: packets byte by byte, captures, and a proxy that shows packets.

mod captured;
mod conversation;
mod copied;
mod fields;
mod hex;
mod input;
mod json;
mod lines;
mod older_version;
mod page;
mod proxy;
mod replay;
mod secrets;
mod upstream;
mod verdict;
mod words;

use std::io::{self, BufWriter, StdoutLock, Write};

use dunlin_codec::{DecodeOptions, Sender};

use crate::args::{DecodeArgs, InspectVerb, PacketForm, PacketPrint, Sources};
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

use conversation::LineForm;
use input::DecodeInput;
pub(crate) use secrets::{FILLER, may_hold_secrets, without_secrets};

/// Runs a verb of `inspect`.
///
/// # Errors
/// See the verb.
pub(crate) fn run(verb: InspectVerb, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    match verb {
        InspectVerb::Decode(typed) => decode(typed),
        InspectVerb::Proxy(typed) => proxy::run(*typed, sources, console),
        InspectVerb::Replay(typed) => replay::run(*typed, sources, console),
    }
}

/// Decodes and prints packets.
///
/// # Errors
/// `E-USAGE` if the input can't be read or is in another form, or an output that can't be written.
fn decode(typed: DecodeArgs) -> Result<Exit, Failure> {
    let options = DecodeOptions::new()
        .with_max_packet_size(typed.max_packet_size)
        .with_sender(typed.from.into());
    let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let exit = if typed.lines {
        lines::answer(&typed, &options, &mut out)?
    } else {
        match input::read(&typed)? {
            DecodeInput::Packets(bytes) => stream(&bytes, &typed, &options, &mut out)?,
            DecodeInput::Capture(input, name) => {
                let form = LineForm {
                    is_json: typed.json,
                    packets: typed.packets.unwrap_or(PacketForm::Summary),
                    shows_secrets: typed.show_secrets,
                };
                captured::print(input, &name, form, &mut out)?
            }
        }
    };
    out.flush()?;
    Ok(exit)
}

/// Text of a packet for `--packets` and `--dry-run`, without a newline at its end.
pub(crate) fn packet_text(bytes: &[u8], is_sent: bool, print: PacketPrint) -> String {
    let options = DecodeOptions::any_size().with_sender(if is_sent {
        Sender::Client
    } else {
        Sender::Server
    });
    let (verdict, _) = verdict::of_front(bytes, &options);
    let page = page::PacketPage {
        bytes,
        verdict: &verdict,
        bare: print.shows_secrets,
    };
    let text = match print.form {
        PacketForm::Summary => page.summary(),
        PacketForm::Full => page.to_string(),
        PacketForm::Hex => page.digits(),
    };
    text.trim_end().to_owned()
}

/// Prints one packet after the other, up to the first that can't be accepted.
fn stream(
    bytes: &[u8],
    typed: &DecodeArgs,
    options: &DecodeOptions,
    out: &mut BufWriter<StdoutLock<'static>>,
) -> Result<Exit, Failure> {
    if bytes.is_empty() {
        return Err(Diagnosis::usage("nothing to decode: the input is empty").into());
    }
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() {
        let (verdict, len) = verdict::of_front(rest, options);
        // The length is at most that of the rest, so the split always succeeds.
        let (front, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        if typed.json {
            json::write(&verdict, out)?;
        } else {
            let between = if first { "" } else { "\n" };
            let page = page::PacketPage {
                bytes: front,
                verdict: &verdict,
                bare: typed.show_secrets,
            };
            match typed.packets {
                None | Some(PacketForm::Full) => write!(out, "{between}{page}")?,
                Some(PacketForm::Summary) => writeln!(out, "{}", page.summary())?,
                Some(PacketForm::Hex) => writeln!(out, "{}", page.digits().trim_end())?,
            }
        }
        // After a fault nobody knows where the next packet begins.
        if verdict.is_err() {
            return Ok(Exit::Protocol);
        }
        (rest, first) = (behind, false);
    }
    Ok(Exit::Done)
}

const BUFFER: usize = 64 * 1024;
