//! Custom authorizers: from the user name of a CONNECT to a policy, or to a refusal that says why.

mod answer;
mod demo;
mod lambda;
mod query;
mod refusal;
mod token;

use std::time::Duration;

pub use answer::{Answer, AnswerFault};
pub use demo::{DEMO_POLICY, demo_signed, demo_unsigned};
pub use lambda::{Lambda, LambdaEvent};
pub use refusal::Refusal;
pub use token::{PublicKey, PublicKeyError, SignatureFault};

use crate::authorizer::query::UserName;
use crate::policy::Policy;

/// One custom authorizer, as `aws iot create-authorizer` makes it.
#[derive(Debug, Clone)]
pub struct Authorizer {
    /// What clients name it in `x-amz-customauthorizer-name`.
    pub name: String,
    /// An authorizer that is `INACTIVE` is never called.
    pub active: bool,
    /// Whether a token must be signed before the Lambda is asked.
    pub signing: Signing,
    /// What decides.
    pub lambda: Lambda,
}

/// The token of an authorizer.
#[derive(Debug, Clone)]
pub enum Signing {
    /// `signingDisabled`: no signature is asked for. A token is still passed on where it has a key name.
    Disabled {
        /// The name of the parameter that carries the token.
        token_key_name: Option<String>,
    },
    /// The token must come with its RS256 signature, checked before the Lambda is called.
    Required {
        /// The name of the parameter that carries the token.
        token_key_name: String,
        /// The keys of which one must have signed it.
        public_keys: Vec<PublicKey>,
    },
}

/// All authorizers of one sandbox, and which one is meant when a client names none.
#[derive(Debug, Clone, Default)]
pub struct Authorizers {
    /// Each has a name of its own.
    pub list: Vec<Authorizer>,
    /// The name of the one that answers where none is named.
    pub default: Option<String>,
}

/// What a client brought in its CONNECT. `Debug` shows no secret of it.
#[derive(Clone)]
pub struct Credentials {
    /// The client id; `None` where the server assigns it, which the Lambda isn't told.
    pub client_id: Option<String>,
    /// The MQTT user name, query and all.
    pub username: Option<String>,
    /// The MQTT password.
    pub password: Option<Vec<u8>>,
    /// The server name of the TLS handshake.
    pub server_name: Option<String>,
    /// Names the connection to the Lambda: a UUID.
    pub connection_id: String,
}

/// What an authorizer granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The authorizer that granted it.
    pub authorizer: String,
    /// Who the client is, as the Lambda said.
    pub principal_id: String,
    /// What the client may do.
    pub policy: Policy,
    /// The connection ends after this.
    pub disconnect_after: Duration,
    /// The Lambda is asked again after this.
    pub refresh_after: Duration,
}

impl Authorizers {
    /// Decides about one CONNECT. The Lambda is called last: everything that can be refused without it is.
    pub async fn authorize(&self, credentials: &Credentials) -> Result<Grant, Refusal> {
        let user_name = UserName::parse(credentials.username.as_deref())?;
        let authorizer = self.named(user_name.parameter(query::AUTHORIZER_NAME)?)?;
        let token = authorizer.signing.token(&authorizer.name, &user_name)?;
        let event = LambdaEvent::new(credentials, token);
        let answer = authorizer.lambda.invoke(&event).await;
        answer.grant(&authorizer.name).map_err(|fault| match fault {
            AnswerFault::NotAuthenticated => Refusal::NotAuthenticated(authorizer.name.clone()),
            fault => Refusal::Answer { authorizer: authorizer.name.clone(), fault },
        })
    }

    fn named(&self, name: Option<&str>) -> Result<&Authorizer, Refusal> {
        let wanted = name.or(self.default.as_deref()).ok_or(Refusal::NoAuthorizerNamed)?;
        let found = self.list.iter().find(|authorizer| authorizer.name == wanted);
        let authorizer = found.ok_or_else(|| Refusal::UnknownAuthorizer(wanted.into()))?;
        if !authorizer.active {
            return Err(Refusal::Inactive(authorizer.name.clone()));
        }
        Ok(authorizer)
    }
}

/// A token that may be shown to the Lambda.
#[derive(Clone, Copy)]
struct Token<'a> {
    value: &'a str,
    signature_verified: bool,
}

impl Signing {
    /// The name of the parameter that carries the token.
    #[must_use]
    pub fn token_key_name(&self) -> Option<&str> {
        match self {
            Self::Disabled { token_key_name } => token_key_name.as_deref(),
            Self::Required { token_key_name, .. } => Some(token_key_name),
        }
    }

    /// Whether a signature is asked for.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        matches!(self, Self::Required { .. })
    }

    fn token<'a>(&self, authorizer: &str, user_name: &'a UserName<'_>) -> Result<Option<Token<'a>>, Refusal> {
        let token = match self.token_key_name() {
            Some(name) => user_name.parameter(name)?,
            None => None,
        };
        let Self::Required { token_key_name, public_keys } = self else {
            return Ok(token.map(|value| Token { value, signature_verified: false }));
        };
        let value = token.ok_or_else(|| Refusal::MissingToken {
            authorizer: authorizer.into(),
            token_key_name: token_key_name.clone(),
        })?;
        let signature = user_name
            .parameter(query::SIGNATURE)?
            .ok_or_else(|| Refusal::MissingSignature { authorizer: authorizer.into() })?;
        token::verify(value, signature, public_keys)
            .map_err(|fault| Refusal::Signature { authorizer: authorizer.into(), fault })?;
        Ok(Some(Token { value, signature_verified: true }))
    }
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("username", &"..")
            .field("password", &"..")
            .field("server_name", &self.server_name)
            .field("connection_id", &self.connection_id)
            .finish()
    }
}
