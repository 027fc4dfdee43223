//! Query of a user name or of a URL: parameters joined by `&`, in a user name after its own part and a
//! `?`.

use zeroize::Zeroizing;

use super::encoding::{self, Encoding, IsPlain};
use super::error::AuthorizerError;
use crate::limits::Field;
use crate::secret::Secret;

/// Parameter `name=value`, before encoding.
#[derive(Clone, Copy)]
pub(super) struct Parameter<'a> {
    pub(super) field: Field,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

impl<'a> Parameter<'a> {
    /// Parameter without the `name=` at the beginning of the value, if there is one.
    pub(super) fn new(field: Field, name: &'a str, value: &'a str) -> Self {
        let bare = value
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='));
        Self {
            field,
            name,
            value: bare.unwrap_or(value),
        }
    }

    /// Value that a fault of the name belongs to: only a token has a name of the application's.
    pub(super) fn name_field(&self) -> Field {
        match self.field {
            Field::TokenValue => Field::TokenKeyName,
            other => other,
        }
    }

    /// Maximum size in bytes: separators, and every byte as `%XX`.
    fn encoded_len(&self) -> usize {
        2 + 3 * (self.name.len() + self.value.len())
    }
}

/// User name or query of a URL under construction. Its memory is reserved at once, so that no part of a token is left
/// in memory that was grown.
pub(super) struct Query {
    text: Zeroizing<String>,
    encoding: Encoding,
    /// True for a URL, whose query begins without a `?` here.
    is_url: bool,
}

impl Query {
    pub(super) fn new(
        username: &str,
        parameters: &[Parameter<'_>],
        encoding: Encoding,
    ) -> Result<Self, AuthorizerError> {
        Self::begin(username, parameters, encoding, false)
    }

    /// Query of a URL, without the `?`.
    pub(super) fn of_url(
        parameters: &[Parameter<'_>],
        encoding: Encoding,
    ) -> Result<Self, AuthorizerError> {
        Self::begin("", parameters, encoding, true)
    }

    fn begin(
        username: &str,
        parameters: &[Parameter<'_>],
        encoding: Encoding,
        is_url: bool,
    ) -> Result<Self, AuthorizerError> {
        // With two of them it is unclear where the query begins: software of AWS looks for the last
        // one.
        if username.matches('?').count() > 1 {
            return Err(AuthorizerError::SecondQuestionMark {
                field: Field::UserName,
            });
        }
        // Reserve for the longest encoding: memory that grew would leave a copy of the token
        // behind, which nobody zeroes.
        let parameters_len: usize = parameters.iter().map(Parameter::encoded_len).sum();
        let mut text = String::with_capacity(username.len() + parameters_len + METRICS.len() + 1);
        text.push_str(username);
        let mut query = Self {
            text: text.into(),
            encoding,
            is_url,
        };
        for parameter in parameters {
            query.push(parameter)?;
        }
        Ok(query)
    }

    fn push(&mut self, parameter: &Parameter<'_>) -> Result<(), AuthorizerError> {
        self.push_separator();
        self.push_text(parameter.name_field(), parameter.name)?;
        self.text.push('=');
        self.push_text(parameter.field, parameter.value)
    }

    pub(super) fn push_metrics(&mut self) {
        self.push_separator();
        self.text.push_str(METRICS);
    }

    pub(super) fn finish(mut self) -> Result<Secret<String>, AuthorizerError> {
        let length = self.text.len();
        if length > MAX_LEN {
            return Err(AuthorizerError::TooLong {
                length,
                max: MAX_LEN,
            });
        }
        Ok(std::mem::take(&mut *self.text).into())
    }

    fn push_separator(&mut self) {
        if self.is_url {
            if !self.text.is_empty() {
                self.text.push('&');
            }
            return;
        }
        let separator = if self.text.contains('?') { '&' } else { '?' };
        self.text.push(separator);
    }

    fn push_text(&mut self, field: Field, text: &str) -> Result<(), AuthorizerError> {
        if text.is_empty() {
            return Err(AuthorizerError::Empty { field });
        }
        match self.plain_bytes(field, text)? {
            Some(is_plain) => encoding::push_encoded(&mut self.text, text, is_plain),
            None => self.text.push_str(text),
        }
        Ok(())
    }

    /// Bytes of `text` that aren't encoded; `None` means all.
    fn plain_bytes(&self, field: Field, text: &str) -> Result<Option<IsPlain>, AuthorizerError> {
        let is_signature = field == Field::Signature;
        match self.encoding {
            Encoding::Always => Ok(Some(encoding::unreserved)),
            Encoding::Never if text.contains('?') => {
                Err(AuthorizerError::SecondQuestionMark { field })
            }
            Encoding::Never => Ok(None),
            Encoding::Auto => {
                // Base64 has no `%`, so any `%` in a signature is an encoding. In other values it
                // may be text, and only `%` with two digits counts.
                let is_encoded = if is_signature {
                    text.contains('%')
                } else {
                    encoding::has_escape(text)
                };
                // A value that is encoded already stays as it is, unless a raw delimiter shows that
                // only a part of it is. A signature is encoded as the AWS SDK for Python does;
                // other values only where a delimiter would end them.
                match (is_encoded, is_signature) {
                    (true, _) if text.bytes().any(encoding::is_delimiter) => {
                        Err(AuthorizerError::HalfEncoded { field })
                    }
                    (true, _) => Ok(None),
                    // In a URL, a `+` may be read as a space, and quotes and the like are invalid.
                    (false, _) if self.is_url => Ok(Some(encoding::unreserved)),
                    (false, true) => Ok(Some(encoding::quoted)),
                    (false, false) => Ok(Some(encoding::harmless)),
                }
            }
        }
    }
}

const METRICS: &str = concat!("SDK=Dunlin&Version=", env!("CARGO_PKG_VERSION"));

/// A UTF-8 Encoded String of MQTT has a length of two bytes. (§1.5.4)
const MAX_LEN: usize = 65_535;
