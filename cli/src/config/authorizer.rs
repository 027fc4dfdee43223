//! `Credentials`: user name and password of CONNECT for a custom authorizer, from flags, files and
//! environment.

use dunlin_client::aws::{
    AuthorizerError, AuthorizerToken, CustomAuthorizer, Encoding, Field, SentIn,
};
use dunlin_client::secret::Secret;

use crate::args::{AccountArgs, AuthorizerArgs, Encode, OF_SIGNING, OF_TOKEN, Sources};
use crate::config::secret::{Asking, SecretArgs, Secrets};
use crate::config::signature;
use crate::diagnosis::{Diagnosis, Try};
use crate::terminal::Console;

/// User name and password of CONNECT.
pub(crate) struct Credentials {
    /// Parts of the user name.
    pub(crate) authorizer: CustomAuthorizer,
    /// `None` sends no password.
    pub(crate) password: Option<Secret<Vec<u8>>>,
    /// User name of CONNECT: that of `--username`, or else made of `authorizer`; `None` if it would
    /// be empty and there is no password.
    pub(crate) user_name: Option<Secret<String>>,
    /// User name that an error may show; `None` if none was given.
    pub(crate) shown_user_name: Option<String>,
}

impl Credentials {
    /// Collects `--username` and `--password`, or else the credentials for a custom authorizer.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) if both were given, and see [`new`](Self::new).
    pub(crate) fn of_flags(
        authorizer: AuthorizerArgs,
        account: Option<AccountArgs>,
        sources: &Sources,
        console: Console,
        warns_of_secrets: bool,
    ) -> Result<Self, Diagnosis> {
        let Some(account) = account.filter(AccountArgs::is_given) else {
            return Self::new(authorizer, sources, console, warns_of_secrets);
        };
        // Flags of both kinds contradict each other. Variables of the environment may be meant for
        // other runs: flags win over them, and the authorizer's win over the others.
        let is_typed = |ids: &[&str]| ids.iter().any(|id| sources.on_command_line(id));
        match (is_typed(&OF_ACCOUNT), authorizer.is_given()) {
            (true, true) if is_typed(&OF_AUTHORIZER) => Err(Diagnosis::usage(
                "--username and --password are sent as they are; for a custom authorizer \
                 they are --auth-username and --auth-password",
            )),
            (false, true) => Self::new(authorizer, sources, console, warns_of_secrets),
            _ => Self::plain(
                account,
                Asking::of(&authorizer),
                sources,
                console,
                warns_of_secrets,
            ),
        }
    }

    /// Collects user name and password as CONNECT carries them.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that can't be read.
    fn plain(
        typed: AccountArgs,
        asks: Asking,
        sources: &Sources,
        console: Console,
        warns_of_secrets: bool,
    ) -> Result<Self, Diagnosis> {
        let mut secrets = Secrets::new(sources, console);
        let password = secrets.resolve(SecretArgs {
            id: "password",
            value: typed.password,
            file: typed.password_file,
            asks,
        })?;
        if warns_of_secrets {
            secrets.warn();
        }
        Ok(Self {
            authorizer: CustomAuthorizer::default(),
            password,
            user_name: typed.username.clone().map(Secret::from),
            shown_user_name: typed.username,
        })
    }

    /// Collects the credentials and checks them. With `warns_of_secrets` a warning names the secrets
    /// on the command line, which other users can read.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for values that can't be sent or lack a part;
    /// [`Id::Signature`](crate::diagnosis::Id::Signature) for a signature that can't be valid.
    pub(crate) fn new(
        mut typed: AuthorizerArgs,
        sources: &Sources,
        console: Console,
        warns_of_secrets: bool,
    ) -> Result<Self, Diagnosis> {
        // Secrets from flags, files and environment.
        let mut secrets = Secrets::new(sources, console);
        let (value, file) = (typed.auth_password.take(), typed.auth_password_file.take());
        let password = secrets.resolve(SecretArgs {
            id: "auth_password",
            value,
            file,
            asks: Asking::of(&typed),
        })?;
        let authorizer = CustomAuthorizer {
            token: token(&mut typed, &mut secrets, sources)?,
            username: typed.auth_username,
            authorizer_name: typed.authorizer_name,
            encoding: typed.encode.into(),
            metrics: typed.metrics,
        };
        // AWS IoT's limits, and what a user name can't carry.
        authorizer
            .check_limits()
            .map_err(|error| Diagnosis::usage(error.to_string()))?;
        // Over WebSocket the parameters may be elsewhere, and the user name is the user's alone.
        let user_name = match typed.authorizer_as.into() {
            SentIn::UserName => authorizer.user_name().map(Some),
            _ => authorizer.user_name_alone(),
        };
        let user_name = user_name.map_err(|error| refused(&error))?;
        if warns_of_secrets {
            secrets.warn();
        }
        if authorizer.token.is_none()
            && authorizer.authorizer_name.is_some()
            && password.is_none()
            && !typed.is_http
        {
            console.warning(
                "no password: an unsigned authorizer has nothing to check but the user name",
            );
        }
        // An empty user name is left out, unless there is a password.
        let user_name = user_name.filter(|name| !name.expose().is_empty() || password.is_some());
        Ok(Self {
            shown_user_name: authorizer.username.clone(),
            authorizer,
            password,
            user_name,
        })
    }

    /// Credentials that errors may show before a command has printed the real ones.
    pub(super) fn before_command(
        authorizer: &AuthorizerArgs,
        account: Option<&AccountArgs>,
    ) -> Self {
        let account_name = account.and_then(|account| account.username.clone());
        Self {
            authorizer: CustomAuthorizer {
                username: authorizer.auth_username.clone(),
                authorizer_name: authorizer.authorizer_name.clone(),
                ..CustomAuthorizer::default()
            },
            password: None,
            user_name: None,
            shown_user_name: authorizer.auth_username.clone().or(account_name),
        }
    }

    /// True if CONNECT carries a password or a token.
    pub(super) fn has_secret(&self) -> bool {
        self.password.is_some() || self.authorizer.token.is_some()
    }

    /// True if a signature was given, or made with a signing key.
    pub(crate) fn is_signed(&self) -> bool {
        self.authorizer
            .token
            .as_ref()
            .is_some_and(|token| token.signature.is_some())
    }
}

impl AccountArgs {
    /// True if a user name or a password was given.
    fn is_given(&self) -> bool {
        self.username.is_some() || self.password.is_some() || self.password_file.is_some()
    }
}

impl AuthorizerArgs {
    /// True if a part of the credentials for a custom authorizer was given.
    pub(crate) fn is_given(&self) -> bool {
        self.authorizer_name.is_some()
            || self.auth_username.is_some()
            || self.auth_password.is_some()
            || self.auth_password_file.is_some()
            || self.auth_token_key_name.is_some()
            || self.auth_token_key_value.is_some()
            || self.auth_token_key_value_file.is_some()
    }
}

/// Ids of the flags for a user name and a password without an authorizer.
const OF_ACCOUNT: [&str; 3] = ["username", "password", "password_file"];

/// Ids of the flags for a custom authorizer.
const OF_AUTHORIZER: [&str; 7] = [
    "authorizer_name",
    "auth_username",
    "auth_password",
    "auth_password_file",
    "auth_token_key_name",
    "auth_token_key_value",
    "auth_token_key_value_file",
];

/// Token with or without a signature; `None` if no part of one was given.
fn token(
    typed: &mut AuthorizerArgs,
    secrets: &mut Secrets<'_>,
    sources: &Sources,
) -> Result<Option<AuthorizerToken>, Diagnosis> {
    // The token itself.
    let (value, file) = (
        typed.auth_token_key_value.take(),
        typed.auth_token_key_value_file.take(),
    );
    let value = secrets.resolve_text(SecretArgs {
        id: "auth_token_key_value",
        value,
        file,
        asks: Asking::Never,
    })?;
    // The signature: computed with a key, or given.
    let (given, file) = (
        typed.auth_signature.take(),
        typed.auth_signature_file.take(),
    );
    let signature = match (&typed.auth_signing_key, &value) {
        (Some(key), Some(token)) => Some(signature::sign(key, token, file.as_ref(), sources)?),
        (Some(_), None) => {
            return Err(Diagnosis::usage(
                "--auth-signing-key also needs --auth-token-key-value, the token to sign",
            ));
        }
        _ => secrets.resolve_text(SecretArgs {
            id: "auth_signature",
            value: given,
            file,
            asks: Asking::Never,
        })?,
    };
    // The parts must be complete: a signature needs key and value, a key needs a value.
    let token = AuthorizerToken::from_parts(typed.auth_token_key_name.take(), value, signature)
        .map_err(|error| Diagnosis {
            saw: inherited(sources),
            ..refused(&error)
        })?;
    if let Some(token) = &token {
        signature::check(token, typed.auth_public_key.as_deref())?;
    }
    Ok(token)
}

/// Evidence about values of the environment, which the user may not have thought of; `None` if there
/// are none.
fn inherited(sources: &Sources) -> Option<String> {
    let ids = OF_SIGNING
        .iter()
        .chain(&OF_TOKEN)
        .filter(|id| sources.in_environment(id));
    let flags: Vec<String> = ids
        .map(|id| format!("--{}", id.replace('_', "-")))
        .collect();
    (!flags.is_empty()).then(|| format!("from the environment: {}", flags.join(", ")))
}

/// Error for credentials that can't be sent, in terms of flags.
fn refused(error: &AuthorizerError) -> Diagnosis {
    match error {
        // Each error in terms of the flags that the user typed.
        AuthorizerError::IncompleteToken { given, missing } => {
            let flags: Vec<&str> = missing.iter().map(|field| flag(*field)).collect();
            Diagnosis {
                try_: vec![Try::advice(format!(
                    "leave {} out, if the authorizer reads no token",
                    flag(*given)
                ))],
                ..Diagnosis::usage(format!(
                    "{} also needs {}",
                    flag(*given),
                    flags.join(" and ")
                ))
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
            try_: vec![Try::advice(
                "--encode always: encode it all · --encode never: send it as it is",
            )],
            ..Diagnosis::usage(error.to_string())
        },
        error => Diagnosis::usage(error.to_string()),
    }
}

/// Flag of a field.
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
