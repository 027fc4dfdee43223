//! The user name of a custom authorizer, against what the AWS SDK for Python sends and against its
//! flaws.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use dunlin_client::aws::{AuthorizerError, AuthorizerToken, CustomAuthorizer, Encoding, Field};

const PREFIXED_NAME: &str = "x-amz-customauthorizer-name=MyAuth";
const CANARY: &str = "canary-7f3a";

fn unsigned(username: &str, authorizer_name: &str) -> CustomAuthorizer {
    CustomAuthorizer {
        username: Some(username.to_owned()),
        authorizer_name: Some(authorizer_name.to_owned()),
        ..Default::default()
    }
}

fn signed(key_name: &str, value: &str, signature: &str) -> CustomAuthorizer {
    let token = AuthorizerToken {
        key_name: key_name.to_owned(),
        value: value.into(),
        signature: Some(signature.into()),
    };
    CustomAuthorizer {
        token: Some(token),
        ..unsigned("alice", "MyAuth")
    }
}

fn user_name(authorizer: &CustomAuthorizer) -> String {
    authorizer.user_name().unwrap().expose().clone()
}

fn refusal(authorizer: &CustomAuthorizer) -> AuthorizerError {
    authorizer.user_name().unwrap_err()
}

/// Part of the user name after `alice?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature=`.
fn tail(authorizer: &CustomAuthorizer) -> String {
    let user_name = user_name(authorizer);
    let head = "alice?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature=";
    user_name
        .strip_prefix(head)
        .unwrap_or_else(|| panic!("{user_name}"))
        .to_owned()
}

#[test]
fn the_unsigned_user_name_is_the_python_sdks() {
    assert_eq!(
        user_name(&unsigned("alice", "MyAuth")),
        "alice?x-amz-customauthorizer-name=MyAuth"
    );
}

#[test]
fn the_signed_user_name_is_the_python_sdks() {
    assert_eq!(
        user_name(&signed(
            "tokenKeyName",
            "tokenValue123",
            "AbC+dEf/GhI0123456789+/=="
        )),
        "alice?x-amz-customauthorizer-name=MyAuth\
         &x-amz-customauthorizer-signature=AbC%2BdEf/GhI0123456789%2B/%3D%3D\
         &tokenKeyName=tokenValue123"
    );
}

#[test]
fn a_signature_with_a_percent_sign_is_left_as_it_is() {
    assert_eq!(
        tail(&signed("tok", "v", "AbC%2BdEf/==")),
        "AbC%2BdEf/==&tok=v"
    );
}

#[test]
fn without_a_username_the_query_stands_alone() {
    let authorizer = CustomAuthorizer {
        username: None,
        ..unsigned("", "MyAuth")
    };
    assert_eq!(
        user_name(&authorizer),
        "?x-amz-customauthorizer-name=MyAuth"
    );
    assert_eq!(user_name(&CustomAuthorizer::default()), "");
}

#[test]
fn without_a_name_the_default_authorizer_is_used() {
    let authorizer = CustomAuthorizer {
        authorizer_name: None,
        ..signed("tok", "v", "AbC=")
    };
    assert_eq!(
        user_name(&authorizer),
        "alice?x-amz-customauthorizer-signature=AbC%3D&tok=v"
    );
}

#[test]
fn a_query_in_the_username_goes_on_with_an_ampersand() {
    assert_eq!(
        user_name(&unsigned("al ice?foo=bar", "MyAuth")),
        "al ice?foo=bar&x-amz-customauthorizer-name=MyAuth"
    );
}

#[test]
fn a_second_question_mark_is_refused() {
    let fault = |field| AuthorizerError::SecondQuestionMark { field };
    assert_eq!(
        refusal(&unsigned("u?x=1?y=2", "MyAuth")),
        fault(Field::UserName)
    );

    let raw = CustomAuthorizer {
        encoding: Encoding::Never,
        ..signed("tok", "a?b", "AbC=")
    };
    assert_eq!(refusal(&raw), fault(Field::TokenValue));
}

#[test]
fn no_value_can_inject_a_parameter() {
    assert_eq!(
        user_name(&unsigned("alice", "My Auth&x=1")),
        "alice?x-amz-customauthorizer-name=My%20Auth%26x=1"
    );
    assert_eq!(
        tail(&signed("tok", "a?b=c&d#e", "AbC=")),
        "AbC%3D&tok=a%3Fb=c%26d%23e"
    );
    assert_eq!(tail(&signed("t&k", "v", "AbC=")), "AbC%3D&t%26k=v");
}

#[test]
fn a_value_with_an_escape_counts_as_encoded() {
    assert_eq!(
        tail(&signed("tok", "a%26b c", "AbC=")),
        "AbC%3D&tok=a%26b c"
    );
    assert_eq!(
        tail(&signed("tok", "100% c", "AbC=")),
        "AbC%3D&tok=100%25%20c"
    );
}

#[test]
fn a_half_encoded_value_is_refused_rather_than_cut_off() {
    let fault = |field| AuthorizerError::HalfEncoded { field };
    assert_eq!(
        refusal(&signed("tok", "a%20b&c", "AbC=")),
        fault(Field::TokenValue)
    );
    assert_eq!(
        refusal(&signed("tok", "v", "AbC%3D&x=1")),
        fault(Field::Signature)
    );
    assert_eq!(
        refusal(&unsigned("alice", "My%20Auth?")),
        fault(Field::AuthorizerName)
    );
}

#[test]
fn a_value_may_bring_its_own_parameter() {
    assert_eq!(
        user_name(&unsigned("alice", PREFIXED_NAME)),
        user_name(&unsigned("alice", "MyAuth"))
    );
    // The SDK encodes first and then misses the prefix.
    assert_eq!(
        tail(&signed(
            "tok",
            "tok=v",
            "x-amz-customauthorizer-signature=AbC="
        )),
        "AbC%3D&tok=v"
    );
}

#[test]
fn a_parameter_found_inside_a_value_belongs_to_the_value() {
    // The SDK finds "t=" here and drops the key.
    assert_eq!(tail(&signed("t", "abct=xyz", "AbC=")), "AbC%3D&t=abct=xyz");
    assert_eq!(
        user_name(&unsigned("alice", "a=x-amz-customauthorizer-name=b")),
        "alice?x-amz-customauthorizer-name=a=x-amz-customauthorizer-name=b"
    );
}

#[test]
fn encoding_can_be_forced_or_forbidden() {
    let always = CustomAuthorizer {
        encoding: Encoding::Always,
        ..signed("tok", "a=%20/", "A+/%=")
    };
    assert_eq!(tail(&always), "A%2B%2F%25%3D&tok=a%3D%2520%2F");

    let never = CustomAuthorizer {
        encoding: Encoding::Never,
        ..signed("tok", "é &%", "A+/=")
    };
    assert_eq!(tail(&never), "A+/=&tok=é &%");
}

/// set_metrics_with_null_username, set_metrics_null, set_metrics_valid
#[test]
fn metrics_join_the_query_and_never_begin_a_second_one() {
    let version = env!("CARGO_PKG_VERSION");
    let with_metrics = |authorizer| {
        user_name(&CustomAuthorizer {
            metrics: true,
            ..authorizer
        })
    };

    assert_eq!(
        with_metrics(CustomAuthorizer::default()),
        format!("?SDK=Dunlin&Version={version}")
    );
    assert_eq!(
        with_metrics(unsigned("alice", "MyAuth")),
        format!("alice?x-amz-customauthorizer-name=MyAuth&SDK=Dunlin&Version={version}")
    );
}

#[test]
fn a_parameter_has_a_name_and_a_value() {
    let fault = |field| AuthorizerError::Empty { field };
    assert_eq!(
        refusal(&unsigned("alice", "")),
        fault(Field::AuthorizerName)
    );
    assert_eq!(
        refusal(&signed("", "v", "AbC=")),
        fault(Field::TokenKeyName)
    );
    assert_eq!(
        refusal(&signed("tok", "", "AbC=")),
        fault(Field::TokenValue)
    );
    assert_eq!(
        refusal(&signed("tok", "tok=", "AbC=")),
        fault(Field::TokenValue)
    );
}

#[test]
fn a_user_name_is_never_longer_than_mqtt_carries() {
    let at_most = 65_535 - "?x-amz-customauthorizer-name=MyAuth".len();
    assert_eq!(
        user_name(&unsigned(&"u".repeat(at_most), "MyAuth")).len(),
        65_535
    );
    assert_eq!(
        refusal(&unsigned(&"u".repeat(at_most + 1), "MyAuth")),
        AuthorizerError::TooLong {
            length: 65_536,
            max: 65_535
        }
    );
}

#[test]
fn a_signature_needs_key_and_value_and_a_key_needs_a_value() {
    let parts = |key: bool, value: bool, signature: bool| {
        AuthorizerToken::from_parts(
            key.then(|| "tok".to_owned()),
            value.then(|| CANARY.into()),
            signature.then(|| CANARY.into()),
        )
    };
    let incomplete = |given: Field, missing: &[Field]| {
        Err(AuthorizerError::IncompleteToken {
            given,
            missing: missing.to_vec(),
        })
    };

    assert_eq!(parts(false, false, false), Ok(None));
    assert!(parts(true, true, true).unwrap().is_some());
    assert_eq!(parts(true, true, false).unwrap().unwrap().signature, None);
    assert_eq!(
        parts(true, false, false),
        incomplete(Field::TokenKeyName, &[Field::TokenValue])
    );
    assert_eq!(
        parts(false, true, false),
        incomplete(Field::TokenValue, &[Field::TokenKeyName])
    );
    assert_eq!(
        parts(true, false, true),
        incomplete(Field::Signature, &[Field::TokenValue])
    );
    assert_eq!(
        parts(false, false, true),
        incomplete(Field::Signature, &[Field::TokenKeyName, Field::TokenValue])
    );
    assert_eq!(
        parts(false, false, true).unwrap_err().to_string(),
        "the token signature also needs the token key name and the token value"
    );
}

#[test]
fn a_token_without_a_signature_is_sent_as_key_and_value_alone() {
    let mut authorizer = signed("tok", "v", "s");
    authorizer.token.as_mut().unwrap().signature = None;
    assert_eq!(
        user_name(&authorizer),
        "alice?x-amz-customauthorizer-name=MyAuth&tok=v"
    );
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let mut authorizer = signed("tok", CANARY, CANARY);
    authorizer.username = Some(format!("alice?token={CANARY}"));
    let shown = format!("{authorizer:?} {:?}", authorizer.user_name());
    assert!(!shown.contains(CANARY), "{shown}");

    let half_encoded = refusal(&signed("tok", &format!("{CANARY}%20&"), CANARY));
    assert!(!format!("{half_encoded:?} {half_encoded}").contains(CANARY));
}
