//! Faults of packets in words.

use dunlin_codec::{DecodeError, DecodeErrorKind, PacketType, ReasonCode, Sender};

use super::fields::{self, Field};

/// Sentence about a fault: `malformed packet: the Remaining Length at byte 1 has five bytes; the
/// maximum is four [section 1.5.5]`.
///
/// `bytes` are those of the packet, from its first.
pub(super) fn of(error: &DecodeError, bytes: &[u8]) -> String {
    let packet_type = packet_type(bytes);
    let source = error.statement.map_or_else(String::new, |statement| {
        format!(" [{}]", source(statement, packet_type))
    });
    if error.kind == DecodeErrorKind::TooLarge {
        return format!(
            "packet too large: the packet is longer than --max-packet-size allows{source}"
        );
    }
    let clause = Reason::new(error, bytes).clause();
    format!("{}: the {clause}{source}", error.kind)
}

/// Statement of the standard as it is; for a rule that the standard doesn't number (`U-`), the
/// section.
pub(super) fn source(statement: &'static str, packet_type: Option<PacketType>) -> String {
    if statement.starts_with("U-") {
        format!("section {}", section(statement, packet_type))
    } else {
        statement.to_owned()
    }
}

/// Section of the standard that states a rule, in a packet of this type.
pub(super) fn section(statement: &'static str, packet_type: Option<PacketType>) -> &'static str {
    match (statement, packet_type) {
        ("U-2.2.2-1", _) => "2.2.2.2",
        ("U-3.1.2-2", _) => "3.1.2.11",
        ("U-3.2.2-1", _) => "3.2.2.3",
        ("U-3.3.2-1", _) => "3.3.2.1",
        ("U-3.3.2-4", Some(PacketType::Subscribe)) => "3.8.2.1.2",
        ("U-3.3.2-4", _) => "3.3.2.3.8",
        ("U-3.8.3-1", _) => "3.8.3.1",
        ("U-3.9.3-1", Some(PacketType::UnsubAck)) => "3.11.3",
        ("U-3.15-1", _) => "3.15.2.2",
        // All others have their section as a part: MQTT-3.3.1-4, U-1.5.5-1.
        _ => statement
            .split_once('-')
            .and_then(|(_, rest)| rest.rsplit_once('-'))
            .map_or(statement, |(section, _)| section),
    }
}

/// Type of the packet that `bytes` begin with; `None` for the reserved type 0 and for no bytes.
pub(super) fn packet_type(bytes: &[u8]) -> Option<PacketType> {
    let number = bytes.first()? >> 4;
    PacketType::ALL
        .into_iter()
        .find(|each| *each as u8 == number)
}

/// Name of a field as the standard writes it.
fn name(field: &str) -> String {
    match field {
        "flags" => "flags of the fixed header".into(),
        "packet_type" => "packet type".into(),
        "packet_id" => "Packet Identifier".into(),
        "property_id" => "Property Identifier".into(),
        "client_id" => "Client Identifier".into(),
        "username" => "User Name".into(),
        "dup" => "DUP flag".into(),
        "no_local" => "No Local option".into(),
        "topic" => "Topic Name".into(),
        "subscriptions" | "reason_codes" | "payload" => "payload".into(),
        other => {
            let words: Vec<String> = other.split('_').map(capitalised).collect();
            words.join(" ")
        }
    }
}

fn capitalised(word: &str) -> String {
    if word == "qos" {
        return "QoS".to_owned();
    }
    // The standard writes the words of a field's name with capitals.
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Values that a property with a number may have.
fn allowed(property: &str) -> &'static str {
    match property {
        "receive_maximum" => "1 to 65,535 are allowed",
        "maximum_packet_size" => "1 to 4,294,967,295 are allowed",
        "subscription_identifier" => "1 to 268,435,455 are allowed",
        _ => "0 and 1 are allowed",
    }
}

/// Facts that explain a fault.
struct Reason<'e> {
    error: &'e DecodeError,
    bytes: &'e [u8],
    /// Fields up to the fault and, as far as they can be found, after it.
    fields: Vec<Field>,
    packet: &'static str,
}

impl<'e> Reason<'e> {
    fn new(error: &'e DecodeError, bytes: &'e [u8]) -> Self {
        Self {
            error,
            bytes,
            fields: fields::of_packet(bytes),
            packet: packet_type(bytes).map_or("this packet", PacketType::name),
        }
    }

    /// Field, position and reason: `Remaining Length at byte 1 has five bytes; the maximum is four`.
    fn clause(&self) -> String {
        let error = self.error;
        let at = error.offset;
        let reason = match (error.kind, error.statement, error.field) {
            (DecodeErrorKind::WrongDirection, ..) => self.wrong_direction(),
            (_, Some(statement), _) => self
                .broken_rule(statement)
                .unwrap_or_else(|| self.broken_property()),
            (DecodeErrorKind::Malformed, None, "properties") => {
                let packet = self.packet;
                return format!(
                    "properties end at byte {at}, and {packet} has no field after them"
                );
            }
            (DecodeErrorKind::Malformed, None, field) => match self.malformed() {
                Some(reason) => reason,
                // The offset is that of the byte that is missing.
                None => return format!("{} is cut off at byte {at}", name(field)),
            },
            (_, None, _) => self.broken_property(),
        };
        format!("{} at byte {at} {reason}", name(error.field))
    }

    /// Reason of a fault without a statement in a packet that can't be parsed. `None` for a field
    /// that is cut off.
    fn malformed(&self) -> Option<String> {
        Some(match self.error.field {
            "packet_type" => "is 0, which is reserved".into(),
            "property_length" if self.value(self.error.offset).is_some() => {
                "is larger than the rest of the packet".into()
            }
            "payload" => "has bytes after its last field".into(),
            "remaining_length" => {
                format!(
                    "is not 0: {} has nothing after its fixed header",
                    self.packet
                )
            }
            _ => return None,
        })
    }

    fn wrong_direction(&self) -> String {
        match packet_type(self.bytes).map(PacketType::sender) {
            Some(Sender::Client) => format!("is {}, which only clients send", self.packet),
            Some(Sender::Server) => format!("is {}, which only servers send", self.packet),
            _ => "is one that only the other side sends".into(),
        }
    }

    /// Reason of a fault that breaks a statement with words of its own.
    fn broken_rule(&self, statement: &str) -> Option<String> {
        let packet = self.packet;
        let reason = match statement {
            "U-1.5.5-1" => "has five bytes; the maximum is four",
            "MQTT-1.5.5-1" => "has more bytes than its value needs",
            "MQTT-1.5.4-1" => "is not UTF-8",
            "MQTT-1.5.4-2" | "MQTT-4.7.3-2" => "holds the character U+0000",
            "MQTT-2.2.1-3" | "MQTT-2.2.1-4" | "MQTT-2.2.1-5" | "MQTT-2.2.1-6" => {
                "is 0; 1 to 65,535 are allowed"
            }
            "MQTT-2.2.2-1" => "is missing; without properties it is 0",
            "MQTT-3.1.2-1" => "is not \"MQTT\"",
            "MQTT-3.1.2-2" => "is not 5",
            "MQTT-3.1.2-3" => "have the reserved bit 0 set",
            "MQTT-3.1.2-9" => "are missing, although the Will Flag is set",
            "MQTT-3.1.2-11" => "have a Will QoS without the Will Flag",
            "MQTT-3.1.2-12" => "have the Will QoS 3; 0, 1 and 2 are allowed",
            "MQTT-3.1.2-13" => "have Will Retain without the Will Flag",
            "MQTT-3.1.2-16" => "has bytes after its last field; the User Name Flag is not set",
            "MQTT-3.1.2-17" => "is missing, although the User Name Flag is set",
            "MQTT-3.1.2-18" => "has bytes after its last field; the Password Flag is not set",
            "MQTT-3.1.2-19" => "is missing, although the Password Flag is set",
            "MQTT-3.1.3-3" => "is missing; it may be empty",
            "MQTT-3.2.2-1" => "have a reserved bit set; only bit 0 has a meaning",
            "MQTT-3.2.2-6" => "is set in a CONNACK that refuses the connection",
            "MQTT-3.3.1-2" => "is set on a message of QoS 0",
            "MQTT-3.3.1-4" => "is 3; 0, 1 and 2 are allowed",
            "MQTT-3.3.2-2" | "MQTT-3.3.2-14" | "MQTT-4.7.0-1" => {
                "holds a wildcard, which only a Topic Filter may"
            }
            "MQTT-3.3.2-8" => "is 0; 1 to 65,535 are allowed",
            "MQTT-3.3.4-6" => "comes from a client; only servers send it in a PUBLISH",
            "MQTT-3.8.3-2" => "has no Topic Filter; at least one is required",
            "MQTT-3.10.3-2" => "is missing; at least one is required",
            "MQTT-3.8.3-4" => "is set for a shared subscription",
            "MQTT-3.8.3-5" => "have a reserved bit set",
            "MQTT-3.14.2-2" => "comes from a server; only clients send it in a DISCONNECT",
            "MQTT-4.7.1-1" => "has a \"#\" that is not alone in the last level",
            "MQTT-4.7.1-2" => "has a \"+\" that is not alone in its level",
            "MQTT-4.7.3-1" => "is empty; at least one character is required",
            "MQTT-4.8.2-1" => "begins with \"$share/\" and has no Share Name after it",
            "MQTT-4.8.2-2" => "has a wildcard in its Share Name, or no Topic Filter after it",
            "U-2.2.2-1" if self.error.field == "property_id" => {
                return Some(format!(
                    "is {}, which no property has",
                    self.byte(self.error.offset)
                ));
            }
            "U-2.2.2-1" => return Some(format!("is not a property of {packet}")),
            "U-3.3.2-1" => "is empty, and no Topic Alias stands for it",
            "U-3.8.3-1" => "have a QoS of 3 or a Retain Handling of 3",
            "U-3.9.3-1" => "has no Reason Code; there is one for each Topic Filter",
            _ if self.error.field == "flags" => {
                // [MQTT-2.1.3-1] The fixed header's flags, in binary as the standard shows them.
                let flags = self.bytes.first().map_or(0, |first| first & 0x0f);
                let right = if self.error.statement == Some("MQTT-2.1.3-1")
                    || packet == "DISCONNECT"
                    || packet == "AUTH"
                {
                    "0000"
                } else {
                    "0010"
                };
                return Some(format!("are {flags:04b}; {packet} has {right}"));
            }
            _ if self.error.field == "reason_code" => return Some(self.reason_code()),
            _ => return None,
        };
        Some(reason.to_owned())
    }

    /// A reason code that the packet doesn't have at all, or not from this sender.
    fn reason_code(&self) -> String {
        let byte = self.byte(self.error.offset);
        // A known code can be wrong for the packet type or for the sender; the error's kind tells
        // which.
        let code = usize::try_from(self.error.offset)
            .ok()
            .and_then(|at| self.bytes.get(at))
            .and_then(|byte| ReasonCode::from_code(*byte));
        match code {
            None => format!("is {byte}, which is no reason code"),
            Some(code) if self.error.kind == DecodeErrorKind::ProtocolError => {
                format!(
                    "is {code}, which only the other side sends in {}",
                    self.packet
                )
            }
            Some(code) => format!("is {code}, which {} doesn't have", self.packet),
        }
    }

    /// Reason of a property that is there twice, lacks another one or has a wrong value.
    fn broken_property(&self) -> String {
        let (field, offset) = (self.error.field, self.error.offset);
        // A repetition is told by a field of the same name in front of the fault.
        let earlier = |name: &str| {
            self.fields
                .iter()
                .any(|field| field.name == name && field.at < offset as usize)
        };
        let begins_here = self.fields.iter().any(|field| field.at == offset as usize);
        match field {
            _ if begins_here && earlier(field) => "appears a second time".into(),
            "authentication_data" if begins_here => {
                "appears without an Authentication Method".into()
            }
            "authentication_method" => "is missing".into(),
            "server_reference" => "comes from a client; only servers send it".into(),
            // Numbers are the rest: the offset is that of the value.
            _ => {
                let value = self.value(offset).unwrap_or("not allowed");
                format!("is {value}; {}", allowed(field))
            }
        }
    }

    /// Value of the property around `offset`, as people are shown it.
    fn value(&self, offset: u32) -> Option<&str> {
        let offset = offset as usize;
        let field = self
            .fields
            .iter()
            .find(|field| (field.at..field.at + field.len).contains(&offset))?;
        (field.name == self.error.field).then_some(field.meaning.as_str())
    }

    fn byte(&self, offset: u32) -> String {
        // The fault may be after the last byte, where the packet is cut off.
        let byte = usize::try_from(offset)
            .ok()
            .and_then(|at| self.bytes.get(at));
        byte.map_or_else(|| "missing".to_owned(), |byte| format!("0x{byte:02X}"))
    }
}

#[cfg(test)]
mod tests;
