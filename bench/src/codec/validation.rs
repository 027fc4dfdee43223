//! Malformed packets, and the codecs that accept them.

use serde::Serialize;

use super::contestant::Entry;

/// A rule of MQTT 5, with a packet that breaks it and the same packet without the fault.
struct Rule {
    name: &'static str,
    bad: &'static [u8],
    good: &'static [u8],
}

/// A malformed packet's rule and the codecs that accept the packet.
#[derive(Serialize)]
pub struct Validation {
    /// Rule that the packet breaks, with its section or statement in MQTT 5.0.
    pub rule: &'static str,
    /// Codecs that decode the packet without an error.
    pub accepted_by: Vec<&'static str>,
}

/// Passes every malformed packet to every codec.
///
/// A codec that refuses the packet without the fault too is left out of `accepted_by`.
pub fn of(entries: &[Entry]) -> Vec<Validation> {
    let judge = |rule: &Rule| {
        let accepts = |entry: &&Entry| {
            entry
                .accepts
                .is_some_and(|accepts| accepts(rule.good) == 1 && accepts(rule.bad) == 1)
        };
        Validation {
            rule: rule.name,
            accepted_by: entries
                .iter()
                .filter(accepts)
                .map(|entry| entry.name)
                .collect(),
        }
    };
    RULES.iter().map(judge).collect()
}

const RULES: [Rule; 17] = [
    Rule {
        name: "Remaining Length in more bytes than needed [MQTT-1.5.5-1]",
        bad: b"\x40\x82\x00\x00\x07",
        good: b"\x40\x02\x00\x07",
    },
    Rule {
        name: "reserved flags of PUBACK [MQTT-2.1.3-1]",
        bad: b"\x41\x02\x00\x07",
        good: b"\x40\x02\x00\x07",
    },
    Rule {
        name: "PUBACK with an unknown Reason Code (3.4.2.1)",
        bad: b"\x40\x03\x00\x07\x42",
        good: b"\x40\x03\x00\x07\x80",
    },
    Rule {
        name: "CONNACK with a byte after its properties (3.2.3)",
        bad: b"\x20\x04\x00\x00\x00\xff",
        good: b"\x20\x03\x00\x00\x00",
    },
    Rule {
        name: "PUBLISH with QoS 3 [MQTT-3.3.1-4]",
        bad: b"\x36\x06\x00\x01a\x00\x07\x00",
        good: b"\x34\x06\x00\x01a\x00\x07\x00",
    },
    Rule {
        name: "PUBLISH with DUP and QoS 0 [MQTT-3.3.1-2]",
        bad: b"\x38\x04\x00\x01a\x00",
        good: b"\x30\x04\x00\x01a\x00",
    },
    Rule {
        name: "PUBLISH with Packet Identifier 0 [MQTT-2.2.1-3]",
        bad: b"\x32\x06\x00\x01a\x00\x00\x00",
        good: b"\x32\x06\x00\x01a\x00\x07\x00",
    },
    Rule {
        name: "Topic Name that isn't UTF-8 [MQTT-1.5.4-1]",
        bad: b"\x30\x04\x00\x01\xff\x00",
        good: b"\x30\x04\x00\x01a\x00",
    },
    Rule {
        name: "Topic Name with U+0000 [MQTT-1.5.4-2]",
        bad: b"\x30\x04\x00\x01\x00\x00",
        good: b"\x30\x04\x00\x01a\x00",
    },
    Rule {
        name: "Topic Name with a wildcard [MQTT-3.3.2-2]",
        bad: b"\x30\x04\x00\x01#\x00",
        good: b"\x30\x04\x00\x01a\x00",
    },
    Rule {
        name: "a property twice (2.2.2.2)",
        bad: b"\x30\x08\x00\x01a\x04\x01\x00\x01\x00",
        good: b"\x30\x06\x00\x01a\x02\x01\x00",
    },
    Rule {
        name: "a property of other packets (2.2.2.2)",
        bad: b"\x30\x07\x00\x01a\x03\x21\x00\x07",
        good: b"\x30\x07\x00\x01a\x03\x23\x00\x07",
    },
    Rule {
        name: "Payload Format Indicator 2 (3.3.2.3.2)",
        bad: b"\x30\x06\x00\x01a\x02\x01\x02",
        good: b"\x30\x06\x00\x01a\x02\x01\x00",
    },
    Rule {
        name: "Topic Alias 0 [MQTT-3.3.2-8]",
        bad: b"\x30\x07\x00\x01a\x03\x23\x00\x00",
        good: b"\x30\x07\x00\x01a\x03\x23\x00\x07",
    },
    Rule {
        name: "SUBSCRIBE without a Topic Filter [MQTT-3.8.3-2]",
        bad: b"\x82\x03\x00\x07\x00",
        good: b"\x82\x07\x00\x07\x00\x00\x01a\x00",
    },
    Rule {
        name: "Topic Filter with a misplaced wildcard [MQTT-4.7.1-1]",
        bad: b"\x82\x08\x00\x07\x00\x00\x02a#\x00",
        good: b"\x82\x07\x00\x07\x00\x00\x01#\x00",
    },
    Rule {
        name: "reserved bits of Subscription Options [MQTT-3.8.3-5]",
        bad: b"\x82\x07\x00\x07\x00\x00\x01a\xc0",
        good: b"\x82\x07\x00\x07\x00\x00\x01a\x00",
    },
];

#[cfg(test)]
mod tests {
    use super::RULES;
    use dunlin_codec::Packet;

    #[test]
    fn only_the_fault_is_refused() {
        for rule in RULES {
            let good = Packet::decode(rule.good).map(|packet| packet.map(|(_, len)| len));
            assert_eq!(good, Ok(Some(rule.good.len())), "{}", rule.name);
            assert!(Packet::decode(rule.bad).is_err(), "{}", rule.name);
        }
    }
}
