//! Golden vectors: the bytes of packets, and what they say or where they are wrong. The fuzz target
//! starts from them.

mod connecting;
mod ending;
mod publishing;
mod subscribing;
mod values;

use dunlin_codec::{DecodeErrorKind, Packet, ReasonCode, Sender};

/// A packet and its canonical bytes.
pub(crate) struct Accepted {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) packet: Packet<'static>,
}

/// Every packet, at least once with as little and once with as much as it can hold.
pub(crate) fn accepted() -> Vec<Accepted> {
    let tables = [
        connecting::table(),
        publishing::table(),
        subscribing::table(),
        ending::table(),
    ];
    tables
        .into_iter()
        .flatten()
        .map(|(name, hex, packet)| Accepted {
            name,
            bytes: bytes(hex),
            packet,
        })
        .collect()
}

/// Bytes that are taken, and the packet's canonical bytes: the same, or others that say as much.
pub(crate) struct Form {
    /// The statements, or the rule, that it shows.
    pub(crate) shows: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) canonical: Vec<u8>,
}

/// Longer forms, other orders of properties, and what the statements of the standard allow by
/// example.
pub(crate) fn forms() -> Vec<Form> {
    rows(include_str!("forms.tsv"))
        .map(|[shows, form, canonical]| Form {
            shows,
            bytes: bytes(form),
            canonical: bytes(canonical),
        })
        .collect()
}

/// A breach: whose packet it is, and the error that it must be.
pub(crate) struct Rejected {
    /// The statements, or the rule, that it shows.
    pub(crate) shows: &'static str,
    pub(crate) sender: Sender,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: DecodeErrorKind,
    pub(crate) reason_code: ReasonCode,
    pub(crate) offset: u32,
    pub(crate) field: &'static str,
    pub(crate) statement: Option<&'static str>,
    /// True if the error concerns only the message (`ErrorScope::Message`).
    pub(crate) is_message: bool,
}

/// Every breach that the standard's statements name, and the codec's own choices.
pub(crate) fn rejected() -> Vec<Rejected> {
    rows(include_str!("rejected.tsv"))
        .map(
            |[shows, sender, hex, kind, offset, field, statement, scope]| {
                let (kind, reason_code) = kind_of(kind);
                let sender = match sender {
                    "client" => Sender::Client,
                    "server" => Sender::Server,
                    _ => Sender::Any,
                };
                let (bytes, offset) = (bytes(hex), offset.parse().expect("a number"));
                let statement = (statement != "-").then_some(statement);
                let is_message = scope == "message";
                Rejected {
                    shows,
                    sender,
                    bytes,
                    kind,
                    reason_code,
                    offset,
                    field,
                    statement,
                    is_message,
                }
            },
        )
        .collect()
}

fn kind_of(name: &str) -> (DecodeErrorKind, ReasonCode) {
    match name {
        "malformed" => (DecodeErrorKind::Malformed, ReasonCode::MalformedPacket),
        "protocol" => (DecodeErrorKind::ProtocolError, ReasonCode::ProtocolError),
        "alias" => (
            DecodeErrorKind::ProtocolError,
            ReasonCode::TopicAliasInvalid,
        ),
        "version" => (
            DecodeErrorKind::UnsupportedVersion,
            ReasonCode::UnsupportedProtocolVersion,
        ),
        "direction" => (DecodeErrorKind::WrongDirection, ReasonCode::ProtocolError),
        other => panic!("no kind of error: {other}"),
    }
}

/// The columns of each line that isn't a comment.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            columns
                .try_into()
                .unwrap_or_else(|_| panic!("{N} columns: {line}"))
        })
}

/// The bytes of hex digits; spaces are for the reader.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|each| *each != ' ')
        .map(|each| each.to_digit(16).expect("hex") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
