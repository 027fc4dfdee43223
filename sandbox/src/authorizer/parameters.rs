//! Parameters of the custom authorizer, from the three places in which AWS IoT Core takes them.
//!
//! | place | form |
//! |---|---|
//! | user name of the CONNECT | `name?x-amz-customauthorizer-name=..&key=value` |
//! | query of the WebSocket or HTTPS request | `/mqtt?x-amz-customauthorizer-name=..&key=value` |
//! | headers of that request | `x-amz-customauthorizer-name: ..`, `key: value` |
//!
//! Each parameter is looked for in this order, and the first place that has it counts. AWS documents
//! no order; clients mix the places, for example the authorizer's name in the query with a token in
//! the user name. Names match in either case everywhere, as those of headers do.

use std::borrow::Cow;

use crate::authorizer::credentials::{Credentials, RequestHead};
use crate::authorizer::parameter_source::ParameterSource;
use crate::authorizer::refusal::Refusal;

pub(super) const AUTHORIZER_NAME: &str = "x-amz-customauthorizer-name";
pub(super) const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// Parameters of one client, percent-decoded where they were encoded.
pub(super) struct Parameters<'a> {
    user_name: Pairs<'a>,
    query: Pairs<'a>,
    head: Option<&'a RequestHead>,
}

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'a> Parameters<'a> {
    /// Reads the parameters of all places. A client without any has none: the default authorizer
    /// may still take it.
    ///
    /// # Errors
    /// [`Refusal::QuestionMarks`] for a user name with more than one `?`,
    /// [`Refusal::PercentEncoding`] for parameters that can't be decoded.
    pub(super) fn of(credentials: &'a Credentials) -> Result<Self, Refusal> {
        let mqtt = credentials.mqtt.as_ref();
        let head = credentials.http.as_deref();
        Ok(Self {
            user_name: of_user_name(mqtt.and_then(|fields| fields.username.as_deref()))?,
            query: match head.and_then(|head| head.query.as_deref()) {
                Some(query) => pairs(query, ParameterSource::Query)?,
                None => Pairs::new(),
            },
            head,
        })
    }

    /// Returns a parameter and its place; `None` if no place has it.
    ///
    /// # Errors
    /// [`Refusal::RepeatedParameter`] if it is there twice in one place: nobody could say which one
    /// counts.
    pub(super) fn find(&self, name: &str) -> Result<Option<(&str, ParameterSource)>, Refusal> {
        let headers = self.head.map_or(&[][..], |head| &head.headers);
        let headers = headers.iter().map(|(name, value)| (&**name, &**value));
        if let Some(value) = only(borrowed(&self.user_name), name, ParameterSource::UserName)? {
            return Ok(Some((value, ParameterSource::UserName)));
        }
        if let Some(value) = only(borrowed(&self.query), name, ParameterSource::Query)? {
            return Ok(Some((value, ParameterSource::Query)));
        }
        let value = only(headers, name, ParameterSource::Header)?;
        Ok(value.map(|value| (value, ParameterSource::Header)))
    }

    /// Returns the value of a parameter, from whichever place; `None` if no place has it.
    ///
    /// # Errors
    /// [`Refusal::RepeatedParameter`], as [`find`](Self::find).
    pub(super) fn value(&self, name: &str) -> Result<Option<&str>, Refusal> {
        Ok(self.find(name)?.map(|(value, _)| value))
    }
}

/// Returns `true` if a client seems to name an authorizer, even in a form that is refused.
pub(super) fn name_authorizer(credentials: &Credentials) -> bool {
    let mentions = |text: &str| text.to_ascii_lowercase().contains(AUTHORIZER_NAME);
    let mqtt = credentials.mqtt.as_ref();
    let user_name = mqtt.and_then(|fields| fields.username.as_deref());
    let head = credentials.http.as_deref();
    let query = head.and_then(|head| head.query.as_deref());
    user_name.into_iter().chain(query).any(mentions)
        || head.is_some_and(|head| head.header(AUTHORIZER_NAME).is_some())
}

/// Parameters of a user name. The text before the first `?` is the name proper, which AWS leaves to
/// the Lambda.
fn of_user_name(user_name: Option<&str>) -> Result<Pairs<'_>, Refusal> {
    let Some((_, query)) = user_name.and_then(|name| name.split_once('?')) else {
        return Ok(Pairs::new());
    };
    // A second `?` is the usual mistake of clients that append their metrics as a query of its own:
    // AWS then never calls the Lambda. A `?` in a value is sent as %3F. The query of a URL may have
    // more of them (RFC 3986, 3.4).
    let more = query.matches('?').count();
    if more > 0 {
        return Err(Refusal::QuestionMarks(more + 1));
    }
    pairs(query, ParameterSource::UserName)
}

fn pairs(query: &str, source: ParameterSource) -> Result<Pairs<'_>, Refusal> {
    // Empty pairs are skipped: `?&a=b` and `?a=b&` are what concatenation produces.
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| decoded(pair).ok_or(Refusal::PercentEncoding(source)))
        .collect()
}

fn borrowed<'a>(pairs: &'a Pairs<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    pairs.iter().map(|(key, value)| (&**key, &**value))
}

fn only<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    name: &str,
    source: ParameterSource,
) -> Result<Option<&'a str>, Refusal> {
    let mut values = pairs
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::RepeatedParameter {
            name: name.into(),
            place: source,
        });
    }
    Ok(first)
}

/// Decodes `key=value`; `None` if a `%` isn't followed by two hex digits, or the bytes aren't UTF-8.
/// A `+` stays a `+`: this isn't a web form, and base64 has it.
fn decoded(pair: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    // Only the first `=` separates: base64 ends with more of them. Keys are encoded like values.
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((percent_decoded(key)?, percent_decoded(value)?))
}

pub(crate) fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
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
    use crate::authorizer::credentials::ConnectFields;

    fn with_user_name(name: Option<&str>) -> Credentials {
        Credentials {
            mqtt: Some(ConnectFields {
                username: name.map(Into::into),
                ..ConnectFields::default()
            }),
            ..Credentials::default()
        }
    }

    fn over_websocket(user_name: &str, query: &str, headers: &[(&str, &str)]) -> Credentials {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let head = RequestHead {
            headers: headers.collect(),
            query: Some(query.into()),
        };
        Credentials {
            http: Some(head.into()),
            ..with_user_name(Some(user_name))
        }
    }

    fn value(credentials: &Credentials, name: &str) -> Result<Option<String>, Refusal> {
        let parameters = Parameters::of(credentials)?;
        Ok(parameters.value(name)?.map(Into::into))
    }

    #[test]
    fn the_golden_user_name_gives_its_three_parameters() {
        let name = "alice?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature=AbC%2BdEf/Gh%3D%3D\
                    &tokenKeyName=tokenValue123";
        let credentials = with_user_name(Some(name));
        let parameters = Parameters::of(&credentials).unwrap();
        assert_eq!(
            parameters.find(AUTHORIZER_NAME),
            Ok(Some(("MyAuth", ParameterSource::UserName)))
        );
        assert_eq!(parameters.value(SIGNATURE), Ok(Some("AbC+dEf/Gh==")));
        assert_eq!(parameters.value("tokenKeyName"), Ok(Some("tokenValue123")));
        assert_eq!(parameters.value("absent"), Ok(None));
    }

    #[test]
    fn each_parameter_is_taken_from_the_first_place_that_has_it() {
        let credentials = over_websocket(
            "alice?a=user",
            "a=query&b=query&%63=%71uery+%2B?",
            &[
                ("a", "header"),
                ("b", "header"),
                ("c", "h"),
                ("d", "header"),
            ],
        );
        let parameters = Parameters::of(&credentials).unwrap();
        for (name, expected) in [
            ("a", Some(("user", ParameterSource::UserName))),
            ("b", Some(("query", ParameterSource::Query))),
            // Decoded, with its plus signs, and with the question mark that a URL may have.
            ("c", Some(("query++?", ParameterSource::Query))),
            ("d", Some(("header", ParameterSource::Header))),
            ("e", None),
        ] {
            assert_eq!(parameters.find(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn names_match_in_either_case_in_every_place() {
        let name = "X-Amz-CustomAuthorizer-Name";
        let pair = format!("{name}=MyAuth");
        for credentials in [
            with_user_name(Some(&format!("?{pair}"))),
            over_websocket("", &pair, &[]),
            over_websocket("", "", &[(name, "MyAuth")]),
        ] {
            assert_eq!(
                value(&credentials, AUTHORIZER_NAME),
                Ok(Some("MyAuth".into())),
                "{credentials:?}"
            );
            assert!(name_authorizer(&credentials), "{credentials:?}");
        }
        assert!(!name_authorizer(&over_websocket("a", "b=c", &[("d", "e")])));
    }

    #[test]
    fn values_of_headers_are_not_percent_decoded() {
        let credentials = over_websocket("", "", &[("tok", "a%2Bb")]);
        assert_eq!(value(&credentials, "tok"), Ok(Some("a%2Bb".into())));
    }

    #[test]
    fn a_raw_plus_and_equals_sign_are_kept() {
        let credentials = with_user_name(Some("?t=a+b=="));
        assert_eq!(value(&credentials, "t"), Ok(Some("a+b==".into())));
    }

    #[test]
    fn a_second_question_mark_in_a_user_name_is_refused_with_the_count() {
        for (name, count) in [("u?x=1?y=2", 2), ("u?x=1?y=2?z", 3)] {
            assert_eq!(
                value(&with_user_name(Some(name)), "x"),
                Err(Refusal::QuestionMarks(count))
            );
        }
    }

    #[test]
    fn an_encoded_question_mark_is_no_second_one() {
        let credentials = with_user_name(Some("u?t=a%3Fb"));
        assert_eq!(value(&credentials, "t"), Ok(Some("a?b".into())));
    }

    #[test]
    fn broken_percent_encoding_is_refused_and_the_place_is_named() {
        for query in ["t=%", "t=%4", "t=%zz", "t=%ff", "%+1=x"] {
            assert_eq!(
                value(&with_user_name(Some(&format!("?{query}"))), "t"),
                Err(Refusal::PercentEncoding(ParameterSource::UserName)),
                "{query}"
            );
            assert_eq!(
                value(&over_websocket("", query, &[]), "t"),
                Err(Refusal::PercentEncoding(ParameterSource::Query)),
                "{query}"
            );
        }
    }

    #[test]
    fn a_parameter_given_twice_in_one_place_is_refused() {
        let repeated = |source| {
            Err(Refusal::RepeatedParameter {
                name: "t".into(),
                place: source,
            })
        };
        for (credentials, source) in [
            (with_user_name(Some("?t=a&T=b")), ParameterSource::UserName),
            (over_websocket("", "t=a&t=b", &[]), ParameterSource::Query),
            (
                over_websocket("", "", &[("t", "a"), ("t", "b")]),
                ParameterSource::Header,
            ),
        ] {
            assert_eq!(value(&credentials, "t"), repeated(source));
        }
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
            assert_eq!(value(&with_user_name(name), "t"), Ok(None));
        }
    }
}
