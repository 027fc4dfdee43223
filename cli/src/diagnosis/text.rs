//! Words for facts: text of strangers made safe for a terminal, durations, shell words.

use std::time::Duration;

use dunlin_codec::{Excerpt, Quoted};

/// Longest part of a stranger's text that is printed.
const LONGEST: usize = 240;

/// `text` in double quotes, without anything a terminal would obey, and cut when very long.
pub(crate) fn quoted(text: &str) -> String {
    let excerpt = Excerpt::new(text, LONGEST);
    let quoted = Quoted(excerpt.as_str());
    if excerpt.is_cut() {
        format!("{quoted} (cut; {} bytes)", text.len())
    } else {
        quoted.to_string()
    }
}

/// Escaped and cut like [`quoted`], without the quotes: for a topic inside of a longer word.
pub(crate) fn unquoted(text: &str) -> String {
    let quoted = quoted(text);
    let inner = quoted.strip_prefix('"').unwrap_or(&quoted);
    inner.strip_suffix('"').unwrap_or(inner).to_owned()
}

/// `under 1 ms`, `3 ms`, `1.5 s`, `20 min 31 s`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() == 0 => "under 1 ms".into(),
        0 => format!("{} ms", duration.as_millis()),
        // Tenths of a second matter below a minute only.
        secs @ 1..60 if duration.subsec_millis() >= 100 => {
            format!("{}.{} s", secs, duration.subsec_millis() / 100)
        }
        secs @ 1..60 => format!("{secs} s"),
        secs => match secs % 60 {
            0 => format!("{} min", secs / 60),
            rest => format!("{} min {rest} s", secs / 60),
        },
    }
}

/// `1 byte`, `2 bytes`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// `word` as a POSIX shell reads it back unchanged.
pub(crate) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_steer_the_terminal() {
        assert_eq!(
            quoted("no\x1b[2J\n\"way\"\u{202e}"),
            r#""no\u{1b}[2J\n\"way\"\u{202e}""#
        );
    }

    #[test]
    fn a_very_long_text_is_cut_and_says_so() {
        let cut = quoted(&"x".repeat(65_535));
        assert!(
            cut.len() < 300 && cut.ends_with("(cut; 65535 bytes)"),
            "{cut}"
        );
    }

    #[test]
    fn durations_are_printed_for_people() {
        let texts =
            [0, 3, 212, 1070, 1500, 61_000, 120_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(
            texts,
            [
                "under 1 ms",
                "3 ms",
                "212 ms",
                "1 s",
                "1.5 s",
                "1 min 1 s",
                "2 min"
            ]
        );
    }

    #[test]
    fn a_shell_reads_every_word_back() {
        assert_eq!(shell("thing-7"), "thing-7");
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell(""), "''");
    }
}
