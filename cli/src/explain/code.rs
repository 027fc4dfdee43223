//! Explanations of reason codes: meaning, packets, and the errors of this tool.

use dunlin_codec::{PacketType, ReasonCode, Sender};

use super::page::ExplanationPage;
use crate::diagnosis::Id;

/// Reason code by its number (`0x87`, `135`) or its name in the standard.
pub(super) fn named(words: &str) -> Option<ReasonCode> {
    let words = words.to_lowercase();
    let number = match words.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => words.parse().ok(),
    };
    if let Some(number) = number {
        return ReasonCode::from_code(number);
    }
    // The name as the standard writes it, or as JSON lines do: not_authorized.
    let words = words.replace(['_', '-'], " ");
    let mut codes = ReasonCode::ALL.iter().copied();
    codes.find(|code| code.name().to_lowercase().replace('-', " ") == words)
}

/// Packet by its name in any case.
pub(super) fn packet(word: &str) -> Option<PacketType> {
    PacketType::ALL
        .into_iter()
        .find(|packet| packet.name().eq_ignore_ascii_case(word))
}

/// Page about `code`, and about its use in one packet if that is given.
pub(super) fn explain(code: ReasonCode, packet: Option<PacketType>) -> ExplanationPage {
    let number = code.code();
    let id = format!("0x{number:02X}");
    let mut page = ExplanationPage::new(
        "reason_code",
        &id,
        format!("{id} ({number})  {}", code.name()),
    );
    page.section("meaning:", code.text());

    // One name may have several codes: 0 is also "granted QoS 0".
    if code == ReasonCode::Success {
        page.section(
            "also:",
            "granted QoS 0 in SUBACK, normal disconnection in DISCONNECT",
        );
    }
    for (sender, words) in [(Sender::Server, "server:"), (Sender::Client, "client:")] {
        let packets = packets(code, sender);
        if !packets.is_empty() {
            page.section(words, packets.join(", "));
        }
    }
    if let Some(packet) = packet
        && !code.is_legal_in(packet, Sender::Any)
    {
        page.section("note:", format!("{} never has this code", packet.name()));
    }

    // Errors of this tool that a server provokes with the code.
    for of in PacketType::ALL {
        let is_asked = packet.is_none_or(|packet| packet == of);
        if is_asked
            && code.is_legal_in(of, Sender::Server)
            && let Some(id) = error(code, of)
        {
            page.section(
                "here:",
                format!(
                    "{} ends with {}, exit code {}",
                    of.name(),
                    id.name(),
                    id.exit().code()
                ),
            );
        }
    }
    page.section("standard:", "MQTT 5.0, section 2.4");
    page
}

/// Packets in which `sender` may send the code.
fn packets(code: ReasonCode, sender: Sender) -> Vec<&'static str> {
    PacketType::ALL
        .into_iter()
        .filter(|packet| code.is_legal_in(*packet, sender))
        .map(PacketType::name)
        .collect()
}

/// Error that this tool ends with when a server sends the code in a packet; `None` for a code or a
/// packet that is no failure.
fn error(code: ReasonCode, packet: PacketType) -> Option<Id> {
    let id = match packet {
        PacketType::ConnAck => match code {
            ReasonCode::BadUserNameOrPassword
            | ReasonCode::NotAuthorized
            | ReasonCode::Banned
            | ReasonCode::BadAuthenticationMethod => Id::AuthDenied,
            _ => Id::ConnRefused,
        },
        PacketType::SubAck | PacketType::UnsubAck => Id::SubDenied,
        PacketType::PubAck | PacketType::PubRec => Id::PubDenied,
        PacketType::Disconnect => match code {
            ReasonCode::SessionTakenOver => Id::TakenOver,
            ReasonCode::KeepAliveTimeout => Id::KeepAlive,
            _ => Id::Disconnected,
        },
        _ => return None,
    };
    code.is_error().then_some(id)
}
