//! Checks of the values for a custom authorizer against AWS's API model.

use super::CustomAuthorizer;
use super::encoding::Encoding;
use crate::limits::{Field, LimitError, MAX_CLIENT_ID};
use crate::percent::{Unescaped, unescaped};

/// Checks the size of a password: 1 to 65,535 bytes, as `mqttContext` of AWS's API model has it.
///
/// ```
/// use dunlin_client::aws::check_password;
///
/// assert!(check_password(b"secret").is_ok());
/// assert!(check_password(&[0; 65_536]).is_err());
/// ```
///
/// # Errors
/// [`LimitError::Length`].
pub fn check_password(password: &[u8]) -> Result<(), LimitError> {
    // The model counts characters: continuation bytes of UTF-8 are left out.
    check_length(Field::Password, password.len())
}

impl CustomAuthorizer {
    /// Checks the name, the token and the signature against AWS's API model. Values that are
    /// percent-encoded already are decoded first.
    ///
    /// # Errors
    /// [`LimitError::Length`], [`LimitError::Characters`].
    pub fn check_limits(&self) -> Result<(), LimitError> {
        // The key name is a value of the application's, too. Names that this crate sets itself need
        // no check.
        for parameter in self.parameters() {
            if parameter.field == Field::TokenValue {
                self.check_value(Field::TokenKeyName, parameter.name)?;
            }
            self.check_value(parameter.field, parameter.value)?;
        }
        Ok(())
    }

    fn check_value(&self, field: Field, value: &str) -> Result<(), LimitError> {
        match self.encoding {
            // The limits are those of the decoded value. With `Always` a `%` is text; otherwise it
            // may begin an escape, which stands for one byte.
            Encoding::Always => check_bytes(field, value.bytes()),
            Encoding::Auto | Encoding::Never => {
                check_bytes(field, unescaped(value).map(Unescaped::byte))
            }
        }
    }
}

fn check_bytes(field: Field, value: impl Iterator<Item = u8> + Clone) -> Result<(), LimitError> {
    let Row {
        allowed, may_hold, ..
    } = limit(field);
    check_length(
        field,
        value.clone().filter(|byte| !is_continuation(*byte)).count(),
    )?;
    let mut value = value;
    if !value.all(may_hold) {
        return Err(LimitError::Characters { field, allowed });
    }
    Ok(())
}

fn check_length(field: Field, length: usize) -> Result<(), LimitError> {
    let Row { max, .. } = limit(field);
    if length == 0 || length > max {
        return Err(LimitError::Length { field, length, max });
    }
    Ok(())
}

/// True if a byte is the second or a later one of a character in UTF-8: the API model counts
/// characters.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

struct Row {
    max: usize,
    allowed: &'static str,
    may_hold: fn(u8) -> bool,
}

/// Limits of a value: botocore's iot model of 2015-05-28 (TestInvokeAuthorizer, CreateAuthorizer),
/// and the quota page for the client identifier.
fn limit(field: Field) -> Row {
    let row = |max, allowed, may_hold| Row {
        max,
        allowed,
        may_hold,
    };
    let any: fn(u8) -> bool = |_| true;
    match field {
        Field::UserName | Field::Password => row(65_535, "any characters", any),
        Field::ClientId => row(MAX_CLIENT_ID, "any characters", any),
        Field::AuthorizerName => row(128, "letters, digits and _=,@-", |byte| {
            word(byte) || b"=,@-".contains(&byte)
        }),
        Field::TokenKeyName => row(128, "letters, digits, _ and -", |byte| {
            word(byte) || byte == b'-'
        }),
        Field::TokenValue => row(6_144, "any characters", any),
        Field::Signature => row(2_560, "base64 (letters, digits, +, / and =)", |byte| {
            base64(byte) || byte == b'='
        }),
    }
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::super::AuthorizerToken;
    use super::*;
    use crate::limits::check_client_id;

    fn named(name: &str) -> CustomAuthorizer {
        CustomAuthorizer {
            authorizer_name: Some(name.to_owned()),
            ..Default::default()
        }
    }

    fn signed(key_name: &str, value: &str, signature: &str) -> CustomAuthorizer {
        let token = AuthorizerToken {
            key_name: key_name.to_owned(),
            value: value.into(),
            signature: Some(signature.into()),
        };
        CustomAuthorizer {
            token: Some(token),
            ..Default::default()
        }
    }

    fn long(length: usize) -> String {
        "a".repeat(length)
    }

    #[test]
    fn each_value_may_be_as_long_as_its_row_says_and_no_longer() {
        type Check = dyn Fn(usize) -> Result<(), LimitError>;
        let rows: [(Field, usize, &Check); 6] = [
            (Field::AuthorizerName, 128, &|n| {
                named(&long(n)).check_limits()
            }),
            (Field::TokenKeyName, 128, &|n| {
                signed(&long(n), "v", "s").check_limits()
            }),
            (Field::TokenValue, 6_144, &|n| {
                signed("k", &long(n), "s").check_limits()
            }),
            (Field::Signature, 2_560, &|n| {
                signed("k", "v", &long(n)).check_limits()
            }),
            (Field::ClientId, 128, &|n| check_client_id(&long(n))),
            (Field::Password, 65_535, &|n| {
                check_password(long(n).as_bytes())
            }),
        ];
        for (field, max, check) in rows {
            assert_eq!(check(max), Ok(()), "{field}");
            for length in [0, max + 1] {
                assert_eq!(
                    check(length),
                    Err(LimitError::Length { field, length, max })
                );
            }
        }
    }

    #[test]
    fn an_authorizer_name_holds_only_what_one_can_be_created_with() {
        assert_eq!(named("My_Auth=1,2@x-y").check_limits(), Ok(()));
        for name in ["My Auth", "My&Auth", "Auth?", "Aüth"] {
            let fault = named(name).check_limits().unwrap_err();
            assert!(
                matches!(
                    fault,
                    LimitError::Characters {
                        field: Field::AuthorizerName,
                        ..
                    }
                ),
                "{name}"
            );
        }
    }

    #[test]
    fn an_encoded_name_is_checked_as_what_it_stands_for() {
        assert_eq!(named("My%40Auth").check_limits(), Ok(()));
        assert!(named("My%20Auth").check_limits().is_err());

        let always = CustomAuthorizer {
            encoding: Encoding::Always,
            ..named("My%40Auth")
        };
        assert!(always.check_limits().is_err());
    }

    #[test]
    fn a_token_is_counted_in_characters_and_a_client_id_in_bytes() {
        assert_eq!(signed("k", &"é".repeat(6_144), "s").check_limits(), Ok(()));
        assert!(matches!(
            check_client_id(&"é".repeat(65)),
            Err(LimitError::Length { length: 130, .. })
        ));
    }

    #[test]
    fn a_client_id_of_the_service_is_refused() {
        assert_eq!(check_client_id("$GEN/1"), Err(LimitError::ReservedClientId));
    }

    #[test]
    fn a_limit_error_names_the_field_and_not_the_value() {
        let fault = signed("k", "v", "canary-7f3a").check_limits().unwrap_err();

        assert_eq!(
            fault.to_string(),
            "the token signature may hold only base64 (letters, digits, +, / and =)"
        );
    }
}
