//! `redact`: texts of a server without the secrets of the request, which some servers repeat.

use std::cmp::Reverse;

use zeroize::Zeroizing;

use crate::percent::unescaped;

/// Replaces the secrets of a request in texts of its answer: the query, the values in it, and the
/// values of headers.
pub(crate) fn redact<'a>(
    texts: impl IntoIterator<Item = &'a mut String>,
    query: &str,
    headers: &[&str],
) {
    // Values of the query as they are sent, and as a server decodes them.
    let values = query
        .split('&')
        .filter_map(|parameter| Some(parameter.split_once('=')?.1));
    let decoded: Vec<Zeroizing<String>> = values.clone().map(decoded).collect();
    let decoded = decoded.iter().map(|value| value.as_str());
    let headers = headers.iter().copied();
    // The part of `Bearer TOKEN` after the scheme.
    let credentials = headers
        .clone()
        .filter_map(|value| Some(value.split_once(' ')?.1));
    let mut secrets: Vec<&str> = headers
        .chain(credentials)
        .chain([query])
        .chain(values)
        .chain(decoded)
        // Short values, such as numbers, are no secrets, and part of many texts.
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .collect();
    // The longest first: a secret may contain another one.
    secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));

    for text in texts {
        for secret in &secrets {
            if text.contains(secret) {
                *text = text.replace(secret, REDACTED);
            }
        }
        // The text is cut at its maximum length, and a secret may be cut with it.
        let cut = secrets.iter().filter_map(|secret| cut_secret(text, secret));
        if let Some(len) = cut.max() {
            text.truncate(text.len() - len);
            text.push_str(REDACTED);
        }
    }
}

/// Length of the beginning of `secret` at the end of `text`, in bytes; `None` if there is none, or
/// one that is too short to be told from other text.
fn cut_secret(text: &str, secret: &str) -> Option<usize> {
    let beginnings = secret.char_indices().map(|(len, _)| len).rev();
    beginnings
        .take_while(|len| *len >= SHORTEST_SECRET)
        .find(|len| {
            secret
                .get(..*len)
                .is_some_and(|begin| text.ends_with(begin))
        })
}

/// Percent-decoded value, zeroed after use.
fn decoded(value: &str) -> Zeroizing<String> {
    // Allocated at full size: a buffer that grows would leave copies of the secret in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    bytes.extend(unescaped(value).map(|item| item.byte()));
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

/// Text in place of a secret.
const REDACTED: &str = "<redacted>";
/// Shortest value of a header or of a query that is looked for in the answer, in bytes.
const SHORTEST_SECRET: usize = 4;
