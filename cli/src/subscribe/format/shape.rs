//! `Shape`: flags, width and precision of a field, as mosquitto_sub applies them.

use std::fmt::Display;

/// Flags, minimum width and maximum width of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// `-`: padded at the right instead of the left.
    pub(super) is_left: bool,
    /// `0`: numbers and payloads are padded with zeros.
    pub(super) is_zero: bool,
    /// Minimum width in bytes; 0 means none.
    pub(super) width: usize,
    /// Maximum width of text in bytes; `None` means no limit.
    pub(super) precision: Option<usize>,
}

impl Shape {
    /// True without flags and widths.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Appends a number; padding alone for a property that the message lacks.
    pub(super) fn number(&self, number: Option<impl Display>, out: &mut Vec<u8>) {
        let Some(number) = number else {
            return self.pad(self.width, out);
        };
        let text = number.to_string();
        let missing = self.width.saturating_sub(text.len());
        match (self.is_left, self.is_zero) {
            // Zeros at the right would change the number.
            (true, _) => {
                out.extend_from_slice(text.as_bytes());
                out.resize(out.len() + missing, b' ');
            }
            (false, _) => {
                self.pad(missing, out);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Appends blanks in place of text that the message lacks.
    pub(super) fn blank(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + self.width, b' ');
    }

    /// Appends text, cut to the maximum width.
    pub(super) fn text(&self, text: &str, out: &mut Vec<u8>) {
        // printf(3) counts bytes; a character is never cut in two here.
        let mut end = self.precision.unwrap_or(text.len()).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        let missing = self.width.saturating_sub(text.len());
        if !self.is_left {
            out.resize(out.len() + missing, b' ');
        }
        out.extend_from_slice(text.as_bytes());
        if self.is_left {
            out.resize(out.len() + missing, b' ');
        }
    }

    /// Appends a payload. The width is its minimum and its maximum, as in mosquitto_sub.
    pub(super) fn payload(&self, payload: &[u8], out: &mut Vec<u8>) {
        let shown = self.cut(payload);
        self.around(shown.len(), out, |out| out.extend_from_slice(shown));
    }

    /// Appends a payload in hexadecimal digits. The width is its minimum and its maximum.
    pub(super) fn hex(&self, payload: &[u8], is_upper: bool, out: &mut Vec<u8>) {
        // mosquitto_sub first cuts the bytes to the width and then halves their number, so that
        // `%10x` shows two bytes of five.
        let mut shown = self.cut(payload);
        if self.width > 0 {
            shown = shown.get(..shown.len() / 2).unwrap_or_default();
        }
        self.around(2 * shown.len(), out, |out| {
            for byte in shown {
                let digits = if is_upper {
                    format!("{byte:02X}")
                } else {
                    format!("{byte:02x}")
                };
                out.extend_from_slice(digits.as_bytes());
            }
        });
    }

    fn cut<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        match self.width {
            0 => payload,
            width => payload.get(..width).unwrap_or(payload),
        }
    }

    /// Appends `len` bytes and the padding before or after them.
    fn around(&self, len: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let missing = self.width.saturating_sub(len);
        if !self.is_left {
            self.pad(missing, out);
        }
        write(out);
        if self.is_left {
            out.resize(out.len() + missing, b' ');
        }
    }

    fn pad(&self, count: usize, out: &mut Vec<u8>) {
        let pad = if self.is_zero { b'0' } else { b' ' };
        out.resize(out.len() + count, pad);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(is_left: bool, is_zero: bool, width: usize, precision: Option<usize>) -> Shape {
        Shape {
            is_left,
            is_zero,
            width,
            precision,
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// The texts of mosquitto_sub 2.0.11; tests/tests/pubsub compares both programs.
    #[test]
    fn widths_and_flags_are_those_of_mosquitto_sub() {
        let number = |shape: Shape| written(|out| shape.number(Some(10), out));
        assert_eq!(number(shape(false, true, 5, None)), "00010");
        assert_eq!(number(shape(true, true, 5, None)), "10   ");
        assert_eq!(number(shape(false, false, 5, Some(1))), "   10");
        let none = |shape: Shape| written(|out| shape.number(None::<u8>, out));
        assert_eq!(none(shape(false, true, 5, None)), "00000");

        let text = |shape: Shape| written(|out| shape.text("a/b", out));
        assert_eq!(text(shape(false, false, 5, Some(1))), "    a");
        assert_eq!(text(shape(true, false, 5, Some(1))), "a    ");
        assert_eq!(text(shape(false, true, 5, None)), "  a/b");

        let hex = |shape: Shape| written(|out| shape.hex(b"a\x01b\xffc", false, out));
        assert_eq!(hex(shape(false, false, 0, None)), "610162ff63");
        assert_eq!(hex(shape(false, false, 10, None)), "      6101");
        assert_eq!(hex(shape(false, false, 3, None)), " 61");
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        let cut = shape(false, false, 0, Some(2));
        assert_eq!(written(|out| cut.text("aé", out)), "a");
    }
}
