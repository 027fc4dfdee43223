//! Verdicts as JSON objects, one a line: the output of `--json`.

use std::io::{self, Write};

use dunlin_codec::{EscapedJson, Packet};
use serde::Serialize;

use super::hex;
use super::verdict::{Fault, Verdict};

/// Packet: its type, its fields, and its bytes as this codec writes them.
#[derive(Serialize)]
struct Good<'p, 'a> {
    v: u8,
    ok: bool,
    #[serde(flatten)]
    packet: &'p Packet<'a>,
    encoded: String,
}

/// Fault of a packet; a field that doesn't apply is null.
#[derive(Serialize)]
struct Bad<'f> {
    v: u8,
    ok: bool,
    kind: &'static str,
    reason_code: Option<u8>,
    offset: Option<u32>,
    field: Option<&'static str>,
    statement: Option<&'static str>,
    section: Option<&'static str>,
    message: &'f str,
}

/// Writes `verdict` and a newline.
pub(super) fn write(verdict: &Verdict<'_>, out: &mut impl Write) -> io::Result<()> {
    match verdict {
        Ok(packet) => {
            // Encoded again, so that programs can compare the bytes with the input.
            let mut encoded = Vec::new();
            packet.encode(&mut encoded).map_err(io::Error::other)?;
            let good = Good {
                v: VERSION,
                ok: true,
                packet,
                encoded: hex::encode(&encoded),
            };
            writeln!(out, "{}", EscapedJson(serde_json::to_string(&good)?))
        }
        Err(fault) => writeln!(
            out,
            "{}",
            EscapedJson(serde_json::to_string(&Bad::of(fault))?)
        ),
    }
}

impl<'f> Bad<'f> {
    fn of(fault: &'f Fault) -> Self {
        Self {
            v: VERSION,
            ok: false,
            kind: fault.kind,
            reason_code: fault.reason_code.map(|code| code.code()),
            offset: fault.offset,
            field: fault.field,
            statement: fault.statement,
            section: fault.section,
            message: &fault.message,
        }
    }
}

/// Version of the objects. New fields don't change it.
const VERSION: u8 = 1;
