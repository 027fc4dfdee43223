//! Parameters of a query: texts, truth values, numbers, and pages of lists.

use core::str::FromStr;
use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authorizer::{RequestHead, percent_decoded};
use crate::net::http::refused::Refused;

/// Query of one request.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn of(head: &'a RequestHead) -> Self {
        Self(head.query.as_deref().unwrap_or_default())
    }

    /// `true` if a parameter with this name is there, once or more often.
    pub(super) fn has(self, name: &str) -> bool {
        self.pairs(name).next().is_some()
    }

    /// Value of a parameter, decoded; empty for one without `=`, `None` if there is none.
    ///
    /// # Errors
    /// [`QueryError`] if it is there twice, since nobody could say which one counts, or its
    /// percent-encoding is wrong.
    pub(super) fn text(self, name: &'static str) -> Result<Option<Cow<'a, str>>, QueryError> {
        let mut values = self.pairs(name);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(QueryError::Repeated(name));
        }
        let value = percent_decoded(value);
        value.map(Some).ok_or(QueryError::PercentEncoding(name))
    }

    /// Values of all parameters with this name, as they were sent. Names may be encoded as well.
    fn pairs(self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.split('&');
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .filter(move |(key, _)| percent_decoded(key).is_some_and(|key| key == name))
            .map(|(_, value)| value)
    }

    /// Value of a parameter that is `true` or `false`, which is the default.
    ///
    /// # Errors
    /// 400 for any other value.
    pub(super) fn flag(self, name: &'static str) -> Result<bool, Refused> {
        match self.text(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refused::invalid(format!("{name} must be true or false"))),
        }
    }

    /// Number within a range; `default` without the parameter.
    ///
    /// # Errors
    /// 400 for any other value.
    pub(super) fn number<T: FromStr + PartialOrd + core::fmt::Display>(
        self,
        name: &'static str,
        (least, most): (T, T),
        default: T,
    ) -> Result<T, Refused> {
        let Some(text) = self.text(name)? else {
            return Ok(default);
        };
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<T>().ok().filter(|_| is_number);
        let number = number.filter(|number| *number >= least && *number <= most);
        number.ok_or_else(|| Refused::invalid(format!("{name} must be {least} to {most}")))
    }

    /// Page of a list that `maxResults` (1 to 200) and `nextToken` ask for.
    ///
    /// # Errors
    /// 400 for another size, or a token that isn't one of an earlier answer.
    pub(super) fn page(self, default: usize) -> Result<Page, Refused> {
        let most = self.number("maxResults", (1, MAX_RESULTS), default)?;
        let after = match self.text("nextToken")? {
            None => String::new(),
            Some(token) => STANDARD
                .decode(&*token)
                .ok()
                .and_then(|last| String::from_utf8(last).ok())
                .ok_or_else(|| {
                    Refused::invalid("nextToken isn't one of an earlier answer".into())
                })?,
        };
        Ok(Page { most, after })
    }
}

/// Reason to refuse a query with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error("{0} is there more than once in the query")]
    Repeated(&'static str),
    #[error("{0} isn't valid percent-encoding of UTF-8")]
    PercentEncoding(&'static str),
}

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// Topic of a path, decoded.
///
/// # Errors
/// [`QueryError::PercentEncoding`]
pub(super) fn decoded_topic(encoded: &str) -> Result<Cow<'_, str>, QueryError> {
    percent_decoded(encoded).ok_or(QueryError::PercentEncoding("the topic"))
}

/// Page of a list that is ordered by a text.
pub(super) struct Page {
    /// Maximum number of entries.
    pub(super) most: usize,
    /// Last entry of the page before; empty for the first page.
    pub(super) after: String,
}

/// Token of the page after the one that ends with `last`.
pub(super) fn next_token(last: &str) -> String {
    STANDARD.encode(last)
}

/// Largest page.
pub(super) const MAX_RESULTS: usize = 200;
