//! Text (§1.5.4): what doesn't belong is found at every place of a string of any length.

use dunlin_codec::{Packet, TextError, TopicError, TopicName, Utf8String};

/// Statement that a Topic Name on the wire breaks, found by the simplest possible check.
fn plainly(topic: &[u8]) -> Option<&'static str> {
    if std::str::from_utf8(topic).is_err() {
        Some("MQTT-1.5.4-1")
    } else if topic.contains(&0) {
        Some("MQTT-1.5.4-2")
    } else if topic.contains(&b'+') || topic.contains(&b'#') {
        Some("MQTT-3.3.2-2")
    } else {
        None
    }
}

#[test]
fn an_invalid_byte_is_found_at_every_position() {
    for len in (1..=33).chain(47..=50) {
        for place in 0..len {
            // The neighbours of what is looked for are where a clever way of looking would err.
            for around in [b'a', 0x01, 0x22, 0x24, 0x2a, 0x2c, 0x7f] {
                for byte in 0..=u8::MAX {
                    let mut topic = vec![around; len];
                    topic[place] = byte;
                    let total = u8::try_from(len).unwrap();
                    let packet = [&[0x30, total + 3, 0, total], &*topic, &[0]].concat();
                    let statement = Packet::decode(&packet)
                        .err()
                        .map(|error| error.statement.unwrap());
                    assert_eq!(statement, plainly(&topic), "{topic:02x?}");
                }
            }
        }
    }
}

#[test]
fn constructors_see_what_decoding_sees() {
    for len in (0..=33).chain(47..=50) {
        for place in 0..=len {
            for odd in [
                "\0",
                "+",
                "#",
                "\u{1}",
                "\u{7f}",
                "\u{80}",
                "\u{feff}",
                "\u{10ffff}",
            ] {
                let text = "a".repeat(place) + odd + &"a".repeat(len - place);
                let nul = text.contains('\0');
                assert_eq!(Utf8String::new(&text).err(), nul.then_some(TextError::Nul));
                let wildcard = text
                    .contains(['+', '#'])
                    .then_some(TopicError::WildcardInName);
                assert_eq!(
                    TopicName::new(&text).err(),
                    nul.then_some(TopicError::Nul).or(wildcard)
                );
            }
        }
    }
}
