//! Causes of a denied connection: the server's own reason first, then guesses that don't contradict
//! it.

use dunlin_client::ServerReason;
use dunlin_codec::ReasonCode;

use crate::diagnosis::Try;
use crate::diagnosis::context::RunContext;
use crate::diagnosis::reason;
use crate::diagnosis::text::{shell, unquoted};

/// Cause of a denied connection, as far as the reason string names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The authorizer rejected user name, password or token.
    Credentials,
    /// The authorizer accepted them, and its policy doesn't allow iot:Connect.
    Policy,
    /// The signature of the token is missing or doesn't match.
    Signature,
    /// The Lambda failed, took too long, or gave an answer that AWS IoT doesn't accept.
    Lambda,
    /// No authorizer is named, none of that name exists, or it is INACTIVE.
    Authorizer,
    /// The user name that carries the parameters can't be read.
    UserName,
}

/// Guesses, the likeliest first. `reason` is `None` if the server closed the connection without a
/// CONNACK.
pub(super) fn likely(context: &RunContext, reason: Option<&ServerReason>) -> Vec<String> {
    let text = reason.and_then(reason::text);
    // The server knows: guesses beside its reason would contradict it.
    if let Some(cause) = text.and_then(Cause::named) {
        return vec![cause.text(context)];
    }
    // A server without authorizers checks user names and access rules of its own.
    if !context.uses_authorizers() {
        let mut likely = vec![
            "wrong user name or password".to_owned(),
            "the server's access rules do not let this client id in".to_owned(),
        ];
        // Only TLS has client certificates.
        if context.choices.is_tls {
            likely.push("the server requires a client certificate".into());
        }
        return likely;
    }
    let mut likely = Vec::new();
    if context.authorizer.is_none() {
        likely.push(no_name().to_owned());
    }
    // Codes that name the cause by themselves.
    match reason.map(|reason| reason.reason_code) {
        // The code is the whole reason.
        Some(ReasonCode::Banned) => likely.push("an administrator has banned this client".into()),
        Some(ReasonCode::BadAuthenticationMethod) => {
            likely.push(
                "the server supports no authentication without an authentication method".into(),
            );
        }
        _ => {}
    }
    // Without a reason all causes remain, the most common one first.
    likely.push(Cause::Credentials.text(context));
    likely.push(Cause::Policy.text(context));
    likely.push(Cause::Signature.text(context));
    if context.authorizer.is_some() {
        likely.push(
            "the authorizer name is wrong, INACTIVE, or the Lambda failed, timed out or may not be invoked by IoT"
                .into(),
        );
    }
    likely
}

/// Proposals: commands that ask AWS, with secrets in variables of the shell, and changes of policy or
/// flags.
pub(super) fn advice(context: &RunContext, reason: Option<&ServerReason>) -> Vec<Try> {
    let text = reason.and_then(reason::text);
    let cause = text.and_then(Cause::named);
    let mut try_ = Vec::new();
    // The first proposal looks into the cause, at most one.
    match (&context.authorizer, cause) {
        // Nothing else is worth trying before the authorizer has a name.
        (None, _) if context.uses_authorizers() => {
            try_.push(Try::advice(
                "--authorizer-name with the name of your authorizer",
            ));
        }
        (_, Some(Cause::Signature)) => {
            try_.push(Try::command(
                "dunlin auth sign --key private.pem --token \"$TOKEN\"",
            ));
        }
        (Some(name), Some(Cause::Authorizer)) if context.is_aws => {
            try_.push(Try::command(format!(
                "aws iot describe-authorizer --authorizer-name {}",
                shell(name)
            )));
        }
        // AWS runs the authorizer with the same values and prints its answer.
        (Some(name), _) if context.is_aws => try_.push(Try::command(test_invoke(context, name))),
        (Some(_), _) if text.is_none() => {
            try_.push(Try::advice(
                "look at the server's log: a sandbox prints why it refused",
            ));
        }
        _ => {}
    }
    // Only a policy can be mended by a statement, or by another client id.
    let may_be_policy =
        context.uses_authorizers() && cause.is_none_or(|cause| cause == Cause::Policy);
    if may_be_policy && cause.is_some() {
        try_.push(Try::advice("add to the policy:"));
        let resource = context.arn("client", &context.client_id_in_policy());
        try_.push(Try::paste(statement("iot:Connect", &resource)));
    }
    if may_be_policy
        && context.choices.client_id
        && !context.client_id.starts_with(SAMPLE_CLIENT_ID)
    {
        try_.push(Try::advice(
            "again without --client-id, if the policy is the sample's",
        ));
    }
    try_
}

/// Policy statement that allows `action` on `resource`, in JSON.
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

/// `aws iot test-invoke-authorizer ..` with the values of this run.
fn test_invoke(context: &RunContext, name: &str) -> String {
    let mut parts = Vec::new();
    // AWS takes no empty user name there.
    if !context.username().is_empty() {
        parts.push(format!("username={}", value(context.username())));
    }
    if context.has_password() {
        parts.push("password=\"$PASSWORD_BASE64\"".to_owned());
    }
    parts.push(format!("clientId={}", value(&context.client_id)));
    // The AWS CLI takes token and signature only together.
    let token = if context.is_signed {
        " --token \"$TOKEN\" --token-signature \"$SIGNATURE\""
    } else {
        ""
    };
    format!(
        "aws iot test-invoke-authorizer --authorizer-name {}{token} --mqtt-context {}",
        shell(name),
        parts.join(",")
    )
}

/// Value in the shorthand syntax of the AWS CLI, quoted for a shell.
fn value(text: &str) -> String {
    // These characters end a value in the shorthand syntax, unless it is quoted.
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
    /// Recognises the cause in a reason string; `None` if it names none. Text in quotes is ignored,
    /// because names may contain any word.
    fn named(reason: &str) -> Option<Self> {
        let outside = reason.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        let text = outside.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        Some(match () {
            // From the most specific words to the least: "lambda" may occur in a sentence about a
            // policy.
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

    fn text(self, context: &RunContext) -> String {
        match self {
            Self::Credentials if context.has_token => {
                "the authorizer Lambda does not accept the token (isAuthenticated=false)".into()
            }
            Self::Credentials if !context.uses_authorizers() => "wrong user name or password".into(),
            Self::Credentials => {
                "the authorizer Lambda returned isAuthenticated=false (wrong username/password)".into()
            }
            Self::Policy => {
                let is_sample_id = context.client_id.starts_with(SAMPLE_CLIENT_ID);
                let sample = if is_sample_id || !context.choices.is_sample {
                    ""
                } else {
                    " (the sample policy only allows client/mqtt5-sample-*)"
                };
                format!(
                    "its policy does not allow iot:Connect on client/{}{sample}",
                    unquoted(&context.client_id_in_policy())
                )
            }
            Self::Signature if context.is_signed => {
                "the signature is by another key than the authorizer's, or the token key name is wrong".into()
            }
            Self::Signature => "the authorizer has signing enabled, and no signature was sent".into(),
            Self::Lambda => {
                "the Lambda is at fault, whatever was sent to it: see its log, its time-out (5 s) and whether AWS IoT may \
                 invoke it"
                    .into()
            }
            Self::Authorizer if context.authorizer.is_none() => no_name().into(),
            Self::Authorizer => {
                "the authorizer name is mistyped, of another region or account, or INACTIVE".into()
            }
            Self::UserName => {
                "the user name, as it was put together, can't be read (dunlin auth username prints it)".into()
            }
        }
    }
}

/// Prefix of the sample's client ids, which its policy allows.
const SAMPLE_CLIENT_ID: &str = "mqtt5-sample-";

#[cfg(test)]
mod tests {
    use dunlin_codec::PacketType;

    use super::*;
    use crate::diagnosis::context::context;
    use crate::diagnosis::reason::refusal;

    const AWS: &str = "x-ats.iot.eu-west-1.amazonaws.com";

    fn likely_for(context: &RunContext, reason: Option<&str>) -> Vec<String> {
        let mut words = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        words.reason_string = reason.map(Into::into);
        likely(context, Some(&words))
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
                likely_for(&context(AWS), Some(reason)),
                [cause.text(&context(AWS))],
                "{reason}"
            );
        }
        assert!(
            likely_for(&context(AWS), Some("nope")).len() > 3,
            "an unknown reason rules nothing out"
        );
    }

    #[test]
    fn the_policy_is_a_cause_for_every_client_id() {
        for client_id in ["thing-7", "mqtt5-sample-0a1b2c3d"] {
            let context = RunContext {
                client_id: client_id.into(),
                ..context(AWS)
            };
            let likely = likely_for(&context, None);
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
        let context = RunContext {
            authorizer: None,
            ..context(AWS)
        };
        assert_eq!(
            likely_for(&context, None).first().map(String::as_str),
            Some(no_name())
        );
        assert_eq!(
            advice(&context, None).first(),
            Some(&Try::advice(
                "--authorizer-name with the name of your authorizer"
            ))
        );
    }

    #[test]
    fn a_command_for_aws_holds_neither_placeholders_nor_empty_values() {
        let anonymous = RunContext {
            is_signed: true,
            ..context(AWS).without_credentials()
        };
        assert_eq!(
            test_invoke(&anonymous, "My Auth"),
            "aws iot test-invoke-authorizer --authorizer-name 'My Auth' --token \"$TOKEN\" --token-signature \"$SIGNATURE\" \
             --mqtt-context clientId=thing-7"
        );
        let odd = RunContext {
            client_id: "a,b 'c'".into(),
            ..context(AWS)
        };
        assert_eq!(
            test_invoke(&odd, "A"),
            "aws iot test-invoke-authorizer --authorizer-name A --mqtt-context username=u,password=\"$PASSWORD_BASE64\",\
             clientId='\"a,b '\\''c'\\''\"'"
        );
    }

    #[test]
    fn the_policy_of_a_load_test_allows_the_prefix_of_its_clients() {
        let mut context = RunContext {
            client_id: "dunlin-bench-0a1b2c3d".into(),
            ..context(AWS)
        };
        (context.choices.is_sample, context.choices.is_load) = (false, true);
        context.choices.client_id = false;
        let mut words = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        words.reason_string = Some("no statement allows iot:Connect".into());
        let text = format!("{:?}", advice(&context, Some(&words)));
        assert!(text.contains("client/dunlin-bench-*"), "{text}");
        context.choices.client_id = true;
        let text = format!("{:?}", advice(&context, Some(&words)));
        assert!(text.contains("client/dunlin-bench-0a1b2c3d-*"), "{text}");
    }

    #[test]
    fn a_client_id_that_nobody_gave_is_not_advised_against() {
        let mut context = context(AWS);
        context.choices.client_id = false;
        let words = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        assert!(!format!("{:?}", advice(&context, Some(&words))).contains("--client-id"));
    }
}
