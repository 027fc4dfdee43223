//! Definition of one custom authorizer, as `aws iot create-authorizer` takes it.

use crate::authorizer::calls::LambdaLimits;
use crate::authorizer::lambda::Lambda;
use crate::authorizer::parameters::{self, Parameters};
use crate::authorizer::refusal::Refusal;
use crate::authorizer::token::{self, PublicKey, Token};

/// One custom authorizer, as `aws iot create-authorizer` makes it.
#[derive(Debug, Clone)]
pub struct Authorizer {
    /// Name that clients send in `x-amz-customauthorizer-name`.
    pub name: String,
    /// An authorizer that is `INACTIVE` is never called.
    pub active: bool,
    /// Rule for tokens: signed, or not checked.
    pub signing: Signing,
    /// Lambda that decides.
    pub lambda: Lambda,
    /// Limits of the calls of the Lambda.
    pub limits: LambdaLimits,
}

/// The token of an authorizer.
///
/// ```
/// use dunlin_sandbox::{Answer, Authorizer, Lambda, Signing};
///
/// let mut lamps = Authorizer::new("Lamps", Lambda::Static(Answer::not_authenticated()));
/// lamps.signing = Signing::Disabled { token_key_name: Some("token".into()) };
/// assert_eq!(lamps.signing.token_key_name(), Some("token"));
/// assert!(!lamps.signing.is_required());
/// ```
#[derive(Debug, Clone)]
pub enum Signing {
    /// `signingDisabled`: no signature is asked for. A token is still passed on where it has a key
    /// name.
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

impl Authorizer {
    /// An active authorizer without tokens, with AWS's limits.
    #[must_use]
    pub fn new(name: impl Into<String>, lambda: Lambda) -> Self {
        Self {
            name: name.into(),
            active: true,
            signing: Signing::Disabled {
                token_key_name: None,
            },
            lambda,
            limits: LambdaLimits::default(),
        }
    }
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

    /// Returns whether a signature is required.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        matches!(self, Self::Required { .. })
    }

    /// Returns the token for the Lambda, where there is one; where signing is on, its signature is
    /// checked first.
    ///
    /// # Errors
    /// `MissingToken`, `MissingSignature` or `Signature` where signing is on, `RepeatedParameter`.
    pub(super) fn token<'a>(
        &self,
        authorizer: &str,
        parameters: &'a Parameters<'_>,
    ) -> Result<Option<Token<'a>>, Refusal> {
        // Without a key name there is nowhere to look for a token.
        let token = match self.token_key_name() {
            Some(name) => parameters.value(name)?,
            None => None,
        };
        // Signing is off: the token is passed on unverified, and the event says so.
        let Self::Required {
            token_key_name,
            public_keys,
        } = self
        else {
            return Ok(token.map(|value| Token {
                value,
                signature_verified: false,
            }));
        };
        // Signing is on: token and signature are both required.
        let value = token.ok_or_else(|| Refusal::MissingToken {
            authorizer: authorizer.into(),
            token_key_name: token_key_name.clone(),
        })?;
        let signature =
            parameters
                .value(parameters::SIGNATURE)?
                .ok_or_else(|| Refusal::MissingSignature {
                    authorizer: authorizer.into(),
                })?;
        // The signature is over the decoded value of the parameter.
        token::verify(value, signature, public_keys).map_err(|error| Refusal::Signature {
            authorizer: authorizer.into(),
            error,
        })?;
        Ok(Some(Token {
            value,
            signature_verified: true,
        }))
    }
}
