//! Test vectors of other projects, which lie beside the repository.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Reads the vectors of a file in `../shared/vectors`, one JSON object a line.
///
/// `None` if the folder doesn't exist: the vectors aren't part of the repository.
///
/// # Panics
/// If a line isn't JSON.
#[must_use]
pub fn shared_vectors(file: &str) -> Option<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let text = fs::read_to_string(folder.join(file)).ok()?;
    let vectors = text.lines().map(|line| {
        let mut vector: Value = serde_json::from_str(line).expect("one JSON object a line");
        // Only servers send AUTH with Success (§3.15.2.1), also in the short form, which
        // the vectors accept from clients.
        if vector["hex"] == SHORT_AUTH {
            vector["from_client"] = "error".into();
        }
        vector
    });
    Some(vectors.collect())
}

/// Bytes of hexadecimal digits; all other characters are skipped.
///
/// # Panics
/// If the number of digits is odd.
#[must_use]
pub fn hex_bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "two digits a byte: {hex}");
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}

/// AUTH without reason code and properties.
const SHORT_AUTH: &str = "f000";
