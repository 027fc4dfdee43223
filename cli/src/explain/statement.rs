//! Explanations of the standard's statements in our own words: the numbered ones, such as
//! MQTT-3.3.1-4, and those without a number that errors name, such as U-3.3.2-1.

use dunlin_codec::PacketType;

use super::page::ExplanationPage;

/// Identifiers of all statements: the numbered ones in the order of the standard, then the others.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    rows().map(|(id, _)| id)
}

/// Page about a statement id, with or without brackets; `None` if the standard has no such statement.
pub(super) fn explain(word: &str) -> Option<ExplanationPage> {
    let id = word
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_uppercase();
    let (id, summary) = rows().find(|(each, _)| *each == id)?;
    let place = match id.strip_prefix("MQTT-") {
        Some(numbered) => {
            let (section, number) = numbered.rsplit_once('-')?;
            format!("MQTT 5.0, section {section}, numbered statement {number}")
        }
        None => format!(
            "MQTT 5.0, section {}; it has no number in the standard, the id is Dunlin's",
            section(id)?
        ),
    };
    let mut page = ExplanationPage::new("statement", id, id);
    page.section("in short:", summary);
    if let Some(subject) = section(id).and_then(subject) {
        page.section("subject:", subject);
    }
    page.section("standard:", place);
    let found = if id.starts_with("MQTT-") {
        "id"
    } else {
        "section"
    };
    page.section(
        "text:",
        format!(
            "https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html (search for the {found})"
        ),
    );
    Some(page)
}

/// Section in an identifier, such as `3.3.1`; `None` if it's no identifier.
fn section(id: &str) -> Option<&str> {
    let (section, _) = id
        .strip_prefix("MQTT-")
        .or_else(|| id.strip_prefix("U-"))?
        .rsplit_once('-')?;
    Some(section)
}

/// Rows of the table: a statement's identifier and its summary.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter_map(|line| line.split_once('\t'))
}

/// Subject of a section by its number, such as `3.3.1`; `None` if the standard has no such section
/// with statements.
fn subject(number: &str) -> Option<String> {
    let parts = number
        .split('.')
        .map(|part| part.parse::<u8>().ok())
        .collect::<Option<Vec<_>>>()?;
    // A packet type has its own section in chapter 3, in the order of the types' numbers.
    if let [3, packet, rest @ ..] = parts.as_slice() {
        let packet = PacketType::ALL
            .get(usize::from(packet.checked_sub(1)?))?
            .name();
        let part = match rest.first() {
            Some(1) => ": fixed header",
            Some(2) => ": variable header and properties",
            Some(3) => ": payload",
            Some(4) => ": actions of the receiver",
            _ => "",
        };
        return Some(format!("{packet}{part}"));
    }
    let of = |chapter, section| {
        SUBJECTS
            .iter()
            .find(|(numbers, _)| *numbers == (chapter, section))
            .map(|(_, subject)| (*subject).to_owned())
    };
    match parts.as_slice() {
        [chapter, section, ..] => of(*chapter, *section),
        _ => None,
    }
}

/// Table of the statements, one a line: identifier, tabulator, summary.
const TABLE: &str = include_str!("statements.tsv");

/// Subjects of the sections outside chapter 3 that have numbered statements.
const SUBJECTS: [((u8, u8), &str); 15] = [
    ((1, 5), "data representation: numbers, strings, binary data"),
    ((2, 1), "fixed header of every packet"),
    ((2, 2), "variable header: packet identifier and properties"),
    ((4, 1), "session state"),
    ((4, 2), "network connections"),
    ((4, 3), "quality of service"),
    ((4, 4), "delivery again after a reconnection"),
    ((4, 5), "receipt of messages"),
    ((4, 6), "order of messages"),
    ((4, 7), "topic names and topic filters"),
    ((4, 8), "subscriptions, shared ones among them"),
    ((4, 9), "flow control: the Receive Maximum"),
    ((4, 12), "enhanced authentication"),
    ((4, 13), "handling of errors"),
    ((6, 0), "MQTT over WebSocket"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_has_a_subject_and_a_sentence() {
        assert_eq!(ids().count(), TABLE.lines().count());
        for (id, summary) in rows() {
            assert!(section(id).and_then(subject).is_some(), "{id}");
            assert!(
                summary.ends_with('.') && summary.len() > 20,
                "{id}: {summary}"
            );
            assert!(explain(id).is_some(), "{id}");
        }
    }

    #[test]
    fn packets_and_other_sections_have_subjects() {
        assert_eq!(
            subject("3.1.2.11").unwrap(),
            "CONNECT: variable header and properties"
        );
        assert_eq!(subject("3.15.1").unwrap(), "AUTH: fixed header");
        assert_eq!(subject("4.13.1").unwrap(), "handling of errors");
        assert_eq!(subject("3.16"), None);
        assert_eq!(subject("3.0"), None);
        assert_eq!(subject("9.9"), None);
        assert_eq!(subject("x"), None);
    }
}
