//! Parts of a canonical request, which is signed in place of the request itself.

use std::borrow::Cow;

use crate::authorizer::percent_decoded;

/// Value of a header without spaces at its ends, and with one in place of several.
pub(super) fn single_spaced(value: &str) -> String {
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Parameters of a query, encoded in AWS's way and sorted by name and value, but for those `without`.
pub(super) fn canonical_query(query: &str, without: &[&str]) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.filter(|pair| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        !without.contains(&name)
    });
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // What can't be decoded is signed as it is.
            let again = |text| {
                let decoded = percent_decoded(text).unwrap_or(Cow::Borrowed(text));
                encoded(&decoded, false)
            };
            (again(name), again(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Path without dot segments (RFC 3986, 5.2.4), and without empty ones but the last.
pub(super) fn without_dot_segments(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let ends_with_slash = path.ends_with('/') && !segments.is_empty();
    let end = if ends_with_slash { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3), and slashes if they are kept.
pub(super) fn encoded(text: &str, keeps_slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            b'/' if keeps_slashes => encoded.push('/'),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
