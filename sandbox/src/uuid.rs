//! Random UUIDs (RFC 9562, version 4), for connection ids and assigned client ids.

use core::fmt::Write as _;

/// A new one, in its usual form.
pub(crate) fn random() -> String {
    let mut bytes = [0; 16];
    // It can't fail once the library has seeded itself; ids would then repeat, which harms nothing
    // but the log.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let byte = match index {
            6 => byte & 0x0F | 0x40,
            8 => byte & 0x3F | 0x80,
            _ => byte,
        };
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_form_and_is_new_each_time() {
        let uuid = random();
        let dashes: Vec<usize> = uuid.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((uuid.len(), dashes), (36, vec![8, 13, 18, 23]));
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert_ne!(uuid, random());
    }
}
