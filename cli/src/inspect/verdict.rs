//! Verdict on bytes: a packet, or a fault. The same for people and programs.

use super::words;
use dunlin_codec::{DecodeError, DecodeErrorKind, DecodeOptions, FixedHeader, Packet, ReasonCode};

/// Packet, or fault of the bytes.
pub(super) type Verdict<'a> = Result<Packet<'a>, Fault>;

/// Fault of bytes that are no packet; `None` means that a field doesn't apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: &'static str,
    /// Reason code for the answer to the packet.
    pub(super) reason_code: Option<ReasonCode>,
    /// Offset of the byte at fault in the packet.
    pub(super) offset: Option<u32>,
    pub(super) field: Option<&'static str>,
    pub(super) statement: Option<&'static str>,
    /// Section of the standard with the rule that is broken.
    pub(super) section: Option<&'static str>,
    pub(super) message: String,
}

/// Verdict on the packet at the front of `bytes`, and the number of its bytes.
pub(super) fn of_front<'a>(bytes: &'a [u8], options: &DecodeOptions) -> (Verdict<'a>, usize) {
    match Packet::decode_with(bytes, options) {
        Ok(Some((packet, len))) => (Ok(packet), len),
        Ok(None) => (Err(Fault::incomplete(bytes)), bytes.len()),
        Err(error) => {
            // A broken packet ends where its header says, if that can be read; the rest is not
            // searched for another packet.
            let header = FixedHeader::peek(bytes, u32::MAX).ok().flatten();
            let len = header.map_or(bytes.len(), |header| header.packet_len().min(bytes.len()));
            (Err(Fault::of(error, bytes)), len)
        }
    }
}

/// Verdict on bytes that should be exactly one packet.
pub(super) fn of_whole<'a>(bytes: &'a [u8], options: &DecodeOptions) -> Verdict<'a> {
    match of_front(bytes, options) {
        (Ok(_), len) if len < bytes.len() => Err(Fault::trailing(len, bytes.len() - len)),
        (verdict, _) => verdict,
    }
}

impl Fault {
    /// Fault of an input that is no bytes in the form that was asked for.
    pub(super) fn input(message: String) -> Self {
        Self {
            kind: "input",
            reason_code: None,
            offset: None,
            field: None,
            statement: None,
            section: None,
            message,
        }
    }

    fn incomplete(bytes: &[u8]) -> Self {
        let message = if bytes.is_empty() {
            "incomplete: there is no packet, the input is empty".to_owned()
        } else {
            incomplete(bytes)
        };
        // The byte at fault is the first one that is missing.
        let offset = u32::try_from(bytes.len()).ok();
        Self {
            kind: "incomplete",
            reason_code: None,
            offset,
            field: None,
            statement: None,
            section: None,
            message,
        }
    }

    fn trailing(at: usize, more: usize) -> Self {
        Self {
            kind: MALFORMED,
            reason_code: Some(ReasonCode::MalformedPacket),
            offset: u32::try_from(at).ok(),
            field: Some("trailing_bytes"),
            statement: None,
            section: None,
            message: format!(
                "malformed packet: the packet ends at byte {at}, and {more} more {} after it",
                if more == 1 { "byte is" } else { "bytes are" }
            ),
        }
    }

    fn of(error: DecodeError, bytes: &[u8]) -> Self {
        Self {
            kind: kind(error.kind),
            reason_code: Some(error.reason_code),
            offset: Some(error.offset),
            field: Some(error.field),
            statement: error.statement,
            section: error
                .statement
                .map(|id| words::section(id, words::packet_type(bytes))),
            message: words::of(&error, bytes),
        }
    }
}

/// Sentence about a packet that is cut off, with the number of missing bytes if the header says it.
fn incomplete(bytes: &[u8]) -> String {
    match FixedHeader::peek(bytes, u32::MAX) {
        Ok(Some(header)) => {
            let missing = header.packet_len().saturating_sub(bytes.len());
            format!(
                "incomplete: the packet continues at byte {}; {missing} of its {} bytes are missing",
                bytes.len(),
                header.packet_len()
            )
        }
        _ => format!("incomplete: the packet continues at byte {}", bytes.len()),
    }
}

const MALFORMED: &str = "malformed";

fn kind(kind: DecodeErrorKind) -> &'static str {
    match kind {
        DecodeErrorKind::ProtocolError => "protocol_error",
        DecodeErrorKind::TooLarge => "too_large",
        DecodeErrorKind::UnsupportedVersion => "unsupported_version",
        DecodeErrorKind::WrongDirection => "direction",
        // Malformed, and kinds that a later version of the codec may add.
        _ => MALFORMED,
    }
}
