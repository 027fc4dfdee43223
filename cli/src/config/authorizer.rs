//! What the custom authorizer is told: collected from flags, files and environment, and judged before it is sent.

use std::path::PathBuf;

use dunlin_client::aws::{
    self, AuthorizerError, CustomAuthorizer, Encoding, Field, SignatureFault, SignedToken,
};
use dunlin_client::secret::Secret;

use crate::args::{AuthorizerArgs, Encode, Sources};
use crate::config::Script;
use crate::config::secret::{SecretArgs, Secrets};
use crate::diagnosis::{Diagnosis, Id, Try};
use crate::rs256;
use crate::terminal::Console;

/// What goes into user name and password of CONNECT.
pub(crate) struct Credentials {
    pub(crate) authorizer: CustomAuthorizer,
    pub(crate) password: Option<Secret<Vec<u8>>>,
    /// Built from `authorizer`; `None` where there is nothing to say.
    pub(crate) user_name: Option<Secret<String>>,
}

impl Credentials {
    pub(crate) fn new(
        mut typed: AuthorizerArgs,
        script: Script,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        if script == Script::Unsigned {
            refuse_signing(&mut typed, sources)?;
        }
        let mut secrets = Secrets::new(sources);
        let password = secrets.resolve(
            SecretArgs { id: "auth_password", value: typed.auth_password, file: typed.auth_password_file },
            console,
        )?;
        let token = SecretArgs {
            id: "auth_token_key_value",
            value: typed.auth_token_key_value,
            file: typed.auth_token_key_value_file,
        };
        let token = secrets.resolve_text(token, console)?;
        let signature = match (&typed.auth_signing_key, &token) {
            (Some(key), Some(token)) => {
                refuse_two_signatures(typed.auth_signature_file.as_ref(), sources)?;
                Some(rs256::sign("--auth-signing-key", key, token.expose())?)
            }
            _ => secrets.resolve_text(
                SecretArgs {
                    id: "auth_signature",
                    value: typed.auth_signature,
                    file: typed.auth_signature_file,
                },
                console,
            )?,
        };
        let wants = Wanted {
            authorizer_name: typed.authorizer_name.is_some(),
            username: typed.auth_username.is_some(),
            password: password.is_some(),
            key_name: typed.auth_token_key_name.is_some(),
            token: token.is_some(),
            signature: signature.is_some(),
        };
        wants.require(script)?;
        let token = SignedToken::from_parts(typed.auth_token_key_name, token, signature)
            .map_err(|error| refused(&error))?;
        if let Some(token) = &token {
            check_signature(token, typed.auth_public_key)?;
        }
        let authorizer = CustomAuthorizer {
            username: typed.auth_username,
            authorizer_name: typed.authorizer_name,
            token,
            encoding: typed.encode.into(),
            metrics: typed.metrics,
        };
        authorizer.check_limits().map_err(|error| Diagnosis::usage(error.to_string()))?;
        let user_name = authorizer.user_name().map_err(|error| refused(&error))?;
        secrets.warn(console);
        if authorizer.token.is_none() && authorizer.authorizer_name.is_some() && password.is_none() {
            console.warning("no password: an unsigned authorizer has nothing to check but the user name");
        }
        let user_name = Some(user_name).filter(|name| !name.expose().is_empty() || password.is_some());
        Ok(Self { authorizer, password, user_name })
    }
}

/// What was given, of all that a script may require.
struct Wanted {
    authorizer_name: bool,
    username: bool,
    password: bool,
    key_name: bool,
    token: bool,
    signature: bool,
}

impl Wanted {
    fn require(&self, script: Script) -> Result<(), Diagnosis> {
        let rows = [
            (self.authorizer_name, "--authorizer-name", script != Script::Either),
            (self.username, "--auth-username", script == Script::Unsigned),
            (self.password, "--auth-password", script == Script::Unsigned),
            (self.key_name, "--auth-token-key-name", script == Script::Signed),
            (self.token, "--auth-token-key-value", script == Script::Signed),
            (self.signature, "--auth-signature", script == Script::Signed),
        ];
        let missing: Vec<&str> = rows
            .iter()
            .filter(|(given, _, required)| *required && !given)
            .map(|(_, flag, _)| *flag)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Diagnosis::usage(format!("missing: {}", missing.join(", "))))
        }
    }
}

/// `unsigned` is for authorizers without signing: a flag of it is a mistake, the environment is somebody else's.
fn refuse_signing(typed: &mut AuthorizerArgs, sources: &Sources) -> Result<(), Diagnosis> {
    let ids = [
        "auth_signature",
        "auth_signature_file",
        "auth_token_key_name",
        "auth_token_key_value",
        "auth_token_key_value_file",
        "auth_signing_key",
        "auth_public_key",
    ];
    if let Some(id) = ids.iter().find(|id| sources.on_command_line(id)) {
        return Err(Diagnosis {
            try_: vec![Try::advice("dunlin signed takes it; dunlin sample takes either")],
            ..Diagnosis::usage(format!("`dunlin unsigned` has no --{}", id.replace('_', "-")))
        });
    }
    (typed.auth_signature, typed.auth_token_key_name, typed.auth_token_key_value) = (None, None, None);
    Ok(())
}

fn refuse_two_signatures(file: Option<&PathBuf>, sources: &Sources) -> Result<(), Diagnosis> {
    if file.is_some() || sources.on_command_line("auth_signature") {
        return Err(Diagnosis::usage("--auth-signing-key computes the signature; it can't be given as well"));
    }
    Ok(())
}

/// Form first, then, where a public key is there, the signature itself.
fn check_signature(token: &SignedToken, public_key: Option<PathBuf>) -> Result<(), Diagnosis> {
    let signature = token.signature.expose();
    aws::check_signature(signature).map_err(impossible)?;
    let Some(public_key) = public_key else { return Ok(()) };
    let plain = plain_base64(signature);
    if rs256::verify("--auth-public-key", &public_key, token.value.expose(), plain.expose())? {
        return Ok(());
    }
    let newline = if token.value.expose().ends_with('\n') { " (yours does)" } else { "" };
    Err(Diagnosis {
        saw: Some(format!(
            "token of {} bytes, checked with {}",
            token.value.expose().len(),
            public_key.display()
        )),
        likely: vec![
            format!("the token that was signed ends in a newline{newline}, or the one given does"),
            "it was signed with another key".into(),
            "the token was URL-encoded before it was signed, or is now".into(),
        ],
        try_: vec![sign_command(), openssl()],
        ..Diagnosis::new(
            Id::Signature,
            "the signature does not match the token (checked locally); nothing was sent",
        )
    })
}

/// A signature may have been given as it stands in the user name. Base64 has three characters that can be escaped.
fn plain_base64(signature: &str) -> Secret<String> {
    let value = signature.rsplit_once("-signature=").map_or(signature, |(_, value)| value);
    let plain = [("%2B", "+"), ("%2b", "+"), ("%2F", "/"), ("%2f", "/"), ("%3D", "="), ("%3d", "=")]
        .iter()
        .fold(value.to_owned(), |text, (escape, character)| text.replace(escape, character));
    plain.into()
}

fn impossible(fault: SignatureFault) -> Diagnosis {
    let likely = match fault {
        SignatureFault::LineBreak => "openssl base64 wraps its lines; base64 -w0 does not",
        SignatureFault::Whitespace => "it was copied with a blank",
        SignatureFault::DoublyEncoded | SignatureFault::BadEscape => {
            "it was percent-encoded once too often; dunlin encodes it by itself"
        }
        SignatureFault::Base64Url => "it comes from a JWT: turn - into +, _ into / and add the = at the end",
        SignatureFault::Digest => "the hash was base64-encoded instead of the RS256 signature",
        SignatureFault::MissingPadding => "it comes from a JWT, or was cut while copying",
        _ => "something else than the RS256 signature was encoded, or it was cut while copying",
    };
    Diagnosis {
        saw: Some(format!("the value for --auth-signature: {fault}")),
        likely: vec![likely.into()],
        try_: vec![sign_command(), openssl()],
        ..Diagnosis::new(Id::Signature, "the token signature cannot be valid; nothing was sent")
    }
}

fn sign_command() -> Try {
    Try::command("dunlin auth sign --key private.pem --token \"$TOKEN\"")
}

fn openssl() -> Try {
    Try::command("printf %s \"$TOKEN\" | openssl dgst -sha256 -sign private.pem | base64 -w0")
}

fn refused(error: &AuthorizerError) -> Diagnosis {
    match error {
        AuthorizerError::IncompleteToken { missing } => {
            let flags: Vec<&str> = missing.iter().map(|field| flag(*field)).collect();
            Diagnosis {
                try_: vec![Try::advice("for an unsigned authorizer give none of the three")],
                ..Diagnosis::usage(format!("a signed authorizer also needs {}", flags.join(" and ")))
            }
        }
        AuthorizerError::SecondQuestionMark { field } => Diagnosis {
            saw: Some(format!(
                "AWS IoT reads the query of the user name from one \"?\"; {} brings a second",
                flag(*field)
            )),
            ..Diagnosis::usage("only one \"?\" is allowed in the user name; nothing was sent")
        },
        AuthorizerError::HalfEncoded { .. } => Diagnosis {
            try_: vec![Try::advice("--encode always: encode it all · --encode never: send it as it is")],
            ..Diagnosis::usage(error.to_string())
        },
        error => Diagnosis::usage(error.to_string()),
    }
}

fn flag(field: Field) -> &'static str {
    match field {
        Field::UserName => "--auth-username",
        Field::Password => "--auth-password",
        Field::ClientId => "--client-id",
        Field::AuthorizerName => "--authorizer-name",
        Field::TokenKeyName => "--auth-token-key-name",
        Field::TokenValue => "--auth-token-key-value",
        Field::Signature => "--auth-signature",
        _ => "the value",
    }
}

impl From<Encode> for Encoding {
    fn from(encode: Encode) -> Self {
        match encode {
            Encode::Auto => Self::Auto,
            Encode::Always => Self::Always,
            Encode::Never => Self::Never,
        }
    }
}
