//! Why a server didn't authorise a connection: its own reason first, then guesses that don't
//! contradict it.

use dunlin_client::ServerReason;
use dunlin_codec::ReasonCode;

use crate::diagnosis::Try;
use crate::diagnosis::scene::Scene;
use crate::diagnosis::text::{quoted, shell};

/// Cause that a server's reason string names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// User name, password or token: the authorizer said no.
    Credentials,
    /// The authorizer said yes, and its policy doesn't allow iot:Connect.
    Policy,
    /// The signature of the token is missing or doesn't match.
    Signature,
    /// The Lambda failed, took too long or answered something else than AWS IoT accepts.
    Lambda,
    /// No authorizer is named, there is none of that name, or it is INACTIVE.
    Authorizer,
    /// The user name that carries the parameters can't be read.
    UserName,
}

/// Guesses, the likeliest first. `None` as reason: the server closed the connection without a
/// CONNACK.
pub(super) fn likely(scene: &Scene, reason: Option<&ServerReason>) -> Vec<String> {
    let text = reason.and_then(|reason| reason.reason_string.as_deref());
    if let Some(cause) = text.and_then(Cause::named) {
        return vec![cause.text(scene)];
    }
    if !scene.uses_authorizers() {
        return vec![
            "wrong user name or password".into(),
            "the server's access rules do not let this client id in".into(),
            "the server requires a client certificate".into(),
        ];
    }
    let mut likely = Vec::new();
    if scene.authorizer.is_none() {
        likely.push(no_name().to_owned());
    }
    match reason.map(|reason| reason.reason_code) {
        Some(ReasonCode::Banned) => likely.push("an administrator has banned this client".into()),
        Some(ReasonCode::BadAuthenticationMethod) => {
            likely.push(
                "the server supports no authentication without an authentication method".into(),
            );
        }
        _ => {}
    }
    likely.push(Cause::Credentials.text(scene));
    likely.push(Cause::Policy.text(scene));
    likely.push(Cause::Signature.text(scene));
    if scene.authorizer.is_some() {
        likely.push(
            "the authorizer name is wrong, INACTIVE, or the Lambda failed, timed out or may not be invoked by IoT"
                .into(),
        );
    }
    likely
}

/// AWS can be asked what the authorizer says, with the secrets in variables of the shell.
pub(super) fn advice(scene: &Scene, reason: Option<&ServerReason>) -> Vec<Try> {
    let text = reason.and_then(|reason| reason.reason_string.as_deref());
    let cause = text.and_then(Cause::named);
    let mut try_ = Vec::new();
    match (&scene.authorizer, cause) {
        (None, _) if scene.uses_authorizers() => {
            try_.push(Try::advice(
                "--authorizer-name with the name of your authorizer",
            ));
        }
        (_, Some(Cause::Signature)) => {
            try_.push(Try::command(
                "dunlin auth sign --key private.pem --token \"$TOKEN\"",
            ));
        }
        (Some(name), Some(Cause::Authorizer)) if scene.is_aws => {
            try_.push(Try::command(format!(
                "aws iot describe-authorizer --authorizer-name {}",
                shell(name)
            )));
        }
        (Some(name), _) if scene.is_aws => try_.push(Try::command(test_invoke(scene, name))),
        (Some(_), _) if text.is_none() => {
            try_.push(Try::advice(
                "look at the server's log: a sandbox prints why it refused",
            ));
        }
        _ => {}
    }
    let may_be_policy =
        scene.uses_authorizers() && cause.is_none_or(|cause| cause == Cause::Policy);
    if may_be_policy && cause.is_some() {
        try_.push(Try::advice("add to the policy:"));
        let resource = scene.arn("client", &scene.client_id);
        try_.push(Try::paste(statement("iot:Connect", &resource)));
    }
    if may_be_policy && scene.given.client_id && !scene.client_id.starts_with(SAMPLE_CLIENT_ID) {
        try_.push(Try::advice(
            "again without --client-id, if the policy is the sample's",
        ));
    }
    try_
}

/// A policy statement that allows `action` on `resource`.
pub(super) fn statement(action: &str, resource: &str) -> String {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        r#"{{"Effect":"Allow","Action":{},"Resource":{}}}"#,
        quote(action),
        quote(resource)
    )
}

const fn no_name() -> &'static str {
    "no authorizer name was given, and there is no default authorizer, or another one is meant"
}

/// `aws iot test-invoke-authorizer ..`, ready to be pasted.
fn test_invoke(scene: &Scene, name: &str) -> String {
    let mut context = Vec::new();
    // AWS takes no empty user name there.
    if !scene.username().is_empty() {
        context.push(format!("username={}", value(scene.username())));
    }
    if scene.has_password() {
        context.push("password=\"$PASSWORD_BASE64\"".to_owned());
    }
    context.push(format!("clientId={}", value(&scene.client_id)));
    let token = if scene.is_signed {
        " --token \"$TOKEN\" --token-signature \"$SIGNATURE\""
    } else {
        ""
    };
    format!(
        "aws iot test-invoke-authorizer --authorizer-name {}{token} --mqtt-context {}",
        shell(name),
        context.join(",")
    )
}

/// A value in the shorthand syntax of the AWS CLI, as the shell reads it back.
fn value(text: &str) -> String {
    if text.contains([',', '=', '"', '\'', '\\', ' ', '[', '{']) {
        shell(&format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        ))
    } else {
        shell(text)
    }
}

impl Cause {
    /// `None` if the reason says something else. Names in quotes are left out: they may say
    /// anything.
    fn named(reason: &str) -> Option<Self> {
        let outside = reason.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        let text = outside.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        Some(match () {
            () if has(&["isauthenticated=false", "isauthenticated: false"]) => Self::Credentials,
            () if has(&["lambda"]) => Self::Lambda,
            () if has(&["signature", "signed token"]) => Self::Signature,
            () if has(&["iot:connect", "no statement", "policy", "statement"]) => Self::Policy,
            () if has(&["authorizer"]) => Self::Authorizer,
            () if has(&["the user name has", "percent-encoding"]) => Self::UserName,
            () if has(&["password", "user", "credential", "token"]) => Self::Credentials,
            () => return None,
        })
    }

    fn text(self, scene: &Scene) -> String {
        match self {
            Self::Credentials if scene.has_token => {
                "the authorizer Lambda does not accept the token (isAuthenticated=false)".into()
            }
            Self::Credentials if !scene.uses_authorizers() => "wrong user name or password".into(),
            Self::Credentials => {
                "the authorizer Lambda returned isAuthenticated=false (wrong username/password)".into()
            }
            Self::Policy => {
                let sample = if scene.client_id.starts_with(SAMPLE_CLIENT_ID) {
                    ""
                } else {
                    " (the sample policy only allows client/mqtt5-sample-*)"
                };
                format!(
                    "its policy does not allow iot:Connect on client/{}{sample}",
                    quoted(&scene.client_id).trim_matches('"')
                )
            }
            Self::Signature if scene.is_signed => {
                "the signature is by another key than the authorizer's, or the token key name is wrong".into()
            }
            Self::Signature => "the authorizer has signing enabled, and no signature was sent".into(),
            Self::Lambda => {
                "the Lambda is at fault, whatever was sent to it: see its log, its time-out (5 s) and whether AWS IoT may \
                 invoke it"
                    .into()
            }
            Self::Authorizer if scene.authorizer.is_none() => no_name().into(),
            Self::Authorizer => {
                "the authorizer name is mistyped, of another region or account, or INACTIVE".into()
            }
            Self::UserName => {
                "the user name, as it was put together, can't be read (dunlin auth username prints it)".into()
            }
        }
    }
}

/// Client ids of the sample, which its policy allows, begin with this.
const SAMPLE_CLIENT_ID: &str = "mqtt5-sample-";

#[cfg(test)]
mod tests {
    use dunlin_codec::PacketType;

    use super::*;
    use crate::diagnosis::reason::refusal;
    use crate::diagnosis::scene::scene;

    const AWS: &str = "x-ats.iot.eu-west-1.amazonaws.com";

    fn likely_for(scene: &Scene, reason: Option<&str>) -> Vec<String> {
        let mut words = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        words.reason_string = reason.map(Into::into);
        likely(scene, Some(&words))
    }

    #[test]
    fn the_servers_reason_leaves_only_what_it_does_not_contradict() {
        for (reason, cause) in [
            (
                r#"the Lambda of the authorizer "A" failed: the program gave no answer within 5 s"#,
                Cause::Lambda,
            ),
            (
                "no statement allows iot:Connect on client/thing-7",
                Cause::Policy,
            ),
            (
                r#"there is no authorizer "Policy of Signature""#,
                Cause::Authorizer,
            ),
            (
                r#"the authorizer "A" refused the token signature: it does not match"#,
                Cause::Signature,
            ),
            (
                r#"the authorizer "A" wants a signed token, and the parameter "tok" is missing"#,
                Cause::Signature,
            ),
            (
                r#"the Lambda of the authorizer "A" answered isAuthenticated=false"#,
                Cause::Credentials,
            ),
            ("no such user", Cause::Credentials),
            (
                "the user name has 2 \"?\"; exactly one may stand before the parameters",
                Cause::UserName,
            ),
        ] {
            assert_eq!(
                likely_for(&scene(AWS), Some(reason)),
                [cause.text(&scene(AWS))],
                "{reason}"
            );
        }
        assert!(
            likely_for(&scene(AWS), Some("nope")).len() > 3,
            "an unknown reason rules nothing out"
        );
    }

    #[test]
    fn the_policy_is_a_cause_for_every_client_id() {
        for client_id in ["thing-7", "mqtt5-sample-0a1b2c3d"] {
            let scene = Scene {
                client_id: client_id.into(),
                ..scene(AWS)
            };
            let likely = likely_for(&scene, None);
            assert!(
                likely
                    .iter()
                    .any(|guess| guess.contains(&format!("client/{client_id}"))),
                "{likely:?}"
            );
        }
    }

    #[test]
    fn a_missing_authorizer_name_is_said_first() {
        let scene = Scene {
            authorizer: None,
            ..scene(AWS)
        };
        assert_eq!(
            likely_for(&scene, None).first().map(String::as_str),
            Some(no_name())
        );
        assert_eq!(
            advice(&scene, None).first(),
            Some(&Try::advice(
                "--authorizer-name with the name of your authorizer"
            ))
        );
    }

    #[test]
    fn a_command_for_aws_holds_neither_placeholders_nor_empty_values() {
        let anonymous = Scene {
            is_signed: true,
            ..scene(AWS).without_credentials()
        };
        assert_eq!(
            test_invoke(&anonymous, "My Auth"),
            "aws iot test-invoke-authorizer --authorizer-name 'My Auth' --token \"$TOKEN\" --token-signature \"$SIGNATURE\" \
             --mqtt-context clientId=thing-7"
        );
        let odd = Scene {
            client_id: "a,b 'c'".into(),
            ..scene(AWS)
        };
        assert_eq!(
            test_invoke(&odd, "A"),
            "aws iot test-invoke-authorizer --authorizer-name A --mqtt-context username=u,password=\"$PASSWORD_BASE64\",\
             clientId='\"a,b '\\''c'\\''\"'"
        );
    }

    #[test]
    fn a_client_id_that_nobody_gave_is_not_advised_against() {
        let mut scene = scene(AWS);
        scene.given.client_id = false;
        let words = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        assert!(!format!("{:?}", advice(&scene, Some(&words))).contains("--client-id"));
    }
}
