//! Line and column of a value in a JSON text, for messages that an editor can follow.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Place in a text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// Position of the value that a JSON Pointer (RFC 6901) leads to: the name of a member, the
    /// first character of anything else. As near as can be if the pointer leads nowhere.
    pub(super) fn of(text: &str, pointer: &str) -> Self {
        let Ok(root) = serde_json::from_str::<&RawValue>(text) else {
            return Self::at(text, 0);
        };
        let mut place = JsonValue {
            raw: root,
            start: offset(text, root),
        };
        // RFC 6901, section 4: "~1" before "~0", or "~01" would become "/".
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            match place.child(text, &name) {
                Some(child) => place = child,
                None => break,
            }
        }
        Self::at(text, place.start)
    }

    /// Position of a byte.
    pub(super) fn at(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: in_line.chars().count() + 1,
        }
    }
}

/// A value in the text, and the byte at which it, or its name, begins.
struct JsonValue<'a> {
    raw: &'a RawValue,
    start: usize,
}

impl<'a> JsonValue<'a> {
    /// Member of an object, or item of a list; `None` if there is none of that name.
    fn child(&self, text: &str, name: &str) -> Option<Self> {
        let json = self.raw.get();
        if json.starts_with('[') {
            // Raw values borrow from the text, so their addresses give their offsets.
            let items: Vec<&'a RawValue> = serde_json::from_str(json).ok()?;
            let raw = *items.get(name.parse::<usize>().ok()?)?;
            return Some(Self {
                raw,
                start: offset(text, raw),
            });
        }
        let members: BTreeMap<String, &'a RawValue> = serde_json::from_str(json).ok()?;
        let raw = *members.get(name)?;
        let start = name_start(text, raw, name).unwrap_or_else(|| offset(text, raw));
        Some(Self { raw, start })
    }
}

/// Byte at which the name of a member begins; `None` if it is written with escapes.
fn name_start(text: &str, value: &RawValue, name: &str) -> Option<usize> {
    let before = text.get(..offset(text, value))?;
    let before = before.trim_end().strip_suffix(':')?.trim_end();
    let before = before.strip_suffix(&serde_json::to_string(name).ok()?)?;
    Some(before.len())
}

/// Byte at which a value begins that was read from this text without a copy.
fn offset(text: &str, value: &RawValue) -> usize {
    value.get().as_ptr().addr() - text.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_a_line_and_a_column() {
        let text = "\n{\"é\": [1, {\n  \"a/b\" : [ 2,\n\t3 ]}]}";
        for (pointer, line, column) in [
            ("", 2, 1),
            ("/é", 2, 2),
            ("/é/0", 2, 8),
            ("/é/1", 2, 11),
            ("/é/1/a~1b", 3, 3),
            ("/é/1/a~1b/0", 3, 13),
            ("/é/1/a~1b/1", 4, 2),
            // As near as can be.
            ("/é/1/none/1", 2, 11),
        ] {
            assert_eq!(
                Position::of(text, pointer),
                Position { line, column },
                "{pointer}"
            );
        }
    }

    #[test]
    fn a_name_with_escapes_is_found_at_its_value() {
        let text = r#"{"\u0061": 1}"#;
        assert_eq!(
            Position::of(text, "/a"),
            Position {
                line: 1,
                column: 12
            }
        );
    }
}
