//! The user name of a CONNECT:
//! `name?x-amz-customauthorizer-name=..&x-amz-customauthorizer-signature=..&key=value`.

use std::borrow::Cow;

use crate::authorizer::refusal::Refusal;

pub(super) const AUTHORIZER_NAME: &str = "x-amz-customauthorizer-name";
pub(super) const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// The parameters after the `?`, percent-decoded. A `+` stays a `+`: this isn't a web form.
pub(super) struct UserName<'a> {
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> UserName<'a> {
    /// A CONNECT without a user name has no parameters: the default authorizer may still take it.
    pub(super) fn parse(user_name: Option<&'a str>) -> Result<Self, Refusal> {
        // The text before the first `?` is the name proper, which AWS leaves to the Lambda.
        let Some((_, query)) = user_name.and_then(|name| name.split_once('?')) else {
            return Ok(Self {
                parameters: Vec::new(),
            });
        };
        // A second `?` is the usual mistake of clients that append their metrics as a query of its
        // own: AWS then never calls the Lambda. A `?` in a value is sent as %3F.
        let more = query.matches('?').count();
        if more > 0 {
            return Err(Refusal::QuestionMarks(more + 1));
        }
        // Empty pairs are skipped: `?&a=b` and `?a=b&` are what concatenation produces.
        let parameters = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(parameter);
        Ok(Self {
            parameters: parameters.collect::<Result<_, _>>()?,
        })
    }

    /// A parameter that stands there twice is refused: nobody could say which one counts.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self
            .parameters
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| &**value);
        let first = values.next();
        if values.next().is_some() {
            return Err(Refusal::RepeatedParameter(name.into()));
        }
        Ok(first)
    }
}

fn parameter(pair: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), Refusal> {
    // Only the first `=` separates: base64 ends with more of them. Keys are encoded like values.
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    match (decode(key), decode(value)) {
        (Some(key), Some(value)) => Ok((key, value)),
        _ => Err(Refusal::PercentEncoding),
    }
}

/// `None` where a `%` isn't followed by two hex digits, or the bytes aren't UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    // Most values have nothing to decode and are borrowed.
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        // Decoded bytes are collected first, since one character may be several of them.
        let (high, low) = (hex_digit(bytes.next()?)?, hex_digit(bytes.next()?)?);
        decoded.push(high << 4 | low);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_user_name_gives_its_three_parameters() {
        let name = "alice?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature=AbC%2BdEf/Gh%3D%3D\
                    &tokenKeyName=tokenValue123";
        let user_name = UserName::parse(Some(name)).unwrap();
        assert_eq!(user_name.parameter(AUTHORIZER_NAME), Ok(Some("MyAuth")));
        assert_eq!(user_name.parameter(SIGNATURE), Ok(Some("AbC+dEf/Gh==")));
        assert_eq!(
            user_name.parameter("tokenKeyName"),
            Ok(Some("tokenValue123"))
        );
        assert_eq!(user_name.parameter("absent"), Ok(None));
    }

    #[test]
    fn a_raw_plus_and_equals_sign_are_kept() {
        let user_name = UserName::parse(Some("?t=a+b==")).unwrap();
        assert_eq!(user_name.parameter("t"), Ok(Some("a+b==")));
    }

    #[test]
    fn a_second_question_mark_is_refused_with_the_count() {
        assert_eq!(
            UserName::parse(Some("u?x=1?y=2")).err(),
            Some(Refusal::QuestionMarks(2))
        );
        assert_eq!(
            UserName::parse(Some("u?x=1?y=2?z")).err(),
            Some(Refusal::QuestionMarks(3))
        );
    }

    #[test]
    fn an_encoded_question_mark_is_no_second_one() {
        let user_name = UserName::parse(Some("u?t=a%3Fb")).unwrap();
        assert_eq!(user_name.parameter("t"), Ok(Some("a?b")));
    }

    #[test]
    fn broken_percent_encoding_is_refused() {
        for name in ["?t=%", "?t=%4", "?t=%zz", "?t=%ff", "?%+1=x"] {
            assert_eq!(
                UserName::parse(Some(name)).err(),
                Some(Refusal::PercentEncoding),
                "{name}"
            );
        }
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        let user_name = UserName::parse(Some("?t=a&t=b")).unwrap();
        assert_eq!(
            user_name.parameter("t"),
            Err(Refusal::RepeatedParameter("t".into()))
        );
    }

    #[test]
    fn a_user_name_without_a_query_has_no_parameters() {
        for name in [
            None,
            Some(""),
            Some("alice"),
            Some("alice?"),
            Some("alice?&&"),
        ] {
            assert_eq!(UserName::parse(name).unwrap().parameter("t"), Ok(None));
        }
    }
}
