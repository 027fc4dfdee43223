//! Reason codes and reason strings of the server, as an error shows them.

use dunlin_client::ServerReason;

use crate::diagnosis::text::quoted;

/// `CONNACK 0x87`
pub(crate) fn wire(reason: &ServerReason) -> String {
    format!(
        "{} 0x{:02X}",
        reason.packet_type.name(),
        reason.reason_code.code()
    )
}

/// `CONNACK 0x87 Not authorized`
pub(crate) fn fact(reason: &ServerReason) -> String {
    format!("{} {}", wire(reason), reason.reason_code.name())
}

/// `; the server's reason: "no such user"` for the end of a headline; empty without a reason string.
pub(crate) fn own_words(reason: &ServerReason) -> String {
    match text(reason) {
        Some(text) => format!("; the server's reason: {}", quoted(text)),
        None => String::new(),
    }
}

/// Reason string of the packet; `None` if it has none or an empty one, which says as little.
pub(crate) fn text(reason: &ServerReason) -> Option<&str> {
    reason
        .reason_string
        .as_deref()
        .filter(|text| !text.trim().is_empty())
}

/// User properties and server reference of the packet, or a note that it has no reason string.
pub(crate) fn evidence(reason: &ServerReason) -> Vec<String> {
    let mut parts = Vec::new();
    if text(reason).is_none() {
        parts.push("server gave no reason string".to_owned());
    }
    // A server may send many properties; the first ones are enough to find it in its log.
    for (name, value) in reason.user_properties.iter().take(MOST_PROPERTIES) {
        parts.push(format!("{} = {}", quoted(name), quoted(value)));
    }
    if reason.user_properties.len() > MOST_PROPERTIES {
        parts.push(format!(
            "{} more user properties",
            reason.user_properties.len() - MOST_PROPERTIES
        ));
    }
    if let Some(server) = &reason.server_reference {
        parts.push(format!("it refers to {}", quoted(server)));
    }
    parts
}

const MOST_PROPERTIES: usize = 3;

#[cfg(test)]
pub(crate) fn refusal(
    packet_type: dunlin_codec::PacketType,
    reason_code: dunlin_codec::ReasonCode,
) -> ServerReason {
    ServerReason {
        packet_type,
        reason_code,
        reason_string: None,
        user_properties: Vec::new(),
        server_reference: None,
        omitted: dunlin_client::Omitted::default(),
    }
}

#[cfg(test)]
mod tests {
    use dunlin_codec::{PacketType, ReasonCode};

    use super::*;

    #[test]
    fn everything_the_server_added_is_shown() {
        let reason = ServerReason {
            reason_string: Some("moved \"away\"".into()),
            user_properties: vec![("k".into(), "v".into())],
            server_reference: Some("other.example".into()),
            ..refusal(PacketType::ConnAck, ReasonCode::ServerMoved)
        };
        assert_eq!(fact(&reason), "CONNACK 0x9D Server moved");
        assert_eq!(
            own_words(&reason),
            r#"; the server's reason: "moved \"away\"""#
        );
        assert_eq!(
            evidence(&reason),
            [r#""k" = "v""#, r#"it refers to "other.example""#]
        );
    }

    #[test]
    fn an_empty_reason_string_is_none() {
        let reason = ServerReason {
            reason_string: Some(" ".into()),
            ..refusal(PacketType::ConnAck, ReasonCode::QuotaExceeded)
        };
        assert_eq!(own_words(&reason), "");
        assert_eq!(evidence(&reason), ["server gave no reason string"]);
    }
}
