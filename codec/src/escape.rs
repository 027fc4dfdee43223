//! `Escaped` and `Excerpt`: text from elsewhere, made safe for terminals and logs.

use core::fmt::{self, Display, Formatter, Write};

/// A value whose text can't steer a terminal or disguise a log line.
///
/// Text of servers, clients and users may hold anything: an escape sequence that clears the screen,
/// a line break that starts a log line of its own, a mark that turns the reading direction.
/// `Display` writes every such character ([`needs_escape`]) as Rust writes it in a literal, `\n` or
/// `\u{1b}`, and all other text as it is. A backslash stays single, so the result is for people,
/// not for parsing.
///
/// ```
/// use dunlin_codec::Escaped;
///
/// let reason = "denied\u{1b}[2J\nok: \u{202e}drowssap";
/// assert_eq!(Escaped(reason).to_string(), r"denied\u{1b}[2J\nok: \u{202e}drowssap");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Escaped<T>(
    /// The value; its `Display` is escaped.
    pub T,
);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            EscapingWriter {
                out: f,
                needs_escape,
                escape: escape_for_people
            },
            "{}",
            self.0
        )
    }
}

/// [`Escaped`] in double quotes; a double quote in the text is written as `\"`.
///
/// ```
/// use dunlin_codec::Quoted;
///
/// assert_eq!(Quoted("lamp\n\"7\"").to_string(), r#""lamp\n\"7\"""#);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quoted<T>(
    /// The value; its `Display` is escaped.
    pub T,
);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let needs_escape = |c| c == '"' || needs_escape(c);
        write!(
            EscapingWriter {
                out: f,
                needs_escape,
                escape: escape_for_people
            },
            "{}",
            self.0
        )?;
        f.write_char('"')
    }
}

/// Beginning of a text, [`Escaped`], with `..` after it if the text is longer.
///
/// Text of servers, clients and users may also be long: up to 65,535 bytes of a topic in one line of
/// a log. The text is cut between characters before it is escaped, so that no escape is cut.
///
/// ```
/// use dunlin_codec::Excerpt;
///
/// assert_eq!(Excerpt::new("lamp\u{1b}7", 256).to_string(), r"lamp\u{1b}7");
/// assert_eq!(Excerpt::new("lamp\u{1b}7", 5).to_string(), r"lamp\u{1b}..");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Excerpt<'a> {
    text: &'a str,
    is_cut: bool,
}

impl<'a> Excerpt<'a> {
    /// Creates an excerpt of the first `max_chars` characters.
    #[must_use]
    pub fn new(text: &'a str, max_chars: usize) -> Self {
        let end = text.char_indices().nth(max_chars).map(|(end, _)| end);
        Self {
            text: end.and_then(|end| text.get(..end)).unwrap_or(text),
            is_cut: end.is_some(),
        }
    }

    /// Characters of the excerpt, without escapes and without the `..`.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// True if the text is longer than the excerpt.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl Display for Excerpt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Escaped(self.text).fmt(f)?;
        f.write_str(if self.is_cut { ".." } else { "" })
    }
}

/// JSON text whose strings can't steer a terminal or disguise a log line.
///
/// `Display` writes every character outside of ASCII that [`needs_escape`] names, and DEL, as
/// `\uXXXX`; the meaning of the JSON stays. Serializers escape the control characters of ASCII in
/// strings by themselves, so that those that are left are the JSON's own line breaks.
///
/// ```
/// use dunlin_codec::EscapedJson;
///
/// assert_eq!(EscapedJson("{\"reason\": \"\u{9b}2J\u{202e}\"}").to_string(), r#"{"reason": "\u009b2J\u202e"}"#);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EscapedJson<T>(
    /// The value; its `Display` is JSON.
    pub T,
);

impl<T: Display> Display for EscapedJson<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let needs_escape = |c| c > '\x1f' && needs_escape(c);
        write!(
            EscapingWriter {
                out: f,
                needs_escape,
                escape: escape_for_json
            },
            "{}",
            self.0
        )
    }
}

/// True if [`Escaped`] replaces `c`: a control character (C0, DEL, C1), a mark or override of the
/// reading direction, a line or paragraph separator, or an invisible character that only serves to
/// disguise text.
///
/// The joiners U+200C and U+200D are left alone: scripts and emoji need them.
///
/// ```
/// use dunlin_codec::needs_escape;
///
/// assert!(needs_escape('\x1b') && needs_escape('\u{202e}'));
/// assert!(!needs_escape('é') && !needs_escape('\u{200d}'));
/// ```
#[must_use]
pub const fn needs_escape(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Marks, embeddings, overrides and isolates of the reading direction (Unicode Standard Annex 9).
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Line and paragraph separators.
        | '\u{2028}' | '\u{2029}'
        // Zero width space, invisible operators, deprecated format characters, byte order mark, annotations, tags.
        | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Writer that escapes the characters that need it.
struct EscapingWriter<'a, 'f, N> {
    out: &'a mut Formatter<'f>,
    needs_escape: N,
    escape: fn(char, &mut Formatter<'_>) -> fmt::Result,
}

impl<N: Fn(char) -> bool> Write for EscapingWriter<'_, '_, N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // What needs no escape is written in whole pieces.
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| (self.needs_escape)(c)) {
            let (before, after) = rest.split_at(at);
            self.out.write_str(before)?;
            // The character itself is never written.
            (self.escape)(c, self.out)?;
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        self.out.write_str(rest)
    }
}

fn escape_for_people(c: char, out: &mut Formatter<'_>) -> fmt::Result {
    write!(out, "{}", c.escape_default())
}

fn escape_for_json(c: char, out: &mut Formatter<'_>) -> fmt::Result {
    c.encode_utf16(&mut [0; 2])
        .iter()
        .try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    #[test]
    fn every_character_that_could_steer_or_disguise_is_replaced() {
        for c in char::MIN..=char::MAX {
            let text = String::from_iter(['a', c, 'b']);
            let shown = Escaped(&text).to_string();
            assert!(needs_escape(c) || !c.is_control(), "{c:?}");
            if needs_escape(c) {
                assert!(
                    shown.starts_with("a\\") && shown.ends_with('b') && shown.is_ascii(),
                    "{shown:?}"
                );
                assert!(!shown.chars().any(needs_escape), "{shown:?}");
                let json = EscapedJson(&text).to_string();
                assert_eq!(json == text, c < ' ', "{json:?}");
            } else {
                assert_eq!(shown, text);
                assert_eq!(EscapedJson(&text).to_string(), text);
            }
        }
    }

    #[test]
    fn bidirectional_and_separating_characters_are_replaced() {
        let listed = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{2028}\u{2029}";
        assert!(listed.chars().all(needs_escape));
        assert_eq!(
            Escaped(listed).to_string().matches("\\u{").count(),
            listed.chars().count()
        );
    }

    #[test]
    fn text_of_people_stays_as_it_is() {
        for text in [
            "",
            "lamp/7",
            "Ünïcode",
            "שלום",
            "مرحبا",
            "👩\u{200d}🚀",
            "C:\\temp",
            "\"quoted\"",
        ] {
            assert_eq!(Escaped(text).to_string(), text);
        }
    }

    #[test]
    fn an_excerpt_is_cut_between_characters_and_says_so() {
        for (text, max_chars, expected) in [
            ("", 0, ""),
            ("a", 0, ".."),
            ("lamp", 4, "lamp"),
            ("lamp/", 4, "lamp.."),
            ("äöü", 2, "äö.."),
            // The escape is longer than the excerpt, and whole.
            ("\n\n", 1, "\\n.."),
        ] {
            let excerpt = Excerpt::new(text, max_chars);
            assert_eq!(excerpt.to_string(), expected);
            assert_eq!(excerpt.is_cut(), expected.ends_with(".."));
            assert!(text.starts_with(excerpt.as_str()));
        }
    }

    #[test]
    fn values_are_escaped_as_their_text_is() {
        assert_eq!(Escaped(format_args!("{}{}", 'a', '\n')).to_string(), "a\\n");
        assert_eq!(EscapedJson("\u{e0001}").to_string(), "\\udb40\\udc01");
    }
}
