//! Refusals of servers without the secrets of the request.

use super::WebSocketOptions;
use crate::error::UpgradeRefusal;
use crate::redaction::redact;

/// Refusal without the secrets of the request, which some servers repeat.
pub(super) fn redacted(mut refusal: UpgradeRefusal, options: &WebSocketOptions) -> UpgradeRefusal {
    let query = options.query.as_ref().map_or("", |query| query.expose());
    let headers = options.headers.iter();
    let headers: Vec<&str> = headers
        .map(|header| header.value.expose().as_str())
        .collect();
    let texts = [&mut refusal.body, &mut refusal.reason];
    redact(
        texts.into_iter().chain(refusal.error_type.as_mut()),
        query,
        &headers,
    );
    refusal
}

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
