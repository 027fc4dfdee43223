//! `CustomAuthorizer`: the user name that tells AWS IoT Core which authorizer to ask, and with
//! which token.

use std::fmt;

use super::encoding::Encoding;
use super::limits::Field;
use super::query::{Parameter, Query};
use crate::secret::Secret;

/// What a custom authorizer is given in the user name of CONNECT. The password goes its own way.
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
    /// The user's own part, never encoded. One `?` in it is kept and continued; two are refused.
    pub username: Option<String>,
    /// `None` leaves it to the default authorizer of the account or the endpoint.
    pub authorizer_name: Option<String>,
    /// Token that the authorizer reads; `None` if it reads user name and password only.
    pub token: Option<AuthorizerToken>,
    /// How values go into the query that it can't carry as they are.
    pub encoding: Encoding,
    /// Tell AWS which client connects, and its version.
    pub metrics: bool,
}

/// Token, the parameter that carries it, and the signature that proves who issued it.
///
/// An authorizer with signing enabled requires the signature. With signing disabled, a token can
/// still be sent without one, as AWS's own Python builder does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerToken {
    /// The parameter's name, as the authorizer was configured.
    pub key_name: String,
    /// The token.
    pub value: Secret<String>,
    /// RS256 signature of the token, in base64; `None` for an authorizer with signing disabled.
    /// [`check_signature`](super::check_signature) finds malformed ones.
    pub signature: Option<Secret<String>>,
}

/// Values that make no user name. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizerError {
    /// A signature needs the key name and the value of the token, and each of these needs the
    /// other.
    #[error("the {given} also needs the {}", listed(missing))]
    IncompleteToken {
        /// Part that was given and needs the others.
        given: Field,
        /// Key name, value or both.
        missing: Vec<Field>,
    },
    /// AWS IoT Core reads one query; a second `?` hides the authorizer from it.
    #[error("the {field} would bring a second '?' into the user name, where only one is allowed")]
    SecondQuestionMark {
        /// Whose `?` it is.
        field: Field,
    },
    /// The value counts as encoded, for it holds `%XX`, yet also one of `& ? #`, which would cut it
    /// off.
    #[error("the {field} is half percent-encoded: it holds %XX and also one of & ? #")]
    HalfEncoded {
        /// Which value.
        field: Field,
    },
    /// A parameter would have no name or no value.
    #[error("the {field} is empty")]
    Empty {
        /// Which value.
        field: Field,
    },
    /// Longer than MQTT can carry.
    #[error("the user name would be {length} bytes long, but MQTT carries {max}")]
    TooLong {
        /// How long it would be.
        length: usize,
        /// How long it may be.
        max: usize,
    },
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
        match (key_name, value, signature) {
            (None, None, None) => Ok(None),
            (Some(key_name), Some(value), signature) => Ok(Some(Self {
                key_name,
                value,
                signature,
            })),
            (key_name, value, signature) => {
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
    /// The user name of CONNECT: the user's part, then name, signature, token and metrics as one
    /// query. Empty if there is none of them.
    ///
    /// A value that begins with its own parameter (`x-amz-customauthorizer-name=MyAuth`) is taken
    /// without it, as the AWS SDKs do. Whether AWS would accept the values is for
    /// [`check_limits`](Self::check_limits) and [`check_signature`](super::check_signature) to
    /// say.
    pub fn user_name(&self) -> Result<Secret<String>, AuthorizerError> {
        let username = self.username.as_deref().unwrap_or_default();
        let mut query = Query::new(username, &self.parameters(), self.encoding)?;
        if self.metrics {
            query.push_metrics();
        }
        query.finish()
    }

    /// In the order of the wire.
    pub(super) fn parameters(&self) -> Vec<Parameter<'_>> {
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

fn listed(fields: &[Field]) -> String {
    fields
        .iter()
        .map(Field::to_string)
        .collect::<Vec<_>>()
        .join(" and the ")
}

const NAME_PARAMETER: &str = "x-amz-customauthorizer-name";
pub(super) const SIGNATURE_PARAMETER: &str = "x-amz-customauthorizer-signature";
