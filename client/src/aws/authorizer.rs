//! `CustomAuthorizer`: user name of CONNECT with the parameters of a custom authorizer.

use std::fmt;

use super::encoding::Encoding;
use super::error::AuthorizerError;
use super::query::{Parameter, Query};
use crate::limits::Field;
use crate::secret::Secret;

/// Parameters of a custom authorizer, which CONNECT carries in the user name. The password is
/// separate.
///
/// ```
/// use dunlin_client::aws::CustomAuthorizer;
///
/// let authorizer = CustomAuthorizer {
///     username: Some("alice".to_owned()),
///     authorizer_name: Some("MyAuth".to_owned()),
///     ..Default::default()
/// };
/// let user_name = authorizer.user_name()?;
/// assert_eq!(user_name.expose(), "alice?x-amz-customauthorizer-name=MyAuth");
/// # Ok::<(), dunlin_client::aws::AuthorizerError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomAuthorizer {
    /// Part of the user name before the parameters, never encoded. One `?` in it begins the query to
    /// which the parameters are added; two are an error. `None` means empty.
    pub username: Option<String>,
    /// Name of the authorizer; `None` means the default authorizer of the account or the endpoint.
    pub authorizer_name: Option<String>,
    /// Token that the authorizer reads; `None` if it reads user name and password only.
    pub token: Option<AuthorizerToken>,
    /// Encoding of characters that a query can't carry. Default: [`Encoding::Auto`].
    pub encoding: Encoding,
    /// True if the name and the version of this library are sent to AWS. Default: `false`.
    pub metrics: bool,
}

/// Token, the parameter that carries it, and the signature that proves who issued it.
///
/// An authorizer with signing enabled requires the signature. With signing disabled, a token can
/// still be sent without one, as AWS's own Python builder does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerToken {
    /// Name of the parameter, as configured in the authorizer.
    pub key_name: String,
    /// Value of the parameter.
    pub value: Secret<String>,
    /// RS256 signature of the token, in base64; `None` for an authorizer with signing disabled.
    /// [`check_signature`](super::check_signature) finds malformed ones.
    pub signature: Option<Secret<String>>,
}

impl AuthorizerToken {
    /// Token of the parts that were given; `Ok(None)` if none was.
    ///
    /// # Errors
    /// [`AuthorizerError::IncompleteToken`] for a signature without key name or value, a key name
    /// without a value, and a value without a key name.
    pub fn from_parts(
        key_name: Option<String>,
        value: Option<Secret<String>>,
        signature: Option<Secret<String>>,
    ) -> Result<Option<Self>, AuthorizerError> {
        // A token is a key name and a value; the signature is optional, because an authorizer may
        // have signing disabled.
        match (key_name, value, signature) {
            (None, None, None) => Ok(None),
            (Some(key_name), Some(value), signature) => Ok(Some(Self {
                key_name,
                value,
                signature,
            })),
            (key_name, value, signature) => {
                // The error names a part that was given, and each part that has to come with it.
                let given = match (&key_name, &signature) {
                    (_, Some(_)) => Field::Signature,
                    (Some(_), None) => Field::TokenKeyName,
                    (None, None) => Field::TokenValue,
                };
                let mut missing = Vec::new();
                missing.extend(key_name.is_none().then_some(Field::TokenKeyName));
                missing.extend(value.is_none().then_some(Field::TokenValue));
                Err(AuthorizerError::IncompleteToken { given, missing })
            }
        }
    }
}

impl CustomAuthorizer {
    /// User name of CONNECT: the user's part, then name, signature, token and metrics as one query.
    /// Empty if there is none of them.
    ///
    /// If a value begins with its own parameter (`x-amz-customauthorizer-name=MyAuth`), that is
    /// removed, as the AWS SDKs do. [`check_limits`](Self::check_limits) and
    /// [`check_signature`](super::check_signature) check whether AWS accepts the values.
    ///
    /// # Errors
    /// * [`AuthorizerError::SecondQuestionMark`], [`AuthorizerError::HalfEncoded`],
    ///   [`AuthorizerError::Empty`]: a value can't be a part of the query.
    /// * [`AuthorizerError::TooLong`]: the user name is longer than 65,535 bytes.
    pub fn user_name(&self) -> Result<Secret<String>, AuthorizerError> {
        let username = self.username.as_deref().unwrap_or_default();
        let mut query = Query::new(username, &self.parameters(), self.encoding)?;
        if self.metrics {
            query.push_metrics();
        }
        query.finish()
    }

    /// Parameters in the order in which they are sent.
    pub(super) fn parameters(&self) -> Vec<Parameter<'_>> {
        // The signature comes before the token, as in the documentation of `user_name`. A signature
        // without a token can't be expressed.
        let mut parameters = Vec::with_capacity(3);
        if let Some(name) = &self.authorizer_name {
            parameters.push(Parameter::new(Field::AuthorizerName, NAME_PARAMETER, name));
        }
        if let Some(AuthorizerToken {
            key_name,
            value,
            signature,
        }) = &self.token
        {
            if let Some(signature) = signature {
                parameters.push(Parameter::new(
                    Field::Signature,
                    SIGNATURE_PARAMETER,
                    signature.expose(),
                ));
            }
            parameters.push(Parameter::new(Field::TokenValue, key_name, value.expose()));
        }
        parameters
    }
}

impl fmt::Debug for CustomAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A query that somebody wrote by hand may carry a token.
        let (user, query) = match self
            .username
            .as_deref()
            .and_then(|username| username.split_once('?'))
        {
            Some((user, query)) => (Some(user), Some(Secret::<String>::from(query))),
            None => (self.username.as_deref(), None),
        };
        f.debug_struct("CustomAuthorizer")
            .field("username", &user)
            .field("username_query", &query)
            .field("authorizer_name", &self.authorizer_name)
            .field("token", &self.token)
            .field("encoding", &self.encoding)
            .field("metrics", &self.metrics)
            .finish()
    }
}

const NAME_PARAMETER: &str = "x-amz-customauthorizer-name";
pub(super) const SIGNATURE_PARAMETER: &str = "x-amz-customauthorizer-signature";
