//! `SentIn`: the three ways in which the parameters of a custom authorizer reach AWS over WebSocket.

use zeroize::Zeroizing;

use super::authorizer::CustomAuthorizer;
use super::encoding::{Encoding, has_escape};
use super::error::AuthorizerError;
use super::query::{Parameter, Query};
use crate::limits::Field;
use crate::percent::{Unescaped, unescaped};
use crate::secret::Secret;

/// Part of a WebSocket connection that carries the parameters of a custom authorizer: its name, the
/// token and the signature. User name and password are always those of CONNECT.
///
/// AWS IoT Core documents all three. Without WebSocket there is only [`UserName`](Self::UserName).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SentIn {
    /// User name of CONNECT, as [`CustomAuthorizer::user_name`] has them. Encrypted with the rest of
    /// MQTT, and written to no log of a proxy.
    #[default]
    UserName,
    /// Headers of the request for a WebSocket connection. Browsers can't send them.
    Headers,
    /// Query of the URL. Proxies and servers often write it to their logs.
    Query,
}

impl CustomAuthorizer {
    /// User name of CONNECT where the parameters are sent elsewhere: the user's part, and metrics.
    /// `None` if there is neither.
    ///
    /// # Errors
    /// [`AuthorizerError::SecondQuestionMark`] and [`AuthorizerError::TooLong`], as
    /// [`user_name`](Self::user_name).
    pub fn user_name_alone(&self) -> Result<Option<Secret<String>>, AuthorizerError> {
        let alone = Self {
            username: self.username.clone(),
            metrics: self.metrics,
            ..Self::default()
        };
        let user_name = alone.user_name()?;
        Ok((!user_name.expose().is_empty()).then_some(user_name))
    }

    /// Query of a URL with name, signature and token, without the `?`. Empty if there is none of them.
    ///
    /// With [`Encoding::Auto`] and [`Encoding::Always`] everything but letters, digits and `-._~` is
    /// encoded: in a URL a `+` may stand for a space. `Auto` leaves values as they are that contain a
    /// `%XX`, and signatures with a `%`.
    ///
    /// ```
    /// use dunlin_client::aws::CustomAuthorizer;
    ///
    /// let authorizer = CustomAuthorizer {
    ///     authorizer_name: Some("My,Auth".to_owned()),
    ///     ..Default::default()
    /// };
    /// assert_eq!(authorizer.query()?.expose(), "x-amz-customauthorizer-name=My%2CAuth");
    /// # Ok::<(), dunlin_client::aws::AuthorizerError>(())
    /// ```
    ///
    /// # Errors
    /// Like [`user_name`](Self::user_name).
    pub fn query(&self) -> Result<Secret<String>, AuthorizerError> {
        Query::of_url(&self.parameters(), self.encoding)?.finish()
    }

    /// Headers of a request with name, signature and token, in this order.
    ///
    /// Values aren't encoded in a header. With [`Encoding::Auto`] those that are percent-encoded
    /// already are decoded, with other encodings all are sent as they are.
    ///
    /// # Errors
    /// * [`AuthorizerError::Empty`]: a name or a value is empty.
    /// * [`AuthorizerError::NotInHeader`]: a name or a value has characters that a header can't carry:
    ///   a value anything but printable ASCII, space and tab, a name anything but letters, digits and
    ///   `!#$%&'*+-.^_|~` and the backtick.
    pub fn headers(&self) -> Result<Vec<(String, Secret<String>)>, AuthorizerError> {
        let parameters = self.parameters();
        let headers = parameters.iter().map(|parameter| self.header(parameter));
        headers.collect()
    }

    fn header(
        &self,
        parameter: &Parameter<'_>,
    ) -> Result<(String, Secret<String>), AuthorizerError> {
        let Parameter { field, name, value } = *parameter;
        // An encoded value is that of a user name or a URL; AWS decodes it there, and not here.
        let is_encoded = match field {
            Field::Signature => value.contains('%'),
            _ => has_escape(value),
        };
        // Reserved whole: decoding only shortens, and nothing of a token stays behind in memory.
        let mut plain = Zeroizing::new(Vec::with_capacity(value.len()));
        if is_encoded && self.encoding == Encoding::Auto {
            plain.extend(unescaped(value).map(Unescaped::byte));
        } else {
            plain.extend_from_slice(value.as_bytes());
        }

        let name_field = parameter.name_field();
        if name.is_empty() {
            return Err(AuthorizerError::Empty { field: name_field });
        }
        if plain.is_empty() {
            return Err(AuthorizerError::Empty { field });
        }
        // RFC 9110, sections 5.1 and 5.5.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !name.bytes().all(is_name) {
            return Err(AuthorizerError::NotInHeader { field: name_field });
        }
        let is_value = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        if !plain.iter().all(is_value) {
            return Err(AuthorizerError::NotInHeader { field });
        }
        let value = std::str::from_utf8(&plain)
            .map_err(|_not_utf8| AuthorizerError::NotInHeader { field })?;
        Ok((name.to_owned(), value.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::AuthorizerToken;
    use super::*;

    fn authorizer(value: &str, signature: &str) -> CustomAuthorizer {
        CustomAuthorizer {
            username: Some("alice".into()),
            authorizer_name: Some("MyAuth".into()),
            token: Some(AuthorizerToken {
                key_name: "tokenKeyName".into(),
                value: value.into(),
                signature: Some(signature.into()),
            }),
            ..CustomAuthorizer::default()
        }
    }

    fn headers(authorizer: &CustomAuthorizer) -> Vec<(String, String)> {
        let headers = authorizer.headers().unwrap().into_iter();
        headers
            .map(|(name, value)| (name, value.expose().clone()))
            .collect()
    }

    #[test]
    fn a_query_encodes_all_that_a_url_might_change() {
        let query = |authorizer: &CustomAuthorizer| authorizer.query().unwrap().expose().clone();
        assert_eq!(
            query(&authorizer("a+b c&d", "AbC+dEf/==")),
            "x-amz-customauthorizer-name=MyAuth\
             &x-amz-customauthorizer-signature=AbC%2BdEf%2F%3D%3D\
             &tokenKeyName=a%2Bb%20c%26d"
        );
        // What is encoded already stays.
        assert!(
            query(&authorizer("a%2Bb", "AbC%2B%3D"))
                .ends_with("signature=AbC%2B%3D&tokenKeyName=a%2Bb")
        );
        assert_eq!(query(&CustomAuthorizer::default()), "");
    }

    #[test]
    fn headers_have_the_plain_values() {
        let expected = [
            ("x-amz-customauthorizer-name", "MyAuth"),
            ("x-amz-customauthorizer-signature", "AbC+dEf/=="),
            ("tokenKeyName", "a+b"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers(&authorizer("a+b", "AbC+dEf/==")), expected);
        assert_eq!(headers(&authorizer("a%2Bb", "AbC%2BdEf/%3D%3D")), expected);
        let raw = CustomAuthorizer {
            encoding: Encoding::Never,
            ..authorizer("a%2Bb", "c2ln")
        };
        assert_eq!(headers(&raw)[2].1, "a%2Bb");
    }

    #[test]
    fn what_a_header_cannot_carry_is_refused_by_its_name() {
        let refused = |field| Err(AuthorizerError::NotInHeader { field });
        for value in ["é", "a\r\nX: y", "a\0", "%0D%0A"] {
            let authorizer = authorizer(value, "c2ln");
            assert_eq!(
                authorizer.headers(),
                refused(Field::TokenValue),
                "{value:?}"
            );
        }
        let mut authorizer = authorizer("t", "c2ln");
        if let Some(token) = &mut authorizer.token {
            token.key_name = "token: key".into();
        }
        assert_eq!(authorizer.headers(), refused(Field::TokenKeyName));
    }

    #[test]
    fn connect_keeps_the_user_name_alone() {
        let alone = |authorizer: &CustomAuthorizer| {
            let user_name = authorizer.user_name_alone().unwrap();
            user_name.map(|name| name.expose().clone())
        };
        assert_eq!(alone(&authorizer("t", "c2ln")), Some("alice".into()));
        assert_eq!(alone(&CustomAuthorizer::default()), None);
        let metrics = CustomAuthorizer {
            metrics: true,
            ..CustomAuthorizer::default()
        };
        assert!(alone(&metrics).unwrap().starts_with("?SDK=Dunlin"));
    }
}
