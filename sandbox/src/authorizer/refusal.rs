//! Refusals of a CONNECT by the custom authorizers: one sentence each, for the log and the reason
//! string.

use dunlin_codec::ReasonCode;

use crate::authorizer::lambda::LambdaError;
use crate::authorizer::parameter_source::ParameterSource;
use crate::authorizer::token::SignatureError;

/// A refusal before the policy is even asked. Its text names authorizers and parameters, never
/// their values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// More than one `?`; holds how many.
    #[error("the user name has {0} \"?\"; exactly one may stand before the parameters")]
    QuestionMarks(usize),
    /// A `%` without two hex digits, or bytes that aren't UTF-8; holds the place.
    #[error("the parameters of the {0} are not valid percent-encoding")]
    PercentEncoding(ParameterSource),
    /// A parameter that is more than once in one place.
    #[error("{}", repeated(.name, *.place))]
    RepeatedParameter {
        /// Name of the parameter.
        name: String,
        /// Place that has it more than once.
        place: ParameterSource,
    },
    /// The user name has no authorizer's name, and there is no default.
    #[error("the user name has no x-amz-customauthorizer-name, and there is no default authorizer")]
    NoAuthorizerNamed,
    /// Neither user name nor query nor headers have an authorizer's name, and there is no default.
    #[error(
        "neither user name nor query nor headers have x-amz-customauthorizer-name, and there is no default authorizer"
    )]
    NoAuthorizerNamedOverHttp,
    /// No authorizer has this name; holds the name that was sent.
    #[error("there is no authorizer {:?}", shortened(.0))]
    UnknownAuthorizer(String),
    /// The authorizer's status is `INACTIVE`; holds the name.
    #[error("the authorizer {0:?} is INACTIVE")]
    Inactive(String),
    /// Signing is on and the token isn't there.
    #[error(
        "the authorizer {authorizer:?} wants a signed token, and the parameter {token_key_name:?} is missing"
    )]
    MissingToken {
        /// Name of the authorizer.
        authorizer: String,
        /// Name of the parameter that is missing.
        token_key_name: String,
    },
    /// Signing is on and the signature isn't there.
    #[error(
        "the authorizer {authorizer:?} wants a signed token, and x-amz-customauthorizer-signature is missing"
    )]
    MissingSignature {
        /// Name of the authorizer.
        authorizer: String,
    },
    /// The signature is no signature of this token.
    #[error("the authorizer {authorizer:?} refused the token signature: {error}")]
    Signature {
        /// Name of the authorizer.
        authorizer: String,
        /// Error of the signature.
        error: SignatureError,
    },
    /// The Lambda denied: `isAuthenticated` is false. Holds the name of the authorizer.
    #[error("the Lambda of the authorizer {0:?} answered isAuthenticated=false")]
    NotAuthenticated(String),
    /// The answer's `principalId` isn't the id of the client's certificate (`CUSTOM_AUTH_X509`).
    #[error(
        "the Lambda of the authorizer {authorizer:?} answered another principalId than {certificate}, the id of the client's certificate"
    )]
    PrincipalId {
        /// Name of the authorizer.
        authorizer: String,
        /// Id of the certificate.
        certificate: String,
    },
    /// The Lambda gave no usable answer.
    #[error("{}", lambda_failed(.authorizer, .error))]
    Lambda {
        /// Name of the authorizer.
        authorizer: String,
        /// Error of the Lambda.
        error: LambdaError,
    },
}

impl Refusal {
    /// The reason code that the client is told: 0x97 (Quota exceeded) if the Lambda wasn't called,
    /// else 0x87 (Not authorized).
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        match self {
            // Nobody decided about the client, so it may try again later; the other refusals are
            // decisions.
            Self::Lambda {
                error: LambdaError::NotCalled(_),
                ..
            } => ReasonCode::QuotaExceeded,
            _ => ReasonCode::NotAuthorized,
        }
    }

    /// The authorizer that refused, where one was found.
    #[must_use]
    pub fn authorizer(&self) -> Option<&str> {
        match self {
            Self::Inactive(authorizer)
            | Self::NotAuthenticated(authorizer)
            | Self::MissingToken { authorizer, .. }
            | Self::MissingSignature { authorizer }
            | Self::Signature { authorizer, .. }
            | Self::PrincipalId { authorizer, .. }
            | Self::Lambda { authorizer, .. } => Some(authorizer),
            Self::QuestionMarks(_)
            | Self::PercentEncoding(_)
            | Self::RepeatedParameter { .. }
            | Self::NoAuthorizerNamed
            | Self::NoAuthorizerNamedOverHttp
            | Self::UnknownAuthorizer(_) => None,
        }
    }
}

fn repeated(name: &str, place: ParameterSource) -> String {
    let has = match place {
        ParameterSource::UserName | ParameterSource::Query => "has the parameter",
        ParameterSource::Header => "have the parameter",
    };
    format!("the {place} {has} {name:?} more than once")
}

/// Sentence about a Lambda without a usable answer.
fn lambda_failed(authorizer: &str, error: &LambdaError) -> String {
    match error {
        LambdaError::NotCalled(error) => {
            format!("the Lambda of the authorizer {authorizer:?} wasn't called: {error}")
        }
        LambdaError::Answer(error) => {
            format!(
                "the answer of the Lambda of the authorizer {authorizer:?} isn't usable: {error}"
            )
        }
        error => format!("the Lambda of the authorizer {authorizer:?} failed: {error}"),
    }
}

/// Shortens a name that a client sent to the longest that a name can be.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_AUTHORIZER_NAME).collect()
}

const MAX_AUTHORIZER_NAME: usize = 128;
