//! `ServerReason`: reason that a server gives in a packet, copied up to limits.

use dunlin_codec::{
    ConnAck, Disconnect, Escaped, PacketType, ReasonCode, Repeated, UserProperty, Utf8String,
};

/// Maximum size of a copied reason string in bytes.
const MAX_REASON_STRING: usize = 4096;
/// Maximum number of copied user properties of one packet.
const MAX_USER_PROPERTIES: usize = 64;
/// Maximum size of the copied user properties of one packet in bytes.
const MAX_USER_PROPERTY_BYTES: usize = 8192;

/// Reason that a server gave when it refused something or closed the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReason {
    /// Packet that carried the reason.
    pub packet_type: PacketType,
    /// Reason code.
    pub reason_code: ReasonCode,
    /// Reason String; `None` if the server sent none. It may hold control characters: escape it
    /// before it is shown.
    pub reason_string: Option<String>,
    /// User Properties, in order.
    pub user_properties: Vec<(String, String)>,
    /// Server Reference: other servers that the client should use (§4.11); `None` if there is none.
    pub server_reference: Option<String>,
    /// Part of the reason string and of the user properties that wasn't copied.
    pub omitted: Omitted,
}

/// Part of a server's reason string and user properties that the client didn't copy.
///
/// The client copies from each packet at most 4,096 bytes of the reason string, 64 user properties, and 8,192
/// bytes of user properties. While unread outcomes take an eighth of
/// [`memory_budget`](crate::ConnectOptions::memory_budget), it copies nothing into further ones. Of
/// a SUBACK that ends several subscriptions, it copies at most 65,536 bytes into the
/// [events](crate::Event::SubscriptionLost) that report them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    /// Number of user properties.
    pub user_properties: usize,
    /// Bytes of the reason string and of the user properties.
    pub bytes: usize,
}

/// The part of a packet's reason string and user properties that is copied.
#[derive(Debug, Default)]
pub(crate) struct Explanation {
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
    pub(crate) omitted: Omitted,
}

impl Explanation {
    /// Copies up to the limits of one packet.
    pub(crate) fn new(
        reason_string: Option<Utf8String<'_>>,
        user_properties: Repeated<'_, UserProperty<'_>>,
    ) -> Self {
        Self::within(usize::MAX, reason_string, user_properties)
    }

    /// Copies up to the limits of one packet, and at most `allowance` bytes.
    pub(crate) fn within(
        allowance: usize,
        reason_string: Option<Utf8String<'_>>,
        user_properties: Repeated<'_, UserProperty<'_>>,
    ) -> Self {
        // The Reason String is copied first: it says more than the user properties, which share
        // what is left of the allowance.
        let mut copied = Self::default();
        let mut allowance = allowance;
        if let Some(text) = reason_string {
            let text = text.as_str();
            let longest = MAX_REASON_STRING.min(allowance).min(text.len());
            // A character is copied whole or not at all.
            let prefix = (0..=longest)
                .rev()
                .find_map(|end| text.get(..end))
                .unwrap_or_default();
            copied.omitted.bytes += text.len() - prefix.len();
            allowance -= prefix.len();
            copied.reason_string =
                (!prefix.is_empty() || text.is_empty()).then(|| prefix.to_owned());
        }
        let mut allowance = allowance.min(MAX_USER_PROPERTY_BYTES);
        for (index, each) in user_properties.into_iter().enumerate() {
            let size = each.name.as_bytes().len() + each.value.as_bytes().len();
            // Empty ones take memory, too.
            if index < MAX_USER_PROPERTIES && size.max(1) <= allowance {
                allowance -= size;
                copied
                    .user_properties
                    .push((each.name.to_string(), each.value.to_string()));
            } else {
                copied.omitted.user_properties += 1;
                copied.omitted.bytes += size;
            }
        }
        copied
    }
}

/// Bytes of heap memory that copied text and user properties take.
pub(crate) fn copied_bytes(
    reason_string: Option<&String>,
    user_properties: &[(String, String)],
) -> usize {
    let strings = user_properties
        .iter()
        .map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len());
    reason_string.map_or(0, String::len) + strings.sum::<usize>()
}

impl ServerReason {
    pub(crate) fn new<'a>(
        packet_type: PacketType,
        reason_code: ReasonCode,
        reason_string: Option<Utf8String<'a>>,
        user_properties: Repeated<'a, UserProperty<'a>>,
    ) -> Self {
        Self::from_explanation(
            packet_type,
            reason_code,
            Explanation::new(reason_string, user_properties),
        )
    }

    pub(crate) fn from_explanation(
        packet_type: PacketType,
        reason_code: ReasonCode,
        explanation: Explanation,
    ) -> Self {
        let Explanation {
            reason_string,
            user_properties,
            omitted,
        } = explanation;
        Self {
            packet_type,
            reason_code,
            reason_string,
            user_properties,
            server_reference: None,
            omitted,
        }
    }

    /// Bytes of heap memory that the copied text takes.
    pub(crate) fn copied_bytes(&self) -> usize {
        let reference = self.server_reference.as_ref().map_or(0, String::len);
        reference + copied_bytes(self.reason_string.as_ref(), &self.user_properties)
    }
}

impl std::fmt::Display for ServerReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.packet_type, self.reason_code)?;
        match &self.reason_string {
            Some(text) => write!(f, ": {}", Escaped(text)),
            None => Ok(()),
        }
    }
}

impl ServerReason {
    pub(crate) fn of_connack(connack: &ConnAck<'_>) -> Self {
        let properties = &connack.properties;
        let reason = Self::new(
            PacketType::ConnAck,
            connack.reason_code,
            properties.reason_string,
            properties.user_properties,
        );
        Self {
            server_reference: properties.server_reference.map(|text| text.to_string()),
            ..reason
        }
    }

    pub(crate) fn of_disconnect(disconnect: &Disconnect<'_>) -> Self {
        let properties = &disconnect.properties;
        let reason = Self::new(
            PacketType::Disconnect,
            disconnect.reason_code,
            properties.reason_string,
            properties.user_properties,
        );
        Self {
            server_reference: properties.server_reference.map(|text| text.to_string()),
            ..reason
        }
    }
}
