//! The two authorizers that every sandbox has, so that the sample runs before anything is
//! configured.

use crate::authorizer::answer::Answer;
use crate::authorizer::definition::{Authorizer, Signing};
use crate::authorizer::lambda::Lambda;
use crate::authorizer::token::PublicKey;

/// The policy of the sample's own documentation: client ids `mqtt5-sample-*`, topic `test/topic`.
pub const DEMO_POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["iot:Publish", "iot:Receive"],
      "Resource": ["arn:aws:iot:*:*:topic/test/topic"]
    },
    {
      "Effect": "Allow",
      "Action": ["iot:Subscribe"],
      "Resource": ["arn:aws:iot:*:*:topicfilter/test/topic"]
    },
    {
      "Effect": "Allow",
      "Action": ["iot:Connect"],
      "Resource": ["arn:aws:iot:*:*:client/mqtt5-sample-*"]
    }
  ]
}"#;

/// `DemoUnsigned`: user `demo` with password `demo` may do what the sample does.
///
/// ```
/// use dunlin_sandbox::{SandboxOptions, demo_unsigned};
///
/// let options = SandboxOptions {
///     authorizers: vec![demo_unsigned()],
///     ..SandboxOptions::default()
/// };
/// # assert_eq!(options.authorizers.len(), 1);
/// ```
#[must_use]
pub fn demo_unsigned() -> Authorizer {
    // A password check in Rust: the sample runs on computers without Python and Node.
    let (username, password) = ("demo".into(), "demo".into());
    Authorizer::new(
        "DemoUnsigned",
        Lambda::Password {
            username,
            password,
            answer: answer(),
        },
    )
}

/// `DemoSigned`: whoever brings a token `tok` signed with the sandbox's key may do what the sample
/// does.
///
/// ```
/// use dunlin_sandbox::{Pki, StateDir, demo_signed};
///
/// let folder = tempfile::tempdir()?;
/// let pki = Pki::open(&StateDir::at(folder.path()))?;
/// let authorizer = demo_signed(pki.signing_public_key()?);
/// # assert_eq!(authorizer.name, "DemoSigned");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn demo_signed(public_key: PublicKey) -> Authorizer {
    Authorizer {
        // The signature is the whole check; the Lambda only grants.
        signing: Signing::Required {
            token_key_name: "tok".into(),
            public_keys: vec![public_key],
        },
        ..Authorizer::new("DemoSigned", Lambda::Static(answer()))
    }
}

fn answer() -> Answer {
    Answer::allow("demo", DEMO_POLICY.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::{Authorizers, ConnectFields, Credentials, Grant, Refusal};
    use crate::event_log::EventLog;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};

    fn ask(authorizers: &Authorizers, username: &str, password: &str) -> Result<Grant, Refusal> {
        let credentials = Credentials {
            mqtt: Some(ConnectFields {
                client_id: Some("mqtt5-sample-1".into()),
                username: Some(username.into()),
                password: Some(password.into()),
            }),
            connection_id: "1".into(),
            ..Credentials::default()
        };
        // Timeouts of calls need the timer; no I/O happens.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(authorizers.authorize(&credentials, &EventLog::default()))
    }

    fn unsigned() -> Authorizers {
        Authorizers::new(vec![demo_unsigned()], None)
    }

    #[test]
    fn demo_with_password_demo_may_do_what_the_sample_does() {
        let grant = ask(
            &unsigned(),
            "demo?x-amz-customauthorizer-name=DemoUnsigned",
            "demo",
        )
        .unwrap();
        assert_eq!(
            grant.policy.summary(),
            "connect as mqtt5-sample-*; publish, receive, subscribe on test/topic"
        );
    }

    #[test]
    fn every_refusal_says_why_and_no_secret() {
        let mut inactive = demo_unsigned();
        // One user name for each refusal that needs no signature. "canary" is the password: no text
        // may repeat it.
        (inactive.name, inactive.active) = ("Asleep".into(), false);
        let authorizers = Authorizers::new(vec![demo_unsigned(), inactive], None);
        let name = "x-amz-customauthorizer-name";
        for (username, why) in [
            (
                format!("demo?{name}=DemoUnsigned"),
                "the Lambda of the authorizer \"DemoUnsigned\" answered isAuthenticated=false",
            ),
            (
                format!("demo?{name}=Asleep"),
                "the authorizer \"Asleep\" is INACTIVE",
            ),
            (
                format!("demo?{name}=Nobody%0A"),
                "there is no authorizer \"Nobody\\n\"",
            ),
            (
                "demo".into(),
                "the user name has no x-amz-customauthorizer-name, and there is no default authorizer",
            ),
            (
                format!("demo?{name}=DemoUnsigned?x=1"),
                "the user name has 2 \"?\"; exactly one may stand before the parameters",
            ),
        ] {
            assert_eq!(
                ask(&authorizers, &username, "canary")
                    .unwrap_err()
                    .to_string(),
                why
            );
        }
    }

    #[test]
    fn the_default_authorizer_answers_where_none_is_named() {
        let authorizers = Authorizers::new(vec![demo_unsigned()], Some("DemoUnsigned".into()));
        assert_eq!(
            ask(&authorizers, "demo", "demo").unwrap().authorizer,
            "DemoUnsigned"
        );
    }

    #[test]
    fn a_signed_token_is_verified_before_the_lambda_is_asked() {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let key = PublicKey::from_pem(&pair.public_key_pem()).unwrap();
        let authorizers = Authorizers::new(vec![demo_signed(key)], Some("DemoSigned".into()));
        // Base64 in a user name: `+` and `=` are percent-encoded, as the device SDKs do.
        let signature = STANDARD
            .encode(pair.sign(b"hello").unwrap())
            .replace('+', "%2B")
            .replace('=', "%3D");
        let signature = format!("x-amz-customauthorizer-signature={signature}");
        assert!(ask(&authorizers, &format!("?{signature}&tok=hello"), "").is_ok());
        let refused = |query: &str| ask(&authorizers, query, "").unwrap_err().to_string();
        assert!(
            refused(&format!("?{signature}&tok=other"))
                .ends_with("it doesn't match the token (RS256)")
        );
        assert!(refused(&format!("?{signature}")).ends_with("the parameter \"tok\" is missing"));
        assert!(refused("?tok=hello").ends_with("x-amz-customauthorizer-signature is missing"));
    }
}
