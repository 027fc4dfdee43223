//! Refusals of servers without the secrets of the request.

use std::cmp::Reverse;

use zeroize::Zeroizing;

use super::WebSocketOptions;
use crate::error::UpgradeRefusal;
use crate::percent::unescaped;

/// Refusal without the secrets of the request, which some servers repeat.
pub(super) fn redacted(mut refusal: UpgradeRefusal, options: &WebSocketOptions) -> UpgradeRefusal {
    let query = options.query.as_ref().map_or("", |query| query.expose());
    // Values of the query as they are sent, and as a server decodes them.
    let values = query
        .split('&')
        .filter_map(|parameter| Some(parameter.split_once('=')?.1));
    let decoded: Vec<Zeroizing<String>> = values.clone().map(decoded).collect();
    let decoded = decoded.iter().map(|value| value.as_str());
    let headers = options.headers.iter();
    let headers = headers.map(|header| header.value.expose().as_str());
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

    let texts = [&mut refusal.body, &mut refusal.reason];
    for text in texts.into_iter().chain(refusal.error_type.as_mut()) {
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
    refusal
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_with(body: &str, options: &WebSocketOptions) -> String {
        let refusal = UpgradeRefusal {
            status: 403,
            reason: body.into(),
            error_type: Some(body.into()),
            body: body.into(),
        };
        let redacted = redacted(refusal, options);
        assert_eq!(redacted.reason, redacted.body);
        assert_eq!(redacted.error_type.as_ref(), Some(&redacted.body));
        redacted.body
    }

    #[test]
    fn a_secret_is_found_encoded_decoded_and_cut() {
        let mut options = WebSocketOptions::default();
        options.push_query(&"a=1&token=canary%2Bbird%3D%3D".into());
        options.set_header("X-Token", "finch");
        options.set_header("Authorization", "Bearer robin");
        for (body, expected) in [
            ("no secret, a=1", "no secret, a=1"),
            (
                "GET /mqtt?a=1&token=canary%2Bbird%3D%3D HTTP/1.1",
                "GET /mqtt?<redacted> HTTP/1.1",
            ),
            ("token canary%2Bbird%3D%3D", "token <redacted>"),
            ("token canary+bird== finch.", "token <redacted> <redacted>."),
            // Cut at the maximum length of a text.
            ("token canary%2Bbir", "token <redacted>"),
            ("token canary+b", "token <redacted>"),
            ("bearer robin", "bearer <redacted>"),
            ("header finc", "header <redacted>"),
            ("header fin", "header fin"),
        ] {
            assert_eq!(refused_with(body, &options), expected);
        }
    }
}
