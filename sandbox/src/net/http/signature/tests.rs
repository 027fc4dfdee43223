//! Signatures of requests: right ones, and each way to be wrong.

use super::*;

/// Request that botocore 1.43 signed for `publish(topic="a/b", qos=1, payload=b"hello")`; see
/// `tests/foreign/boto3_data_plane.py` for the live one.
fn head() -> RequestHead {
    let headers = [
        ("host", "localhost"),
        ("x-amz-date", "20261130T101500Z"),
        ("x-more", "  two   words "),
    ];
    RequestHead {
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        query: Some("qos=1&a=%2f&a=".into()),
    }
}

fn now() -> SystemTime {
    parsed_date("20261130T102959Z").unwrap()
}

/// Signature of the request of [`head`] by the method of AWS's document, with this secret.
fn header(secret: &str) -> String {
    let fields = "Credential=AKID/20261130/eu-west-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date;x-more";
    let unsigned = format!("{ALGORITHM} {fields}, Signature=00");
    let authorization = Authorization::parse(&unsigned).unwrap();
    let canonical = format!(
        "POST\n/topics/a%252Fb\na=&a=%2F&qos=1\nhost:localhost\nx-amz-date:20261130T101500Z\n\
         x-more:two words\n\nhost;x-amz-date;x-more\n{}",
        sha256(b"hello")
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n20261130T101500Z\n20261130/eu-west-1/iotdata/aws4_request\n{}",
        sha256(canonical.as_bytes())
    );
    let tag = hmac::sign(&authorization.signing_key(secret), to_sign.as_bytes());
    let signature: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{ALGORITHM} {fields}, Signature={signature}")
}

fn verified(
    header: &str,
    change: impl FnOnce(&mut RequestHead, &mut SystemTime),
) -> Result<(), SignatureError> {
    let (mut head, mut now) = (head(), now());
    change(&mut head, &mut now);
    let request = SignedRequest {
        method: "POST",
        path: "/topics/a%2Fb",
        head: &head,
        body: b"hello",
    };
    let keys = [AccessKey {
        id: "AKID".into(),
        secret: "s3cret".into(),
    }];
    Authorization::parse(header)?.verify(&request, &keys, now)
}

#[test]
fn the_signing_key_is_that_of_the_example_of_aws() {
    // "Examples of how to derive a signing key for Signature Version 4", AWS's documents.
    let example = Authorization::parts(
        "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=00",
    )
    .unwrap();
    let key = example.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let to_sign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                   f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let signature = decoded_hex(signature).unwrap();
    assert!(hmac::verify(&key, to_sign.as_bytes(), &signature).is_ok());
}

#[test]
fn only_the_signature_of_this_request_and_key_is_taken() {
    let right = header("s3cret");
    assert_eq!(verified(&right, |_, _| ()), Ok(()));
    let mismatch = Err(SignatureError::Mismatch);
    assert_eq!(verified(&header("other"), |_, _| ()), mismatch);
    let other_query = |head: &mut RequestHead, _: &mut SystemTime| head.query = None;
    assert_eq!(verified(&right, other_query), mismatch);
    let other_key = right.replace("AKID", "OTHER");
    assert_eq!(
        verified(&other_key, |_, _| ()),
        Err(SignatureError::UnknownKey("OTHER".into()))
    );
}

#[test]
fn dates_headers_and_body_are_checked() {
    let right = header("s3cret");
    assert_eq!(
        verified(&right, |_, now| *now += Duration::from_secs(2)),
        Err(SignatureError::WrongDate)
    );
    let another_day = right.replace("/20261130/", "/20261129/");
    assert_eq!(
        verified(&another_day, |_, _| ()),
        Err(SignatureError::WrongDate)
    );
    let drop = |name: &'static str| {
        move |head: &mut RequestHead, _: &mut SystemTime| {
            head.headers.retain(|(header, _)| header != name);
        }
    };
    assert_eq!(
        verified(&right, drop("x-amz-date")),
        Err(SignatureError::NoDate)
    );
    assert_eq!(
        verified(&right, drop("x-more")),
        Err(SignatureError::MissingHeader("x-more".into()))
    );
    let unsigned = right.replace("host;", "");
    assert_eq!(
        verified(&unsigned, |_, _| ()),
        Err(SignatureError::UnsignedHeader)
    );
    let other_hash = |head: &mut RequestHead, _: &mut SystemTime| {
        head.headers
            .push(("x-amz-content-sha256".into(), "00".into()));
    };
    assert_eq!(verified(&right, other_hash), Err(SignatureError::Body));
}

#[test]
fn values_of_a_repeated_header_are_signed_as_one() {
    let right = header("s3cret");
    let sent = |values: &'static [&str]| {
        move |head: &mut RequestHead, _: &mut SystemTime| {
            head.headers.retain(|(name, _)| name != "x-more");
            for value in values {
                head.headers.push(("x-more".into(), (*value).into()));
            }
        }
    };
    assert_eq!(verified(&right, sent(&["two  words"])), Ok(()));
    let mismatch = Err(SignatureError::Mismatch);
    assert_eq!(verified(&right, sent(&["two words", "more"])), mismatch);
    let mut head = head();
    sent(&[" one ", "two  words"])(&mut head, &mut now());
    let authorization = Authorization::parse(&right).unwrap();
    let lines = authorization.canonical_headers(&head).unwrap();
    assert!(lines.ends_with("x-more:one,two words\n"), "{lines}");
    // Another date beside the signed one.
    let second_date = |head: &mut RequestHead, _: &mut SystemTime| {
        let date = ("x-amz-date".into(), "20200101T000000Z".into());
        head.headers.push(date);
    };
    assert_eq!(verified(&right, second_date), mismatch);
}

#[test]
fn dot_segments_and_empty_ones_are_removed_from_a_path() {
    for (path, expected) in [
        ("/topics/a", "/topics/a"),
        ("/topics/a//b", "/topics/a/b"),
        ("/topics/a/../b", "/topics/b"),
        ("/topics/./a/", "/topics/a/"),
        ("/../..", "/"),
        ("//", "/"),
    ] {
        assert_eq!(without_dot_segments(path), expected, "{path}");
    }
}

#[test]
fn another_form_or_service_is_refused() {
    for wrong in [
        "",
        "Basic YTpi",
        "AWS4-HMAC-SHA256 Credential=A/B, Signature=00",
    ] {
        assert_eq!(
            verified(wrong, |_, _| ()),
            Err(SignatureError::Form),
            "{wrong}"
        );
    }
    let service = header("s3cret").replace("iotdata", "s3");
    assert_eq!(
        verified(&service, |_, _| ()),
        Err(SignatureError::Service("s3".into()))
    );
}

/// Query that is signed as AWS documents it for MQTT over WebSocket: its date, seconds that it holds,
/// and a session token that is signed, appended after signing, or not there.
fn signed_query(expires: Option<u64>, token: Option<Token>) -> String {
    let mut query = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=AKID%2F20261130%2Feu-west-1%2Fiotdevicegateway%2Faws4_request\
                     &X-Amz-Date=20261130T101500Z"
        .to_owned();
    if let Some(expires) = expires {
        query.push_str(&format!("&X-Amz-Expires={expires}"));
    }
    // Names are in order, as the canonical query needs them.
    if token == Some(Token::Signed) {
        query.push_str(TOKEN);
    }
    query.push_str("&X-Amz-SignedHeaders=host");
    let canonical = format!(
        "GET\n/mqtt\n{query}\nhost:localhost\n\nhost\n{}",
        sha256(b"")
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n20261130T101500Z\n20261130/eu-west-1/iotdevicegateway/aws4_request\n{}",
        sha256(canonical.as_bytes())
    );
    let unsigned = RequestHead {
        query: Some(format!("{query}&X-Amz-Signature=00")),
        ..RequestHead::default()
    };
    let key = Authorization::of(&unsigned).unwrap().unwrap();
    let tag = hmac::sign(&key.signing_key("s3cret"), to_sign.as_bytes());
    query.push_str("&X-Amz-Signature=");
    for byte in tag.as_ref() {
        query.push_str(&format!("{byte:02x}"));
    }
    if token == Some(Token::Appended) {
        query.push_str(TOKEN);
    }
    query
}

#[derive(PartialEq)]
enum Token {
    Signed,
    Appended,
}

const TOKEN: &str = "&X-Amz-Security-Token=a%2Bb%3D";

/// Outcome of a signed query, this many seconds after its date.
fn query_verified(query: &str, age: u64) -> Result<(), SignatureError> {
    let head = RequestHead {
        headers: vec![("host".into(), "localhost".into())],
        query: Some(query.into()),
    };
    let request = SignedRequest {
        method: "GET",
        path: "/mqtt",
        head: &head,
        body: b"",
    };
    let keys = [AccessKey {
        id: "AKID".into(),
        secret: "s3cret".into(),
    }];
    let now = parsed_date("20261130T101500Z").unwrap() + Duration::from_secs(age);
    Authorization::of(&head)
        .unwrap()?
        .verify(&request, &keys, now)
}

#[test]
fn a_signed_query_is_taken_with_its_session_token_signed_or_appended() {
    for token in [None, Some(Token::Signed), Some(Token::Appended)] {
        let query = signed_query(None, token);
        assert_eq!(query_verified(&query, 0), Ok(()), "{query}");
        let changed = query.replace("eu-west-1", "eu-west-2");
        assert_eq!(query_verified(&changed, 0), Err(SignatureError::Mismatch));
        let more = format!("{query}&more=1");
        assert_eq!(query_verified(&more, 0), Err(SignatureError::Mismatch));
    }
}

#[test]
fn a_signed_query_holds_as_long_as_it_says_and_seven_days_at_most() {
    let week = 7 * 24 * 60 * 60;
    for (expires, age, expected) in [
        (None, 15 * 60, Ok(())),
        (None, 15 * 60 + 1, Err(SignatureError::WrongDate)),
        (Some(86_400), 86_400, Ok(())),
        (Some(86_400), 86_401, Err(SignatureError::Expired)),
        (Some(2 * week), week, Ok(())),
        (Some(2 * week), week + 1, Err(SignatureError::Expired)),
        // As long as it says, even where clocks may differ by more.
        (Some(60), 60, Ok(())),
        (Some(60), 61, Err(SignatureError::Expired)),
    ] {
        let query = signed_query(expires, None);
        assert_eq!(query_verified(&query, age), expected, "{expires:?} {age}");
    }
}

#[test]
fn an_incomplete_query_is_refused_and_an_unsigned_one_is_none() {
    let query = signed_query(Some(60), None);
    for name in ["Credential", "Date", "SignedHeaders", "Signature"] {
        let without = query.replace(&format!("X-Amz-{name}="), "other=");
        let refused = query_verified(&without, 0);
        assert_eq!(refused, Err(SignatureError::QueryForm), "{name}");
    }
    for (part, other) in [("Expires=60", "Expires=x"), ("HMAC-SHA256", "HMAC-MD5")] {
        let refused = query_verified(&query.replace(part, other), 0);
        assert_eq!(refused, Err(SignatureError::QueryForm), "{other}");
    }
    let unsigned = RequestHead {
        query: Some("qos=1".into()),
        ..RequestHead::default()
    };
    assert_eq!(Authorization::of(&unsigned), None);
}
