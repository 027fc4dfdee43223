//! Words in the quoting of a POSIX shell.

use std::borrow::Cow;

/// A word that a shell reads as `text`: in single quotes unless it is plain.
pub(crate) fn shell_quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''")).into()
    }
}
