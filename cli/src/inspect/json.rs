//! A verdict as one line of JSON: the contract of `--json`.

use std::io::{self, Write};

use dunlin_codec::{EscapedJson, Packet};
use serde::Serialize;

use super::hex;
use super::verdict::{Fault, Verdict};

/// A packet: its type, its fields, and its bytes as this codec writes them.
#[derive(Serialize)]
struct Good<'p, 'a> {
    ok: bool,
    v: u8,
    #[serde(flatten)]
    packet: &'p Packet<'a>,
    encoded: String,
}

/// What is wrong; null is what doesn't apply.
#[derive(Serialize)]
struct Bad<'f> {
    ok: bool,
    v: u8,
    kind: &'static str,
    reason_code: Option<u8>,
    offset: Option<u32>,
    field: Option<&'static str>,
    statement: Option<&'static str>,
    message: &'f str,
}

/// Writes `verdict` and a newline.
pub(super) fn write(verdict: &Verdict<'_>, out: &mut impl Write) -> io::Result<()> {
    match verdict {
        Ok(packet) => {
            let mut encoded = Vec::new();
            packet.encode(&mut encoded).map_err(io::Error::other)?;
            let good = Good {
                ok: true,
                v: VERSION,
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
            ok: false,
            v: VERSION,
            kind: fault.kind,
            reason_code: fault.reason_code.map(|code| code.code()),
            offset: fault.offset,
            field: fault.field,
            statement: fault.statement,
            message: &fault.message,
        }
    }
}

/// Version of the objects; fields may be added to one.
const VERSION: u8 = 1;
