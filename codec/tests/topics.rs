//! Topic names, topic filters and what matches (§4.7, §4.8.2).

use dunlin_codec::{Packet, TopicError, TopicFilter, TopicMatcher, TopicName};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2]
#[test]
fn a_filter_is_accepted_or_refused_with_its_reason() {
    use TopicError::{
        Empty, MalformedShare, MisplacedMultiLevelWildcard, MisplacedSingleLevelWildcard,
        MissingShareName, Nul,
    };
    let table: [(&str, Result<(), TopicError>); 38] = [
        ("a", Ok(())),
        ("/", Ok(())),
        ("//", Ok(())),
        ("a b/c", Ok(())),
        ("$SYS/#", Ok(())),
        ("", Err(Empty)),
        ("a\0b", Err(Nul)),
        ("#", Ok(())),
        ("a/#", Ok(())),
        ("/#", Ok(())),
        ("a#", Err(MisplacedMultiLevelWildcard)),
        ("#a", Err(MisplacedMultiLevelWildcard)),
        ("##", Err(MisplacedMultiLevelWildcard)),
        ("a/#/b", Err(MisplacedMultiLevelWildcard)),
        ("#/a", Err(MisplacedMultiLevelWildcard)),
        ("#/", Err(MisplacedMultiLevelWildcard)),
        ("a/b#", Err(MisplacedMultiLevelWildcard)),
        ("+", Ok(())),
        ("/+", Ok(())),
        ("+/", Ok(())),
        ("+/+", Ok(())),
        ("a/+/b", Ok(())),
        ("+/a/#", Ok(())),
        ("a+", Err(MisplacedSingleLevelWildcard)),
        ("+a", Err(MisplacedSingleLevelWildcard)),
        ("a/b+", Err(MisplacedSingleLevelWildcard)),
        ("++", Err(MisplacedSingleLevelWildcard)),
        ("$share/g/a", Ok(())),
        ("$share/g/#", Ok(())),
        ("$share/g//a", Ok(())),
        ("$sharex/a", Ok(())),
        ("$share", Ok(())),
        ("$share//a", Err(MissingShareName)),
        ("$share/", Err(MissingShareName)),
        ("$share/g", Err(MalformedShare)),
        ("$share/g/", Err(MalformedShare)),
        ("$share/g+/a", Err(MalformedShare)),
        ("$share/#/a", Err(MalformedShare)),
    ];
    for (filter, expected) in table {
        assert_eq!(TopicFilter::new(filter).map(drop), expected, "{filter:?}");
    }
}

/// [MQTT-4.7.0-1] [MQTT-3.3.2-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2]
#[test]
fn a_name_has_no_wildcard() {
    for name in [
        "a",
        "/",
        "a/b/c",
        "$SYS/x",
        "$share/g/a",
        " ",
        "\u{feff}",
        "\u{1f426}",
    ] {
        assert!(TopicName::new(name).is_ok(), "{name:?}");
    }
    for (name, expected) in [
        ("", TopicError::Empty),
        ("a\0b", TopicError::Nul),
        ("+", TopicError::WildcardInName),
        ("a/#", TopicError::WildcardInName),
        ("a+b", TopicError::WildcardInName),
    ] {
        assert_eq!(TopicName::new(name), Err(expected), "{name:?}");
    }
}

/// [MQTT-4.7.3-3]
#[test]
fn names_and_filters_have_at_most_65535_bytes() {
    let (longest, too_long) = ("x".repeat(65_535), "x".repeat(65_536));
    assert!(TopicName::new(&longest).is_ok());
    assert!(TopicFilter::new(&longest).is_ok());
    assert_eq!(TopicName::new(&too_long), Err(TopicError::TooLong));
    assert_eq!(TopicFilter::new(&too_long), Err(TopicError::TooLong));
}

/// [MQTT-4.7.2-1] [MQTT-4.7.3-4]
#[test]
fn a_filter_matches_what_the_standard_says() {
    let table: [(&str, &[&str], &[&str]); 18] = [
        // §4.7.1.2
        (
            "sport/tennis/player1/#",
            &[
                "sport/tennis/player1",
                "sport/tennis/player1/ranking",
                "sport/tennis/player1/score/wimbledon",
            ],
            &["sport/tennis/player10", "sport/tennis"],
        ),
        (
            "sport/#",
            &["sport", "sport/", "sport/tennis"],
            &["sports", "/sport"],
        ),
        ("#", &["a", "/", "a/b/c", "/a"], &["$SYS", "$SYS/a"]),
        // §4.7.1.3
        (
            "sport/tennis/+",
            &[
                "sport/tennis/player1",
                "sport/tennis/player2",
                "sport/tennis/",
            ],
            &["sport/tennis/player1/ranking", "sport/tennis"],
        ),
        ("sport/+", &["sport/", "sport/a"], &["sport", "sport/a/b"]),
        ("+", &["a", "finance"], &["/finance", "a/b", "$SYS"]),
        ("/+", &["/finance", "/"], &["finance", "/a/b"]),
        ("+/+", &["/finance", "a/b", "/"], &["a", "a/b/c", "$SYS/a"]),
        (
            "+/tennis/#",
            &["sport/tennis", "/tennis", "sport/tennis/a/b"],
            &["sport/golf", "$x/tennis"],
        ),
        // §4.7.2
        (
            "$SYS/#",
            &["$SYS", "$SYS/", "$SYS/a/b"],
            &["SYS/a", "$SYSTEM"],
        ),
        (
            "$SYS/monitor/+",
            &["$SYS/monitor/Clients"],
            &["$SYS/monitor/a/b"],
        ),
        (
            "+/monitor/Clients",
            &["a/monitor/Clients"],
            &["$SYS/monitor/Clients"],
        ),
        ("$aws/#", &["$aws/x"], &["aws/x"]),
        // §4.7.3: no normalisation, letter by letter
        (
            "ACCOUNTS",
            &["ACCOUNTS"],
            &["Accounts", "/ACCOUNTS", "ACCOUNTS/"],
        ),
        ("a//b", &["a//b"], &["a/b", "a///b"]),
        ("A\u{30a}", &["A\u{30a}"], &["\u{c5}"]),
        // §4.8.2: without the prefix
        (
            "$share/workers/lamp/+",
            &["lamp/7"],
            &["$share/workers/lamp/7", "lamp", "$SYS/7"],
        ),
        ("$share/workers/#", &["lamp", "/"], &["$SYS/a"]),
    ];
    for (filter, matching, others) in table {
        let filter = TopicFilter::new(filter).unwrap();
        for name in matching {
            assert!(
                filter.matches(&TopicName::new(name).unwrap()),
                "{filter} matches {name}"
            );
        }
        for name in others {
            assert!(
                !filter.matches(&TopicName::new(name).unwrap()),
                "{filter} doesn't match {name}"
            );
        }
    }
}

#[test]
fn a_shared_filter_comes_apart() {
    let shared = TopicFilter::new("$share/workers//a/+").unwrap();
    assert!(shared.is_shared() && shared.has_wildcard());
    assert_eq!(
        (shared.share_name(), shared.without_share().as_str()),
        (Some("workers"), "/a/+")
    );

    let plain = TopicFilter::new("$sharex/a").unwrap();
    assert!(!plain.is_shared() && !plain.has_wildcard());
    assert_eq!((plain.share_name(), plain.without_share()), (None, plain));
}

#[test]
fn the_filter_of_a_share_is_a_valid_filter() {
    // What `without_share` gives can be subscribed to, so it obeys the same rules.
    for filter in [
        "$share/g/$share/",
        "$share/g/$share/x",
        "$share/g/$share//a",
    ] {
        assert!(TopicFilter::new(filter).is_err(), "{filter}");
    }
    let nested = TopicFilter::new("$share/g/$share/h/a").unwrap();
    assert_eq!(
        TopicFilter::new(&nested.without_share()),
        Ok(nested.without_share())
    );
    assert_eq!(nested.share_name(), Some("g"));
    // One share is taken off and no more.
    for (name, matches) in [("$share/h/a", true), ("a", false), ("h/a", false)] {
        let name = TopicName::new(name).unwrap();
        assert_eq!(nested.matches(&name), matches, "{name}");
        let mut matcher = TopicMatcher::new();
        matcher.insert(nested, ());
        assert_eq!(matcher.matches(&name).count() == 1, matches, "{name}");
    }
}

/// Fault of a filter, found level by level and byte by byte.
fn plain_fault(filter: &str) -> Option<TopicError> {
    if filter.is_empty() {
        return Some(TopicError::Empty);
    }
    if filter.contains('\0') {
        return Some(TopicError::Nul);
    }
    let mut rest = filter;
    while let Some(share) = rest.strip_prefix("$share/") {
        let (name, after) = share.split_once('/').unwrap_or((share, ""));
        if name.is_empty() {
            return Some(TopicError::MissingShareName);
        }
        if after.is_empty() || name.contains(['+', '#']) {
            return Some(TopicError::MalformedShare);
        }
        rest = after;
    }
    rest.char_indices().find_map(|(at, character)| {
        let begins = at == 0 || rest[..at].ends_with('/');
        let after = &rest[at + character.len_utf8()..];
        match character {
            '#' if !begins || !after.is_empty() => Some(TopicError::MisplacedMultiLevelWildcard),
            '+' if !begins || !(after.is_empty() || after.starts_with('/')) => {
                Some(TopicError::MisplacedSingleLevelWildcard)
            }
            _ => None,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// The constructor and the decoder look at eight bytes at a time; this looks at each.
    #[test]
    fn a_filter_is_judged_as_one_that_is_read_byte_by_byte(pieces in vec(select(&[
        "a", "+", "#", "/", "/", "/+", "/+/", "/#", "$share/", "$share/g/", "level", "a level of many bytes", "\u{e9}", "\u{1f426}", "\0", "\"", "*", ",",
    ][..]), 0..9)) {
        let filter = pieces.concat();
        let fault = plain_fault(&filter);
        prop_assert_eq!(TopicFilter::new(&filter).err(), fault, "{:?}", filter);

        let (body, len) = (filter.as_bytes(), u16::try_from(filter.len()).unwrap());
        let mut packet = vec![0x82, 0, 0x00, 0x01, 0x00];
        packet.extend(len.to_be_bytes());
        packet.extend(body);
        packet.push(0);
        prop_assume!(packet.len() < 128);
        packet[1] = u8::try_from(packet.len() - 2).unwrap();
        let statement = Packet::decode(&packet).err().and_then(|error| error.statement);
        let expected = match fault {
            // Text is judged before topics.
            Some(TopicError::Nul) => Some("MQTT-1.5.4-2"),
            fault => fault.map(TopicError::statement),
        };
        prop_assert_eq!(statement, expected, "{:?}", filter);
    }
}
